package receipt

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestScannerTakesWhatParseLeafTakes walks rows of leaves with jumps in index
// and time and with edited bytes, and compares each step with ParseLeaf.
func TestScannerTakesWhatParseLeafTakes(t *testing.T) {
	kinds := rapid.SampledFrom([]Kind{DecisionKind, RefusalKind, OutcomeKind, EventKind})
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.OneOf(rapid.Uint64Range(0, 200), rapid.Uint64Range(1e12-3, 1e12+3), rapid.Uint64Range(math.MaxUint64-9000, math.MaxUint64-5000)).Draw(t, "index")
		at := time.Date(2026, 11, 23, 14, 38, 59, 999990000, time.UTC)
		var s scanner
		s.expect(index)
		want := index
		var last time.Time
		for range rapid.IntRange(1, 30).Draw(t, "leaves") {
			h := Header{Kind: kinds.Draw(t, "kind"), Index: index, Time: at}
			if h.Kind == OutcomeKind {
				h.Closes = rapid.Uint64Range(0, index).Draw(t, "closes")
			}
			leaf, err := AppendLeaf(nil, h, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "edit") == 0 {
				leaf[rapid.IntRange(0, len(leaf)-1).Draw(t, "place")] = rapid.Byte().Draw(t, "byte")
			}
			parsed, body, err := ParseLeaf(leaf)
			var got scanned
			ok := s.next(leaf, &got)
			if ok != (err == nil) {
				t.Fatalf("%q: the scanner says %v, ParseLeaf %v", leaf, ok, err)
			}
			if !ok {
				want++
				continue
			}
			if got.kind != parsed.Kind || got.closes != parsed.Closes || string(got.body) != string(body) ||
				got.jumped != (parsed.Index != want) || got.jumped && got.index != parsed.Index || got.backwards != parsed.Time.Before(last) {
				t.Fatalf("%q after index %d at %v: the scanner reads %+v", leaf, want, last, got)
			}
			want, last = parsed.Index+1, parsed.Time
			index += rapid.SampledFrom([]uint64{1, 1, 1, 1, 0, 2, 100}).Draw(t, "step")
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 1, 10, -1, 1e6, -1e9}).Draw(t, "time")) * time.Microsecond)
		}
	})
}

func BenchmarkScanLeaf(b *testing.B) {
	var s scanner
	leaf, err := AppendLeaf(nil, Header{Kind: OutcomeKind, Index: 4242, Closes: 4200, Time: time.Date(2026, 11, 23, 14, 38, 24, 123456000, time.UTC)}, make([]byte, 600))
	if err != nil {
		b.Fatal(err)
	}
	s.expect(4242)
	want := s.want
	var h scanned
	for b.Loop() {
		if !s.next(leaf, &h) {
			b.Fatal("refused")
		}
		s.want = want
	}
}
