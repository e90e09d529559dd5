package pdp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
	"pgregory.net/rapid"
)

// A small world, so that generated policies and requests meet often.

var (
	worldTypes   = []types.EntityType{"Agent", "Person", "Role", "McpServer"}
	worldIDs     = []types.String{"a", "b", "c", "d-e", ""}
	worldActions = []types.String{"x___one", "x___two", "call_tool", "tools/list", "all"}
)

func genUID() *rapid.Generator[types.EntityUID] {
	return rapid.Custom(func(t *rapid.T) types.EntityUID {
		return types.NewEntityUID(rapid.SampledFrom(worldTypes).Draw(t, "type"), rapid.SampledFrom(worldIDs).Draw(t, "id"))
	})
}

func genAction() *rapid.Generator[types.EntityUID] {
	return rapid.Custom(func(t *rapid.T) types.EntityUID {
		return types.NewEntityUID(actionType, rapid.SampledFrom(worldActions).Draw(t, "action"))
	})
}

// genEntities makes entities with parents of any kind, including parents that
// do not exist, an entity that is its own parent, cycles and long chains.
func genEntities() *rapid.Generator[types.EntityMap] {
	return rapid.Custom(func(t *rapid.T) types.EntityMap {
		m := types.EntityMap{}
		for range rapid.IntRange(0, 12).Draw(t, "entities") {
			uid := rapid.OneOf(genUID(), genAction()).Draw(t, "uid")
			parents := rapid.SliceOfN(rapid.OneOf(genUID(), genAction()), 0, 4).Draw(t, "parents")
			m[uid] = types.Entity{UID: uid, Parents: types.NewEntityUIDSet(parents...), Attributes: genRecord(2).Draw(t, "attributes")}
		}
		if rapid.Bool().Draw(t, "chain") {
			last := genUID().Draw(t, "bottom")
			for i := range rapid.IntRange(1, 40).Draw(t, "length") {
				next := types.NewEntityUID("Role", types.String(fmt.Sprint("level-", i)))
				e := m[last]
				m[last] = types.Entity{UID: last, Parents: types.NewEntityUIDSet(append(slices.Collect(e.Parents.All()), next)...), Attributes: e.Attributes}
				last = next
			}
			top := genUID().Draw(t, "top")
			m[last] = types.Entity{UID: last, Parents: types.NewEntityUIDSet(top)}
		}
		return m
	})
}

func genScalar() *rapid.Generator[types.Value] {
	return rapid.Custom(func(t *rapid.T) types.Value {
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			return types.Boolean(rapid.Bool().Draw(t, "bool"))
		case 1:
			return types.Long(rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64()).Draw(t, "long"))
		case 2:
			return genUID().Draw(t, "uid")
		case 3:
			d, err := types.NewDecimal(rapid.Int64().Draw(t, "decimal"), -4)
			if err != nil {
				t.Fatal(err)
			}
			return d
		case 4:
			return types.NewDatetimeFromMillis(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "datetime"))
		case 5:
			return types.NewDurationFromMillis(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "duration"))
		case 6:
			a, err := types.ParseIPAddr(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "::ffff:a00:1", "::ffff:a00:1/120"}).Draw(t, "ip"))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		return types.String(rapid.OneOf(rapid.SampledFrom([]string{"", "a", "x\"y", "é\u200b", "\x00\n"}), rapid.String()).Draw(t, "string"))
	})
}

func genValue(depth int) *rapid.Generator[types.Value] {
	return rapid.Custom(func(t *rapid.T) types.Value {
		kind := rapid.IntRange(0, 4).Draw(t, "shape")
		switch {
		case depth > 0 && kind == 0:
			return types.NewSet(rapid.SliceOfN(genValue(depth-1), 0, 4).Draw(t, "set")...)
		case depth > 0 && kind == 1:
			return genRecord(depth-1).Draw(t, "record")
		}
		return genScalar().Draw(t, "scalar")
	})
}

func genRecord(depth int) *rapid.Generator[types.Record] {
	return rapid.Custom(func(t *rapid.T) types.Record {
		m := types.RecordMap{}
		for range rapid.IntRange(0, 4).Draw(t, "attributes") {
			name := rapid.OneOf(rapid.SampledFrom([]string{"n", "s", "b", "r", "a b", ""}), rapid.StringN(0, 5, 20)).Draw(t, "name")
			if name != "__entity" && name != "__extn" {
				m[types.String(name)] = genValue(depth).Draw(t, "value")
			}
		}
		return types.NewRecord(m)
	})
}

