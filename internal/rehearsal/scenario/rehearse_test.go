package scenario_test

import (
	"testing"

	"aims/internal/assessment"
	"aims/internal/content"
	"aims/internal/policy/bundle"
	"aims/internal/policy/guards"
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
	if levels["wider-by-delegation"] != assessment.Held {
		t.Errorf("wider-by-delegation is %s; delegation does not depend on guards", levels["wider-by-delegation"])
	}
	if levels["payee-chosen-by-content"] != assessment.Open {
		t.Errorf("payee-chosen-by-content is %s without guards", levels["payee-chosen-by-content"])
	}
}

// With the guards that ship, every scenario ends as it must: no act of an
// attacker gets through, and the ordinary work beside it does.
func TestGuardsHold(t *testing.T) {
	files, err := guards.Files()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(files)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := content.New(content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := scenario.Rehearse(t.Context(), scenario.Rehearsal{Scenarios: library(t), Threats: assessment.Library(), Bundle: b, Content: checker.Labels})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		for _, s := range r.Steps {
			if !s.AsExpected() {
				t.Errorf("%s, step %d, %s: %s, must be %s %v %s", r.Scenario, s.Step, s.What, s.Got, s.Expected, s.Policies, s.Cause)
			}
		}
	}
	for _, left := range report.Residual {
		if left.Level != assessment.Held {
			t.Errorf("%s is %s: %v", left.ID, left.Level, left.Through)
		}
		if len(left.Untreated) > 0 {
			t.Errorf("%s should be treated by %v, which is no rule of the guards or the house", left.ID, left.Untreated)
		}
	}
	if report.Attacks < 60 || report.Stopped != report.Attacks {
		t.Errorf("%d of %d acts of attackers were stopped", report.Stopped, report.Attacks)
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
