package policy_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"golang.org/x/mod/sumdb/note"

	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/store"
	"aims/receipt"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// world is an administration over a real ledger on SQLite.
type world struct {
	*policy.Administration
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	clock  *clock
	o      policy.Options
	// stopped are the agents that are suspended and the servers that are stopped.
	stopped []cedar.EntityUID
}

func newWorld(t testing.TB, o policy.Options) *world {
	t.Helper()
	return newWorldAt(t, o, filepath.Join(t.TempDir(), "aims.db"))
}

func newWorldAt(t testing.TB, o policy.Options, path string) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), o: o}
	ctx := t.Context()
	db, err := openStore(t, path, w.clock.now, ledger.Schema(), policy.Schema())
	if err != nil {
		t.Fatal(err)
	}
	w.db = db
	private, _, err := note.GenerateKey(rand.Reader, "log.example/test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger, err = ledger.Open(ctx, db, ledger.Options{
		Origin: "log.example/test", Signer: signer, Now: w.clock.now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.ledger.Close(context.Background())
		db.Close()
	})
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
func (w *world) events() []*receipt.Event {
	w.t.Helper()
	var events []*receipt.Event
	for leaf, err := range w.ledger.Entries(w.t.Context(), 0, w.ledger.Size()) {
		if err != nil {
			w.t.Fatal(err)
		}
		e, err := receipt.DecodeEvent(leaf.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
