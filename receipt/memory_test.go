package receipt_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"
	"time"

	"aims/receipt"
)

// endless is a log that is made while it is read, so that what a test measures
// is the verifier. No decision is ever closed: the worst that pairing can meet.
type endless struct {
	*testLog
	size uint64
	body string
}

func newEndless(t testing.TB, size uint64) *endless {
	e := &endless{testLog: newLog(t, "example.org/log", "a"), size: size}
	d := decision()
	d.Facts, d.Input = "", ""
	e.body = encode(t, d)
	e.omit.hashes = true
	for i := range size {
		e.tree.Append(receipt.LeafHash(e.leaf(i)))
	}
	e.checkpoint()
	return e
}

func (e *endless) leaf(i uint64) []byte {
	leaf, err := receipt.AppendLeaf(nil, receipt.Header{Kind: receipt.DecisionKind, Index: i, Time: start.Add(time.Duration(i) * time.Microsecond)}, []byte(e.body))
	if err != nil {
		e.t.Fatal(err)
	}
	return leaf
}

func (e *endless) Contents(context.Context) (receipt.Contents, error) {
	return receipt.Contents{Origin: "example.org/log", Size: e.size, Payloads: true}, nil
}

func (e *endless) Payloads(context.Context, uint64) iter.Seq2[receipt.Payload, error] {
	return func(func(receipt.Payload, error) bool) {}
}

func (e *endless) Entries(_ context.Context, from uint64) (io.ReadCloser, error) {
	return &endlessReader{e: e, next: from}, nil
}

type endlessReader struct {
	e    *endless
	next uint64
	rest []byte
}

func (r *endlessReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.next == r.e.size {
			return 0, io.EOF
		}
		leaf := r.e.leaf(r.next)
		r.rest = append(binary.BigEndian.AppendUint16(nil, uint16(len(leaf))), leaf...)
		r.next++
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *endlessReader) Close() error { return nil }

// TestMemoryIsConstant verifies logs of two sizes and compares the live heap.
func TestMemoryIsConstant(t *testing.T) {
	grown := func(size uint64) uint64 {
		e := newEndless(t, size)
		e.leaves = nil
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		most, next := uint64(0), uint64(0)
		r, err := receipt.Verify(t.Context(), e, receipt.Options{Trust: e.trust(), Compile: testCompiler, OutcomeWithin: 24 * time.Hour, Progress: func(entries uint64) {
			if entries >= next {
				next += size / 8
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			}
		}})
		if err != nil || !r.Verified() {
			t.Fatalf("%v %q", err, exceptions(r))
		}
		if c, _ := r.Check("outcomes"); c.Note != fmt.Sprintf("%d decisions without outcome were under way at the end, the first is entry 0", size) {
			t.Errorf("%+v", c)
		}
		return most
	}
	small, large := grown(10_000), grown(60_000)
	// Each open decision may cost 4 bytes and a bit.
	if limit := small + 50_000*5 + 1<<20; large > limit {
		t.Errorf("the heap has %d bytes in a log of 10000 entries and %d in one of 60000", small, large)
	}
	if small > 20<<20 {
		t.Errorf("the heap has %d bytes", small)
	}
}
