package review_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"pgregory.net/rapid"

	"aims/authz"
	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
	"aims/pdp"
)

// atoms are conditions, some of which imply, exclude or equal one another, and
// one of which is not always there to be evaluated.
var atoms = []string{
	`context.input.amount < 5`, `context.input.amount >= 5`, `5 > context.input.amount`, `context.input.amount == 1`, `1 == context.input.amount`,
	`context.input.amount != 1`, `context.tool.new`, `!context.tool.new`, `context.session.purpose == "x"`, `context.session.purpose == "y"`,
	`context has approval`, `context.input has to && context.input.to == "a"`, `context.input has to`,
	`(context.tool.new || context.input.amount < 5)`, `true`, `context.input.amount + 9223372036854775806 > 0`, `principal is Agent`,
	`if context.tool.new then true else context.input.amount < 5`,
}

func genRule(id string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		principal := pick("principal", "principal", "principal is Agent", `principal == Agent::"a"`, `principal in Role::"r"`, `principal is Agent in Role::"r"`, `principal is Person`)
		action := pick("action", "action", `action == Action::"payments___pay"`, `action in Action::"call_tool"`, `action in [Action::"payments___pay", Action::"tools/list"]`)
		resource := pick("resource", "resource", `resource == McpServer::"payments"`, "resource is McpServer")
		text := fmt.Sprintf("@id(%q) %s (%s, %s, %s)", id, pick("effect", "permit", "forbid"), principal, action, resource)
		for range rapid.IntRange(0, 3).Draw(t, "conditions") {
			text += " " + pick("kind", "when", "unless") + " { " + strings.Join(rapid.SliceOfN(rapid.SampledFrom(atoms), 1, 2).Draw(t, "atoms"), pick("operator", " && ", " || ")) + " }"
		}
		return text + ";"
	})
}

// genCall is a call of payments___pay by an agent or a person, in roles or none.
func genCall(t *rapid.T, set *pdp.Set) (cedar.Request, cedar.EntityMap, bool) {
	r := bundle.Request{Action: "payments___pay", Session: bundle.Session{Purpose: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "purpose")}}
	id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")
	if rapid.Bool().Draw(t, "agent") {
		r.Agent = id
	} else {
		r.Person = id
	}
	if rapid.Bool().Draw(t, "in role") {
		r.Roles = []string{"r"}
	}
	to := rapid.SampledFrom([]string{"", `,"to":"a"`, `,"to":"b"`}).Draw(t, "to")
	r.Input = bundle.JSON(fmt.Sprintf(`{"amount":%d%s}`, rapid.Int64Range(0, 6).Draw(t, "amount"), to))
	r.Tool.New = rapid.Bool().Draw(t, "new")
	if rapid.Bool().Draw(t, "approved") {
		r.Approval = &bundle.Approval{ID: "x", Roles: []string{"r"}}
	}
	req, entities, err := review.RequestOf(review.Subject{Bundle: &bundle.Bundle{}, Set: set, Tools: payments}, r)
	return req, entities, err == nil
}

// What is said of two rules is so for every request: a rule that never has an
// effect can be taken away, and one that never applies determines nothing.
func TestFindingsAreSound(t *testing.T) {
	schema, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: payments})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		first, second := genRule("first").Draw(t, "first"), genRule("second").Draw(t, "second")
		b, err := bundle.New(files("a.cedar", first+"\n"+second))
		if err != nil {
			t.Fatal(err)
		}
		set, err := pdp.Compile(b.Sources, schema)
		if err != nil {
			t.Skip(err) // ill-typed, or never true by its types
		}
		without, err := pdp.Compile([]pdp.Source{{Name: "a.cedar", Text: []byte(second)}}, schema)
		if err != nil {
			t.Fatal(err)
		}
		effect, impossible := "", false
		for _, f := range review.Check(review.Subject{Bundle: b, Set: set, Tools: payments}) {
			if f.Policy != "first" {
				continue
			}
			for _, of := range []string{"never has an effect", "adds nothing", "means the same", "never applies"} {
				if strings.Contains(f.Message, of) {
					effect, impossible = of, of == "never applies"
				}
			}
		}
		if effect == "" {
			return
		}
		said[effect]++
		for range 30 {
			req, entities, ok := genCall(t, set)
			if !ok {
				continue
			}
			with, rest := set.Decide(req, entities), without.Decide(req, entities)
			if with.Verdict != rest.Verdict {
				t.Fatalf("%s, but it changes %s to %s\n%s\n%s\n%v", effect, rest.Verdict, with.Verdict, first, second, req.Context)
			}
			if impossible && len(with.Reasons) > 0 && with.Reasons[0].Policy == "first" {
				t.Fatalf("%s, and it determined a decision\n%s", effect, first)
			}
		}
	})
	t.Log(said)
}

// A tool that is never permitted, or at best held, is so for every request.
func TestReachIsSound(t *testing.T) {
	schema, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: payments})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := genRule("first").Draw(t, "first") + genRule("second").Draw(t, "second")
		b, err := bundle.New(files("a.cedar", text))
		if err != nil {
			t.Fatal(err)
		}
		set, err := pdp.Compile(b.Sources, schema)
		if err != nil {
			t.Skip(err)
		}
		for _, f := range review.Check(review.Subject{Bundle: b, Set: set, Tools: payments[:1]}) {
			if !strings.Contains(f.Message, "every call is denied") {
				continue
			}
			for range 30 {
				if req, entities, ok := genCall(t, set); ok && set.Decide(req, entities).Verdict != authz.Deny {
					t.Fatalf("%s, but not %v\n%s", f.Message, req.Context, text)
				}
			}
		}
	})
}
