package own

import (
	"strings"
	"testing"
	"time"

	"aims/internal/evidence/criteria"
	"aims/internal/register/record"
)

func criterionOf(each, where, holds string) record.OwnCriterion {
	return record.OwnCriterion{Base: record.Base{ID: "mine"}, Requirement: "7.2", Text: "ours", Each: each, Where: where, Holds: holds}
}

func TestEveryKindCanBeLookedAt(t *testing.T) {
	for _, k := range record.Kinds() {
		if err := Check(criterionOf(k.Name, "", "this.id != '' && records."+k.Name+".exists(r, r.id == this.id)")); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

// What cannot be meant is refused before it runs, and the error names the record.
func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	for holds, want := range map[string]string{
		"this.onwer != ''":       "undefined field 'onwer'",
		"this.owner":             "expected true or false",
		"this.owner == 1":        "no matching overload",
		"this.owner == ":         "Syntax error",
		"agents.size() > 0":      "undeclared reference",
		"records.agents == []":   "undefined field 'agents'",
		"this.in_scope + 1 == 2": "no matching overload",
	} {
		if err := Check(criterionOf("agent", "", holds)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "own_criterion/mine: holds: ") {
			t.Errorf("%s: %v, want %q", holds, err, want)
		}
	}
	if err := Check(criterionOf("robot", "", "true")); err == nil || !strings.Contains(err.Error(), `no kind of record "robot"`) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func state(criteria ...record.OwnCriterion) record.State {
	yes := true
	return record.State{
		Registers: record.Registers{
			Agents: []record.Agent{
				{Base: record.Base{ID: "billing", Owner: "anna"}, InScope: &yes, Models: []string{"m"}, Acceptance: []record.Criterion{{ID: "a", Controls: []string{"A.6.2.4"}}}},
				{Base: record.Base{ID: "support"}, InScope: &yes},
				{Base: record.Base{ID: "lab"}},
			},
			Training:    []record.Training{{Base: record.Base{ID: "t1"}}},
			OwnCriteria: criteria,
		},
		Versions: map[record.Key]record.Version{{Kind: "agent", ID: "billing"}: {At: 5, Receipt: "rcp_1"}},
	}
}

func evaluateOne(t *testing.T, c record.OwnCriterion) criteria.Result {
	t.Helper()
	until := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	results := Evaluate(state(c), until.AddDate(-1, 0, 0), until)
	if len(results) != 1 || results[0].Requirement != "7.2" || results[0].Criterion != "own_criterion/mine" {
		t.Fatalf("results: %+v", results)
	}
	return results[0]
}

func TestResults(t *testing.T) {
	for name, test := range map[string]struct {
		where, holds string
		outcome      criteria.Outcome
		population   int
		exceptions   string
	}{
		"some do not hold":   {"this.in_scope == true", "this.owner != ''", criteria.NotMet, 2, "agent/support"},
		"absent is not true": {"this.in_scope != true", "this.id == 'lab'", criteria.Met, 1, ""},
		"presence":           {"has(this.in_scope)", "has(this.owner) || size(this.models) == 0", criteria.Met, 2, ""},
		"lists of records":   {"this.acceptance.exists(a, 'A.6.2.4' in a.controls)", "true", criteria.Met, 1, ""},
		"across kinds":       {"", "records.training.all(t, t.id != this.id)", criteria.Met, 3, ""},
		"nothing to look at": {"this.owner == 'nobody'", "false", criteria.NothingYet, 0, ""},
		"the period":         {"", "from < until && today == '2026-11-23'", criteria.Met, 3, ""},
	} {
		r := evaluateOne(t, criterionOf("agent", test.where, test.holds))
		var on []string
		for _, e := range r.Exceptions {
			on = append(on, e.On)
		}
		if r.Outcome != test.outcome || r.Population != test.population || strings.Join(on, " ") != test.exceptions {
			t.Errorf("%s: %s of %d with exceptions %v (%s), want %s of %d with %s", name, r.Outcome, r.Population, on, r.Note, test.outcome, test.population, test.exceptions)
		}
	}
}

// A criterion that cannot be run never counts as met: it is unavailable, and
// says why with its name.
func TestWhatFailsIsUnavailable(t *testing.T) {
	for holds, want := range map[string]string{
		"this.nonsense == 1":    "own_criterion/mine: holds: ",
		"this.models[0] == 'm'": "index out of bounds: 0, of agent/",
		"[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, [1,2,3,4,5,6,7,8,9,10].all(g, a+b+c+d+e+f+g > 0)))))))": "cost",
	} {
		r := evaluateOne(t, criterionOf("agent", "", holds))
		if r.Outcome != criteria.Unavailable || !strings.Contains(r.Note, want) {
			t.Errorf("%.40s: %s, %q, want %q", holds, r.Outcome, r.Note, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("this.owner != '' && records.risk.exists(r, r.owner == this.owner)")
	f.Fuzz(func(t *testing.T, text string) {
		c := criterionOf("agent", "", text)
		err := Check(c)
		if r := evaluateOne(t, c); err != nil && r.Outcome != criteria.Unavailable {
			t.Errorf("%q is refused and evaluated: %s", text, r.Outcome)
		}
	})
}
