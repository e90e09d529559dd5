package scenario_test

import (
	"testing"

	"aims/internal/assessment"
	"aims/internal/policy/bundle"
	"aims/internal/rehearsal/scenario"
	"aims/pdp"
)

func rehearse(t *testing.T, b *bundle.Bundle, list []scenario.Scenario) scenario.Report {
	t.Helper()
	report, err := scenario.Rehearse(t.Context(), scenario.Rehearsal{Scenarios: list, Threats: assessment.Library(), Bundle: b})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func library(t *testing.T) []scenario.Scenario {
	t.Helper()
	list, err := scenario.Library()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Without guards attackers get through: the scenarios try something. What does
// not depend on policies holds all the same.
func TestWithoutGuards(t *testing.T) {
	b, err := bundle.FromSources([]pdp.Source{{Name: "none.cedar", Text: []byte(`@id("x") @reason("x") forbid (principal, action == Action::"tools/approve", resource);`)}})
	if err != nil {
		t.Fatal(err)
	}
	report := rehearse(t, b, library(t))
	if through := report.Attacks - report.Stopped; through < 30 {
		t.Errorf("only %d of %d acts of attackers got through although nothing guards against them", through, report.Attacks)
	}
	levels := map[string]assessment.Level{}
	for _, r := range report.Residual {
		levels[r.ID] = r.Level
	}
	for _, id := range []string{"wider-by-delegation", "forged-delegation"} {
		if levels[id] != assessment.Held && levels[id] != assessment.Untested {
			t.Errorf("%s is %s; delegation does not depend on policies", id, levels[id])
		}
	}
	if levels["payee-chosen-by-content"] != assessment.Open {
		t.Errorf("payee-chosen-by-content is %s without guards", levels["payee-chosen-by-content"])
	}
}

// A scenario that cannot be played judges nobody.
func TestUnplayable(t *testing.T) {
	s, err := scenario.Parse("ASI01/x.yaml", []byte("title: T\nthreat: x\nagent: clerk\nsteps:\n  - call: nowhere.read\n    expect: denied\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.FromSources([]pdp.Source{{Name: "none.cedar", Text: []byte(`@id("x") @reason("x") forbid (principal, action == Action::"tools/approve", resource);`)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scenario.Rehearse(t.Context(), scenario.Rehearsal{Scenarios: []scenario.Scenario{s}, Bundle: b}); err == nil {
		t.Error("a scenario in a world without its server was played")
	}
}
