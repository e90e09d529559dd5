package inventory

import (
	"context"
	"maps"
	"slices"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Document makes a registered agent what its record says, in the transaction
// that changes the record, and returns the receipts of that. One that is new
// enters at Design; the stage of others stays, and one that is retired stays as
// it was. Of a, Stage, Created, Changed and the suspension do not count.
//
// Memory follows with the next Refresh, in this process as in others: until then
// it stores nothing on top of what it has not read.
func Document(ctx context.Context, tx *store.Tx, by aims.Actor, decision string, a Agent) ([]ledger.Entry, error) {
	old, err := readAgent(ctx, tx, a.ID)
	if err != nil {
		return nil, err
	}
	next := a.normal()
	next.Stage = Design
	if old != nil {
		next.Stage = old.Stage
	}
	if err := next.Check(); err != nil {
		return nil, err
	}
	if old != nil && (old.Stage == Retired || next.equal(old)) {
		return nil, nil
	}
	if len(next.Delegates) > 0 {
		all := newContents()
		if err := all.readAgents(ctx, tx); err != nil {
			return nil, err
		}
		if err := all.mayDelegate(next, true); err != nil {
			return nil, err
		}
	}
	entry, err := storeAgent(ctx, tx, by, decision, old, next)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE inventory_version SET version = version + 1 WHERE id = 1`)
	return []ledger.Entry{entry}, err
}

// Reword gives a purpose the sentence that says what it means, with every
// registered agent that has the purpose, in the transaction that changes the
// purpose's record; for the empty text it has none. Document says the rest.
func Reword(ctx context.Context, tx *store.Tx, by aims.Actor, decision, purpose, text string) ([]ledger.Entry, error) {
	all := newContents()
	if err := all.readAgents(ctx, tx); err != nil {
		return nil, err
	}
	var entries []ledger.Entry
	for _, id := range slices.Sorted(maps.Keys(all.agents)) {
		if !slices.Contains(all.agents[id].Purposes, purpose) {
			continue
		}
		next := *all.agents[id]
		next.PurposeTexts = map[string]string{}
		maps.Copy(next.PurposeTexts, all.agents[id].PurposeTexts)
		if delete(next.PurposeTexts, purpose); text != "" {
			next.PurposeTexts[purpose] = text
		}
		more, err := Document(ctx, tx, by, decision, next)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}
