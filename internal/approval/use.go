package approval

import (
	"context"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// Granted finds the approval that releases a call: granted by everybody that
// it needs, not used, not expired, and of exactly this binding.
func (a *Approvals) Granted(ctx context.Context, b Binding) (Request, bool, error) {
	var found []Request
	now := a.o.Now()
	err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = query(tx, `SELECT `+columns+` FROM approval_request
WHERE `+bound+` AND expires > $9 AND state = 'granted' ORDER BY id DESC LIMIT 1`, append(b.parameters(), micros(now))...)
		return err
	})
	if err != nil {
		return Request{}, false, failed(err, "the approvals could not be read")
	}
	if len(found) > 0 && a.o.Refresh != nil {
		if err := a.o.Refresh(ctx); err != nil {
			return Request{}, false, failed(err, "who holds which role could not be read")
		}
	}
	// The votes are counted again: a status that somebody wrote grants nothing.
	if len(found) == 0 || !a.standing(found[0]).complete() || a.state(found[0], now) != Granted {
		return Request{}, false, nil
	}
	return found[0], true, nil
}

// UseIn takes an approval in the transaction that records the decision which it
// released; UsedEntry is its receipt. It fails with aims.Conflict when the
// approval is not good for this call, not granted, expired, or used before, and
// with aims.NotFound when there is none: then nothing is released.
func (a *Approvals) UseIn(tx *store.Tx, id string, b Binding) error {
	r, err := load(tx, id)
	if err != nil {
		return failed(err, "the approval could not be read")
	}
	if err := a.usable(r, b, tx.Now); err != nil {
		return err
	}
	to, ok := next(r.State, released)
	if !ok {
		return aims.Errorf(aims.Conflict, nil, "the approval %s is %s", id, r.State)
	}
	return failed(settle(tx, id, r.State, to), "the approval could not be used")
}

// usable says why an approval is not good for a call.
func (a *Approvals) usable(r Request, b Binding, now time.Time) error {
	switch {
	case r.Binding != b:
		return aims.Errorf(aims.Conflict, nil, "the approval %s is for another call: %s", r.ID, r.Binding.differs(b))
	case r.State == Used:
		return aims.Errorf(aims.Conflict, nil, "the approval %s was used already", r.ID)
	case a.state(r, now) != Granted:
		return aims.Errorf(aims.Conflict, nil, "the approval %s is %s", r.ID, a.state(r, now))
	case !a.standing(r).complete():
		return aims.Errorf(aims.Conflict, nil, "the approval %s was not granted by everybody that it needs", r.ID)
	}
	return nil
}

// differs names the first part in which two bindings differ.
func (b Binding) differs(other Binding) string {
	names := [...]string{"the agent", "the session", "the action", "the server", "the tool", "the tool's definition", "the arguments", "the policy"}
	others := other.parameters()
	for i, part := range b.parameters() {
		if part != others[i] {
			return names[i] + " changed"
		}
	}
	return "nothing changed"
}
