package policy_test

import (
	"testing"

	"github.com/cedar-policy/cedar-go"

	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/policy"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/receipt"
)

// world is an administration over a real ledger on SQLite.
type world struct {
	*policy.Administration
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	clock  *ledgertest.Clock
	o      policy.Options
	// stopped are the agents that are suspended and the servers that are stopped.
	stopped []cedar.EntityUID
}

func newWorld(t testing.TB, o policy.Options) *world {
	t.Helper()
	return newWorldAt(t, o, storetest.New(t))
}

func newWorldAt(t testing.TB, o policy.Options, at storetest.Place) *world {
	t.Helper()
	l := ledgertest.NewAt(t, at, ledgertest.NewClock(ledgertest.Noon()), policy.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, clock: l.Clock, o: o}
	w.reopen()
	return w
}

// reopen reads the policies again, as after a restart.
func (w *world) reopen() {
	w.t.Helper()
	i, err := policy.Open(w.t.Context(), w.db, w.ledger, w.o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Administration = i
}

// events are the receipts of the log, decoded.
func (w *world) events() []*receipt.Event { return ledgertest.Events(w.t, w.ledger) }
