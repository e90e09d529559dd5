package enforcement_test

import (
	"fmt"
	"testing"
	"time"

	"aims/authz"
	"aims/internal/enforcement"
)

// Runs that were idle are forgotten, in a few receipts; those that are not stay.
func TestIdleRunsAreForgotten(t *testing.T) {
	w := newSpendingWorld(t)
	for i := range 250 {
		w.is(authz.Allow, call(billing, fmt.Sprint("s", i), "send", `{}`))
	}
	w.is(authz.Allow, call(billing, "", "count", `{}`))
	w.clock.Advance(6 * 24 * time.Hour)
	w.does(call(billing, "s7", "secrets", `{}`), `{}`)
	if n, err := w.sessions.Expire(t.Context()); err != nil || n != 1 {
		t.Errorf("%d runs ended after six days, %v", n, err)
	}
	w.clock.Advance(2 * 24 * time.Hour)
	before := w.ledger.Size()
	if n, err := w.sessions.Expire(t.Context()); err != nil || n != 249 {
		t.Errorf("%d runs ended after eight days, %v", n, err)
	}
	if got := w.events(before); len(got) != 2 {
		t.Errorf("receipts: %v", got)
	}
	if n, err := w.sessions.Expire(t.Context()); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	w.is(authz.Deny, call(billing, "s7", "send", `{}`))
	for range 2 {
		w.is(authz.Allow, call(billing, "s1", "send", `{}`))
	}
	w.is(authz.Deny, call(billing, "s1", "send", `{}`))
	w.restart()
	w.is(authz.Deny, call(billing, "s7", "send", `{}`))
	w.is(authz.Deny, call(billing, "s1", "send", `{}`))
}

// What a prompt asks for shows in the facts of the tools that it implies.
func TestPromptImpliesTools(t *testing.T) {
	w := newSinkWorld(t, nil)
	w.prompt("s", "Please send the report to carol@example.org.")
	for _, restart := range []bool{false, true} {
		if restart {
			w.restart()
		}
		if f := w.facts(w.is(authz.Allow, send("s", "carol@example.org"))); !f.Context.Tool.Implied {
			t.Error("sending was asked for and is not implied")
		}
		r, err := w.Decide(t.Context(), payment(billing, `{"amount":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if f := w.facts(r); f.Context.Tool.Implied {
			t.Error("a payment is implied in a run without a prompt")
		}
	}
	if _, err := w.declare(enforcement.Declaration{Principal: billing, Session: "s", Prompt: "Now pay the invoice."}); err != nil {
		t.Fatal(err)
	}
	c := payment(billing, `{"amount":1}`)
	c.Session = "s"
	if f := w.facts(w.is(authz.Allow, c)); !f.Context.Tool.Implied {
		t.Error("a later prompt does not count")
	}
}
