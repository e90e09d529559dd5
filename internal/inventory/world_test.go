package inventory_test

import (
	"testing"

	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/store"
	"aims/receipt"
)

// world is an inventory over a real ledger on SQLite.
type world struct {
	*inventory.Inventory
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	clock  *ledgertest.Clock
	o      inventory.Options
}

func newWorld(t testing.TB, o inventory.Options) *world {
	t.Helper()
	l := ledgertest.New(t, inventory.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, clock: l.Clock, o: o}
	w.reopen()
	return w
}

// reopen reads the inventory again, as after a restart.
func (w *world) reopen() {
	w.t.Helper()
	i, err := inventory.Open(w.t.Context(), w.db, w.ledger, w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Inventory = i
}

// events are the receipts of the log, decoded.
func (w *world) events() []*receipt.Event { return ledgertest.Events(w.t, w.ledger) }
