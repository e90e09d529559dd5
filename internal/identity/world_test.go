package identity_test

import (
	"log/slog"
	"testing"

	"aims/internal/identity"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/store"
	"aims/receipt"
)

// world is a directory over a real ledger on SQLite.
type world struct {
	*identity.Directory
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	clock  *ledgertest.Clock
	o      identity.Options
}

func newWorld(t testing.TB, oauth *identity.OAuth) *world {
	t.Helper()
	l := ledgertest.New(t, identity.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, clock: l.Clock}
	w.o = identity.Options{OAuth: oauth, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)}
	w.reopen()
	return w
}

// reopen reads the directory again, as after a restart.
func (w *world) reopen() {
	w.t.Helper()
	d, err := identity.Open(w.t.Context(), w.db, w.ledger, w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Directory = d
}

// log is every leaf as text.
func (w *world) log() []string {
	w.t.Helper()
	var leaves []string
	for leaf, err := range w.ledger.Entries(w.t.Context(), 0, w.ledger.Size()) {
		if err != nil {
			w.t.Fatal(err)
		}
		leaves = append(leaves, string(leaf.Raw))
	}
	return leaves
}

// events are the receipts of the log, decoded.
func (w *world) events() []*receipt.Event { return ledgertest.Events(w.t, w.ledger) }
