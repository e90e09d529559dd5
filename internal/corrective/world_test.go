package corrective_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/store"
	"aims/receipt"
)

// world is corrective action over a real ledger.
type world struct {
	*corrective.Corrective
	t      testing.TB
	log    *ledgertest.Log
	db     *store.DB
	ledger *ledger.Ledger
	clock  *ledgertest.Clock
	policy string // in force
	proof  corrective.PolicyProof
	seen   uint64 // observed since
	o      corrective.Options
}

const day = 24 * time.Hour

func newWorld(t testing.TB, change func(*corrective.Options)) *world {
	t.Helper()
	l := ledgertest.New(t, corrective.Schema())
	w := &world{t: t, log: l, db: l.DB, ledger: l.Ledger, clock: l.Clock, policy: "sha256:new"}
	w.o = corrective.Options{
		Now: w.clock.Now, Policy: func() string { return w.policy }, Anonymous: true,
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
	w.Corrective = corrective.New(w.db, w.ledger, w.o)
	return w
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
	return corrective.Date(w.clock.Now().Add(d).Format(time.DateOnly))
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
	w.clock.Advance(11 * day)
	w.seen = 3
	ok(w.Review(ctx, by("rex"), n.ID, corrective.ReviewFinds{Effective: true, Note: "looked"}))
	return ok(w.Close(ctx, by("rex"), n.ID, ""))
}
