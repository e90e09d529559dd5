package corrective

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// MaxPage bounds a page of a list.
const MaxPage = 500

// Filter says which cases are listed. The zero value lists all.
type Filter struct {
	// Open leaves out those that are over.
	Open bool
	// At is the time as of which they are listed; zero for now.
	At time.Time
	// State and Requirement, where they are given, are what the cases have.
	State       State
	Requirement string
	// Before is where the page before ended; empty for the newest.
	Before string
	// Limit is the length of a page; 0 for MaxPage.
	Limit int
	// Words reads also what people wrote.
	Words bool
}

// Nonconformities are a page of those that there are, newest first.
func (c *Corrective) Nonconformities(ctx context.Context, f Filter) ([]Nonconformity, error) {
	return list(ctx, c, f, func(n *Nonconformity) bool { return f.Requirement == "" || n.Requirement == f.Requirement })
}

// Incidents are a page of those that there are, newest first.
func (c *Corrective) Incidents(ctx context.Context, f Filter) ([]Incident, error) {
	return list(ctx, c, f, func(*Incident) bool { return true })
}

// Concerns are a page of those that there are, newest first.
func (c *Corrective) Concerns(ctx context.Context, f Filter) ([]Concern, error) {
	return list(ctx, c, f, func(*Concern) bool { return true })
}

func list[T any, S interface {
	*T
	subject
}](ctx context.Context, c *Corrective, f Filter, wanted func(*T) bool) ([]T, error) {
	if f.Limit < 0 || f.Limit > MaxPage {
		return nil, invalid("a page of %d; expected 1 to %d", f.Limit, MaxPage)
	}
	var found []T
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = cases[T, S](tx, c.o, selection{open: f.Open && f.At.IsZero(), at: f.At})
		return err
	})
	if err != nil {
		return nil, failed(err, "the list could not be read")
	}
	page := found[:0]
	for i := range found {
		h := S(&found[i]).head()
		if f.Open && h.State.over() || f.State != "" && h.State != f.State || f.Before != "" && h.ID >= f.Before || !wanted(&found[i]) {
			continue
		}
		if page = append(page, found[i]); len(page) == cmp.Or(f.Limit, MaxPage) {
			break
		}
	}
	for i := range page {
		if f.Words {
			if err := c.recall(ctx, S(&page[i]).head()); err != nil {
				return nil, err
			}
		}
	}
	return page, nil
}

// Nonconformity is one with what people wrote, as of a time or, for the zero
// time, now. It fails with aims.NotFound.
func (c *Corrective) Nonconformity(ctx context.Context, id string, at time.Time) (Nonconformity, error) {
	n, err := get[Nonconformity](ctx, c, id, at)
	if err != nil {
		return n, err
	}
	for _, s := range n.Steps {
		for i := range n.Actions {
			if text := s.Words["action_"+n.Actions[i].ID]; text != "" {
				n.Actions[i].Text = text
			}
		}
	}
	return n, nil
}

// Incident is one with what people wrote, as of a time or now.
func (c *Corrective) Incident(ctx context.Context, id string, at time.Time) (Incident, error) {
	return get[Incident](ctx, c, id, at)
}

// Concern is one with what people wrote, as of a time or now.
func (c *Corrective) Concern(ctx context.Context, id string, at time.Time) (Concern, error) {
	return get[Concern](ctx, c, id, at)
}

func get[T any, S interface {
	*T
	subject
}](ctx context.Context, c *Corrective, id string, at time.Time) (T, error) {
	var found *T
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = load[T, S](tx, c.o, id, at)
		return err
	})
	if err != nil {
		return *new(T), failed(err, "it could not be read")
	}
	return *found, c.recall(ctx, S(found).head())
}

// recall reads what people wrote from beside the log.
func (c *Corrective) recall(ctx context.Context, h *Head) error {
	for i := range h.Steps {
		s := &h.Steps[i]
		leaf, err := c.ledger.Find(ctx, s.Receipt)
		if err != nil {
			return err
		}
		kept, err := c.ledger.Payloads(ctx, leaf.Index)
		if err != nil {
			return err
		}
		for _, p := range kept {
			if p.Name != receipt.InputPayload {
				continue
			}
			if s.Erased = p.Erased; p.Erased {
				continue
			}
			if err := json.Unmarshal(p.Data, &s.Words); err != nil {
				return aims.Errorf(aims.Internal, err, "what was written with the receipt %s cannot be read", s.Receipt)
			}
		}
	}
	return nil
}

// Duty is something that somebody owes for a case.
type Duty struct {
	Kind  Kind      `json:"kind"`
	ID    string    `json:"id"`
	What  string    `json:"what"`
	Owner string    `json:"owner,omitempty" doc:"id of the person who owes it; absent: nobody was named"`
	Due   time.Time `json:"due" doc:"overdue from this time on"`
}

// firstDuty is what is due first.
func firstDuty(all []Duty) (Duty, bool) {
	if len(all) == 0 {
		return Duty{}, false
	}
	return slices.MinFunc(all, func(a, b Duty) int { return a.Due.Compare(b.Due) }), true
}

// Overdue is what should have been done before a time, the longest overdue first.
func (c *Corrective) Overdue(ctx context.Context, at time.Time) ([]Duty, error) {
	overdue := []Duty{}
	add := func(all []Duty) {
		for _, d := range all {
			if !d.Due.After(at) {
				overdue = append(overdue, d)
			}
		}
	}
	err := c.db.View(ctx, func(tx *store.Tx) error {
		ncs, err := cases[Nonconformity](tx, c.o, selection{open: true})
		if err != nil {
			return err
		}
		for i := range ncs {
			add(ncs[i].duties(c.o))
		}
		incidents, err := cases[Incident](tx, c.o, selection{open: true})
		if err != nil {
			return err
		}
		for i := range incidents {
			add(incidents[i].duties(c.o))
		}
		concerns, err := cases[Concern](tx, c.o, selection{open: true})
		for i := range concerns {
			add(concerns[i].duties(c.o))
		}
		return err
	})
	slices.SortStableFunc(overdue, func(a, b Duty) int { return a.Due.Compare(b.Due) })
	return overdue, failed(err, "what is overdue could not be read")
}

// Entries are the indexes in the log, in ascending order, from one up to, not
// including, another, of the receipts of nonconformities and incidents. What
// people wrote with them shows what was done and why (ISO 42001 10.2), so that
// the retention of payloads spares it. Concerns are left out: their words are
// kept no longer than other content.
func (c *Corrective) Entries(ctx context.Context, from, to uint64) ([]uint64, error) {
	if from >= to {
		return nil, nil
	}
	begin, err := c.ledger.Entry(ctx, from)
	if err != nil {
		return nil, err
	}
	end, err := c.ledger.Entry(ctx, to-1)
	if err != nil {
		return nil, err
	}
	var receipts []string
	err = c.db.View(ctx, func(tx *store.Tx) (err error) {
		receipts, err = receiptsBetween(tx, begin.Time, end.Time)
		return err
	})
	if err != nil {
		return nil, failed(err, "the list could not be read")
	}
	var entries []uint64
	for _, id := range receipts {
		leaf, err := c.ledger.Find(ctx, id)
		if err != nil {
			return nil, err
		}
		if from <= leaf.Index && leaf.Index < to {
			entries = append(entries, leaf.Index)
		}
	}
	slices.Sort(entries)
	return entries, nil
}
