package assessment_test

import (
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"aims/internal/assessment"
	"aims/internal/strict"
)

func TestLibrary(t *testing.T) {
	threats := assessment.Library()
	covered := map[string]bool{}
	for _, threat := range threats {
		for _, id := range threat.OWASP {
			covered[id] = true
		}
	}
	for _, o := range assessment.OWASP() {
		if !covered[o.ID] {
			t.Errorf("no threat has %s, %s", o.ID, o.Title)
		}
	}
	if len(assessment.OWASP()) != 10 || len(assessment.ATLAS()) < 60 {
		t.Errorf("%d and %d facts", len(assessment.OWASP()), len(assessment.ATLAS()))
	}
}

func TestReadSaysWhere(t *testing.T) {
	const good = "- {id: a, title: A, owasp: [ASI01], atlas: [AML.T0053], agents: all, assets: money, treated_by: [x]}\n"
	tests := []struct{ name, text, want string }{
		{"invented id", strings.Replace(good, "ASI01", "ASI11", 1), `t.yaml:1: [0].owasp[0]: "ASI11" is no id`},
		{"invented technique", strings.Replace(good, "AML.T0053", "AML.T9999", 1), "t.yaml:1"},
		{"no title", strings.Replace(good, "title: A, ", "", 1), "title"},
		{"misspelt key", strings.Replace(good, "assets", "asets", 1), "asets"},
		{"twice", good + good, `t.yaml:2: [1].id: two threats`},
		{"bad id", strings.Replace(good, "id: a", "id: A B", 1), "expected 1 to 64"},
		{"no list", "id: a\n", "t.yaml:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := assessment.Read("t.yaml", []byte(test.text))
			var e *strict.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if list, err := assessment.Read("t.yaml", []byte(good)); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func TestResidualRisk(t *testing.T) {
	threats := []assessment.Threat{
		{ID: "held", TreatedBy: []string{"rule", "delegation"}}, {ID: "open"}, {ID: "untested"}, {ID: "partly", TreatedBy: []string{"gone"}},
	}
	trials := []assessment.Trial{
		{Scenario: "1", Threat: "held", Attacks: 2, Stopped: 2},
		{Scenario: "2", Threat: "open", Attacks: 2, Stopped: 1},
		{Scenario: "3", Threat: "partly", Attacks: 1, Stopped: 1},
		{Scenario: "4", Threat: "partly", Attacks: 1},
		{Scenario: "5", Threat: "untested"}, // nothing is attacked in it
	}
	var got []string
	for _, r := range assessment.ResidualRisk(threats, trials, []string{"rule"}) {
		got = append(got, r.ID+" "+string(r.Level)+" "+strings.Join(r.Through, ",")+" "+strings.Join(r.Untreated, ","))
	}
	want := []string{"open open 2 ", "partly partly 4 gone", "untested untested  ", "held held  "}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("- {id: a, title: A, owasp: [ASI01], agents: all, assets: money}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := assessment.Read("t.yaml", text)
		for _, threat := range list {
			if err == nil && (threat.ID == "" || len(threat.OWASP) == 0) {
				t.Errorf("taken: %+v", threat)
			}
		}
	})
}
