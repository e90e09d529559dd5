package enforcement

import (
	"context"
	"errors"
	"slices"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/ledger"
	"aims/internal/session"
	"aims/internal/store"
	"aims/pdp"
	"aims/receipt"
)

// Declaration is what an enforcement point says about an agent's run, on the
// agent's behalf (ISO 42001 A.9.4).
type Declaration struct {
	Principal identity.Principal
	Via       aims.Actor // as in Call
	Session   string
	Channel   string
	// Purpose is one of those that are registered for the agent.
	Purpose string
	// OnBehalfOf is the person for whom the agent acts.
	OnBehalfOf string
	// Prompt is a prompt of the user, word for word; more may follow. In a
	// delegated run it is what the delegating agent asked for.
	Prompt string
	// Parent is the id of the receipt of the allowed decision, of another run,
	// by which work was delegated to this one.
	Parent string
}

// declareMethod is what receipts of refused declarations name as the method.
const declareMethod = "session/declare"

// Declare takes note of a declaration. Said again, it changes nothing. It
// returns the id of its receipt; empty when it said nothing new. One that
// contradicts what is known, names a purpose that is not registered or delegates
// what may not be delegated fails with aims.Denied, and the id is that of its
// refusal receipt.
func (e *Enforcer) Declare(ctx context.Context, d Declaration) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	c := Call{Principal: d.Principal, Via: d.Via, Session: d.Session, Channel: d.Channel, Method: declareMethod}
	known := session.Declaration{Key: c.run(), Purpose: d.Purpose, OnBehalfOf: d.OnBehalfOf, Prompt: d.Prompt}
	if e.said(ctx, d, known) {
		return "", nil
	}
	err := e.mayDeclare(ctx, d, &known)
	if err == nil {
		var id string
		if id, err = e.declare(ctx, d, known); err == nil {
			return id, nil
		}
	}
	if code, _ := aims.Public(err); code != aims.Denied && code != aims.Exhausted && code != aims.Invalid {
		return "", unrecorded(err)
	}
	r, err := e.refuseCall(ctx, c, attempt{}, err)
	return r.Receipt, err
}

// said says whether a declaration repeats what is known of its run. Clients
// that keep nothing say the same with each request: that costs no transaction.
func (e *Enforcer) said(ctx context.Context, d Declaration, known session.Declaration) bool {
	if d.Parent != "" {
		known.Parent = &session.Parent{Receipt: d.Parent}
	}
	r, err := e.sessions.View(ctx).Run(known.Key)
	return err == nil && r.Says(known)
}

// mayDeclare checks what does not depend on the run, and finds the parent.
func (e *Enforcer) mayDeclare(ctx context.Context, d Declaration, known *session.Declaration) error {
	if err := known.Check(); err != nil {
		return err
	}
	switch {
	case d.Principal.Type != aims.AgentType || d.Principal.ID == "":
		return aims.Errorf(aims.Denied, nil, "only agents have runs that are declared")
	case len(d.Session) > maxSession:
		return aims.Errorf(aims.Invalid, nil, "the session's name is too long: at most %d bytes", maxSession)
	case d.Parent == "":
		return nil
	}
	parent, err := e.parent(ctx, d.Parent)
	known.Parent = parent
	return err
}

// parent reads the decision that delegated.
func (e *Enforcer) parent(ctx context.Context, id string) (*session.Parent, error) {
	leaf, err := e.ledger.Find(ctx, id)
	if code, _ := aims.Public(err); code == aims.NotFound || err == nil && leaf.Kind != receipt.DecisionKind {
		return nil, aims.Errorf(aims.Denied, nil, "the parent is not the receipt of an allowed decision")
	}
	if err != nil {
		return nil, err
	}
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil {
		return nil, aims.Errorf(aims.Internal, err, "the parent decision cannot be read")
	}
	if d.Channel == Management || d.Actor.Type != aims.AgentType {
		return nil, aims.Errorf(aims.Denied, nil, "the parent is not the decision of a call by an agent")
	}
	facts, err := e.payload(ctx, leaf.Index, receipt.FactsPayload)
	if err != nil {
		return nil, err
	}
	if facts == nil {
		return nil, aims.Errorf(aims.Denied, nil, "the parent decision is too old: its facts are erased")
	}
	roles, err := pdp.RolesIn(facts)
	if err != nil {
		return nil, aims.Errorf(aims.Internal, err, "the facts of the parent decision cannot be read")
	}
	return &session.Parent{Receipt: id, Key: session.KeyOf(aims.Actor(*d.Actor), d.Session), Roles: roles}, nil
}

// payload is what is kept of a receipt under a name; nil when it is erased or
// never was.
func (e *Enforcer) payload(ctx context.Context, index uint64, name string) ([]byte, error) {
	stored, err := e.ledger.Payloads(ctx, index)
	if err != nil {
		return nil, err
	}
	for _, p := range stored {
		if p.Name == name && !p.Erased {
			return p.Data, nil
		}
	}
	return nil, nil
}

// errNothingNew says that a declaration changes nothing.
var errNothingNew = errors.New("enforcement: nothing new was declared")

func (e *Enforcer) declare(ctx context.Context, d Declaration, known session.Declaration) (id string, err error) {
	_, err = e.ledger.Beside(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		t := e.sessions.Within(tx)
		if err := e.mayBecome(t, d, known); err != nil {
			return ledger.Entry{}, err
		}
		entry, changed, err := t.Declare(known)
		if err == nil && !changed {
			err = errNothingNew
		}
		if err == nil {
			var event *receipt.Event
			if event, err = receipt.DecodeEvent(entry.Body); err == nil {
				id = event.ID
			}
		}
		return entry, err
	})
	if errors.Is(err, errNothingNew) {
		return "", nil
	}
	return id, err
}

// mayBecome checks a declaration against the register of agents.
func (e *Enforcer) mayBecome(t *session.Tx, d Declaration, known session.Declaration) error {
	a, _ := e.inventory.Agent(d.Principal.ID)
	if d.Purpose != "" && !slices.Contains(a.Purposes, d.Purpose) {
		return aims.Errorf(aims.Denied, nil, "the purpose %q is not registered for this agent", clean(d.Purpose, maxPurposeShown))
	}
	if known.Parent != nil {
		parent, _ := e.inventory.Agent(actorID(known.Parent.Key.Actor))
		if len(parent.Delegates) > 0 && !slices.Contains(parent.Delegates, d.Principal.ID) && parent.ID != d.Principal.ID {
			return aims.Errorf(aims.Denied, nil, "the agent %s may not delegate to this agent", parent.ID)
		}
	}
	r, err := t.Run(known.Key)
	if err != nil {
		return err
	}
	return mayGoOn(r, a)
}

const maxPurposeShown = 64

// actorID is the id in the form type:id.
func actorID(actor string) string { return actor[len(aims.AgentType)+1:] }
