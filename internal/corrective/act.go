package corrective

import (
	"context"
	"fmt"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// step takes one step of a case that exists: say reads the case as it is and
// says which.
func step[T any, S interface {
	*T
	subject
}](ctx context.Context, c *Corrective, id string, say func(on *T, now time.Time) (draft, error)) (T, error) {
	var out T
	err := c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		on, err := load[T, S](tx, c.o, id, time.Time{})
		if err != nil {
			return nil, err
		}
		d, err := say(on, tx.Now)
		if err != nil {
			return nil, err
		}
		entry, err := c.put(tx, S(on), d)
		out = *on
		return []ledger.Entry{entry}, err
	})
	return out, err
}

// simply is a step that depends on nothing but the state.
func (c *Corrective) simply(ctx context.Context, id string, d draft) (Nonconformity, error) {
	return step(ctx, c, id, func(*Nonconformity, time.Time) (draft, error) { return d, nil })
}

// Correct records what was done about the thing itself, or why nothing can be.
func (c *Corrective) Correct(ctx context.Context, by By, id, correction string) (Nonconformity, error) {
	if err := needed("correction", correction); err != nil {
		return Nonconformity{}, err
	}
	return c.simply(ctx, id, draft{WasCorrected, by, nil, words("correction", correction)})
}

// Plan says what is to be done. A later plan replaces the actions that are not
// implemented yet.
func (c *Corrective) Plan(ctx context.Context, by By, id string, p ActionPlan) (Nonconformity, error) {
	return step(ctx, c, id, func(n *Nonconformity, now time.Time) (draft, error) {
		if err := p.check(now); err != nil {
			return draft{}, err
		}
		said := Words{}
		change := plannedChange{ReviewFrom: p.ReviewFrom, ReviewBy: p.ReviewBy}
		for i, a := range p.Actions {
			id := fmt.Sprintf("a%d", len(n.Actions)+i+1)
			said["action_"+id] = a.Text
			change.Actions = append(change.Actions, plannedAction{ID: id, Owner: a.Owner, Due: a.Due, Kind: a.Kind})
		}
		return draft{WasPlanned, by, change, said}, nil
	})
}

// Implementation says that an action is done.
type Implementation struct {
	Action   string   `json:"action" doc:"id of the action, such as a1"`
	Note     string   `json:"note" doc:"what was done; kept beside the log"`
	Evidence []string `json:"evidence,omitempty" doc:"receipts"`
	// Case is the recorded call that a new policy now refuses or holds.
	Case string `json:"case,omitempty" doc:"with an action of kind policy: the receipt of the recorded call that is now refused or held"`
}

// Implement records that an action is done. One of kind policy is proved under
// the policies in force; where a part of the proof does not hold, it fails with
// aims.Conflict and names the part.
func (c *Corrective) Implement(ctx context.Context, by By, id string, i Implementation) (Nonconformity, error) {
	if err := first(needed("note", i.Note), c.recorded(ctx, "evidence", i.Evidence, time.Time{}, id)); err != nil {
		return Nonconformity{}, err
	}
	n, err := c.Nonconformity(ctx, id, time.Time{})
	if err != nil {
		return Nonconformity{}, err
	}
	if err := n.implementable(i.Action); err != nil {
		return Nonconformity{}, err
	}
	var proof *PolicyProof
	if n.action(i.Action).Kind == PolicyAction {
		if proof, err = c.prove(ctx, i.Case); err != nil {
			return Nonconformity{}, err
		}
	} else if i.Case != "" {
		return Nonconformity{}, invalid("case: only an action of kind policy has one")
	}
	return step(ctx, c, id, func(n *Nonconformity, _ time.Time) (draft, error) {
		if err := n.implementable(i.Action); err != nil {
			return draft{}, err
		}
		// Decided again where nothing can come between: the policy may have
		// changed while it was proved, the action may have become another.
		if n.action(i.Action).Kind == PolicyAction {
			if proof == nil {
				return draft{}, aims.Errorf(aims.Conflict, nil, "the plan has just changed; look again")
			}
			if err := proof.holds(i.Case, c.policy()); err != nil {
				return draft{}, err
			}
		}
		event := WasImplemented
		for _, a := range n.current() {
			if a.ID != i.Action && a.State == Planned {
				event = ActionDone
			}
		}
		return draft{event, by, actedChange{i.Action, i.Evidence, proof}, words("note", i.Note)}, nil
	})
}

func (n *Nonconformity) implementable(action string) error {
	a := n.action(action)
	if a == nil {
		return aims.Errorf(aims.NotFound, nil, "the nonconformity %s has no action %q", n.ID, action)
	}
	if n.State != Planned || a.State != Planned || a.Round != n.Round {
		return aims.Errorf(aims.Conflict, nil, "the nonconformity %s is %s and its action %s is %s: it cannot be implemented now", n.ID, n.State, a.ID, a.State)
	}
	return nil
}

// ReviewFinds is what a review of the effectiveness found.
type ReviewFinds struct {
	Effective bool     `json:"effective"`
	Note      string   `json:"note" doc:"how that was seen; kept beside the log"`
	Evidence  []string `json:"evidence,omitempty" doc:"receipts since the last action was implemented"`
}

