package corrective

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Lapse is a criterion that held, and has exceptions now.
type Lapse struct {
	Criterion   string    // its id, such as 8.1/2
	Requirement string    // its id
	Held        time.Time // when it was last seen to hold
	Statement   string    // which exceptions it has
	Responsible string    // who answers for the requirement; empty for nobody
	Evidence    []string  // receipts
}

// errDealtWith ends the transaction of a lapse that needs no step.
var errDealtWith = errors.New("somebody deals with it already")

// Lapsed raises a nonconformity for a criterion that no longer holds, and says
// whether it did. A criterion has one open nonconformity at most: while one is
// open, nothing is done; one that was implemented, verified or closed less than
// Options.Recurrence ago is open again; one that somebody changed since the
// criterion held is about these same exceptions, also when it was withdrawn.
func (c *Corrective) Lapsed(ctx context.Context, by By, l Lapse) (n Nonconformity, raised bool, err error) {
	if err := c.o.Known(l.Requirement); err != nil {
		return n, false, aims.Errorf(aims.Invalid, err, "requirement: %v", err)
	}
	err = c.change(ctx, func(tx *store.Tx) ([]ledger.Entry, error) {
		again, event, err := c.ofCriterion(tx, l)
		if err != nil {
			return nil, err
		}
		d := draft{event, by, recurredChange{Grade: Minor, Evidence: l.Evidence}, words("statement", l.Statement)}
		if again == nil {
			again = &Nonconformity{Head: Head{ID: aims.NewID(NonconformityKind.prefix())}}
			d.event, d.change = WasRaised, raisedChange{
				Source: FromCriterion, Requirement: l.Requirement, Grade: Minor, Cause: causeOf(l.Criterion), Criterion: l.Criterion,
				Evidence: l.Evidence, Responsible: l.Responsible,
			}
		}
		entry, err := c.put(tx, again, d)
		n = *again
		return []ledger.Entry{entry}, err
	})
	if errors.Is(err, errDealtWith) {
		return Nonconformity{}, false, nil
	}
	return n, err == nil, err
}

var notInCauses = regexp.MustCompile(`[^a-z0-9._-]+`)

// causeOf is the first key of the cause, until somebody finds the cause.
func causeOf(criterion string) string {
	return notInCauses.ReplaceAllString(strings.ToLower(criterion), "-")
}

// ofCriterion is the nonconformity that a lapse opens again, and by which event;
// nil where a new one is due, and errDealtWith where nothing is.
func (c *Corrective) ofCriterion(tx *store.Tx, l Lapse) (*Nonconformity, Event, error) {
	ids, err := ofCriterion(tx, l.Criterion)
	if err != nil {
		return nil, "", err
	}
	for _, id := range ids {
		n, err := c.goesOn(tx, id)
		if err != nil {
			return nil, "", err
		}
		events := n.life()[n.State]
		if _, open := events[WasObserved]; open || n.Changed.After(l.Held) {
			return nil, "", errDealtWith
		}
		if _, ended := events[Recurred]; ended && c.recent(n, tx.Now) {
			return n, Recurred, nil
		}
	}
	return nil, "", nil
}

// goesOn is a nonconformity, or the one that it was merged into.
func (c *Corrective) goesOn(tx *store.Tx, id string) (*Nonconformity, error) {
	seen := map[string]bool{}
	for {
		n, err := load[Nonconformity](tx, c.o, id, time.Time{})
		if err != nil || n.State != Merged || seen[id] {
			return n, err
		}
		seen[id] = true
		id = n.MergedInto
	}
}
