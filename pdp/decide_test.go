package pdp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reference decides as plain Cedar does, over every policy, and then applies
// the two rules that are on top of Cedar.
func reference(s *Set, req cedar.Request, store types.EntityGetter) authz.Decision {
	all, permits := cedar.PolicyMap{}, cedar.PolicyMap{}
	for _, r := range s.rules {
		all[r.id] = r.policy
		if !r.forbids() {
			permits[r.id] = r.policy
		}
	}
	allowed, diagnostic := cedar.Authorize(all, store, req)
	d := authz.Decision{Verdict: authz.Deny, Policy: s.digest}
	faulty := false
	for _, e := range diagnostic.Errors {
		r := s.rules[s.byID[e.PolicyID]]
		faulty = faulty || r.forbids()
		if r.unordered { // cedar-go's message is random
			e.Message = "the conditions cannot be evaluated"
		}
		d.Faults = append(d.Faults, authz.Fault{Policy: string(e.PolicyID), Effect: r.reason.Effect, Message: e.Message})
	}
	allHold := true
	for _, e := range diagnostic.Reasons {
		r := s.rules[s.byID[e.PolicyID]]
		allHold = allHold && r.reason.Hold != ""
		d.Reasons = append(d.Reasons, r.reason)
	}
	slices.SortFunc(d.Faults, func(a, b authz.Fault) int { return cmp.Compare(a.Policy, b.Policy) })
	slices.SortFunc(d.Reasons, func(a, b authz.Reason) int { return cmp.Compare(a.Policy, b.Policy) })
	switch {
	case bool(allowed) && faulty:
		d.Reasons = nil
	case bool(allowed):
		d.Verdict = authz.Allow
	case len(d.Reasons) > 0 && allHold && !faulty:
		if released, _ := cedar.Authorize(permits, store, req); released == cedar.Allow {
			d.Verdict = authz.Hold
		}
	}
	return d
}

// The index may leave out only policies that could have given neither a reason
// nor a fault: decisions are those of the plain evaluator over all policies.
func TestDecideEqualsPlainCedar(t *testing.T) {
	var verdicts [3]int
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(genPolicy(requestOperands), 0, 12).Draw(t, "policies")
		if rapid.Bool().Draw(t, "permitted") { // or most requests would be denied for want of a permit
			texts = append(texts, `permit (principal, action, resource);`,
				`@hold("boss") forbid (principal is Agent, action, resource) when { context has n };`)
		}
		set := uncheckedSet(t, texts)
		entities := genEntities().Draw(t, "entities")
		for range 8 {
			req := genRequest().Draw(t, "request")
			got, want := set.Decide(req, entities), reference(set, req, entities)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("%v\n%s\n%s", req, strings.Join(texts, "\n"), diff)
			}
			verdicts[slices.Index([]authz.Verdict{authz.Allow, authz.Deny, authz.Hold}, got.Verdict)]++
		}
	})
	t.Logf("allow, deny, hold: %v", verdicts)
	for i, n := range verdicts {
		if n == 0 {
			t.Errorf("no generated request had verdict %d", i)
		}
	}
}

// With many policies in many buckets the lookup goes by key; with few it may
// look everywhere. Both must agree with the plain evaluator.
func TestDecideEqualsPlainCedarWithManyPolicies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for i := range 200 {
			texts = append(texts, fmt.Sprintf(`permit (principal in Role::"r%d", action == Action::"x___one", resource);`, i))
		}
		texts = append(texts, rapid.SliceOfN(genPolicy(requestOperands), 10, 40).Draw(t, "policies")...)
		set := uncheckedSet(t, texts)
		entities := genEntities().Draw(t, "entities")
		req := genRequest().Draw(t, "request")
		if diff := gocmp.Diff(reference(set, req, entities), set.Decide(req, entities)); diff != "" {
			t.Fatal(diff)
		}
	})
}

const toolSchema = `{"type":"object","properties":{"amount":{"type":"integer"},"to":{"type":"string"}},"required":["amount"]}`

func payments(tb testing.TB) []byte {
	return mustSchema(tb, Catalog{Tools: []Tool{
		{Server: "payments", Name: "transfer_funds", InputSchema: json.RawMessage(toolSchema)},
		{Server: "payments", Name: "get-account", InputSchema: json.RawMessage(`{"type":"object"}`)},
	}})
}