// Review records whether the actions helped. It fails with aims.Conflict before
// the day of the review, and while nothing was recorded since the last action
// was implemented; and with aims.Denied for whoever owns one of the actions or
// recorded that it is done.
func (c *Corrective) Review(ctx context.Context, by By, id string, f ReviewFinds) (Nonconformity, error) {
	if err := needed("note", f.Note); err != nil {
		return Nonconformity{}, err
	}
	n, err := c.Nonconformity(ctx, id, time.Time{})
	if err != nil {
		return Nonconformity{}, err
	}
	if err := n.reviewable(by, c.o.Now()); err != nil {
		return Nonconformity{}, err
	}
	since := n.implemented()
	if err := c.recorded(ctx, "evidence", f.Evidence, since, n.ID); err != nil {
		return Nonconformity{}, err
	}
	var observed Observed
	if c.o.Observed != nil {
		if observed, err = c.o.Observed(ctx, n, since); err != nil {
			return Nonconformity{}, err
		}
	}
	if observed.Population == 0 && len(f.Evidence) == 0 {
		return Nonconformity{}, aims.Errorf(aims.Conflict, nil,
			"nothing of what the nonconformity %s is about was recorded since its actions were implemented, %s: there is nothing to review yet; give receipts since then as evidence, or wait",
			n.ID, since.Format(time.RFC3339))
	}
	return step(ctx, c, id, func(n *Nonconformity, now time.Time) (draft, error) {
		if err := n.reviewable(by, now); err != nil {
			return draft{}, err
		}
		if !n.implemented().Equal(since) {
			return draft{}, aims.Errorf(aims.Conflict, nil, "the nonconformity has just changed; look again")
		}
		event := WasRefuted
		if f.Effective {
			event = WasVerified
		}
		return draft{event, by, reviewedChange{f.Effective, since, observed, f.Evidence}, words("note", f.Note)}, nil
	})
}

func (n *Nonconformity) reviewable(by By, now time.Time) error {
	if n.State != Implemented {
		return aims.Errorf(aims.Conflict, nil, "the nonconformity %s is %s: only an implemented one is reviewed", n.ID, n.State)
	}
	if now.Before(n.ReviewFrom.Begin()) {
		return aims.Errorf(aims.Conflict, nil, "the effectiveness of %s is reviewed from %s on: before, its actions cannot have shown anything", n.ID, n.ReviewFrom)
	}
	if by.Type != aims.PersonType {
		return aims.Errorf(aims.Denied, nil, "only a person reviews whether actions helped")
	}
	if slices.Contains(n.doers(), by.ID) {
		return aims.Errorf(aims.Denied, nil, "you own an action of %s or recorded that it is done: somebody else must review it", n.ID)
	}
	return nil
}

// doers are the people who own an action of this round or recorded that it is done.
func (n *Nonconformity) doers() []string {
	var ids []string
	for _, a := range n.current() {
		ids = append(ids, a.Owner)
		if a.By != "" {
			ids = append(ids, a.By)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Doers are the people who may not review the nonconformity: those who own an
// action of it or recorded that one is done.
func (n *Nonconformity) Doers() []aims.Actor { return people(n.doers()) }

// Authors are the people who may not waive the nonconformity: those who own an
// action of it or recorded that it is done, and who answers for it.
func (n *Nonconformity) Authors() []aims.Actor {
	ids := n.doers()
	if n.Responsible != "" && !slices.Contains(ids, n.Responsible) {
		ids = append(ids, n.Responsible)
	}
	return people(ids)
}

func people(ids []string) []aims.Actor {
	actors := make([]aims.Actor, len(ids))
	for i, id := range ids {
		actors[i] = aims.Actor{Type: aims.PersonType, ID: id}
	}
	return actors
}

// Close ends a nonconformity whose actions were effective.
func (c *Corrective) Close(ctx context.Context, by By, id, note string) (Nonconformity, error) {
	return c.simply(ctx, id, draft{WasClosed, by, nil, words("note", note)})
}

// Withdraw ends a nonconformity that was raised in error.
func (c *Corrective) Withdraw(ctx context.Context, by By, id, reason string) (Nonconformity, error) {
	return c.end(ctx, WasWithdrawn, by, id, reason)
}

// Waive ends a nonconformity by accepting things as they are. It fails with
// aims.Denied for who answers for it or owns an action of it.
func (c *Corrective) Waive(ctx context.Context, by By, id, reason string) (Nonconformity, error) {
	return c.end(ctx, WasWaived, by, id, reason)
}

func (c *Corrective) end(ctx context.Context, e Event, by By, id, reason string) (Nonconformity, error) {
	if err := needed("reason", reason); err != nil {
		return Nonconformity{}, err
	}
	return step(ctx, c, id, func(n *Nonconformity, _ time.Time) (draft, error) {
		if e == WasWaived && (by.Type != aims.PersonType || slices.Contains(n.Authors(), by.Actor)) {
			return draft{}, aims.Errorf(aims.Denied, nil, "you answer for %s or own an action of it: somebody else must waive it", n.ID)
		}
		return draft{e, by, endedChange{by.Roles}, words("reason", reason)}, nil
	})
}

// Reopen takes a nonconformity up again.
func (c *Corrective) Reopen(ctx context.Context, by By, id, reason string) (Nonconformity, error) {
	if err := needed("reason", reason); err != nil {
		return Nonconformity{}, err
	}
	return c.simply(ctx, id, draft{WasReopened, by, nil, words("reason", reason)})
}
