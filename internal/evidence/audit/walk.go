package audit

import (
	"context"
	"strings"
	"time"

	"aims/internal/enforcement"
	"aims/internal/ledger"
	"aims/receipt"
)

// walk is what one reading of the log gathers for the tests.
type walk struct {
	first, last time.Time
	counts      *counts
	// acts are the events of approvals, roles and gates, in the order of the log.
	acts []act
	// from and until bound the period of the audit.
	from, until time.Time
}

// act is an event of the log.
type act struct {
	*receipt.Event
	index uint64
	at    time.Time
}

// within says whether something lies in the audit's period.
func (w *walk) within(at time.Time) bool { return !at.Before(w.from) && at.Before(w.until) }

func (a *Audits) walk(ctx context.Context, size uint64, from, until time.Time) (*walk, error) {
	w := &walk{counts: newCounts(), from: from, until: until}
	for leaf, err := range a.p.Ledger.Entries(ctx, 0, size) {
		if err != nil {
			return nil, failed(err, "the log cannot be read to its end: verify it")
		}
		if w.first.IsZero() {
			w.first = leaf.Time
		}
		w.last = leaf.Time
		switch leaf.Kind {
		case receipt.DecisionKind, receipt.RefusalKind:
			w.counts.logged[minuteOf(leaf.Time)]++
		case receipt.EventKind:
			if err := w.event(leaf); err != nil {
				return nil, failed(err, "an entry of the log cannot be read: verify the log")
			}
		}
	}
	return w, nil
}

func (w *walk) event(leaf ledger.Leaf) error {
	e, err := receipt.DecodeEvent(leaf.Body)
	if err != nil {
		return nil // the test of integrity names it
	}
	switch {
	case e.Name == enforcement.CountedEvent:
		return w.counts.stated(e, leaf.Time)
	case e.Name == "system.started":
		w.counts.started[minuteOf(leaf.Time)] = true
	case strings.HasPrefix(e.Name, "approval."), e.Name == "actor.roles", e.Name == "key.created", e.Name == "gate.evaluated":
		w.acts = append(w.acts, act{e, leaf.Index, leaf.Time})
	}
	return nil
}
