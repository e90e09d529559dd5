package receipt_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLeafIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := genHeader.Draw(t, "header")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		leaf, err := receipt.AppendLeaf([]byte("before"), h, body)
		if err != nil {
			t.Fatal(err)
		}
		got, gotBody, err := receipt.ParseLeaf(leaf[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, got); diff != "" || !bytes.Equal(gotBody, body) {
			t.Fatalf("read back differently: %s\nbody %q, want %q", diff, gotBody, body)
		}
	})
}

func TestLeafThatCannotBeReadIsNotWritten(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 38, 24, 0, time.UTC)
	for name, bad := range map[string]struct {
		header receipt.Header
		body   []byte
	}{
		"no kind":           {receipt.Header{Time: at}, nil},
		"another kind":      {receipt.Header{Kind: "note", Time: at}, nil},
		"year 0":            {receipt.Header{Kind: receipt.EventKind, Time: time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)}, nil},
		"year 10000":        {receipt.Header{Kind: receipt.EventKind, Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
		"larger than 65535": {receipt.Header{Kind: receipt.EventKind, Time: at}, make([]byte, receipt.MaxLeaf)},
	} {
		if leaf, err := receipt.AppendLeaf([]byte("before"), bad.header, bad.body); err == nil || string(leaf) != "before" {
			t.Errorf("%s: wrote %q, %v", name, leaf, err)
		}
	}
}

// leafSeeds are a leaf of each kind, and headers one step away from well-formed.
func leafSeeds() [][]byte {
	at := time.Date(2026, 11, 23, 14, 38, 24, 123456000, time.UTC)
	var seeds [][]byte
	for _, kind := range []receipt.Kind{receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind, receipt.EventKind} {
		leaf, err := receipt.AppendLeaf(nil, receipt.Header{Kind: kind, Index: 42, Closes: 41, Time: at}, []byte("{}"))
		if err != nil {
			panic(err)
		}
		seeds = append(seeds, leaf)
	}
	outcome := string(seeds[2])
	for _, edit := range [][2]string{
		{"aims-receipt/1", "aims-receipt/2"},
		{"outcome", "Outcome"},
		{"outcome", "outcome "},
		{"00000000000000000042", "18446744073709551615"},
		{"00000000000000000042", "18446744073709551616"},
		{"00000000000000000042", "+0000000000000000042"},
		{"00000000000000000041", "--------------------"},
		{"outcome", "decision"},
		{"2026-11-23", "2026-02-29"},
		{"2026-11-23", "2028-02-29"},
		{"2026-11-23", "0000-11-23"},
		{"2026-11-23", "2026-13-23"},
		{"14:38:24", "24:00:00"},
		{"14:38:24", "14:38:60"},
		{".123456Z", ".123456z"},
		{".123456Z", ".12345 Z"},
		{"Z\n", "Z\r\n"},
		{"Z\n", "Z "},
		{"\n{}", ""},
		{"\n{}", "\n"},
	} {
		seeds = append(seeds, []byte(strings.Replace(outcome, edit[0], edit[1], 1)))
	}
	return append(seeds, nil, bytes.Repeat([]byte("a"), receipt.MaxLeaf+1), append(seeds[0][:len(seeds[0]):len(seeds[0])], make([]byte, math.MaxUint16)...))
}

// FuzzParseLeaf asserts that ParseLeaf takes exactly what AppendLeaf makes:
// writing again what was read gives the same bytes.
func FuzzParseLeaf(f *testing.F) {
	for _, seed := range leafSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		h, body, err := receipt.ParseLeaf(leaf)
		if err != nil {
			return
		}
		again, err := receipt.AppendLeaf(nil, h, body)
		if err != nil || !bytes.Equal(again, leaf) {
			t.Fatalf("%q was read as %+v and written as %q, %v", leaf, h, again, err)
		}
	})
}

// TestParseLeafSeeds says which seeds are leaves, so that the fuzz test cannot
// pass because everything is refused.
func TestParseLeafSeeds(t *testing.T) {
	accepted := 0
	for _, seed := range leafSeeds() {
		if _, _, err := receipt.ParseLeaf(seed); err == nil {
			accepted++
		}
	}
	// Four kinds, the greatest index, the leap day of a leap year, an empty body.
	if accepted != 7 {
		t.Errorf("%d seeds were taken for leaves, want 7", accepted)
	}
}
