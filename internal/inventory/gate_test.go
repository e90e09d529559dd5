package inventory_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/store"
)

// No put leads into operation: not of a new agent, not of one that was verified,
// and not of one that other people prepared for it.
func TestNothingIsDeployedPastTheGate(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	verified := w.put(inventory.Agent{ID: "clerk", Stage: inventory.Verification})
	verified.Stage = inventory.Deployed
	size := w.ledger.Size()
	for name, a := range map[string]inventory.Agent{"new": {ID: "x", Stage: inventory.Deployed}, "verified": verified} {
		if _, err := w.PutAgent(t.Context(), person, decision, a); code(err) != aims.Conflict || !strings.Contains(err.Error(), "through the gate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.ledger.Size() != size {
		t.Error("what was refused left a receipt")
	}
	if _, err := w.DeployAgent(t.Context(), person, decision, inventory.Agent{ID: "x", Stage: inventory.Development}, inventory.Gate{}); err == nil {
		t.Error("the gate leads elsewhere than into operation")
	}
}

// The evaluation and the deployment stand together or not at all.
func TestTheGateIsAReceiptOfTheDeployment(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	a := w.put(inventory.Agent{ID: "clerk", Stage: inventory.Verification})
	a.Stage = inventory.Deployed
	size := w.ledger.Size()
	gone := inventory.Gate{Still: func(context.Context, *store.Tx, int64) error {
		return aims.Errorf(aims.Conflict, nil, "it changed meanwhile")
	}}
	if _, err := w.DeployAgent(t.Context(), person, decision, a, gone); code(err) != aims.Conflict {
		t.Errorf("facts that hold no more: %v", err)
	}
	if w.ledger.Size() != size || w.agent("clerk").Stage != inventory.Verification {
		t.Error("it was deployed, or left a receipt")
	}
	g := inventory.Gate{Version: "2.1", Policy: "sha256:p", Facts: map[string]bool{"owner_named": true, "tools_pinned": false}, Failed: []string{"tools_pinned"}}
	if _, err := w.DeployAgent(t.Context(), person, decision, a, g); err != nil {
		t.Fatal(err)
	}
	events := w.events()[size:]
	want := `{"to":"deployed","version":"2.1","passed":true,"failed":["tools_pinned"],"facts":{"owner_named":true,"tools_pinned":false},"policy":"sha256:p"}`
	if len(events) != 2 || events[0].Name != inventory.GateEvent || string(events[0].Detail) != want || events[0].Decision != decision || events[1].Name != "agent.changed" {
		t.Errorf("the receipts are %+v", events)
	}
}

// document applies a record as the registers do.
func (w *world) document(by aims.Actor, a inventory.Agent) error {
	_, err := w.ledger.Change(w.t.Context(), func(tx *store.Tx) (ledger.Entry, error) {
		entries, err := inventory.Document(w.t.Context(), tx, by, decision, a)
		if err == nil && len(entries) == 0 {
			err = errUnchanged
		}
		if err != nil {
			return ledger.Entry{}, err
		}
		return entries[0], nil
	})
	return err
}

var errUnchanged = errors.New("unchanged")

// A record makes an agent what it says, never what stage it is in; memory of
// this and of another process follows, and neither undoes it.
func TestARecordIsCarriedOver(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	other := w.second()
	w.must(w.document(person, inventory.Agent{ID: "clerk", Stage: inventory.Deployed, Owner: "grace", Purposes: []string{"pay"}}))
	w.must(w.Refresh(t.Context()))
	w.refresh(other)
	for _, i := range []*inventory.Inventory{w.Inventory, other} {
		if a, _ := i.Agent("clerk"); a.Stage != inventory.Design || a.Owner != "grace" {
			t.Errorf("a new record: %+v", a)
		}
	}
	// A change made from what was read before the record is refused.
	stale := w.agent("clerk")
	w.must(w.document(person, inventory.Agent{ID: "clerk", Owner: "lin", Purposes: []string{"pay", "answer"}}))
	stale.Owner = "eve"
	if _, err := w.PutAgent(t.Context(), person, decision, stale); code(err) != aims.Conflict || w.agent("clerk").Owner != "lin" {
		t.Errorf("%v, %+v", err, w.agent("clerk"))
	}
	if err := w.document(person, inventory.Agent{ID: "clerk", Owner: "lin", Purposes: []string{"answer", "pay"}}); !errors.Is(err, errUnchanged) {
		t.Errorf("the same again: %v", err)
	}
	// Whom it delegates to may come later in the same change; a circle may not.
	w.must(w.document(person, inventory.Agent{ID: "clerk", Delegates: []string{"helper"}}))
	if err := w.document(person, inventory.Agent{ID: "helper", Delegates: []string{"clerk"}}); code(err) != aims.Conflict {
		t.Errorf("a circle of records: %v", err)
	}
	w.must(w.Refresh(t.Context()))
	gone := w.agent("clerk")
	gone.Stage = inventory.Retired
	gone.Delegates = nil
	w.put(gone)
	if err := w.document(person, inventory.Agent{ID: "clerk", Owner: "eve"}); !errors.Is(err, errUnchanged) {
		t.Errorf("the record of a retired agent: %v", err)
	}
}
