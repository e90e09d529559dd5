package lifecycle

import (
	"context"

	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
)

// Project carries records of agents and purposes over to the agents that the
// runtime knows, in the transaction that changes the records. It is a
// register.Projection. An agent whose record is removed stays registered: what
// runs does not stop because its paper is gone, and that it has none is shown.
func Project(ctx context.Context, tx *store.Tx, p register.Projected) ([]ledger.Entry, error) {
	switch p.Kind {
	case "agent":
		a, ok := p.After.(record.Agent)
		if !ok {
			return nil, nil
		}
		texts, err := purposeTexts(tx, a.Purposes)
		if err != nil {
			return nil, err
		}
		return inventory.Document(ctx, tx, p.By, p.Decision, inventory.Agent{
			ID: a.ID, Owner: a.Owner, Operator: a.Operator, Purposes: a.Purposes, PurposeTexts: texts, Delegates: a.Delegates,
		})
	case "purpose":
		after, _ := p.After.(record.Purpose)
		return inventory.Reword(ctx, tx, p.By, p.Decision, p.ID, after.Text)
	}
	return nil, nil
}

func purposeTexts(tx *store.Tx, purposes []string) (map[string]string, error) {
	texts := map[string]string{}
	for _, id := range purposes {
		rec, err := register.Present(tx, "purpose", id)
		if err != nil {
			return nil, err
		}
		if p, ok := rec.(record.Purpose); ok {
			texts[id] = p.Text
		}
	}
	return texts, nil
}