func transfer(tb testing.TB, set *Set, arguments string) cedar.Request {
	tb.Helper()
	req, err := set.Complete(cedar.Request{
		Principal: types.NewEntityUID("Agent", "billing"), Action: types.NewEntityUID("Action", "payments___transfer_funds"),
		Resource: types.NewEntityUID("McpServer", "payments"), Context: callFacts(),
	}, []byte(arguments))
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

func callFacts() types.Record {
	return types.NewRecord(types.RecordMap{
		"tool":    types.NewRecord(types.RecordMap{"pin": types.String("sha256:00"), "quarantined": types.False, "read_only": types.False, "destructive": types.True}),
		"session": types.NewRecord(types.RecordMap{"id": types.String("ses_1"), "channel": types.String("mcp"), "protocol": types.String("2026-07-28")}),
	})
}

const permitAll = `@id("all") permit (principal, action, resource);`

// overflows passes the type checker and errs when it is evaluated.
const overflows = `context.input.amount + 9223372036854775807 > 0`

func TestErringForbidDenies(t *testing.T) {
	set := mustCompile(t, payments(t), permitAll,
		`@id("gate") forbid (principal, action == Action::"payments___transfer_funds", resource) when { `+overflows+` };`)
	got := set.Decide(transfer(t, set, `{"amount":1}`), nil)
	if got.Verdict != authz.Deny || len(got.Reasons) != 0 {
		t.Errorf("a forbid that cannot be evaluated let a call through: %+v", got)
	}
	if len(got.Faults) != 1 || got.Faults[0].Policy != "gate" || got.Faults[0].Effect != "forbid" || !strings.Contains(got.Faults[0].Message, "overflow") {
		t.Errorf("the fault is not explained: %+v", got.Faults)
	}
}

func TestErringPermitGrantsNothing(t *testing.T) {
	set := mustCompile(t, payments(t),
		`@id("wide") permit (principal, action == Action::"payments___transfer_funds", resource) when { `+overflows+` };`)
	got := set.Decide(transfer(t, set, `{"amount":1}`), nil)
	if got.Verdict != authz.Deny || len(got.Faults) != 1 || got.Faults[0].Effect != "permit" {
		t.Errorf("%+v", got)
	}
	set = mustCompile(t, payments(t), permitAll,
		`@id("wide") permit (principal, action == Action::"payments___transfer_funds", resource) when { `+overflows+` };`)
	if got := set.Decide(transfer(t, set, `{"amount":1}`), nil); got.Verdict != authz.Allow || len(got.Faults) != 1 {
		t.Errorf("a permit that errs spoilt one that does not: %+v", got)
	}
}

func TestHold(t *testing.T) {
	const (
		hold     = `@id("large") @hold("treasurer") @reason("large sum") @control("A.9.2, 8.1") @threat("ASI02") forbid (principal, action in Action::"call_tool", resource) when { context.input has amount && context.input.amount > 100 };`
		holdToo  = `@id("destructive") @hold("owner") forbid (principal, action in Action::"call_tool", resource) when { context.tool.destructive };`
		plain    = `@id("never") forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.input.amount > 1000 };`
		faulty   = `@id("broken") forbid (principal, action == Action::"payments___transfer_funds", resource) when { ` + overflows + ` };`
		faultyOK = `@id("broken-permit") permit (principal, action == Action::"payments___transfer_funds", resource) when { ` + overflows + ` };`
	)
	tests := []struct {
		name     string
		policies []string
		amount   int
		want     authz.Verdict
		reasons  string
	}{
		{"below the limit", []string{permitAll, hold}, 100, authz.Allow, "all"},
		{"every forbid is a hold", []string{permitAll, hold}, 101, authz.Hold, "large"},
		{"two holds", []string{permitAll, hold, holdToo}, 101, authz.Hold, "destructive large"},
		{"a forbid beside the hold", []string{permitAll, hold, plain}, 1001, authz.Deny, "large never"},
		{"a faulty forbid beside the hold", []string{permitAll, hold, faulty}, 101, authz.Deny, "large"},
		{"a faulty permit beside the hold", []string{permitAll, hold, faultyOK}, 101, authz.Hold, "large"},
		{"nothing permits what would be released", []string{hold}, 101, authz.Deny, "large"},
		{"only a faulty permit", []string{hold, faultyOK}, 101, authz.Deny, "large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := mustCompile(t, payments(t), test.policies...)
			got := set.Decide(transfer(t, set, fmt.Sprintf(`{"amount":%d}`, test.amount)), nil)
			var reasons []string
			for _, r := range got.Reasons {
				reasons = append(reasons, r.Policy)
			}
			if got.Verdict != test.want || strings.Join(reasons, " ") != test.reasons {
				t.Errorf("%s because of %v, want %s because of %s", got.Verdict, reasons, test.want, test.reasons)
			}
		})
	}
	set := mustCompile(t, payments(t), permitAll, hold)
	want := []authz.Reason{{Policy: "large", Effect: "forbid", Text: "large sum", Controls: []string{"A.9.2", "8.1"}, Threats: []string{"ASI02"}, Hold: "treasurer"}}
	if diff := gocmp.Diff(want, set.Decide(transfer(t, set, `{"amount":101}`), nil).Reasons); diff != "" {
		t.Error(diff)
	}
}

