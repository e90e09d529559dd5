package pdp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aims/authz"

	"github.com/cedar-policy/cedar-go/types"
)

// However a request was delegated, it is decided no more widely than for
// anybody in the chain, whatever the order, and with the reasons of all who
// stand in the way.
func TestDelegatedRequestIsNeverWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var policies []string
		for range rapid.IntRange(1, 8).Draw(t, "policies") {
			policies = append(policies, genPolicy([]string{"principal", "context.a"}).Draw(t, "policy"))
		}
		set := uncheckedSet(t, policies)
		req := genRequest().Draw(t, "request")
		entities := genEntities().Draw(t, "entities")
		chain := rapid.SliceOfN(genUID(), 0, 4).Draw(t, "chain")
		got := set.DecideFor(req, chain, entities)
		worst, inTheWay := 0, map[string]bool{}
		for _, p := range append([]types.EntityUID{req.Principal}, chain...) {
			one := req
			one.Principal = p
			d := set.Decide(one, entities)
			worst = max(worst, severity(d.Verdict))
			for _, r := range d.Reasons {
				inTheWay[r.Policy] = inTheWay[r.Policy] || d.Verdict != authz.Allow
			}
		}
		if severity(got.Verdict) != worst {
			t.Fatalf("verdict %s, the strictest is %d", got.Verdict, worst)
		}
		seen := map[string]bool{}
		for _, r := range got.Reasons {
			if seen[r.Policy] {
				t.Fatalf("policy %s twice", r.Policy)
			}
			seen[r.Policy] = true
		}
		for policy, stands := range inTheWay {
			if stands && !seen[policy] {
				t.Fatalf("policy %s stood in the way and is no reason", policy)
			}
		}
		if len(chain) > 1 {
			chain[0], chain[1] = chain[1], chain[0]
			if diff := cmp.Diff(got, set.DecideFor(req, chain, entities)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// The delegators are in the facts: leaving one out is another decision.
func TestRedecideKnowsTheDelegators(t *testing.T) {
	set := mustCompile(t, payments(t), `permit (principal in Role::"finance", action, resource);`)
	req := transfer(t, set, `{"amount":1}`)
	boss := types.NewEntityUID("Agent", "boss")
	finance := types.NewEntityUIDSet(types.NewEntityUID("Role", "finance"))
	entities := types.EntityMap{req.Principal: {UID: req.Principal, Parents: finance}, boss: {UID: boss}}
	for _, c := range []struct {
		delegators []types.EntityUID
		want       authz.Verdict
	}{{nil, authz.Allow}, {[]types.EntityUID{boss}, authz.Deny}} {
		facts, err := EncodeFactsFor(req, c.delegators, entities)
		if err != nil {
			t.Fatal(err)
		}
		d, err := set.Redecide(facts, []byte(`{"amount":1}`))
		if err != nil || d.Verdict != c.want {
			t.Errorf("%v: %+v, %v, want %s", c.delegators, d, err, c.want)
		}
		if roles, err := RolesIn(facts); err != nil || !cmp.Equal(roles, []string{"finance"}) {
			t.Errorf("roles %v, %v", roles, err)
		}
	}
}
