package scenario_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"aims/internal/assessment"
	"aims/internal/rehearsal/scenario"
)

// The library covers each of the ten risks, with attackers that adapt, and
// every threat of the threat model.
func TestLibrary(t *testing.T) {
	list, err := scenario.Library()
	if err != nil {
		t.Fatal(err)
	}
	risks, threats, adaptive, titles := map[string]int{}, map[string]int{}, 0, map[string]bool{}
	for _, s := range list {
		risks[s.OWASP()]++
		threats[s.Threat]++
		if s.Adaptive != "" {
			adaptive++
		}
		if titles[s.Title] {
			t.Errorf("two scenarios have the title %q", s.Title)
		}
		titles[s.Title] = true
	}
	for _, o := range assessment.OWASP() {
		if risks[o.ID] < 5 {
			t.Errorf("%d scenarios of %s, want 5 or more", risks[o.ID], o.ID)
		}
	}
	for _, threat := range assessment.Library() {
		if threats[threat.ID] == 0 {
			t.Errorf("no scenario tries the threat %s", threat.ID)
		}
		delete(threats, threat.ID)
	}
	for id := range threats {
		t.Errorf("scenarios try %s, which is no threat of the library", id)
	}
	if len(list) < 60 || adaptive < 20 {
		t.Errorf("%d scenarios, %d of them adaptive", len(list), adaptive)
	}
}

func TestBadScenarios(t *testing.T) {
	const good = "title: T\nthreat: x\natlas: [AML.T0053]\nagent: clerk\nsteps:\n  - call: mail.read\n    with: {id: \"1\"}\n    expect: allowed\n"
	for _, test := range []struct{ name, file, text, want string }{
		{"unknown directory", "ASI11/a.yaml", good, "expected ASI01 to ASI10"},
		{"unknown technique", "ASI01/a.yaml", strings.Replace(good, "T0053", "T9999", 1), "ASI01/a.yaml:3"},
		{"misspelt key", "ASI01/a.yaml", strings.Replace(good, "expect", "expct", 1), "ASI01/a.yaml:8"},
		{"no expectation", "ASI01/a.yaml", strings.Replace(good, "    expect: allowed\n", "", 1), "ASI01/a.yaml:6"},
		{"unknown expectation", "ASI01/a.yaml", strings.Replace(good, "allowed", "maybe", 1), "expected allowed, denied, held or stopped"},
		{"two kinds", "ASI01/a.yaml", strings.Replace(good, "    expect", "    stop: {server: mail}\n    expect", 1), "call and stop"},
		{"no kind", "ASI01/a.yaml", strings.Replace(good, "call: mail.read", "gives: x", 1), "this one is nothing"},
		{"no tool", "ASI01/a.yaml", strings.Replace(good, "mail.read", "mail", 1), "expected server.tool"},
		{"no steps", "ASI01/a.yaml", good[:strings.Index(good, "steps")], "it has no steps"},
		{"no agent", "ASI01/a.yaml", strings.Replace(good, "agent: clerk\n", "", 1), "agent is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := scenario.Load(fstest.MapFS{test.file: {Data: []byte(test.text)}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if list, err := scenario.Load(fstest.MapFS{"ASI01/a.yaml": {Data: []byte(good)}}); err != nil || list[0].Name != "ASI01/a" {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := scenario.Load(fstest.MapFS{}); err == nil {
		t.Error("an empty directory is taken for a library")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("title: T\nthreat: x\nagent: clerk\nsteps:\n  - call: mail.read\n    with: {id: [1, 2.5, null]}\n    expect: allowed\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("ASI01/f.yaml", text)
		if err == nil && (s.Agent == "" || len(s.Steps) == 0) {
			t.Errorf("taken: %+v", s)
		}
	})
}
