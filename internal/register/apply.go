package register

import (
	"context"
	"errors"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/internal/store"
)

// errNothing ends a change that changes nothing.
var errNothing = errors.New("register: nothing to change")

// Apply makes the registers what the files want, in one transaction with its
// receipts: all of it or nothing. by is a person, decision the receipt of the
// decision that let them. See Plan for the rest.
//
// It fails with aims.Conflict when somebody else changed the same record since
// the base, and names what, who, when and which fields; with aims.Invalid when the
// registers would be wrong afterwards.
func (r *Register) Apply(ctx context.Context, by aims.Actor, decision string, base Base, want record.Registers, whole bool) (Plan, error) {
	if by.Type != aims.PersonType || by.ID == "" || decision == "" {
		return Plan{}, aims.Errorf(aims.Denied, nil, "only a person whose decision is recorded changes the registers")
	}
	var p prepared
	_, err := r.ledger.ChangeAt(ctx, func(tx *store.Tx, at ledger.Ref) (entry ledger.Entry, err error) {
		if p, err = prepare(tx, base, want, whole); err != nil {
			return entry, err
		}
		if err := p.conflicting(); err != nil {
			return entry, err
		}
		if len(p.Changes) == 0 {
			return entry, errNothing
		}
		parts, err := p.store(tx, by, decision, at)
		if err != nil {
			return entry, err
		}
		more, err := r.project(ctx, tx, p.Changes, by, decision)
		if err != nil {
			return entry, err
		}
		entry = parts[0]
		entry.Then = append(parts[1:], more...)
		return entry, nil
	})
	if errors.Is(err, errNothing) {
		return p.Plan, nil
	}
	if err != nil {
		return Plan{}, failed(err, "the change could not be stored: nothing was done")
	}
	r.o.Log.Info("the registers changed", "by", by, "records", len(p.Changes), "entry", p.Next.Index)
	return p.Plan, nil
}

// store writes the versions and returns the receipts that belong to them.
func (p *prepared) store(tx *store.Tx, by aims.Actor, decision string, at ledger.Ref) ([]ledger.Entry, error) {
	parts, err := split(p.Changes)
	if err != nil {
		return nil, err
	}
	var entries []ledger.Entry
	p.Receipts = nil
	for i, changes := range parts {
		id := aims.NewID("rcp")
		entry, err := changedEntry(id, by, decision, changes, i+1, len(parts))
		if err != nil {
			return nil, err
		}
		entries, p.Receipts = append(entries, entry), append(p.Receipts, id)
		index := at.Index + uint64(i)
		for _, c := range changes {
			v := record.Version{
				Number: c.number, By: by.ID, At: at.Time.UnixMicro(), Index: index, Receipt: id, Event: c.Event,
			}
			if c.after != nil {
				v.Digest = digestOf(c.after)
			}
			if err := insertVersion(tx, record.Key{Kind: c.Kind, ID: c.ID}, v, c.after); err != nil {
				return nil, err
			}
		}
		p.Next.Index = index
	}
	return entries, nil
}

// project lets what follows from the records follow.
func (r *Register) project(ctx context.Context, tx *store.Tx, changes []Planned, by aims.Actor, decision string) ([]ledger.Entry, error) {
	var all []ledger.Entry
	for _, c := range changes {
		key := record.Key{Kind: c.Kind, ID: c.ID}
		before, err := recordOf(key, c.before)
		if err != nil {
			return nil, err
		}
		after, err := recordOf(key, c.after)
		if err != nil {
			return nil, err
		}
		for _, project := range r.o.Project {
			entries, err := project(ctx, tx, Projected{Kind: c.Kind, ID: c.ID, Before: before, After: after, By: by, Decision: decision})
			if err != nil {
				return nil, err
			}
			all = append(all, entries...)
		}
	}
	return all, nil
}
