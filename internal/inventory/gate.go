package inventory

import (
	"context"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// GateEvent is the name of the receipt of an evaluation of the gate.
const GateEvent = "gate.evaluated"

// Gate is what was known of an agent when it was decided whether it goes into
// operation (ISO 42001 A.6.2.5).
type Gate struct {
	// Version is the version of the agent, Policy the digest of the policy set in
	// force, Facts which preconditions held, and Failed those that did not.
	Version string
	Policy  string
	Facts   map[string]bool
	Failed  []string
	// Still is an error when the facts may be others by now. It is asked in the
	// transaction that deploys the agent, with the version of the inventory that
	// it builds upon; nil asks nothing.
	Still func(ctx context.Context, tx *store.Tx, version int64) error
}

type gateDetail struct {
	To      string          `json:"to"`
	Version string          `json:"version,omitempty"`
	Passed  bool            `json:"passed"`
	Failed  []string        `json:"failed"`
	Facts   map[string]bool `json:"facts"`
	Policy  string          `json:"policy,omitempty"`
}

// Entry is the receipt of an evaluation of the gate: the decision on it is
// another receipt, and what became of the agent a third.
func (g Gate) Entry(by aims.Actor, decision, agent string, passed bool) (ledger.Entry, error) {
	return happened(by, decision, GateEvent, receipt.Object{Type: aims.AgentType, ID: agent}, gateDetail{
		To: Deployed, Version: g.Version, Passed: passed, Failed: append([]string{}, g.Failed...), Facts: g.Facts, Policy: g.Policy,
	})
}

// before puts the receipt of the evaluation before that of the deployment.
func (g Gate) before(ctx context.Context, tx *store.Tx, version int64, by aims.Actor, decision, agent string, deployed ledger.Entry) (ledger.Entry, error) {
	if g.Still != nil {
		if err := g.Still(ctx, tx, version); err != nil {
			return ledger.Entry{}, err
		}
	}
	entry, err := g.Entry(by, decision, agent, true)
	entry.Then = []ledger.Entry{deployed}
	return entry, err
}

// DeployAgent is PutAgent for an agent that goes into operation, in one
// transaction with the receipt of the gate that it passed. Whoever calls it has
// had that decided.
func (i *Inventory) DeployAgent(ctx context.Context, by aims.Actor, decision string, a Agent, g Gate) (Agent, error) {
	if a.Stage != Deployed {
		return Agent{}, aims.Errorf(aims.Internal, nil, "%s goes to %s, and the gate is that of deployment", a.ID, a.Stage)
	}
	return i.enter(ctx, by, decision, a, &g)
}
