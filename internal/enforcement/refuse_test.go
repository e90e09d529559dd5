package enforcement_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/receipt"
)

// refusals are the refusal receipts from an index on, and how many refused
// requests they stand for.
func (w *world) refusals(from uint64) (receipts []*receipt.Decision, requests uint64) {
	w.t.Helper()
	for _, leaf := range w.leaves(from) {
		if leaf.Kind != receipt.RefusalKind {
			continue
		}
		d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		receipts = append(receipts, d)
		requests += max(1, d.Count)
	}
	return receipts, requests
}

func TestRefusalIsAReceipt(t *testing.T) {
	w := newWorld(t, nil)
	start := w.ledger.Size()
	id := w.Refuse(t.Context(), enforcement.Refusal{Remote: "192.0.2.1", Channel: enforcement.MCP, Method: "tools/call\x00" + strings.Repeat("x", 1000), Cause: "header and body disagree"})
	w.Refuse(t.Context(), enforcement.Refusal{Principal: &billing, Remote: "192.0.2.1", Channel: enforcement.AuthZEN, Cause: "malformed request"})
	got, _ := w.refusals(start)
	if len(got) != 2 || got[0].ID != id || got[0].Actor != nil || got[0].Cause != "header and body disagree" || len(got[0].Method) > 300 {
		t.Errorf("%+v", got)
	}
	if got[1].Actor == nil || got[1].Actor.ID != "billing" || got[1].Verdict != authz.Deny {
		t.Errorf("%+v", got[1])
	}
}

func TestRefusalFloodWritesABoundedNumberOfReceipts(t *testing.T) {
	limits := enforcement.Limits{Burst: 10, PerSecond: 1, TotalBurst: 50, TotalPerSecond: 5, Callers: 16}
	w := newWorld(t, func(o *enforcement.Options) { o.Limits = limits })
	start := w.ledger.Size()
	const flood = 5000
	for n := range flood { // from one address, from many, with many causes and methods
		w.Refuse(t.Context(), enforcement.Refusal{Remote: "192.0.2.1", Channel: enforcement.MCP, Cause: "bad key"})
		w.Refuse(t.Context(), enforcement.Refusal{Remote: fmt.Sprintf("2001:db8::%x", n), Channel: enforcement.MCP, Cause: "bad key", Method: fmt.Sprint(n)})
		agent := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: fmt.Sprint("a", n)}}
		w.Refuse(t.Context(), enforcement.Refusal{Principal: &agent, Channel: enforcement.Hook, Cause: fmt.Sprint("cause ", n%200)})
	}
	if n := w.ledger.Size() - start; n > 2*50 {
		t.Errorf("%d receipts before the flush", n)
	}
	for range 3 {
		if err := w.FlushRefusals(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	receipts, requests := w.refusals(start)
	if len(receipts) > 2*50+70 {
		t.Errorf("%d receipts after the flush", len(receipts))
	}
	if requests != 3*flood {
		t.Errorf("the receipts stand for %d requests, want %d", requests, 3*flood)
	}
	w.clock.Advance(time.Minute)
	if id := w.Refuse(t.Context(), enforcement.Refusal{Remote: "192.0.2.1", Channel: enforcement.MCP, Cause: "bad key"}); id == "" {
		t.Error("after the flood nothing is recorded any more")
	}
}

func TestDeniedCallsCannotFillTheDisk(t *testing.T) {
	w := newWorld(t, func(o *enforcement.Options) {
		o.Limits = enforcement.Limits{Burst: 10, PerSecond: 1, TotalBurst: 50, TotalPerSecond: 5}
	})
	start := w.ledger.Size()
	denied := payment(billing, `{"amount":100}`)
	exhausted := 0
	for range 1000 {
		r, err := w.Decide(t.Context(), denied)
		switch {
		case r.Allowed():
			t.Fatal("allowed")
		case code(err) == aims.Exhausted:
			exhausted++
		case err != nil:
			t.Fatal(err)
		}
	}
	if n := w.ledger.Size() - start; n > 10 || exhausted < 990 {
		t.Errorf("%d receipts, %d times exhausted", n, exhausted)
	}
	w.Decide(t.Context(), payment(billing, `{}`)) // it costs less, and may take the last of what is left
	for _, c := range []enforcement.Call{payment(billing, `{"amount":"x"}`), payment(billing, `{}`)} {
		if _, err := w.Decide(t.Context(), c); code(err) != aims.Exhausted {
			t.Errorf("bad arguments have a limit of their own: %v", err)
		}
	}
	// What is allowed is not held up, nor are the refusals of others.
	if !w.decide(payment(billing, `{"amount":1}`)).Allowed() {
		t.Error("an allowed call suffers")
	}
	if r := w.decide(payment(other, `{"amount":100}`)); r.Receipt == "" {
		t.Error("another caller suffers")
	}
	if err := w.FlushRefusals(t.Context()); err != nil {
		t.Fatal(err)
	}
	receipts, requests := w.refusals(start)
	last := receipts[len(receipts)-1]
	if requests != 1004 || last.Count < 990 || last.Actor.ID != "billing" {
		t.Errorf("the receipts stand for %d requests; the last is %+v", requests, last)
	}
	w.clock.Advance(2 * time.Second)
	if r, err := w.Decide(t.Context(), denied); err != nil || r.Verdict != authz.Hold {
		t.Errorf("later: %+v, %v", r, err)
	}
}

func TestLargeRefusedInputsCostMore(t *testing.T) {
	w := newWorld(t, func(o *enforcement.Options) { o.Limits = enforcement.Limits{Burst: 100, PerSecond: 1} })
	start := w.ledger.Size()
	large := payment(billing, `{"amount":100,"to":"`+strings.Repeat("x", 200<<10)+`"}`)
	for range 20 {
		w.Decide(t.Context(), large)
	}
	if n := w.ledger.Size() - start; n > 2 {
		t.Errorf("%d receipts of 200 kB each", n)
	}
}

func TestFlushThatFailsForgetsNothing(t *testing.T) {
	w := newWorld(t, func(o *enforcement.Options) { o.Limits = enforcement.Limits{Burst: 1, PerSecond: 0.001} })
	for range 5 {
		w.Refuse(t.Context(), enforcement.Refusal{Remote: "192.0.2.1", Channel: enforcement.MCP, Cause: "bad key"})
	}
	start := w.ledger.Size()
	w.rename("log_batch", "gone")
	if err := w.FlushRefusals(t.Context()); err == nil {
		t.Error("no error")
	}
	w.rename("gone", "log_batch")
	if err := w.FlushRefusals(t.Context()); err != nil {
		t.Fatal(err)
	}
	if receipts, requests := w.refusals(start); len(receipts) != 1 || requests != 4 {
		t.Errorf("%d receipts for %d requests", len(receipts), requests)
	}
}
