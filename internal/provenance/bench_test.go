package provenance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"aims/internal/provenance"
)

// vocabulary of texts that look like results: words, addresses, numbers.
func vocabulary(r *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range 2 + r.IntN(8) {
			b.WriteByte("etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))])
		}
		switch w := b.String(); r.IntN(12) {
		case 0:
			out[i] = fmt.Sprintf("%s.%d@%s.example", w, r.IntN(99), w)
		case 1:
			out[i] = fmt.Sprint(r.IntN(100000))
		case 2:
			out[i] = fmt.Sprintf("https://%s.example/%s/%d", w, w, r.IntN(1000))
		default:
			out[i] = w
		}
	}
	return out
}

func paragraph(r *rand.Rand, words []string, bytes int) string {
	var b strings.Builder
	for b.Len() < bytes {
		b.WriteString(words[int(float64(len(words))*r.Float64()*r.Float64())])
		b.WriteByte(' ')
	}
	return b.String()
}

// run is an index after calls results of 2 kB, and a typical call's arguments.
func run(calls int) (*provenance.Index, []json.RawMessage) {
	r := rand.New(rand.NewPCG(1, 2))
	words := vocabulary(r, 6000)
	x := provenance.New(provenance.Limits{Exact: []string{"directory"}})
	x.Prompt("Please pay the electricity bill of May and send the confirmation to alice.miller@corp.example. " + paragraph(r, words, 400))
	labels := [][]string{{"untrusted"}, {"confidential"}, {"directory"}, nil}
	for n := range calls {
		text, _ := json.Marshal(paragraph(r, words, 2000))
		x.Result(n, labels[n%4], []byte(`{"content":[{"type":"text","text":`+string(text)+`}]}`))
	}
	x.Result(calls, labels[0], []byte(`{"iban":"DE89370400440532013000","amount":120.50,"link":"https://bills.example/pay?id=7781"}`))
	return x, []json.RawMessage{
		json.RawMessage(`["alice.miller@corp.example"]`),
		json.RawMessage(`"Confirmation of payment"`),
		json.RawMessage(`"Dear Alice, the electricity bill of May was paid today, the confirmation is attached. Best regards, your assistant"`),
		json.RawMessage(`"DE89370400440532013000"`),
		json.RawMessage(`120.5`),
		json.RawMessage(`"https://bills.example/pay?id=7781"`),
		json.RawMessage(`"2026-05-31"`),
		json.RawMessage(`true`),
	}
}

func BenchmarkOf(b *testing.B) {
	for _, calls := range []int{0, 20, 200, 1000} {
		x, arguments := run(calls)
		b.Run(fmt.Sprintf("call after %d results", calls), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, a := range arguments {
					x.Of(a)
				}
			}
			b.ReportMetric(float64(x.Bytes())/1e6, "MB")
		})
	}
	x, arguments := run(200)
	for _, a := range arguments {
		b.Run(fmt.Sprintf("%.30s", a), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Of(a)
			}
		})
	}
}

func BenchmarkResult(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	text, _ := json.Marshal(paragraph(r, vocabulary(r, 6000), 100_000))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		provenance.New(provenance.Limits{}).Result(0, nil, text)
	}
}