// The groups of an action come from the schema. A caller that brings its own
// idea of them neither escapes a forbid on the group nor gains a permit.
func TestGroupsOfActionsCannotBeForged(t *testing.T) {
	set := mustCompile(t, payments(t),
		`@id("reads") permit (principal, action == Action::"payments___get-account", resource);`,
		`@id("calls") permit (principal, action == Action::"payments___transfer_funds", resource);`,
		`@id("none") forbid (principal, action in Action::"call_tool", resource) when { context.tool.destructive };`)
	req := transfer(t, set, `{"amount":1}`)
	for name, parents := range map[string][]types.EntityUID{
		"without its group":  nil,
		"in another's group": {types.NewEntityUID("Action", "payments___get-account")},
	} {
		forged := types.EntityMap{req.Action: {UID: req.Action, Parents: types.NewEntityUIDSet(parents...)}}
		got := set.Decide(req, forged)
		if got.Verdict != authz.Deny || len(got.Reasons) != 1 || got.Reasons[0].Policy != "none" {
			t.Errorf("an action %s: %+v", name, got)
		}
	}
}

// A forbid on a role reaches whoever is in it over any number of levels, some
// of which no policy names, and through cycles.
func TestScopeThroughDeepHierarchy(t *testing.T) {
	set := uncheckedSet(t, []string{
		`permit (principal, action, resource);`,
		`forbid (principal in Role::"top", action in [Action::"one", Action::"two"], resource in McpServer::"zone");`,
	})
	const levels = 3000
	role := func(i int) types.EntityUID { return types.NewEntityUID("Role", types.String(fmt.Sprint(i))) }
	agent, server := types.NewEntityUID("Agent", "a"), types.NewEntityUID("McpServer", "s")
	entities := types.EntityMap{
		agent:  {UID: agent, Parents: types.NewEntityUIDSet(role(0))},
		server: {UID: server, Parents: types.NewEntityUIDSet(types.NewEntityUID("McpServer", "zone"))},
	}
	for i := range levels {
		entities[role(i)] = types.Entity{UID: role(i), Parents: types.NewEntityUIDSet(role(i+1), role(i/2), agent)}
	}
	entities[role(levels)] = types.Entity{UID: role(levels), Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", "top"))}
	req := cedar.Request{Principal: agent, Action: types.NewEntityUID("Action", "two"), Resource: server}
	got := set.Decide(req, entities)
	if got.Verdict != authz.Deny || len(got.Reasons) != 1 || got.Reasons[0].Policy != "p1" {
		t.Errorf("the forbid on the top role was missed: %+v", got)
	}
	delete(entities, role(levels/2)) // the chain is broken
	if got := set.Decide(req, entities); got.Verdict != authz.Allow {
		t.Errorf("a forbid on a role that the agent is not in: %+v", got)
	}
}

// An action that is under two members of a list is decided once.
func TestActionUnderSeveralMembersOfAList(t *testing.T) {
	set := mustCompile(t, payments(t),
		`@id("p") permit (principal, action in [Action::"payments___transfer_funds", Action::"call_tool", Action::"tools/list"], resource);`)
	got := set.Decide(transfer(t, set, `{"amount":1}`), nil)
	if got.Verdict != authz.Allow || len(got.Reasons) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestReasonsAndFaultsAreSorted(t *testing.T) {
	var policies []string
	for i := range 50 {
		policies = append(policies,
			fmt.Sprintf(`@id("p%d") permit (principal, action, resource);`, i*37%50),
			fmt.Sprintf(`@id("e%d") permit (principal, action == Action::"payments___transfer_funds", resource) when { %s };`, i*37%50, overflows))
	}
	set := mustCompile(t, payments(t), policies...)
	first, err := json.Marshal(set.Decide(transfer(t, set, `{"amount":1}`), nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		d := set.Decide(transfer(t, set, `{"amount":1}`), nil)
		if !slices.IsSortedFunc(d.Reasons, func(a, b authz.Reason) int { return cmp.Compare(a.Policy, b.Policy) }) ||
			!slices.IsSortedFunc(d.Faults, func(a, b authz.Fault) int { return cmp.Compare(a.Policy, b.Policy) }) || len(d.Reasons) != 50 || len(d.Faults) != 50 {
			t.Fatalf("%+v", d)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(first) {
			t.Fatal("equal requests gave different bytes")
		}
	}
}

// The cost of a decision is bounded by what applies to it, which allocations
// show without a clock.
func TestDecideAllocatesLittle(t *testing.T) {
	for _, n := range []int{10, 10_000} {
		set, req, entities := installation(t, n)
		if got := testing.AllocsPerRun(100, func() { set.Decide(req, entities) }); got > 20 {
			t.Errorf("%v allocations with %d policies, at most 20", got, n)
		}
		if n == 10_000 {
			if got := len(set.index.candidates(req, overlay{set.model, entities})); got > 20 {
				t.Errorf("%d of %d policies were looked at", got, n)
			}
		}
	}
}

func TestDecideIsSafeForConcurrentUse(t *testing.T) {
	set := mustCompile(t, payments(t), permitAll)
	req := transfer(t, set, `{"amount":1}`)
	done := make(chan bool)
	for range 8 {
		go func() {
			ok := true
			for range 200 {
				ok = ok && set.Decide(req, nil).Allowed() && set.Possible(req, nil)
			}
			done <- ok
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("not allowed")
		}
	}
}
