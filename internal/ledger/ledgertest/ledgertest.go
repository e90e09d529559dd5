// Package ledgertest gives tests a log: on a store of its own, signed with a key
// of its own, at a time that the test moves.
package ledgertest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/receipt"
)

// Origin is the name of the logs.
const Origin = "log.example/test"

// Noon is the time at which clocks begin.
func Noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// Clock is a time that tests move.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock stands still at a time.
func NewClock(at time.Time) *Clock { return &Clock{at: at} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Set moves the clock to a time.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// Log is a log, and what a process needs to open it.
type Log struct {
	Place  storetest.Place
	DB     *store.DB
	Ledger *ledger.Ledger
	Signer note.Signer
	Clock  *Clock
}

// New is an empty log in a database with the tables of the log and those given.
func New(t testing.TB, schemas ...store.Schema) *Log {
	t.Helper()
	return NewAt(t, storetest.New(t), NewClock(Noon()), schemas...)
}

// NewAt is an empty log at a place, by a clock.
func NewAt(t testing.TB, at storetest.Place, c *Clock, schemas ...store.Schema) *Log {
	t.Helper()
	signer, _ := NewKey(t, Origin)
	l := &Log{Place: at, Signer: signer, Clock: c}
	l.Open(t, schemas...)
	return l
}

// Open opens database and log as a process does that has just started.
func (l *Log) Open(t testing.TB, schemas ...store.Schema) {
	t.Helper()
	l.DB = l.Place.MustOpen(t, l.Clock.Now, append([]store.Schema{ledger.Schema()}, schemas...)...)
	l.Ledger = Open(t, l.DB, l.Signer, l.Clock.Now)
}

// Close ends what Open began, before the test ends.
func (l *Log) Close() {
	l.Ledger.Close(context.Background())
	l.DB.Close()
}

// NewKey is a signing key, and what verifies its signatures.
func NewKey(t testing.TB, origin string) (signer note.Signer, vkey string) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	return signer, public
}

// Open opens the log of a database, as each process on it does, until the test
// ends.
func Open(t testing.TB, db *store.DB, signer note.Signer, now func() time.Time) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), db, ledger.Options{Origin: signer.Name(), Signer: signer, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return l
}

// Leaves are those of the log from an index on.
func Leaves(t testing.TB, l *ledger.Ledger, from uint64) []ledger.Leaf {
	t.Helper()
	var leaves []ledger.Leaf
	for leaf, err := range l.Entries(context.Background(), from, l.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	return leaves
}

// Events are the receipts of a log in which there are only events.
func Events(t testing.TB, l *ledger.Ledger) []*receipt.Event {
	t.Helper()
	var events []*receipt.Event
	for _, leaf := range Leaves(t, l, 0) {
		e, err := receipt.DecodeEvent(leaf.Body)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
