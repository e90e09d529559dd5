package examples_test

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"aims/examples"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/own"
	"aims/internal/register/record"
	"aims/internal/rehearsal/scenario"
)

func registers(t *testing.T, day string) record.Registers {
	t.Helper()
	on, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	files, err := examples.Files(on)
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
	return r
}

// Whoever plans the directory as it lies here, or as the demonstration moves it
// to another day, is told of no problem.
func TestNothingIsWrong(t *testing.T) {
	here, err := record.ReadDir(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if !here.Equal(registers(t, examples.Written)) {
		t.Error("the files that are built in are not those of the directory")
	}
	for _, day := range []string{examples.Written, "2028-02-29", "2031-12-31"} {
		for _, p := range registers(t, day).Check(record.Date(day)) {
			t.Errorf("on %s: %s", day, p)
		}
	}
	for _, k := range record.Kinds() {
		found := false
		here.Each(func(kind, _ string, _ any) { found = found || kind == k.Name })
		if !found {
			t.Errorf("there is no %s: %s", k.Name, k.Title)
		}
	}
}

var ruleID = regexp.MustCompile(`@id\("([^"]+)"\)`)

// What the records name outside of themselves exists: rules that are in force in
// the demonstration, scenarios that are rehearsed, measures that are computed.
func TestWhatIsNamedExists(t *testing.T) {
	r := registers(t, examples.Written)
	rules := map[string]bool{}
	for _, dir := range []string{"../internal/demo/policies", "../internal/policy/house"} {
		files, err := fs.Glob(os.DirFS(dir), "*.cedar")
		if err != nil || len(files) == 0 {
			t.Fatal(err, files)
		}
		for _, f := range files {
			text, err := os.ReadFile(dir + "/" + f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ruleID.FindAllStringSubmatch(string(text), -1) {
				rules[m[1]] = true
			}
		}
	}
	known, err := scenario.Library()
	if err != nil {
		t.Fatal(err)
	}
	wantRules := func(on string, ids []string) {
		for _, id := range ids {
			if !rules[id] {
				t.Errorf("%s names the rule %s, which is not in force", on, id)
			}
		}
	}
	wantScenarios := func(on string, names []string) {
		for _, name := range names {
			if !slices.ContainsFunc(known, func(s scenario.Scenario) bool { return s.Name == name }) {
				t.Errorf("%s names the scenario %s, which nobody plays", on, name)
			}
		}
	}
	for _, a := range r.Agents {
		wantRules(a.ID, a.OversightRule)
		for _, c := range a.Acceptance {
			wantScenarios(a.ID, c.Scenarios)
		}
	}
	for _, d := range r.Documents {
		for _, s := range d.Statements {
			wantRules(d.ID, s.Rules)
		}
	}
	for _, x := range r.Treatments {
		wantRules(x.ID, x.Rules)
		if x.Effective != nil {
			wantScenarios(x.ID, x.Effective.Scenarios)
		}
	}
	for _, x := range r.Threats {
		wantRules(x.ID, x.TreatedBy)
	}
	for _, x := range r.Applicability {
		wantRules(x.ID, x.Rules)
	}
	for _, o := range r.Objectives {
		if !slices.ContainsFunc(criteria.Measures(), func(m criteria.Measure) bool { return m.ID == o.Measure }) {
			t.Errorf("objective %s names the measure %s, which nothing computes", o.ID, o.Measure)
		}
	}
}

// released is the state after the manager applied everything, and the managing
// director approved it and took the risks that are left as they are.
func released(t *testing.T, r record.Registers, at time.Time) record.State {
	t.Helper()
	var s record.State
	index := uint64(10)
	r.Each(func(kind, id string, rec any) {
		index++
		body := fmt.Sprintf(`{"changes":[{"kind":%q,"id":%q,"event":"created","record":%s}]}`, kind, id, record.Canonical(rec))
		err := s.ApplyChange([]byte(body), record.Version{By: "mara", At: at.UnixMicro(), Index: index, Receipt: "rcp_applied"})
		if err != nil {
			t.Fatal(err)
		}
	})
	mark := func(kind record.MarkKind, on, id string, rec any) {
		index++
		m := record.Mark{Kind: kind, On: on, ID: id, Digest: record.Digest(rec), By: "henrik", At: at.UnixMicro(), Index: index, Receipt: "rcp_marked"}
		if err := s.ApplyMark(m); err != nil {
			t.Fatal(err)
		}
	}
	r.Each(func(kind, id string, rec any) { mark(record.Approve, kind, id, rec) })
	for _, x := range r.Risks {
		if x.Decision == "accept" {
			mark(record.Accept, "risk", x.ID, x)
		}
	}
	return s
}

// Before an agent has done anything, the records fall short only where this
// organisation honestly does.
func TestOnlyWhatIsHonestlyMissing(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := released(t, registers(t, examples.Written), at)
	from := at.AddDate(-1, 0, 0)
	list, err := criteria.Evaluate(&criteria.Input{Registers: s, From: from, Until: at, Own: own.Evaluate(s, from, at)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"4.4/1":   "has no current evidence", // of what only operation shows
		"7.3/1":   "has not acknowledged",    // the policy was approved today
		"7.5.1/1": "has no current approved", // records of operation
		"9.2.1/1": "planned for 2027-03-22",  // the second audit is yet to come
		"9.3.2/1": "has no frozen inputs",    // that review was held on paper
		"6.2/2":   "has no value of",         // nothing is measured before agents work
		"9.1/1":   "has no value of",
		"A.2.2/2": "decided nothing since",
	}
	for _, st := range list {
		for _, c := range st.Results {
			if c.Outcome != criteria.NotMet && c.Outcome != criteria.OutOfDate && c.Outcome != criteria.Unavailable {
				continue
			}
			for _, e := range c.Exceptions {
				if w, ok := want[c.Criterion]; !ok || !strings.Contains(e.Text, w) {
					t.Errorf("%s: %s %s", c.Criterion, e.On, e.Text)
				}
			}
		}
		if st.Owner == "" {
			t.Errorf("%s is nobody's", st.ID)
		}
	}
}
