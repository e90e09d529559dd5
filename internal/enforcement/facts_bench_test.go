package enforcement_test

import (
	"fmt"
	"strings"
	"testing"

	"aims/internal/enforcement"
	"aims/pdp"
	"aims/receipt"
)

// BenchmarkFactsAndDecision is what a decision takes before its receipt: of a call
// with arguments to trace, among a thousand policies, in a run that has made two
// hundred calls and read their results.
func BenchmarkFactsAndDecision(b *testing.B) {
	const many, earlier = 1000, 200
	w := newWorld(b, nil)
	var text strings.Builder
	text.WriteString(policies)
	for i := range many {
		fmt.Fprintf(&text, "@id(\"rule-%d\") @reason(\"r\") permit (principal in Role::\"role-%d\", action == Action::\"desk___pay\", resource) when { context.input.amount < %d };\n", i, i, i)
	}
	if _, err := w.ActivatePolicy(b.Context(), admin.Actor, "", []pdp.Source{{Name: "p.cedar", Text: []byte(text.String())}}); err != nil {
		b.Fatal(err)
	}
	for i := range earlier {
		r := w.decide(payment(billing, fmt.Sprintf(`{"amount":12,"to":"account-%d"}`, i)))
		result := fmt.Sprintf(`{"content":[{"type":"text","text":"paid 12.00 to account-%d, see https://bank.example/receipts/%d and write to desk-%d@bank.example: %s"}]}`,
			i, i, i, strings.Repeat("some more words of the answer ", 10))
		if err := w.Close(b.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(result)}); err != nil {
			b.Fatal(err)
		}
	}
	call := payment(billing, `{"amount":12,"to":"desk-117@bank.example"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Preview(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}
