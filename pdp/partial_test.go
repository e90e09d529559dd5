package pdp

import (
	"fmt"
	"strings"
	"testing"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"
)

// inputOperands are expressions over the unknown and the known parts of a context.
var inputOperands = []string{
	"true", "false", "1", `"a"`, "principal", "context", "context.input", "context.input.n", "context.input.b", "context.input has b", "context.undeclared", `context.undeclared.contains("a")`,
	"context.undeclared.isEmpty()", "context.tool.q", "context.tool.q", "context.tool has q", "context.missing", "context has input", "context has undeclared", `context.input == {}`,
	`context == {}`, `[context].contains({})`, `[context.input, {}].contains({})`, `{a: context}.a.input.b`, `{a: context.input} == {a: {}}`, `context.input.s like "a*"`, `principal in Role::"a"`, "context.input.n < 3",
	"if context.input.b then true else context.missing", "context has approval", `context.approval.id == "a"`, "context.sinks.untrusted.isEmpty()", `context.budget.daily == 1`, "context.provenance has a", `if context.tool.q then context.input.b else false`,
}

// ofCalls are the attributes that follow from the input of a tool's call.
var ofCalls = []types.String{"undeclared", "provenance", "sinks", "budget"}

// An input that is allowed or held is never called impossible, whatever the
// policies are; and what is called possible only because nobody can tell is
// called so for a reason.
func TestPossibleIsSound(t *testing.T) {
	var answers [2]int
	rapid.Check(t, func(t *rapid.T) {
		set := uncheckedSet(t, rapid.SliceOfN(genPolicy(inputOperands), 0, 8).Draw(t, "policies"))
		entities := genEntities().Draw(t, "entities")
		req := genRequest().Draw(t, "request")
		req.Context = types.NewRecord(types.RecordMap{"tool": types.NewRecord(types.RecordMap{"q": types.Boolean(rapid.Bool().Draw(t, "q"))})})
		possible := set.possible(req, entities, ofCalls)
		answers[map[bool]int{true: 1}[possible]]++
		for range 20 {
			context := req.Context.Map()
			context["input"] = rapid.OneOf(genRecord(1), rapid.SampledFrom([]types.Record{
				{}, types.NewRecord(types.RecordMap{"b": types.True, "n": types.Long(1), "s": types.String("ab")}), types.NewRecord(types.RecordMap{"b": types.False, "n": types.Long(5), "s": types.String("b")}),
			})).Draw(t, "input")
			context["undeclared"] = rapid.SampledFrom([]types.Set{{}, types.NewSet(types.String("a"))}).Draw(t, "undeclared")
			context["sinks"] = types.NewRecord(types.RecordMap{"untrusted": rapid.SampledFrom([]types.Set{{}, types.NewSet(types.String("a"))}).Draw(t, "untrusted")})
			context["budget"] = rapid.SampledFrom([]types.Record{{}, types.NewRecord(types.RecordMap{"daily": types.Long(1)})}).Draw(t, "budget")
			context["provenance"] = rapid.SampledFrom([]types.Record{{}, types.NewRecord(types.RecordMap{"a": types.Record{}})}).Draw(t, "provenance")
			if rapid.Bool().Draw(t, "approved") {
				context["approval"] = types.NewRecord(types.RecordMap{"id": types.String("a")})
			}
			complete := req
			complete.Context = types.NewRecord(context)
			if got := set.Decide(complete, entities); got.Verdict != authz.Deny && !possible {
				t.Fatalf("%s is not possible, and yet: %+v", complete.Context, got)
			}
		}
	})
	if answers[0] == 0 || answers[1] == 0 {
		t.Errorf("one answer only: %v", answers)
	}
}

