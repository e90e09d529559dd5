package starter

import (
	"fmt"
	"slices"
	"strings"
)

// Question is one thing that a starter set depends on.
type Question struct {
	Key     string // in the file of answers
	Text    string
	Example string // an answer as it is typed

	fault func(values []string) string
	// Of the organisation, or else of an agent; as the values that an answer has.
	get   func(*Answers) []string
	set   func(*Answers, []string)
	agent func(*Agent) []string
	tell  func(*Agent, []string)
	// How an answer is typed: as one text, as words, or as an id and a name.
	form form
}

type form int

const (
	oneText form = iota
	words
	idAndName
)

// questions are asked in this order; those of an agent for each.
var questions = slices.Concat([]Question{
	ofText("organisation", "What is the organisation called?", "Example Ltd", func(a *Answers) *string { return &a.Organisation }),
	ofText("description", "What does it do, in a sentence?", "Sells and repairs bicycles in two shops.", func(a *Answers) *string { return &a.Description }),
	{Key: "jurisdictions", Text: "Where does it act? ISO 3166 codes or EU.", Example: "DE EU", fault: places, form: words,
		get: func(a *Answers) []string { return a.Jurisdictions }, set: func(a *Answers, v []string) { a.Jurisdictions = v }},
	{Key: "ai_role", Text: "Which role does it play for its AI systems? provider, producer, developer, deployer or user; who puts agents of others to work is their deployer.",
		Example: "deployer", fault: role, form: words, get: func(a *Answers) []string { return strings.Fields(a.AIRole) },
		set: func(a *Answers, v []string) { a.AIRole = strings.Join(v, " ") }},
	ofPerson("director", "Who directs it? This person approves the AI policy and what risk is left.", "ruth Ruth Example", func(a *Answers) *Person { return &a.Director }),
	ofPerson("manager", "Who looks after the AI management system and writes its records?", "max Max Example", func(a *Answers) *Person { return &a.Manager }),
	ofPerson("auditor", "Who audits it? Somebody who owns nothing of it, perhaps from outside.", "ida Ida Example", func(a *Answers) *Person { return &a.Auditor }),
	ofPerson("operator", "Who runs the agents and can stop them?", "olaf Olaf Example", func(a *Answers) *Person { return &a.Operator }),
}, ofAgent)

var ofAgent = []Question{
	{Key: "id", Text: "What is the agent called, as in its key?", Example: "repair-desk", fault: id, form: words,
		agent: func(a *Agent) []string { return []string{a.ID} }, tell: func(a *Agent, v []string) { a.ID = strings.Join(v, " ") }},
	{Key: "purpose", Text: "A short name for what it is for?", Example: "book-repairs", fault: id, form: words,
		agent: func(a *Agent) []string { return []string{a.Purpose} }, tell: func(a *Agent, v []string) { a.Purpose = strings.Join(v, " ") }},
	{Key: "does", Text: "What does it do, in a sentence, and what not?", Example: "Books repairs from mail into the calendar, and promises no prices.", fault: text,
		agent: func(a *Agent) []string { return []string{a.Does} }, tell: func(a *Agent, v []string) { a.Does = v[0] }},
	{Key: "servers", Text: "Which MCP servers does it work with, by their names in aims.yaml?", Example: "calendar mail", fault: ids, form: words,
		agent: func(a *Agent) []string { return a.Servers }, tell: func(a *Agent, v []string) { a.Servers = v }},
}

func ofText(key, ask, example string, of func(*Answers) *string) Question {
	return Question{Key: key, Text: ask, Example: example, fault: text,
		get: func(a *Answers) []string { return []string{*of(a)} }, set: func(a *Answers, v []string) { *of(a) = v[0] }}
}

func ofPerson(key, ask, example string, of func(*Answers) *Person) Question {
	return Question{Key: key, Text: ask + " An id and a name.", Example: example, fault: person, form: idAndName,
		get: func(a *Answers) []string { p := of(a); return []string{p.ID, p.Name} },
		set: func(a *Answers, v []string) { *of(a) = Person{v[0], v[1]} }}
}

// Ask asks every question with line, which shows it and returns what was typed;
// an answer that cannot be is asked again, after tell has said why. agents is how
// many there are.
func Ask(agents int, line func(Question) (string, error), tell func(string)) (Answers, error) {
	a := Answers{Agents: make([]Agent, agents)}
	ask := func(q Question, set func([]string)) error {
		for {
			typed, err := line(q)
			if err != nil {
				return err
			}
			values := q.values(strings.TrimSpace(typed))
			fault := q.fault(values)
			if fault == "" {
				set(values)
				return nil
			}
			tell(fault)
		}
	}
	for _, q := range questions {
		if q.agent != nil {
			continue
		}
		if err := ask(q, func(v []string) { q.set(&a, v) }); err != nil {
			return a, err
		}
	}
	for i := range a.Agents {
		for _, q := range ofAgent {
			if err := ask(q, func(v []string) { q.tell(&a.Agents[i], v) }); err != nil {
				return a, err
			}
		}
	}
	var wrong []string
	a.check(func(path, problem string) { wrong = append(wrong, path+": "+problem) })
	if len(wrong) > 0 {
		return a, fmt.Errorf("the answers do not fit together: %s", strings.Join(wrong, "; "))
	}
	return a, nil
}

// values are those of a typed answer.
func (q Question) values(typed string) []string {
	switch q.form {
	case words:
		return strings.FieldsFunc(typed, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' })
	case idAndName:
		id, name, _ := strings.Cut(typed, " ")
		return []string{id, strings.TrimSpace(name)}
	}
	return []string{typed}
}

// Form is a file of answers to be edited: every question with an example.
func Form() []byte {
	var b strings.Builder
	b.WriteString("# Answers for aims init. Replace the examples with your own.\n")
	for _, q := range questions {
		if q.agent == nil {
			fmt.Fprintf(&b, "\n# %s\n%s: %s\n", q.Text, q.Key, q.example())
		}
	}
	b.WriteString("\n# Each agent that is to be deployed.\nagents:\n")
	for i, q := range ofAgent {
		lead := "    "
		if i == 0 {
			lead = "  - "
		}
		fmt.Fprintf(&b, "    # %s\n%s%s: %s\n", q.Text, lead, q.Key, q.example())
	}
	return []byte(b.String())
}

// example is the example as it stands in a file.
func (q Question) example() string {
	v := q.values(q.Example)
	switch {
	case q.form == idAndName:
		return fmt.Sprintf("{id: %s, name: %s}", v[0], quote(v[1]))
	case q.Key == "jurisdictions" || q.Key == "servers":
		return "[" + strings.Join(v, ", ") + "]"
	}
	return q.Example
}
