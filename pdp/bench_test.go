package pdp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// installation is a catalog of a thousand tools, and n policies on it: a few
// broad ones that apply to every call and the rest for one role and tool each.
func installation(tb testing.TB, n int) (*Set, cedar.Request, types.EntityMap) {
	tb.Helper()
	const servers, tools = 20, 50
	var catalog Catalog
	for i := range servers * tools {
		catalog.Tools = append(catalog.Tools, Tool{
			Server: fmt.Sprintf("server-%d", i/tools), Name: fmt.Sprintf("tool_%d", i%tools),
			InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},"required":["amount","to"]}`),
		})
	}
	schema, _, err := GenerateSchema(catalog)
	if err != nil {
		tb.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(`@id("quarantine") @reason("in quarantine") @control("A.10.3") forbid (principal, action in Action::"call_tool", resource) when { context.tool.quarantined };
@id("undeclared") @reason("an argument that the tool does not declare") forbid (principal, action in Action::"call_tool", resource) when { !context.undeclared.isEmpty() };
@id("list") permit (principal, action == Action::"tools/list", resource);
@id("admin") permit (principal is Person in Role::"admin", action in Action::"manage", resource == System::"aims");
`)
	for i := 4; i < n; i++ {
		server, tool := i/tools%servers, i%tools
		fmt.Fprintf(&text, `@id("rule-%d") @reason("small sums") permit (principal in Role::"role-%d", action == Action::"server-%d___tool_%d", resource == McpServer::"server-%d") when { context.input.amount.lessThan(decimal("1000.0")) && context.input.to like "acct-*" };
`, i, i%7, server, tool, server)
	}
	set, err := Compile([]Source{{Name: "policies.cedar", Text: []byte(text.String())}}, schema)
	if err != nil {
		tb.Fatal(err)
	}
	agent := cedar.NewEntityUID("Agent", "billing")
	entities := types.EntityMap{agent: {UID: agent, Parents: types.NewEntityUIDSet(cedar.NewEntityUID("Role", "role-4"), cedar.NewEntityUID("Role", "finance"))}}
	req, err := set.Complete(cedar.Request{
		Principal: agent, Action: cedar.NewEntityUID("Action", "server-0___tool_4"), Resource: cedar.NewEntityUID("McpServer", "server-0"),
		Context: types.NewRecord(types.RecordMap{
			"tool":    types.NewRecord(types.RecordMap{"pin": types.String("sha256:00"), "quarantined": types.False, "read_only": types.False, "destructive": types.True}),
			"session": types.NewRecord(types.RecordMap{"id": types.String("ses_1"), "channel": types.String("mcp"), "protocol": types.String("2026-07-28")}),
		}),
	}, []byte(arguments))
	if err != nil {
		tb.Fatal(err)
	}
	return set, req, entities
}

const arguments = `{"amount":12.5,"to":"acct-17","tags":["a","b"]}`

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		set, req, entities := installation(b, n)
		b.Run(fmt.Sprintf("indexed/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !set.Decide(req, entities).Allowed() {
					b.Fatal("not allowed")
				}
			}
		})
		linear := selection{rules: set.rules, ordinals: set.index.all()}
		store := overlay{set.model, entities}
		b.Run(fmt.Sprintf("linear/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if ok, _ := cedar.Authorize(linear, store, req); !ok {
					b.Fatal("not allowed")
				}
			}
		})
	}
}

func BenchmarkFacts(b *testing.B) {
	set, req, entities := installation(b, 10)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := EncodeFacts(req, entities); err != nil {
				b.Fatal(err)
			}
		}
	})
	facts, err := EncodeFacts(req, entities)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("redecide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := set.Redecide(facts, []byte(arguments)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkComplete(b *testing.B) {
	set, req, _ := installation(b, 10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.Complete(req, []byte(arguments)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPossible(b *testing.B) {
	set, req, entities := installation(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if !set.Possible(req, entities) {
			b.Fatal("not possible")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	set, _, _ := installation(b, 10000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(set.Sources(), set.Schema()); err != nil {
			b.Fatal(err)
		}
	}
}
