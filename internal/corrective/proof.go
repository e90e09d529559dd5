package corrective

import (
	"context"
	"strings"

	"aims/authz"
	"aims/internal/aims"
)

// PolicyProof is what a change of policy has changed: the recorded case, everything
// else that was recorded, and the threat model.
type PolicyProof struct {
	// Policy is the digest of the policy set that everything was tried under,
	// Bundle that of the bundle which it was compiled from.
	Policy string `json:"policy" doc:"digest of the policy set"`
	Bundle string `json:"bundle" doc:"digest of the bundle"`
	// Case is the receipt of the recorded call; it was Before and is After.
	Case   string        `json:"case" doc:"receipt of the recorded call"`
	Before authz.Verdict `json:"before"`
	After  authz.Verdict `json:"after"`
	// Replay is what else changes.
	Replay ReplayProof `json:"replay"`
	// Rehearsal is how the threat model ends.
	Rehearsal RehearsalProof `json:"rehearsal"`
}

// ReplayProof is the result of deciding recorded calls again.
type ReplayProof struct {
	// Policy is the digest of the set under which they were decided.
	Policy  string `json:"policy"`
	Decided uint64 `json:"decided"`
	Changed uint64 `json:"changed" doc:"calls that would end otherwise"`
	NotKept uint64 `json:"not_kept" doc:"calls whose arguments or facts are erased"`
	// List is the SHA-256 of the changed calls, one JSON object a line.
	List string `json:"list" doc:"digest of the list of changed calls, one JSON object a line"`
}

// RehearsalProof is the result of playing the threat model.
type RehearsalProof struct {
	Bundle     string `json:"bundle" doc:"digest of the bundle that was rehearsed"`
	Library    string `json:"library" doc:"digest of the scenarios"`
	Scenarios  int    `json:"scenarios"`
	AsExpected int    `json:"as_expected"`
}

// Prover tries the policies in force on a recorded call, on history and on the
// threat model. An error means that it could not be tried.
type Prover func(ctx context.Context, call string) (PolicyProof, error)

// failing says in words which parts of the proof do not hold, for a call and
// the policy set in force.
func (p PolicyProof) failing(call, policy string) []string {
	var wrong []string
	if p.Policy == "" || p.Policy != policy {
		wrong = append(wrong, "the policy in force is another one than that of the proof")
	}
	switch {
	case p.Case != call || call == "":
		wrong = append(wrong, "the recorded case is another call")
	case p.Before != authz.Allow:
		wrong = append(wrong, "the recorded case was refused already when it happened, so that it shows nothing")
	case p.After != authz.Deny && p.After != authz.Hold:
		wrong = append(wrong, "the recorded case is still allowed")
	}
	switch {
	case p.Replay.Policy != p.Policy || p.Replay.List == "":
		wrong = append(wrong, "the history was not replayed under this policy")
	case p.Replay.Decided == 0:
		wrong = append(wrong, "the history replay decided no call: their arguments or facts are not kept")
	}
	r := p.Rehearsal
	switch {
	case r.Bundle != p.Bundle || p.Bundle == "" || r.Scenarios == 0:
		wrong = append(wrong, "the threat model was not rehearsed under this policy")
	case r.AsExpected != r.Scenarios:
		wrong = append(wrong, "the rehearsal does not pass: "+plural(r.Scenarios-r.AsExpected, "scenario")+" did not end as they must")
	}
	return wrong
}

func (c *Corrective) policy() string {
	if c.o.Policy == nil {
		return ""
	}
	return c.o.Policy()
}

// prove is the proof that an action which changes policy carries.
func (c *Corrective) prove(ctx context.Context, call string) (*PolicyProof, error) {
	if call == "" {
		return nil, aims.Errorf(aims.Invalid, nil, "an action of kind policy needs the receipt of the recorded case that the policy now refuses or holds")
	}
	if c.o.Prove == nil {
		return nil, aims.Errorf(aims.Unavailable, nil, "an action of kind policy needs a proof, and this installation cannot make one")
	}
	p, err := c.o.Prove(ctx, call)
	if err != nil {
		return nil, err
	}
	return &p, p.holds(call, c.policy())
}

func (p PolicyProof) holds(call, policy string) error {
	if wrong := p.failing(call, policy); len(wrong) > 0 {
		return aims.Errorf(aims.Conflict, nil, "the proof of the policy does not hold: %s", strings.Join(wrong, "; "))
	}
	return nil
}
