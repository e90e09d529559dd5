package enforcement_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/pdp"
	"aims/receipt"
)

func TestEveryDecisionHasAReceiptThatDecidesAgain(t *testing.T) {
	w := newWorld(t, nil)
	pin := mustTool(t, w).Pin
	for _, c := range []struct {
		name  string
		call  enforcement.Call
		want  authz.Verdict
		kind  receipt.Kind
		words string
	}{
		{"allow", payment(billing, `{"amount":99,"to":"a"}`), authz.Allow, receipt.DecisionKind, ""},
		{"hold", payment(billing, `{"amount":100}`), authz.Hold, receipt.RefusalKind, "wait for the treasurer"},
		{"deny", payment(billing, `{"amount":1,"cc":"x"}`), authz.Deny, receipt.RefusalKind, "does not declare"},
		{"default", payment(identity.Principal{Actor: billing.Actor}, `{"amount":1}`), authz.Deny, receipt.RefusalKind, "no policy permits"},
	} {
		r := w.decide(c.call)
		if r.Verdict != c.want || (r.Denial() == nil) != (c.want == authz.Allow) || !strings.Contains(r.Sentence(), c.words) {
			t.Errorf("%s: %s %q", c.name, r.Verdict, r.Sentence())
		}
		header, d := w.decision(r.Index)
		want := &receipt.Decision{
			ID: r.Receipt, Actor: &receipt.Party{Type: "agent", ID: "billing"}, Session: "s-1", Channel: "mcp", Method: "tools/call",
			Action: "desk___pay", Resource: &receipt.Object{Type: "McpServer", ID: "desk"},
			Verdict: r.Verdict, Reasons: r.Reasons, Approval: r.Approval, Policy: w.policies.Active().Digest(), Pin: pin, Input: d.Input, Facts: d.Facts,
		}
		if diff := cmp.Diff(want, d); diff != "" || header.Kind != c.kind || !header.Time.Equal(r.Time) {
			t.Errorf("%s: %s", c.name, diff)
		}
		input := w.payload(r.Index, receipt.InputPayload, d.Input)
		facts := w.payload(r.Index, receipt.FactsPayload, d.Facts)
		if input != string(c.call.Input) || strings.Contains(facts, `"input"`) {
			t.Errorf("%s: input %s, facts %s", c.name, input, facts)
		}
		again, err := w.policies.Active().Redecide([]byte(facts), []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Decision, again); diff != "" {
			t.Errorf("%s: decided again from the receipt: %s", c.name, diff)
		}
	}
}

func mustTool(t *testing.T, w *world) inventory.State {
	t.Helper()
	s, known := w.inventory.Tool("desk", "pay")
	if !known {
		t.Fatal("the tool is not known")
	}
	return s
}

func TestEqualInputsHaveUnequalDigests(t *testing.T) {
	w := newWorld(t, nil)
	_, one := w.decision(w.decide(payment(billing, `{"amount":1}`)).Index)
	_, two := w.decision(w.decide(payment(billing, `{"amount":1}`)).Index)
	if one.Input == two.Input || one.Facts == two.Facts || one.Input == one.Facts {
		t.Error("a short input can be guessed from the log")
	}
}

