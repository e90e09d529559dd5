package review_test

import (
	"encoding/json"
	"slices"
	"testing"

	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
	"aims/pdp"
)

var payments = []pdp.Tool{
	{Server: "payments", Name: "pay", Destructive: true, InputSchema: json.RawMessage(
		`{"type":"object","properties":{"amount":{"type":"integer"},"to":{"type":"string"},"note":{"type":"string"},"rate":{"anyOf":[{"type":"number"},{"type":"null"}]}},"required":["amount"]}`)},
	{Server: "payments", Name: "list", ReadOnly: true, InputSchema: json.RawMessage(`{"type":"object"}`)},
	{Server: "mail", Name: "send", InputSchema: json.RawMessage(`{"type":"object","properties":{"to":{"type":"string"}}}`)},
}

func files(pairs ...string) []bundle.File {
	var out []bundle.File
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, bundle.File{Name: pairs[i], Text: []byte(pairs[i+1])})
	}
	return out
}

// subject compiles a bundle for the payments tools, beside a policy of the house.
func subject(t testing.TB, pairs ...string) review.Subject {
	t.Helper()
	b, err := bundle.New(files(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	s := review.Subject{Bundle: b, Tools: payments}
	schema, losses, err := pdp.GenerateSchema(pdp.Catalog{Tools: payments, Budgets: b.Meta.Counted(payments)})
	if err != nil {
		t.Fatal(err)
	}
	house := pdp.Source{Name: "house/house.cedar", Text: []byte(
		`@id("house-quarantine") forbid (principal, action in Action::"call_tool", resource) when { context.tool.quarantined };`)}
	s.Losses = losses
	if s.Set, err = pdp.Compile(append(b.Sources, house), schema); err != nil {
		t.Fatal(err)
	}
	return s
}

// found are the findings about a policy, or of the bundle for "".
func found(findings []review.Finding, severity review.Severity, policy string) []string {
	var out []string
	for _, f := range findings {
		if f.Severity == severity && f.Policy == policy {
			out = append(out, f.Message)
		}
	}
	slices.Sort(out)
	return out
}
