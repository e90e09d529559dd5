package enforcement_test

import (
	"encoding/json"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/store/storetest"
	"aims/pdp"
)

// emptyPolicies is an administration in which nothing was ever activated.
func emptyPolicies(t *testing.T, w *world) *policy.Administration {
	t.Helper()
	db := storetest.SQLite(t).MustOpen(t, w.clock.Now, ledger.Schema(), policy.Schema())
	a, err := policy.Open(t.Context(), db, w.ledger, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNewToolIsKnownToPolicyAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	before := w.policies.Active().Digest()
	read := inventory.Tool{Name: "read", Definition: json.RawMessage(`{"name":"read","description":"reads","inputSchema":{}}`)}
	if _, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay, read}); err != nil {
		t.Fatal(err)
	}
	if set := w.policies.Active(); !set.Has("desk___read") || set.Digest() == before || w.Stale() != "" {
		t.Errorf("the set that decides does not know the tool: %s", w.Stale())
	}
	c := payment(billing, `{}`)
	c.Tool = "read"
	if r := w.decide(c); r.Allowed() {
		t.Error("a new tool is permitted by nobody")
	}
	w.close()
	w.open() // a restart decides by the same set, and the tools wait for their list
	if _, err := w.Decide(t.Context(), payment(billing, `{"amount":1}`)); code(err) != aims.Denied {
		t.Errorf("before the first list: %v", err)
	}
	size := w.ledger.Size()
	if err := w.Recompile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay, read}); err != nil {
		t.Fatal(err)
	}
	if !w.decide(payment(billing, `{"amount":1}`)).Allowed() || w.ledger.Size() != size+1 {
		t.Errorf("after the first list: %d receipts more", w.ledger.Size()-size)
	}
}

func TestForgettingAToolThatPoliciesName(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.ObserveTools(t.Context(), "desk", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.ForgetTool(t.Context(), admin.Actor, "", "desk", "pay"); code(err) != aims.Conflict {
		t.Errorf("got %v", err)
	}
	listing := []pdp.Source{{Name: "p.cedar", Text: []byte(`@id("all") permit (principal, action == Action::"prompts/list", resource);`)}}
	if _, err := w.ActivatePolicy(t.Context(), admin.Actor, "", listing); err != nil {
		t.Fatal(err)
	}
	if err := w.ForgetTool(t.Context(), admin.Actor, "", "desk", "pay"); err != nil {
		t.Fatal(err)
	}
	if w.policies.Active().Has("desk___pay") {
		t.Error("policies can still be written about it")
	}
}

func TestPoliciesThatNoLongerCompileStayAndSaySo(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.ObserveTools(t.Context(), "desk", nil); err != nil {
		t.Fatal(err)
	}
	before := w.policies.Active().Digest()
	if err := w.inventory.Forget(t.Context(), admin.Actor, "", "desk", "pay"); err != nil {
		t.Fatal(err)
	}
	if err := w.Recompile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Stale(), "p.cedar") || w.policies.Active().Digest() != before {
		t.Errorf("stale says %q", w.Stale())
	}
	if _, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay}); err != nil || w.Stale() != "" {
		t.Errorf("back again: %v, %q", err, w.Stale())
	}
}

func TestDefinitionThatBreaksPoliciesCannotBeApproved(t *testing.T) {
	w := newWorld(t, nil)
	changed := inventory.Tool{Name: "pay", Definition: json.RawMessage(strings.Replace(payDefinition, `"integer"`, `"string"`, 1))}
	if _, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{changed}); err != nil {
		t.Fatal(err)
	}
	before := w.policies.Active().Digest()
	err := w.ApproveTool(t.Context(), admin.Actor, "", "desk", "pay", mustTool(t, w).Pin)
	if code(err) != aims.Conflict || len(policy.Problems(err)) == 0 {
		t.Errorf("got %v", err)
	}
	if s := mustTool(t, w); !s.Quarantined || w.policies.Active().Digest() != before {
		t.Error("it was approved nevertheless")
	}
	if err := w.ApproveTool(t.Context(), admin.Actor, "", "desk", "none", "sha256:0"); code(err) != aims.NotFound {
		t.Errorf("unknown tool: %v", err)
	}
}

func TestUnrecordedListIsNotShown(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := inventory.Tool{Name: "read", Definition: json.RawMessage(`{"name":"read","inputSchema":{}}`)}
	if changes, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay, read}); code(err) != aims.Unavailable || changes != nil {
		t.Errorf("%v, %v", changes, err)
	}
}