func TestPossible(t *testing.T) {
	const transfer = `action == Action::"payments___transfer_funds"`
	permit := `@id("p") permit (principal in Role::"finance", ` + transfer + `, resource == McpServer::"payments");`
	tests := []struct {
		name     string
		policies []string
		want     bool
	}{
		{"nothing permits it", []string{`permit (principal, action == Action::"payments___get-account", resource);`}, false},
		{"a permit for everyone", []string{permitAll}, true},
		{"a permit for the role", []string{permit}, true},
		{"a permit for another role", []string{strings.Replace(permit, "finance", "sales", 1)}, false},
		{"a permit for another server", []string{strings.Replace(permit, `McpServer::"payments"`, `McpServer::"files"`, 1)}, false},
		{"a permit that depends on the input", []string{`permit (principal, ` + transfer + `, resource) when { context.input.amount < 5 };`}, true},
		{"a permit that depends on a known fact that is so", []string{`permit (principal, ` + transfer + `, resource) when { context.tool.destructive };`}, true},
		{"a permit that depends on a known fact that is not so", []string{`permit (principal, ` + transfer + `, resource) when { context.tool.read_only };`}, false},
		{"a permit that depends on both", []string{`permit (principal, ` + transfer + `, resource) when { context.input.amount < 5 && context.tool.read_only };`}, true}, // only tight from the left
		{"a permit that depends on both, the fact first", []string{`permit (principal, ` + transfer + `, resource) when { context.tool.read_only && context.input.amount < 5 };`}, false},
		{"a permit that errs for every input", []string{`permit (principal, ` + transfer + `, resource) when { 9223372036854775807 + 1 > 0 };`}, false},
		{"a forbid on the tool", []string{permit, `forbid (principal, ` + transfer + `, resource);`}, false},
		{"a forbid on all tools", []string{permit, `forbid (principal, action in Action::"call_tool", resource) when { context.tool.destructive };`}, false},
		{"a forbid on another role", []string{permit, `forbid (principal in Role::"sales", action, resource);`}, true},
		{"a forbid that depends on the input", []string{permit, `forbid (principal, ` + transfer + `, resource) when { context.input.amount > 5 };`}, true},
		{"a forbid that errs for every input", []string{permit, `forbid (principal, ` + transfer + `, resource) when { 9223372036854775807 + 1 > 0 };`}, false},
		{"a forbid that errs or not by input", []string{permit, `forbid (principal, ` + transfer + `, resource) when { context.input.amount > 5 && 9223372036854775807 + 1 > 0 };`}, true},
		{"a forbid that can be released", []string{permit, `@hold("boss") forbid (principal, ` + transfer + `, resource);`}, true},
		{"a forbid that can be released, without a permit", []string{`@hold("boss") forbid (principal, ` + transfer + `, resource);`}, false},
		{"a forbid that can be released and one that cannot", []string{permit, `@hold("boss") forbid (principal, ` + transfer + `, resource);`, `forbid (principal, ` + transfer + `, resource);`}, false},
		{"a forbid on undeclared arguments", []string{permit, `forbid (principal, ` + transfer + `, resource) when { !context.undeclared.isEmpty() };`}, true},
		{"a permit by the whole context", []string{`permit (principal, ` + transfer + `, resource) when { [context].contains(context) };`}, true},
		{"a forbid by the whole context", []string{permit, `forbid (principal, ` + transfer + `, resource) unless { [context].contains(context) };`}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := mustCompile(t, payments(t), test.policies...)
			agent := types.NewEntityUID("Agent", "billing")
			entities := types.EntityMap{agent: {UID: agent, Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", "finance"))}}
			req := cedar.Request{Principal: agent, Action: types.NewEntityUID("Action", "payments___transfer_funds"), Resource: types.NewEntityUID("McpServer", "payments"), Context: callFacts()}
			if got := set.Possible(req, entities); got != test.want {
				t.Errorf("possible is %t", got)
			}
		})
	}
}

// Partial evaluation of cedar-go compares its stand-ins for unknown attributes
// as if they were values. A context that is used as a whole must not meet them.
func TestPossibleWithTheWholeContext(t *testing.T) {
	const whole = `{input: {b: true}, undeclared: [], tool: {q: true}}`
	for _, policies := range [][]string{
		{`permit (principal, action, resource) when { context == ` + whole + ` };`},
		{`permit (principal, action, resource) when { [` + whole + `].contains(context) };`},
		{`permit (principal, action, resource) when { {c: context}.c == ` + whole + ` };`},
		{permitAll, `forbid (principal, action, resource) when { context != ` + whole + ` };`},
		{permitAll, `forbid (principal, action, resource) unless { context == ` + whole + ` };`},
	} {
		set := uncheckedSet(t, policies)
		known := types.RecordMap{"tool": types.NewRecord(types.RecordMap{"q": types.True})}
		req := cedar.Request{Context: types.NewRecord(known)}
		known["input"], known["undeclared"] = types.NewRecord(types.RecordMap{"b": types.True}), types.Set{}
		if got := set.Decide(cedar.Request{Context: types.NewRecord(known)}, nil); !got.Allowed() {
			t.Fatalf("%v: %+v", policies, got)
		}
		if !set.possible(req, nil, ofCalls) {
			t.Errorf("hidden and works: %v", policies)
		}
	}
}

// What a caller's context has under the names of the unknown is not believed.
func TestPossibleIgnoresForgedInput(t *testing.T) {
	set := uncheckedSet(t, []string{`permit (principal, action, resource) when { context.input.b };`})
	forged := cedar.Request{Context: types.NewRecord(types.RecordMap{"input": types.NewRecord(types.RecordMap{"b": types.False})})}
	if !set.possible(forged, nil, ofCalls) {
		t.Error("input was believed")
	}
	set = uncheckedSet(t, []string{permitAll, `forbid (principal, action, resource) when { context has undeclared };`})
	forged = cedar.Request{Context: types.NewRecord(types.RecordMap{"undeclared": types.Set{}})}
	if !set.possible(forged, nil, nil) {
		t.Error("undeclared was believed")
	}
}

// A list that shows only what is possible shows every tool that some input of
// a call gets through, over many policies that type-check.
func TestPossibleHidesNothingThatWorks(t *testing.T) {
	set, req, entities := installation(t, 500)
	for i := range 50 {
		req.Action.ID = types.String(fmt.Sprintf("server-0___tool_%d", i))
		one, err := set.Complete(req, []byte(arguments))
		if err != nil {
			t.Fatal(err)
		}
		if set.Decide(one, entities).Allowed() && !set.Possible(req, entities) {
			t.Errorf("%s is hidden and works", req.Action)
		}
	}
}
