package enforcement_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aims/internal/enforcement"
	"aims/receipt"
)

// Whatever the callers do and however time passes, the receipts of refusals
// stay below burst + rate × time, for one caller and for all.
func TestLimiterBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := enforcement.Limits{
			Burst: float64(rapid.IntRange(1, 20).Draw(t, "burst")), PerSecond: float64(rapid.IntRange(1, 5).Draw(t, "rate")),
			TotalBurst: float64(rapid.IntRange(1, 40).Draw(t, "total burst")), TotalPerSecond: float64(rapid.IntRange(1, 8).Draw(t, "total rate")),
			Callers: rapid.IntRange(1, 4).Draw(t, "callers"),
		}
		l := enforcement.NewLimiter(limits)
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now := start
		taken, all := map[string]float64{}, 0.0
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(-10, 1500).Draw(t, "ms")) * time.Millisecond)
			who := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "who")
			if l.Take(who, now) {
				taken[who]++
				all++
			}
		}
		// Time that ran backwards was passed again: the bound counts it.
		seconds := now.Sub(start).Seconds() + 0.01*200
		for who, n := range taken {
			if n > limits.Burst+limits.PerSecond*seconds+1 {
				t.Fatalf("%s: %v receipts in %v s with %+v", who, n, seconds, limits)
			}
		}
		if all > limits.TotalBurst+limits.TotalPerSecond*seconds+1 {
			t.Fatalf("%v receipts in %v s with %+v", all, seconds, limits)
		}
	})
}

// Whatever arguments a caller sends, a call is allowed only with a receipt
// from which anyone reaches the same decision.
func FuzzDecide(f *testing.F) {
	for _, seed := range []string{`{"amount":1}`, `{"amount":100,"to":"x"}`, `{"amount":1,"amount":2}`, `{"amount":1e0}`, `{"amount":null}`, `[]`, `{"to":"\ud800","amount":1}`} {
		f.Add([]byte(seed))
	}
	w := newWorld(f, func(o *enforcement.Options) {
		o.Limits = enforcement.Limits{Burst: 1e12, TotalBurst: 1e12}
	})
	set := w.policies.Active()
	f.Fuzz(func(t *testing.T, input []byte) {
		w := *w
		w.t = t
		r, err := w.Decide(t.Context(), payment(billing, string(input)))
		if err != nil {
			if r.Allowed() {
				t.Fatal("allowed with an error")
			}
			return
		}
		_, d := w.decision(r.Index)
		kept := w.payload(r.Index, receipt.InputPayload, d.Input)
		if len(input) > 0 && kept != string(input) {
			t.Fatalf("the receipt has other arguments: %q", kept)
		}
		again, err := set.Redecide([]byte(w.payload(r.Index, receipt.FactsPayload, d.Facts)), []byte(kept))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Decision, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
