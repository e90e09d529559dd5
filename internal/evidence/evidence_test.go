package evidence_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/store"
	"aims/iso42001"
)

func (w *world) gap(v evidence.View) evidence.Gap {
	w.t.Helper()
	g, err := w.Gap(w.t.Context(), v, evidence.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// An empty system says what to do first, and nothing of it reads as a pass.
func TestEmptySystem(t *testing.T) {
	w := newWorld(t)
	g := w.gap(evidence.View{})
	if len(g.Requirements) != 70 {
		t.Fatalf("%d rows, want 70", len(g.Requirements))
	}
	for i, r := range iso42001.Requirements() {
		row := g.Requirements[i]
		if row.ID != r.ID || row.State == criteria.Shown || row.State == criteria.Evidence || row.Reasons == nil {
			t.Errorf("%s: %+v", r.ID, row)
		}
	}
	if first := g.Steps[0]; first.Name != "context" || first.Usually == "" || !slices.Equal(first.Open, []string{"4.1", "4.2"}) || first.Unblocks[0] != "scope" {
		t.Errorf("the first step: %+v", first)
	}
}

// Every requirement is in exactly one step, or somebody would finish all steps
// and not be done.
func TestStepsHoldEveryRequirement(t *testing.T) {
	seen := map[string]int{}
	for _, s := range newWorld(t).gap(evidence.View{}).Steps {
		for _, id := range s.Open {
			seen[id]++
		}
	}
	for _, r := range iso42001.Requirements() {
		if seen[r.ID] != 1 {
			t.Errorf("%s is in %d steps", r.ID, seen[r.ID])
		}
	}
}

func TestUnregisteredAgents(t *testing.T) {
	w := newWorld(t)
	w.called("shadow")
	w.called("billing")
	w.called("shadow")
	w.happens("agent.registered", aims.Actor{Type: aims.AgentType, ID: "billing"}, map[string]any{"after": map[string]string{"stage": "deployed"}})
	list, err := w.Unregistered(t.Context(), time.Time{})
	if err != nil || len(list) != 1 || list[0].Agent != "shadow" || list[0].Decisions != 2 || list[0].Receipt == "" {
		t.Errorf("agents seen and never registered: %+v (%v)", list, err)
	}
}

// The past is as it was, whatever came after it, also where it was asked for
// after the present.
func TestAsOf(t *testing.T) {
	w := newWorld(t)
	w.called("shadow")
	then := w.now()
	w.days(1)
	before := w.gap(evidence.View{At: then})
	w.called("later")
	w.apply("anna", "organisation: [{id: us, name: Us, owner: anna}]\npeople: [{id: anna, name: Anna}]\n")
	if now := w.gap(evidence.View{}); len(now.Unregistered) != 2 || row(now, "4.1").Population == row(before, "4.1").Population {
		t.Errorf("now: %+v, %+v", now.Unregistered, row(now, "4.1"))
	}
	if diff := cmp.Diff(before, w.gap(evidence.View{At: then})); diff != "" {
		t.Errorf("the past changed (-before +after):\n%s", diff)
	}
	w.restart()
	if diff := cmp.Diff(before, w.gap(evidence.View{At: then})); diff != "" {
		t.Errorf("another process sees another past (-before +after):\n%s", diff)
	}
}

func row(g evidence.Gap, id string) evidence.Row {
	i := slices.IndexFunc(g.Requirements, func(r evidence.Row) bool { return r.ID == id })
	return g.Requirements[i]
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.Requirement(ctx, evidence.View{}, "A.11.1")
	wantError(t, err, aims.NotFound, "A.11.1")
	_, err = w.Gap(ctx, evidence.View{At: w.now().Add(time.Hour)}, evidence.Filter{})
	wantError(t, err, aims.Invalid, "in the future")
	_, err = w.Gap(ctx, evidence.View{}, evidence.Filter{Area: "11"})
	wantError(t, err, aims.Invalid, `no area "11"`)
	_, err = w.Gap(ctx, evidence.View{From: w.now().Add(time.Hour)}, evidence.Filter{})
	wantError(t, err, aims.Invalid, "before it begins")
	_, err = w.Measures(ctx, evidence.View{}, "made-up", 24*time.Hour)
	wantError(t, err, aims.NotFound, "denied-share")
	_, err = w.Coverage(ctx, evidence.View{}, "made-up")
	wantError(t, err, aims.Invalid, "eu-ai-act")
}

func wantError(t *testing.T, err error, code aims.Code, text string) {
	t.Helper()
	var e *aims.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Text, text) {
		t.Errorf("error %v, want %s with %q", err, code, text)
	}
}

// A kept fold is used by the next process, and thrown away when it was not made
// of this log.
func TestKeptFold(t *testing.T) {
	w := newWorld(t)
	w.called("shadow")
	w.gap(evidence.View{})
	if err := w.KeepNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A mark in the kept facts shows whether they are used.
	forge := func(set string) {
		t.Helper()
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE evidence_fold SET ` + set)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.restart()
	}
	agents := func() (names []string) {
		for _, u := range w.gap(evidence.View{}).Unregistered {
			names = append(names, u.Agent)
		}
		return names
	}
	forge(`facts = CAST(replace(CAST(facts AS TEXT), 'shadow', 'marked') AS BLOB)`)
	if got := agents(); !slices.Equal(got, []string{"marked"}) {
		t.Errorf("the kept fold is not used: agents %v", got)
	}
	for name, set := range map[string]string{
		"another root": `root = zeroblob(32)`, "beyond the log": `size = 1000`, "nothing readable": `facts = CAST('{}' AS BLOB)`,
	} {
		if err := w.KeepNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		forge(set)
		if got := agents(); !slices.Equal(got, []string{"shadow"}) {
			t.Errorf("%s: a fold of another log is used: agents %v", name, got)
		}
	}
}

// Own criteria count with ours, and one that cannot be run never counts as met.
func TestOwnCriteria(t *testing.T) {
	w := newWorld(t)
	w.apply("anna", `
people: [{id: anna, name: Anna}, {id: ben, name: Ben}]
criteria:
  - {id: named, requirement: "7.2", text: Everybody has a name., each: person, holds: "this.name != ''"}
  - {id: anna-only, requirement: "7.2", text: Everybody is Anna., each: person, holds: "this.id == 'anna'"}
`)
	r, err := w.Requirement(t.Context(), evidence.View{}, "7.2")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]criteria.Outcome{}
	for _, result := range r.Results {
		found[result.Criterion] = result.Outcome
	}
	if found["own_criterion/named"] != criteria.Met || found["own_criterion/anna-only"] != criteria.NotMet || r.State != criteria.Exceptions {
		t.Errorf("7.2 is %s with %v", r.State, found)
	}
}

func TestMeasuresOverTime(t *testing.T) {
	w := newWorld(t)
	w.called("billing")
	w.days(3)
	w.called("billing")
	w.apply("anna", `
people: [{id: anna, name: Anna}]
objectives:
  - {id: few, text: Few denials., area: responsible-use, measure: denied-share, at_most: 0.5, owner: anna}
monitoring_plan:
  - {id: happy, measure: satisfaction, method: survey, every_days: 30, at_least: 3, recorded: [{on: 2026-11-21, value: 4}]}
`)
	w.days(1)
	v := evidence.View{From: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	list, err := w.Measures(t.Context(), v, "denied-share", 24*time.Hour)
	if err != nil || len(list) != 1 || len(list[0].Points) != 4 {
		t.Fatalf("series: %+v (%v)", list, err)
	}
	s := list[0]
	if s.Points[0].Value == nil || *s.Points[0].Value != 1 || s.Points[1].Value != nil || s.Whole.Population != 2 {
		t.Errorf("points: %+v of %+v", s.Points, s.Whole)
	}
	if len(s.Expected) != 1 || s.Expected[0].Met == nil || *s.Expected[0].Met {
		t.Errorf("the objective: %+v", s.Expected)
	}
	list, err = w.Measures(t.Context(), v, "satisfaction", 24*time.Hour)
	if err != nil || len(list) != 1 || list[0].Whole.Value == nil || *list[0].Whole.Value != 4 || list[0].Expected[0].Met == nil || !*list[0].Expected[0].Met {
		t.Errorf("the recorded measure: %+v (%v)", list, err)
	}
}

// What of the EU AI Act applies is asked of the records of AI systems.
func TestCoverageAsksTheRecords(t *testing.T) {
	w := newWorld(t)
	w.apply("anna", "ai_systems: [{id: desk, name: Desk}]\n")
	v, err := w.Coverage(t.Context(), evidence.View{}, "eu-ai-act")
	if err != nil || len(v.Systems) != 1 || len(v.Systems[0].Questions) == 0 || len(v.Systems[0].Duties) != 0 {
		t.Errorf("the Act without answers: %+v (%v)", v, err)
	}
}
