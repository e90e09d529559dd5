package criteria

import (
	"slices"
	"strings"
	"testing"

	"aims/iso42001"
)

// clauses are the criteria of clauses 4 to 10.
func clauses() []Criterion {
	return slices.DeleteFunc(All(), func(c Criterion) bool { return strings.HasPrefix(c.Requirement, "A.") })
}

func TestEveryMachineCheckHasItsCriterion(t *testing.T) {
	byID := map[string]Criterion{}
	for _, c := range All() {
		if _, twice := byID[c.ID]; twice {
			t.Errorf("%s is there twice", c.ID)
		}
		byID[c.ID] = c
	}
	var without []string
	for _, r := range iso42001.Requirements() {
		var sources []string
		for _, e := range r.Evidence {
			sources = append(sources, e.Source)
		}
		for i := range r.MachineChecks {
			id := r.ID + "/" + string(rune('1'+i))
			c, ok := byID[id]
			if !ok {
				without = append(without, id)
				continue
			}
			if c.Requirement != r.ID || c.Text == "" || c.Check == nil || len(c.Sources) == 0 {
				t.Errorf("%s says too little: %+v", id, c)
			}
		}
		for id, c := range byID {
			for _, s := range c.Sources {
				if c.Requirement == r.ID && !slices.Contains(sources, s) {
					t.Errorf("%s: the facts do not name %s as evidence towards %s", id, s, r.ID)
				}
			}
		}
	}
	if len(without) > 0 {
		t.Errorf("machine checks without a criterion: %s", strings.Join(without, ", "))
	}
}

func TestCompanyMeetsEveryClause(t *testing.T) {
	w := company()
	for _, c := range clauses() {
		if r := w.result(t, c.ID); r.Outcome != Met {
			t.Errorf("%s: %s (%s): %s", c.ID, r.Outcome, c.Text, r.reason())
		}
	}
}

func TestNothingIsShownOfNothing(t *testing.T) {
	w := empty()
	for _, c := range All() {
		r := w.result(t, c.ID)
		if r.Outcome != NothingYet || r.Population != 0 {
			t.Errorf("%s: %s of a population of %d", c.ID, r.Outcome, r.Population)
		}
		if r.Of == "" {
			t.Errorf("%s does not say what its population is", c.ID)
		}
	}
}
