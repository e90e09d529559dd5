package enforcement_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"aims/authz"
	"aims/internal/policy/bundle"
	"aims/receipt"
)

// shadowed tries policies beside the active ones.
func (w *world) shadowed(policies string) {
	w.t.Helper()
	b, err := bundle.New([]bundle.File{{Name: "p.cedar", Text: []byte(policies)}})
	if err != nil {
		w.t.Fatal(err)
	}
	published, err := w.policies.Publish(w.t.Context(), admin.Actor, "", b, w.inventory.Catalog())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.policies.Shadow(w.t.Context(), admin.Actor, "", published.Digest, w.inventory.Catalog()); err != nil {
		w.t.Fatal(err)
	}
}

// A candidate has no effect, and what it would have decided otherwise is in the
// log: one receipt for all calls that are alike.
func TestCandidateIsComparedAndHasNoEffect(t *testing.T) {
	w := newRunWorld(t, nil)
	w.shadowed(runPolicies + `@id("stricter") @reason("x") forbid (principal, action == Action::"desk___count", resource);`)
	var last string
	for i := range 20 {
		last = w.is(authz.Allow, call(billing, fmt.Sprint("s", i), "count", `{}`)).Receipt
	}
	w.is(authz.Allow, call(billing, "s", "send", `{}`))
	w.WaitForShadow()
	before := w.ledger.Size()
	if err := w.RecordDifferences(t.Context()); err != nil {
		t.Fatal(err)
	}
	leaves := w.leaves(before)
	if len(leaves) != 1 {
		t.Fatalf("%d receipts of one kind of difference", len(leaves))
	}
	e, err := receipt.DecodeEvent(leaves[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Action, Before, After string
		Rules, Receipts       []string
		Count                 int
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		t.Fatal(err)
	}
	if e.Name != "policy.differed" || d.Action != "desk___count" || d.Before != "allow" || d.After != "deny" ||
		len(d.Rules) != 1 || d.Rules[0] != "stricter" || d.Count != 20 || len(d.Receipts) != 8 || d.Receipts[0] == last {
		t.Errorf("%s %+v", e.Name, d)
	}
	if err := w.RecordDifferences(t.Context()); err != nil || w.ledger.Size() != before+1 {
		t.Errorf("recorded again: %v", err)
	}
}
