package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/enforcement"
	"aims/internal/hindsight"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/receipt"
)

// replayed is how far back a proof replays history.
const replayed = 30 * 24 * time.Hour

// Prove tries the policies in force on a recorded call, on the history of 30
// days and on the threat model (ISO 42001 10.2, A.6.2.4).
func (p Parts) Prove(ctx context.Context, call string) (corrective.PolicyProof, error) {
	in := p.Policies.InForce()
	if in == nil {
		return corrective.PolicyProof{}, aims.Errorf(aims.NotFound, nil, "no policy is active: everything is refused")
	}
	proof := corrective.PolicyProof{Policy: in.Set.Digest(), Bundle: in.Bundle, Case: call}
	var err error
	if proof.Before, proof.After, err = p.again(ctx, in, call); err != nil {
		return proof, err
	}
	if proof.Replay, err = p.history(ctx, in); err != nil {
		return proof, err
	}
	a := &api{p}
	report, err := a.play(ctx, RehearsalRequest{}, json.NewEncoder(io.Discard))
	proof.Rehearsal = corrective.RehearsalProof{
		Bundle: report.Bundle, Library: report.Library, Scenarios: report.Scenarios, AsExpected: report.AsExpected,
	}
	return proof, err
}

// again decides a recorded call under the policies in force.
func (p Parts) again(ctx context.Context, in *policy.InForce, call string) (before, after authz.Verdict, err error) {
	leaf, err := p.Ledger.Find(ctx, call)
	if err != nil {
		return "", "", err
	}
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil || d.Facts == "" {
		return "", "", aims.Errorf(aims.Invalid, err, "the receipt %s is of no call that policies decided", call)
	}
	kept, err := p.Ledger.Payloads(ctx, leaf.Index)
	if err != nil {
		return "", "", err
	}
	facts, input := payload(kept, receipt.FactsPayload), payload(kept, receipt.InputPayload)
	if facts == nil || d.Input != "" && input == nil {
		return "", "", aims.Errorf(aims.Conflict, nil, "the arguments or facts of the recorded case %s are erased: it cannot be decided again", call)
	}
	decision, err := in.Set.Redecide(facts, input)
	if err != nil {
		return "", "", aims.Errorf(aims.Conflict, err, "the recorded case %s cannot be decided again under the policies in force: its facts do not fit them", call)
	}
	return d.Verdict, decision.Verdict, nil
}

func payload(kept []ledger.Stored, name string) []byte {
	i := slices.IndexFunc(kept, func(s ledger.Stored) bool { return s.Name == name && !s.Erased })
	if i < 0 {
		return nil
	}
	return kept[i].Data
}

// history decides the calls of the last days under the policies in force.
func (p Parts) history(ctx context.Context, in *policy.InForce) (corrective.ReplayProof, error) {
	src, err := p.Source(ctx)
	if err != nil {
		return corrective.ReplayProof{}, err
	}
	list := sha256.New()
	lines := json.NewEncoder(list)
	r, err := hindsight.ReplayUnder(ctx, hindsight.Stretch{Source: src, From: p.Now().Add(-replayed)}, in.Set, func(c hindsight.Change) error {
		return lines.Encode(c)
	})
	return corrective.ReplayProof{
		Policy: r.Policy, Decided: r.Decided, Changed: r.Changed, NotKept: r.NotKept, List: "sha256:" + hex.EncodeToString(list.Sum(nil)),
	}, err
}

// ObservedSince counts the calls that were decided since a time, of the agents
// and tools that a nonconformity is about.
func (p Parts) ObservedSince(ctx context.Context, n corrective.Nonconformity, since time.Time) (corrective.Observed, error) {
	var seen corrective.Observed
	from, err := FirstSince(ctx, p.Ledger, since)
	if err != nil {
		return seen, err
	}
	for leaf, err := range p.Ledger.Entries(ctx, from, p.Ledger.Size()) {
		if err != nil {
			return seen, err
		}
		if leaf.Kind != receipt.DecisionKind && leaf.Kind != receipt.RefusalKind || !leaf.Time.After(since) {
			continue
		}
		d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
		if err != nil {
			return seen, err
		}
		if about(n.Scope, d) {
			seen.Population++
			seen.Receipt = d.ID
		}
	}
	return seen, nil
}

// about says whether a decision is one of a call in a scope.
func about(s corrective.CaseScope, d *receipt.Decision) bool {
	if d.Facts == "" || d.Channel == enforcement.Management || d.Actor == nil {
		return false
	}
	return (len(s.Agents) == 0 || slices.Contains(s.Agents, d.Actor.ID)) && (len(s.Tools) == 0 || slices.Contains(s.Tools, d.Action))
}