func TestWhatCannotBeDecidedIsRefusedWithAReceipt(t *testing.T) {
	w := newWorld(t, nil)
	w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay, {Name: "p\u0430y", Definition: json.RawMessage(`{"name":"p\u0430y","inputSchema":{}}`)}})
	call := func(change func(*enforcement.Call)) enforcement.Call {
		c := payment(billing, `{"amount":1}`)
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		call enforcement.Call
		code aims.Code
		says string
	}{
		"unknown tool":       {call(func(c *enforcement.Call) { c.Tool = "pray" }), aims.Denied, "no such tool"},
		"unknown server":     {call(func(c *enforcement.Call) { c.Server = "nowhere" }), aims.Denied, "no such tool"},
		"never approved":     {call(func(c *enforcement.Call) { c.Tool = "p\u0430y" }), aims.Denied, "quarantine"},
		"unknown method":     {call(func(c *enforcement.Call) { c.Tool, c.Method = "", "x/unknown" }), aims.Denied, "no such action"},
		"a group":            {call(func(c *enforcement.Call) { c.Tool, c.Action = "", "call_tool" }), aims.Denied, "no such action"},
		"no action":          {call(func(c *enforcement.Call) { c.Tool, c.Method = "", "" }), aims.Invalid, "no action"},
		"wrong type":         {payment(billing, `{"amount":"1"}`), aims.Invalid, "amount"},
		"missing":            {payment(billing, `{}`), aims.Invalid, "amount"},
		"no arguments":       {payment(billing, ``), aims.Invalid, "amount"},
		"not JSON":           {payment(billing, `{"amount":`), aims.Invalid, "JSON"},
		"a name twice":       {payment(billing, `{"amount":1,"amount":999999}`), aims.Invalid, "JSON"},
		"rounded":            {payment(billing, `{"amount":1.5}`), aims.Invalid, "amount"},
		"action of another":  {call(func(c *enforcement.Call) { c.Action = "desk___read" }), aims.Invalid, "is not tool"},
		"endless session":    {call(func(c *enforcement.Call) { c.Session = strings.Repeat("s", 300) }), aims.Invalid, "too long"},
		"the system itself":  {call(func(c *enforcement.Call) { c.Principal.Actor = aims.System }), aims.Unauthenticated, "agents and people"},
		"nobody":             {call(func(c *enforcement.Call) { c.Principal = identity.Principal{} }), aims.Unauthenticated, "agents and people"},
		"management by tool": {call(func(c *enforcement.Call) { c.Channel, c.Tool, c.Action = enforcement.Management, "", "x" }), aims.Denied, "no such action"},
		"a verb as a method": {call(func(c *enforcement.Call) { c.Principal, c.Tool, c.Method = admin, "", "keys/create" }), aims.Denied, "no such action"},
	} {
		r, err := w.Decide(t.Context(), c.call)
		if code(err) != c.code || r.Allowed() || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v %v", name, r.Verdict, err)
			continue
		}
		header, d := w.decision(r.Index)
		if _, text := aims.Public(err); header.Kind != receipt.RefusalKind || d.ID != r.Receipt || d.Cause != text || d.Verdict != authz.Deny {
			t.Errorf("%s: receipt %+v", name, d)
		}
	}
}

func TestActionStandsForItsTool(t *testing.T) {
	w := newWorld(t, nil)
	c := payment(billing, `{"amount":1}`)
	c.Server, c.Tool, c.Action, c.Channel, c.Method = "", "", "desk___pay", enforcement.AuthZEN, "evaluation"
	if r := w.decide(c); !r.Allowed() || r.Pin != mustTool(t, w).Pin {
		t.Errorf("%+v", r)
	}
	w.quarantine()
	if r := w.decide(c); r.Allowed() {
		t.Error("the other spelling walks around the quarantine")
	}
}

// quarantine lets the server show another definition.
func (w *world) quarantine() {
	w.t.Helper()
	changed := inventory.Tool{Name: "pay", Definition: json.RawMessage(strings.Replace(payDefinition, "pays", "pays and tells", 1))}
	if _, err := w.ObserveTools(context.Background(), "desk", []inventory.Tool{changed}); err != nil {
		w.t.Fatal(err)
	}
}

func TestQuarantinedToolIsDeniedWhateverPolicySays(t *testing.T) {
	w := newWorld(t, nil)
	everything := []pdp.Source{{Name: "all.cedar", Text: []byte(`@id("all") permit (principal, action, resource);`)}}
	if _, err := w.ActivatePolicy(t.Context(), admin.Actor, "", everything); err != nil {
		t.Fatal(err)
	}
	call := payment(billing, `{"amount":1}`)
	if !w.decide(call).Allowed() || !w.Possible(t.Context(), call) {
		t.Fatal("not permitted before")
	}
	w.quarantine()
	r := w.decide(call)
	if r.Allowed() || !strings.Contains(r.Sentence(), "quarantine") || r.Pin != mustTool(t, w).Pin {
		t.Errorf("%s %q with pin %s", r.Verdict, r.Sentence(), r.Pin)
	}
	if w.Possible(t.Context(), call) {
		t.Error("it is still listed")
	}
	m, err := w.Management(t.Context(), admin, "tools/approve")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ApproveTool(t.Context(), admin.Actor, m.Receipt, "desk", "pay", r.Pin); err != nil {
		t.Fatal(err)
	}
	if r := w.decide(call); !r.Allowed() {
		t.Errorf("after approval: %q", r.Sentence())
	}
}