// genExpression makes Cedar text over the given operands. Much of it is
// ill-typed on purpose: policies that err are what has to be got right.
func genExpression(operands []string, depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
			return "(" + rapid.SampledFrom(operands).Draw(t, "operand") + ")"
		}
		sub := func() string { return genExpression(operands, depth-1).Draw(t, "sub") }
		form := rapid.SampledFrom([]string{
			"(%s && %s)", "(%s || %s)", "(%s == %s)", "(%s != %s)", "(%s < %s)", "(%s <= %s)", "(%s + %s)", "(%s in %s)",
			"[%s, %s].contains(1)", "(if %s then %s else false)", "{n: %s, s: %s}.n", "(%s).contains(%s)",
		}).Draw(t, "form")
		if rapid.IntRange(0, 3).Draw(t, "unary") == 0 {
			form = rapid.SampledFrom([]string{"(!%s)", "((%s) has n)", `((%s) like "a*")`, "(%s).n", "(-(%s))", "((%s) is Agent)"}).Draw(t, "form1")
			return fmt.Sprintf(form, sub())
		}
		return fmt.Sprintf(form, sub(), sub())
	})
}

func uidText(uid types.EntityUID) string { return string(uid.MarshalCedar()) }

func genScope(variable string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		uid := uidText(genUID().Draw(t, "entity"))
		of := string(rapid.SampledFrom(worldTypes).Draw(t, "is"))
		return variable + rapid.SampledFrom([]string{"", "", "", " == " + uid, " in " + uid, " is " + of, " is " + of + " in " + uid}).Draw(t, "scope")
	})
}

func genActionScope() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		uid := uidText(genAction().Draw(t, "action"))
		var list []string
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			list = append(list, uidText(genAction().Draw(t, "member")))
		}
		return "action" + rapid.SampledFrom([]string{"", "", " == " + uid, " in " + uid, " in [" + strings.Join(list, ", ") + "]"}).Draw(t, "scope")
	})
}

func genPolicy(operands []string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		effect := rapid.SampledFrom([]string{"permit", "forbid"}).Draw(t, "effect")
		text := effect
		if effect == "forbid" && rapid.Bool().Draw(t, "hold") {
			text = `@hold("boss") forbid`
		}
		text += " (" + genScope("principal").Draw(t, "principal") + ", " + genActionScope().Draw(t, "action") + ", " + genScope("resource").Draw(t, "resource") + ")"
		for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "conditions") {
			text += " " + rapid.SampledFrom([]string{"when", "unless"}).Draw(t, "condition") + " { " + genExpression(operands, 3).Draw(t, "expression") + " }"
		}
		return text + ";"
	})
}

var requestOperands = []string{
	"true", "false", "1", "9223372036854775807", `"a"`, "principal", "action", "resource", "context", "context.n", "context.b",
	"context.b", "context has b", "context.s", "context.missing", "principal.n", "principal has n", `Role::"a"`, `Action::"call_tool"`,
	`principal in Role::"a"`, `resource in McpServer::"b"`, `action in Action::"all"`, "[1, 2]", `decimal("1.0")`, `decimal("x")`,
}

// uncheckedSet is a set of policies that need not type-check, without schema.
func uncheckedSet(tb interface {
	Helper()
	Fatal(...any)
}, texts []string) *Set {
	tb.Helper()
	var rules []rule
	for i, text := range texts {
		list, err := cedar.NewPolicyListFromBytes("test", []byte(text))
		if err != nil || len(list) != 1 {
			tb.Fatal(text, err)
		}
		reason, _ := annotated(list[0])
		reason.Policy = fmt.Sprintf("p%d", i)
		rules = append(rules, rule{id: types.PolicyID(reason.Policy), policy: list[0], reason: reason})
	}
	return newSet(rules, nil)
}

func genRequest() *rapid.Generator[cedar.Request] {
	return rapid.Custom(func(t *rapid.T) cedar.Request {
		return cedar.Request{
			Principal: genUID().Draw(t, "principal"), Action: genAction().Draw(t, "action"),
			Resource: genUID().Draw(t, "resource"), Context: genRecord(1).Draw(t, "context"),
		}
	})
}

func mustCompile(tb testing.TB, schema []byte, policies ...string) *Set {
	tb.Helper()
	set, err := Compile([]Source{{Name: "test.cedar", Text: []byte(strings.Join(policies, "\n"))}}, schema)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func mustSchema(tb testing.TB, c Catalog) []byte {
	tb.Helper()
	schema, _, err := GenerateSchema(c)
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

func cedarString(s string) types.String { return types.String(s) }

// literal evaluates the only condition of a policy.
func literal(p *cedar.Policy) (types.Value, error) {
	return eval.Eval((*ast.Policy)(p.AST()).Conditions[0].Body, eval.Env{Entities: types.EntityMap{}})
}
