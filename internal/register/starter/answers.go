package starter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"aims/internal/strict"
)

// Answers are what a starter set is made from.
type Answers struct {
	Organisation  string   `yaml:"organisation"`
	Description   string   `yaml:"description"`
	Jurisdictions []string `yaml:"jurisdictions"`
	AIRole        string   `yaml:"ai_role"`
	Director      Person   `yaml:"director"`
	Manager       Person   `yaml:"manager"`
	Auditor       Person   `yaml:"auditor"`
	Operator      Person   `yaml:"operator"`
	Agents        []Agent  `yaml:"agents"`
}

// Person is somebody by the id under which keys are made, and a name.
type Person struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
}

// Agent is an agent that is to be deployed.
type Agent struct {
	ID      string   `yaml:"id"`
	Purpose string   `yaml:"purpose"`
	Does    string   `yaml:"does"`
	Servers []string `yaml:"servers"`
}

var (
	idForm    = regexp.MustCompile(`^[a-z][a-z0-9._-]{1,63}$`)
	placeForm = regexp.MustCompile(`^[A-Z]{2}$`)
	// YAML reads these words as something else than text.
	notWords = []string{"null", "true", "false", "yes", "no", "on", "off"}
	roles    = []string{"provider", "producer", "developer", "deployer", "user"}
)

// Read reads a file of answers. The error is a *strict.Error with every problem
// and its line.
func Read(file string, text []byte) (Answers, error) {
	var a Answers
	doc, err := strict.Decode(file, text, &a)
	if err != nil {
		return Answers{}, err
	}
	a.check(func(path, problem string) { doc.Wrong(path, "%s", problem) })
	return a, doc.Err()
}

// check reports everything that is missing or cannot be.
func (a Answers) check(report func(path, problem string)) {
	seen, purposes := map[string]bool{}, map[string]bool{}
	for _, q := range questions {
		if q.agent == nil {
			if fault := q.fault(q.get(&a)); fault != "" {
				report(q.Key, fault)
			}
			continue
		}
		for i := range a.Agents {
			if fault := q.fault(q.agent(&a.Agents[i])); fault != "" {
				report(fmt.Sprintf("agents[%d].%s", i, q.Key), fault)
			}
		}
	}
	if len(a.Agents) == 0 {
		report("agents", "is missing; expected at least one agent, with id, purpose, does and servers")
	}
	for i, agent := range a.Agents {
		if seen[agent.ID] {
			report(fmt.Sprintf("agents[%d].id", i), "this agent stands here twice")
		}
		if agent.Purpose != "" && purposes[agent.Purpose] {
			report(fmt.Sprintf("agents[%d].purpose", i), "is the purpose of another agent; expected one of its own, since what it does is said of this agent")
		}
		seen[agent.ID], purposes[agent.Purpose] = true, true
	}
	a.apart(report)
}

// apart refuses what no later record could put right: who leads, who writes the
// records and who audits them are different people (ISO 42001 5.3, 9.2.2).
func (a Answers) apart(report func(path, problem string)) {
	switch {
	case a.Manager.ID == "":
	case a.Manager.ID == a.Director.ID:
		report("manager", "is the director as well; expected somebody else, because who writes a record does not approve it")
	case a.Auditor.ID == a.Manager.ID || a.Auditor.ID == a.Director.ID:
		report("auditor", "manages or directs what is audited; expected somebody else, also from outside")
	}
}

// text is a fault of a text that must be there.
func text(values []string) string {
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return "is missing"
	}
	if strings.ContainsFunc(values[0], func(c rune) bool { return unicode.IsControl(c) }) || len(values[0]) > 500 {
		return "expected one line of text, at most 500 bytes"
	}
	return ""
}

const anID = "2 to 64 of a-z 0-9 . _ -, beginning with a letter"

func isID(s string) bool { return idForm.MatchString(s) && !slices.Contains(notWords, s) }

func person(values []string) string {
	if len(values) < 2 || !isID(values[0]) {
		return "expected id and name; the id is " + anID
	}
	return text(values[1:])
}

func id(values []string) string {
	if len(values) != 1 || !isID(values[0]) {
		return "is no id; expected " + anID
	}
	return ""
}

func ids(values []string) string {
	if len(values) == 0 {
		return "is missing; expected at least one name"
	}
	for _, v := range values {
		if !isID(v) {
			return fmt.Sprintf("%.80q is no name of a server as in aims.yaml; expected %s", v, anID)
		}
	}
	return ""
}

func places(values []string) string {
	if len(values) == 0 {
		return "is missing; expected codes such as DE, EU"
	}
	for _, v := range values {
		if !placeForm.MatchString(v) {
			return fmt.Sprintf("%.80q is no place; expected two capital letters, an ISO 3166 code or EU", v)
		}
	}
	return ""
}

func role(values []string) string {
	if len(values) != 1 || !slices.Contains(roles, values[0]) {
		given := strings.Join(values, " ")
		return fmt.Sprintf("%.80q is no role%s; expected one of %s", given, strict.Suggest(given, roles), strings.Join(roles, ", "))
	}
	return ""
}