func TestUnlistedToolIsDenied(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.ObserveTools(t.Context(), "desk", nil); err != nil {
		t.Fatal(err)
	}
	call := payment(billing, `{"amount":1}`)
	if _, err := w.Decide(t.Context(), call); code(err) != aims.Denied || w.Possible(t.Context(), call) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutLedgerNothingIsAllowed(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Decide(t.Context(), payment(billing, `{"amount":1}`)); code(err) != aims.Unavailable || r.Allowed() {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.Management(t.Context(), admin, "policy/activate"); err == nil || r.Allowed() {
		t.Errorf("management: %+v, %v", r, err)
	}
	if id := w.Refuse(t.Context(), enforcement.Refusal{Channel: enforcement.MCP, Cause: "x"}); id != "" {
		t.Error("a receipt id of nothing")
	}
}

func TestWithoutPolicyNothingIsAllowed(t *testing.T) {
	w := newWorld(t, nil)
	empty := enforcement.New(w.ledger, w.inventory, emptyPolicies(t, w), w.sessions, w.o)
	if r, err := empty.Decide(t.Context(), payment(billing, `{"amount":1}`)); code(err) != aims.Unavailable || r.Allowed() || r.Receipt == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if empty.Possible(t.Context(), payment(billing, "")) {
		t.Error("possible")
	}
}

func TestDecisionIsRecordedAlsoWhenTheCallerIsGone(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := w.Decide(ctx, payment(billing, `{"amount":1}`))
	if err != nil || !r.Allowed() {
		t.Fatalf("%v, %v", r, err)
	}
	if err := w.Close(ctx, r, enforcement.Outcome{Status: receipt.Cancelled}); err != nil {
		t.Errorf("the outcome: %v", err)
	}
	if open, err := w.ledger.OpenDecisions(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("%d decisions in doubt, %v", len(open), err)
	}
}

func TestManagementNeedsTheRole(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		who  identity.Principal
		verb string
		ok   bool
	}{
		{admin, "tools/approve", true}, {admin, "keys/revoke", true}, {auditor, "receipts/read", true},
		{auditor, "tools/approve", false}, {auditor, "payloads/read", false}, {billing, "receipts/read", false},
		{identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "bot"}, Roles: []string{"admin"}}, "keys/create", false},
		{admin, "desk___pay", false}, {admin, "manage", false}, {admin, "prompts/list", false}, {admin, "", false},
	} {
		before := w.ledger.Size()
		r, err := w.Management(t.Context(), c.who, c.verb)
		if (err == nil) != c.ok || r.Allowed() != c.ok || r.Receipt == "" || w.ledger.Size() != before+1 {
			t.Errorf("%s does %s: %v, %v", c.who, c.verb, r.Verdict, err)
			continue
		}
		_, d := w.decision(r.Index)
		if d.Channel != "management" || d.Resource.ID == "" || d.Actor.ID != c.who.ID {
			t.Errorf("receipt %+v", d)
		}
	}
}

func TestListsAreFilteredByWhatIsPossible(t *testing.T) {
	w := newWorld(t, nil)
	nobody := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "nobody"}}
	method := enforcement.Call{Principal: nobody, Channel: enforcement.MCP, Method: "prompts/list", Server: "desk"}
	if !w.Possible(t.Context(), payment(billing, "")) || w.Possible(t.Context(), payment(nobody, "")) {
		t.Error("the list shows what can never be called, or hides what can")
	}
	if !w.Possible(t.Context(), method) {
		t.Error("a permitted method is hidden")
	}
	before := w.ledger.Size()
	w.Possible(t.Context(), payment(billing, ""))
	if w.ledger.Size() != before {
		t.Error("looking writes")
	}
}

func TestMethodsCarryNameAndURI(t *testing.T) {
	w := newWorld(t, nil)
	c := enforcement.Call{Principal: billing, Channel: enforcement.MCP, Method: "resources/read", Server: "desk", Input: []byte(`{"uri":"file:///x"}`)}
	r := w.decide(c)
	_, d := w.decision(r.Index)
	if !r.Allowed() || d.Action != "resources/read" || w.payload(r.Index, receipt.InputPayload, d.Input) != `{"uri":"file:///x"}` {
		t.Errorf("%+v", d)
	}
	c.Server, c.Method, c.Input = "", "prompts/list", nil
	if r := w.decide(c); !r.Allowed() {
		t.Errorf("on the merged endpoint: %q", r.Sentence())
	}
}

func TestRolesAreThoseOfTheCall(t *testing.T) {
	w := newWorld(t, nil)
	if !w.decide(payment(billing, `{"amount":1}`)).Allowed() {
		t.Fatal("denied with the role")
	}
	lost := billing
	lost.Roles = nil
	if w.decide(payment(lost, `{"amount":1}`)).Allowed() {
		t.Error("a role that was taken away still counts")
	}
	if !w.decide(payment(billing, `{"amount":1}`)).Allowed() {
		t.Error("a role that was given does not count")
	}
}

func TestTextOfCallersCannotDisfigureAReceipt(t *testing.T) {
	w := newWorld(t, nil)
	c := payment(billing, `{"amount":1}`)
	c.Session, c.Tool = "s\n\u202e\x1b[0m", "no\x00such\u200btool"
	r, err := w.Decide(t.Context(), c)
	if code(err) != aims.Denied {
		t.Fatal(err)
	}
	leaf, err := w.ledger.Entry(t.Context(), r.Index)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(leaf.Body), "\n\u202e\x1b\x00\u200b") {
		t.Errorf("%q", leaf.Body)
	}
}
