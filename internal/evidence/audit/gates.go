package audit

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"aims/authz"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/lifecycle/gate"
	"aims/internal/register/record"
)

// gates evaluates every gate of the period again, from the registers and the log
// as they were then, and compares the outcome with what policy decided.
func (a *Audits) gates(ctx context.Context, r *Result, w *walk) error {
	r.Of = "evaluations of the gate of deployment"
	for _, e := range w.acts {
		if e.Name != "gate.evaluated" || !w.within(e.at) {
			continue
		}
		r.Population++
		var d struct {
			Passed bool            `json:"passed"`
			Failed []string        `json:"failed"`
			Facts  map[string]bool `json:"facts"`
			Policy string          `json:"policy"`
		}
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			r.except(entryName(e.index), "the receipt of the gate cannot be read")
			continue
		}
		if err := a.decidedGate(ctx, r, e, d.Passed); err != nil {
			return err
		}
		again, err := a.gateAgain(ctx, e, d.Policy)
		if err != nil {
			return err
		}
		if differ := differing(d.Facts, again); len(differ) > 0 {
			r.except(entryName(e.index), "%s: recorded otherwise than registers and log of that moment give: %s", e.Object.ID, strings.Join(differ, ", "))
		}
	}
	r.conclude("")
	return nil
}

// gateAgain says of each precondition whether it held.
func (a *Audits) gateAgain(ctx context.Context, e act, policy string) (map[string]bool, error) {
	facts := map[string]bool{}
	err := a.p.Evidence.Look(ctx, evidence.View{At: e.at}, func(in *criteria.Input) error {
		agent := gate.Agent{ID: e.Object.ID}
		if life := in.Observed.Lives[agent.ID]; life != nil {
			agent.Owner = life.Owner
		}
		for _, p := range gate.Evaluate(gate.Input{
			Registers: in.Registers, Observed: in.Observed, Agent: agent, Policy: policy, Today: record.Date(e.at.UTC().Format("2006-01-02")),
		}) {
			facts[p.Name] = p.Holds
		}
		return nil
	})
	return facts, err
}

// decidedGate compares an evaluation with the decision that it went into.
func (a *Audits) decidedGate(ctx context.Context, r *Result, e act, passed bool) error {
	d, _, err := a.decisionOf(ctx, e.Decision)
	switch {
	case err != nil:
		return err
	case d == nil:
		r.except(entryName(e.index), "%s: the gate names no decision that is in the log", e.Object.ID)
	case (d.Verdict == authz.Allow) != passed:
		r.except(entryName(e.index), "%s: the gate says passed: %t, its decision says %s", e.Object.ID, passed, d.Verdict)
	}
	return nil
}

// differing are the preconditions of which two evaluations say different things.
func differing(recorded, again map[string]bool) []string {
	var names []string
	all := maps.Clone(again)
	maps.Copy(all, recorded)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, there := recorded[name]
		is, known := again[name]
		if !there || !known || was != is {
			names = append(names, name)
		}
	}
	return names
}
