package corrective_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is corrective action over a real ledger.
type world struct {
	*corrective.Corrective
	t      testing.TB
	file   string
	db     *store.DB
	ledger *ledger.Ledger
	clock  *clock
	policy string // in force
	proof  corrective.PolicyProof
	seen   uint64 // observed since
	o      corrective.Options
}

const day = 24 * time.Hour

func newWorld(t testing.TB, change func(*corrective.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}, policy: "sha256:new", file: filepath.Join(t.TempDir(), "aims.db")}
	w.o = corrective.Options{
		Now: w.clock.now, Policy: func() string { return w.policy }, Anonymous: true,
		Known: func(id string) error {
			if id != "8.3" && id != "A.9.2" {
				return fmt.Errorf("%q is no requirement", id)
			}
			return nil
		},
		Prove: func(_ context.Context, call string) (corrective.PolicyProof, error) {
			p := w.proof
			p.Case = call
			return p, nil
		},
		Observed: func(context.Context, corrective.Nonconformity, time.Time) (corrective.Observed, error) {
			return corrective.Observed{Population: w.seen}, nil
		},
	}
	if change != nil {
		change(&w.o)
	}
	var err error
	if w.db, err = openStore(t, w.file, w.clock.now, ledger.Schema(), corrective.Schema()); err != nil {
		t.Fatal(err)
	}
	private, _, err := note.GenerateKey(rand.Reader, "log.example/test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger, err = ledger.Open(t.Context(), w.db, ledger.Options{Origin: "log.example/test", Signer: signer, Now: w.clock.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	w.Corrective = corrective.New(w.db, w.ledger, w.o)
	return w
}

func (w *world) stop() {
	w.ledger.Close(context.Background())
	w.db.Close()
}

func by(id string) corrective.By {
	return corrective.By{Actor: aims.Actor{Type: aims.PersonType, ID: id}, Decision: "rcp_0193590c-0000-7000-8000-000000000001"}
}

func finding() corrective.NewNonconformity {
	return corrective.NewNonconformity{Source: corrective.FromAudit, Requirement: "A.9.2", Grade: corrective.Minor, Statement: "a payment without approval"}
}

// event appends a receipt of something else, and returns its id.
func (w *world) event() string {
	w.t.Helper()
	id := aims.NewID("rcp")
	body, err := receipt.Encode(receipt.Event{
		ID: id, Actor: receipt.Party{Type: "agent", ID: "billing"}, Name: "call", Object: receipt.Object{Type: "call", ID: "1"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.ledger.Append(w.t.Context(), ledger.Entry{Kind: receipt.EventKind, Body: body}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// must ends the test with an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}

func (w *world) date(d time.Duration) corrective.Date {
	return corrective.Date(w.clock.now().Add(d).Format(time.DateOnly))
}

// planned is a nonconformity with one action of a kind, which otto owns.
func (w *world) planned(kind corrective.ActionKind, cause string) corrective.Nonconformity {
	w.t.Helper()
	ok := must[corrective.Nonconformity](w.t)
	n := ok(w.Raise(w.t.Context(), by("mara"), finding()))
	return w.plan(n.ID, kind, cause, ok)
}

func (w *world) plan(id string, kind corrective.ActionKind, cause string, ok func(corrective.Nonconformity, error) corrective.Nonconformity) corrective.Nonconformity {
	w.t.Helper()
	ctx := w.t.Context()
	ok(w.Correct(ctx, by("mara"), id, "called back"))
	ok(w.Analyse(ctx, by("mara"), id, corrective.CauseAnalysis{Extent: "nowhere else", RootCause: "nobody asked", Cause: cause}))
	return ok(w.Plan(ctx, by("mara"), id, corrective.ActionPlan{
		Actions:    []corrective.NewAction{{Text: "ask", Owner: "otto", Due: w.date(5 * day), Kind: kind}},
		ReviewFrom: w.date(10 * day),
	}))
}

// closed is a nonconformity that went its whole way.
func (w *world) closed(cause string) corrective.Nonconformity {
	w.t.Helper()
	ctx, ok := w.t.Context(), must[corrective.Nonconformity](w.t)
	n := w.planned(corrective.ProcessAction, cause)
	ok(w.Implement(ctx, by("otto"), n.ID, corrective.Implementation{Action: "a1", Note: "done"}))
	w.clock.advance(11 * day)
	w.seen = 3
	ok(w.Review(ctx, by("rex"), n.ID, corrective.ReviewFinds{Effective: true, Note: "looked"}))
	return ok(w.Close(ctx, by("rex"), n.ID, ""))
}
