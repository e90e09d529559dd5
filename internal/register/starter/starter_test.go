package starter_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
	"aims/internal/register/starter"
	"aims/internal/strict"
)

var today = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func read(t *testing.T, a starter.Answers) record.Registers {
	t.Helper()
	files, err := a.Files(today)
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: text}
	}
	r, err := record.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Check("2026-11-23") {
		t.Error(p)
	}
	return r
}

// The form with its examples is itself a file of answers, and the set made of it
// has no problem and claims nothing that nobody decided.
func TestTheSetOfTheForm(t *testing.T) {
	a, err := starter.Read("answers.yaml", starter.Form())
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, a)
	var s record.State
	index := uint64(0)
	r.Each(func(kind, id string, rec any) {
		index++
		body := `{"changes":[{"kind":"` + kind + `","id":"` + id + `","event":"created","record":` + string(record.Canonical(rec)) + `}]}`
		if err := s.ApplyChange([]byte(body), record.Version{By: "max", At: today.UnixMicro(), Index: index, Receipt: "rcp"}); err != nil {
			t.Fatal(err)
		}
	})
	list, err := criteria.Evaluate(&criteria.Input{Registers: s, From: today.AddDate(-1, 0, 0), Until: today})
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, st := range list {
		open[st.ID] = st.State != criteria.Shown && st.State != criteria.Evidence
	}
	for _, id := range []string{"4.1", "4.2", "4.3", "5.2", "6.1.1", "6.1.2", "6.1.3", "6.1.4", "7.2", "7.4", "A.2.2", "A.5.4", "A.9.2", "A.10.3"} {
		if !open[id] {
			t.Errorf("nothing is said to be missing of %s, of which nobody has decided anything", id)
		}
	}
}

// Who takes the # off everything that is commented out gets a set that is read,
// with each key once, also for several agents.
func TestTheSetUncommented(t *testing.T) {
	a, err := starter.Read("answers.yaml", starter.Form())
	if err != nil {
		t.Fatal(err)
	}
	second := a.Agents[0]
	second.ID, second.Purpose = "shop-desk", "answer-customers"
	a.Agents = append(a.Agents, second)
	files, err := a.Files(today)
	if err != nil {
		t.Fatal(err)
	}
	dir, blocks := fstest.MapFS{}, 0
	for name, text := range files {
		lines, inside := strings.Split(string(text), "\n"), false
		for i, line := range lines {
			bare, comment := strings.CutPrefix(line, "# ")
			inside = comment && strings.HasSuffix(name, ".yaml") && (inside || key.MatchString(bare))
			if inside {
				lines[i] = bare
				blocks++
			}
		}
		dir[name] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n"))}
	}
	r, err := record.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Check("2026-11-23") {
		t.Error(p)
	}
	if len(r.Impacts) != 2 || blocks == 0 {
		t.Errorf("%d impact assessments, expected one for each agent", len(r.Impacts))
	}
}

var key = regexp.MustCompile(`^[a-z_]+:$`)

// Whatever people are called and whatever they type as text, the set is read.
func TestAnyTextIsQuoted(t *testing.T) {
	a, err := starter.Read("answers.yaml", starter.Form())
	if err != nil {
		t.Fatal(err)
	}
	a.Organisation = `Sturm & "Drang": {x: [1]} # no <b>`
	a.Agents[0].Does = "- yes: 'no' --- {{.Organisation}}"
	a.Auditor.Name = "null"
	r := read(t, a)
	if r.Organisation[0].Name != a.Organisation || r.Purposes[0].Text != a.Agents[0].Does {
		t.Errorf("%q %q", r.Organisation[0].Name, r.Purposes[0].Text)
	}
}

func TestAnswersThatCannotBe(t *testing.T) {
	form := string(starter.Form())
	line := func(key string) int {
		return strings.Count(form[:strings.Index(form, "\n"+key)+1], "\n") + 1
	}
	for _, c := range []struct{ old, new, want string }{
		{"ai_role: deployer", "ai_role: deploier", "did you mean deployer?"},
		{"organisation: ", "organization: ", `unknown key "organization"`},
		{"[DE, EU]", "[Germany]", `"Germany" is no place`},
		{"{id: ida", "{id: max", "auditor: manages or directs what is audited"},
		{"{id: max", "{id: ruth", "manager: is the director as well"},
		{"id: repair-desk", "id: Repair Desk", "agents[0].id: is no id"},
		{"[calendar, mail]", "[]", "agents[0].servers: is missing"},
		{"agents:", "agents: []\nunused:", `unknown key "unused"`},
	} {
		_, err := starter.Read("answers.yaml", []byte(strings.Replace(form, c.old, c.new, 1)))
		if _, ok := errors.AsType[*strict.Error](err); !ok || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "answers.yaml:") {
			t.Errorf("%s is read as %v", c.new, err)
		}
	}
	_, err := starter.Read("answers.yaml", []byte(strings.Replace(form, "[DE, EU]", "[Germany]", 1)))
	if problems, ok := errors.AsType[*strict.Error](err); !ok || problems.Problems[0].Line != line("jurisdictions") {
		t.Errorf("%v, expected line %d", err, line("jurisdictions"))
	}
}

// A wrong answer is asked again, with what was expected.
func TestAsk(t *testing.T) {
	typed := map[string][]string{
		"organisation": {"", "Example Ltd"}, "description": {"Sells bicycles."}, "jurisdictions": {"germany", "DE, EU"}, "ai_role": {"deployer"},
		"director": {"ruth", "ruth Ruth Example"}, "manager": {"max Max Example"}, "auditor": {"ida Ida Example"}, "operator": {"max Max Example"},
		"id": {"desk", "shop"}, "purpose": {"book", "sell"}, "does": {"Books.", "Sells."}, "servers": {"mail", "mail shop"},
	}
	var told []string
	a, err := starter.Ask(2, func(q starter.Question) (string, error) {
		answer := typed[q.Key][0]
		typed[q.Key] = typed[q.Key][1:]
		return answer, nil
	}, func(s string) { told = append(told, s) })
	if err != nil || len(told) != 3 {
		t.Fatal(err, told)
	}
	r := read(t, a)
	if len(r.Agents) != 2 || len(r.Servers) != 2 || len(r.People) != 3 || r.Agents[1].Operator != "max" {
		t.Errorf("%+v", a)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(string(starter.Form()))
	f.Add("agents: [{id: x}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := starter.Read("answers.yaml", []byte(text)); err == nil {
			read(t, a)
		}
	})
}
