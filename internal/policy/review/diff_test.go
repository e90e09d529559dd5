package review_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/policy/review"
)

func TestDiff(t *testing.T) {
	before := subject(t, "a.cedar", `
@id("same") permit (principal, action == Action::"payments___list", resource);
@id("moved") permit (principal in Role::"a", action == Action::"payments___pay", resource) when { context.input.amount < 10 };
@id("gone") permit (principal, action == Action::"mail___send", resource);
@id("words") @reason("old") forbid (principal is Agent, action == Action::"payments___pay", resource) when { context.input.amount > 5 };
`, "bundle.yaml", "owner: finance\nquorum: {boss: 1}\nbudgets: [{name: steps, of: calls, tools: [\"*\"], per: session}]\n", "tests/t.yaml", `
- {name: small, expect: allow, request: {agent: x, roles: [a], action: payments___pay, input: {amount: 3}}}
- {name: mail, expect: allow, request: {agent: x, action: mail___send}}
`)
	after := subject(t, "b.cedar", `
// The same rules in another file, and in another order.
@id("words") @reason("new") forbid (
  principal is Agent, action == Action::"payments___pay", resource
) when { context.input.amount > 5 };
@id("moved") permit (principal in Role::"b", action == Action::"payments___pay", resource) when { context.input.amount < 9 };
@id("same") permit (principal, action == Action::"payments___list", resource);
@id("new") permit (principal, action == Action::"payments___pay", resource) when { context.input.amount == 0 };
`, "bundle.yaml", "owner: finance\nquorum: {boss: 2}\nbudgets: [{name: steps, of: calls, tools: [\"*\"], per: agent, window: 1h}]\n", "tests/t.yaml", `
- {name: small, expect: deny, request: {agent: x, roles: [a], action: payments___pay, input: {amount: 3}}}
- {name: nothing, expect: allow, request: {agent: x, action: payments___pay, input: {amount: 0}}}
`)
	d := review.Diff(before, after, before, after)
	type line struct{ Kind, Name, Parts string }
	lines := func(changes []review.Change) []line {
		var out []line
		for _, c := range changes {
			parts := ""
			for _, p := range c.Parts {
				parts += p + " "
			}
			out = append(out, line{c.Kind, c.Name, parts})
		}
		return out
	}
	for name, c := range map[string]struct{ got, want []line }{
		"rules":    {lines(d.Rules), []line{{"removed", "gone", ""}, {"changed", "moved", "scope conditions "}, {"added", "new", ""}, {"changed", "words", "@reason "}}},
		"budgets":  {lines(d.Budgets), []line{{"changed", "steps", ""}}},
		"settings": {lines(d.Settings), []line{{"changed", "quorum of boss", ""}}},
		"tests":    {lines(d.Tests), []line{{"removed", "tests/t.yaml: mail", ""}, {"added", "tests/t.yaml: nothing", ""}, {"changed", "tests/t.yaml: small", "expect "}}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	wantOutcomes := []review.TestChange{
		{Name: "small", File: "tests/t.yaml", Before: authz.Allow, After: authz.Deny, PoliciesBefore: []string{"moved"}},
		{Name: "nothing", File: "tests/t.yaml", Before: authz.Deny, After: authz.Allow, PoliciesAfter: []string{"new"}},
		{Name: "mail", File: "tests/t.yaml", Before: authz.Allow, After: authz.Deny, PoliciesBefore: []string{"gone"}},
	}
	if diff := cmp.Diff(wantOutcomes, d.Outcomes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]review.ToolChange{{Action: "mail___send", Before: review.Possible, After: review.Never}}, d.Tools); diff != "" {
		t.Error(diff)
	}
	if same := review.Diff(after, after, after, after); !same.Empty() {
		t.Errorf("a bundle differs from itself: %+v", same)
	}
}
