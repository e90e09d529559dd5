package receipt_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"aims/receipt"
)

// BenchmarkVerifyIntegrity verifies an export on disk and, in turns, does
// nothing but the hashing that the format asks for, on as many goroutines and
// from memory: every leaf, and as many inner nodes as the tree has. The ratio
// says how close verification comes to that limit; ratio-leaves leaves the
// inner nodes out of the limit.
func BenchmarkVerifyIntegrity(b *testing.B) {
	const size = 1 << 18
	l := newLog(b, "example.org/log", "a")
	l.fill(size, 1<<14)
	dir := export(b, l, receipt.ExportOptions{})
	d := openExport(b, dir)
	entries, err := os.ReadFile(filepath.Join(dir, "entries"))
	if err != nil {
		b.Fatal(err)
	}
	trust := l.trust()
	*l = testLog{}
	// The framing is overwritten as verification does it, once.
	var leaves [][]byte
	for rest := entries; len(rest) > 0; {
		n := 2 + int(binary.BigEndian.Uint16(rest))
		rest[1] = 0
		leaves = append(leaves, rest[1:n])
		rest = rest[n:]
	}
	const workers = 2
	var verifying, leafHashing, nodeHashing time.Duration
	b.SetBytes(int64(len(entries)))
	for b.Loop() {
		start := time.Now()
		r, err := receipt.Verify(b.Context(), d, receipt.Options{Trust: trust, Integrity: true, Workers: workers})
		if err != nil || !r.Verified() {
			b.Fatalf("%v %q", err, exceptions(r))
		}
		verifying += time.Since(start)

		start = time.Now()
		parallel(workers, func(w int) {
			for _, leaf := range leaves[w*len(leaves)/workers : (w+1)*len(leaves)/workers] {
				sha256.Sum256(leaf)
			}
		})
		leafHashing += time.Since(start)
		start = time.Now()
		parallel(workers, func(int) {
			var node [65]byte
			for range (len(leaves) - bits.OnesCount(uint(len(leaves)))) / workers {
				sha256.Sum256(node[:])
			}
		})
		nodeHashing += time.Since(start)
	}
	n := float64(b.N) * float64(len(leaves))
	b.ReportMetric(float64(leafHashing+nodeHashing)/float64(verifying), "ratio")
	b.ReportMetric(float64(leafHashing)/float64(verifying), "ratio-leaves")
	b.ReportMetric(float64(verifying.Nanoseconds())/n, "ns/receipt")
	b.ReportMetric(float64(leafHashing.Nanoseconds())/n, "ns/leaf-hash")
	b.ReportMetric(float64(nodeHashing.Nanoseconds())/n, "ns/node-hash")
	b.ReportMetric(float64(len(entries))/float64(len(leaves)), "B/receipt")
}

func parallel(workers int, work func(w int)) {
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { work(w) })
	}
	group.Wait()
}

// BenchmarkDecode reads the bodies that the deep pass reads, next to the hash
// of a leaf of the same size.
func BenchmarkDecode(b *testing.B) {
	d, o := []byte(encode(b, decision())), []byte(encode(b, outcome()))
	b.Run("decision", func(b *testing.B) {
		for b.Loop() {
			if _, err := receipt.DecodeDecision(receipt.DecisionKind, d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("outcome", func(b *testing.B) {
		for b.Loop() {
			if _, err := receipt.DecodeOutcome(o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decision/hash", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(d)
		}
	})
}
