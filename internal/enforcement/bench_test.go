package enforcement_test

import (
	"sync/atomic"
	"testing"

	"aims/internal/enforcement"
	"aims/receipt"
)

// BenchmarkDecide is a decision with its durable receipt; compare it with
// BenchmarkAppend, the receipt alone.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, `{"amount":12,"to":"4711"}`)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := w.Decide(b.Context(), call)
			if err != nil || !r.Allowed() {
				b.Error(r, err)
			}
		}
	})
}

// BenchmarkDecideAndClose is what a proxied call costs.
func BenchmarkDecideAndClose(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, `{"amount":12,"to":"4711"}`)
	result := []byte(`{"content":[{"type":"text","text":"paid"}]}`)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := w.Decide(b.Context(), call)
			if err != nil {
				b.Error(err)
			}
			if err := w.Close(b.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: result}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPossible is the filter of one tool of a list.
func BenchmarkPossible(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, "")
	b.ReportAllocs()
	var possible atomic.Int64
	for b.Loop() {
		if w.Possible(b.Context(), call) {
			possible.Add(1)
		}
	}
}

// BenchmarkPrepare is a decision up to, and without, its receipt's append.
func BenchmarkPrepare(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, `{"amount":12,"to":"4711"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Prepare(call); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecideReported is a decision for callers that act by themselves, all
// in one run.
func BenchmarkDecideReported(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, `{"amount":12,"to":"4711"}`)
	call.Channel = enforcement.AuthZEN
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := w.Decide(b.Context(), call)
			if err != nil || !r.Allowed() {
				b.Error(r, err)
			}
		}
	})
}

// BenchmarkLoneCall is what one caller waits for.
func BenchmarkLoneCall(b *testing.B) {
	w := newWorld(b, nil)
	call := payment(billing, `{"amount":12,"to":"4711"}`)
	result := []byte(`{"content":[{"type":"text","text":"paid"}]}`)
	for b.Loop() {
		r, err := w.Decide(b.Context(), call)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(b.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: result}); err != nil {
			b.Fatal(err)
		}
	}
}
