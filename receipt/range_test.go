package receipt_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"aims/receipt"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func leafHash(i uint64) receipt.Hash {
	return receipt.LeafHash(binary.BigEndian.AppendUint64(nil, i))
}

// TestRangeIsTheRFC6962Tree compares every size up to 600 with x/mod's tree.
func TestRangeIsTheRFC6962Tree(t *testing.T) {
	var r receipt.Range
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range uint64(600) {
		want, err := tlog.TreeHash(int64(n), read)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Root(); got != want || r.Size() != n {
			t.Fatalf("size %d: root %v of size %d, want %v", n, got, r.Size(), want)
		}
		hashes, err := tlog.StoredHashesForRecordHash(int64(n), leafHash(n), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		r.Append(leafHash(n))
	}
}

// TestRangeContinues asserts that a tree grown in pieces of any size, through
// its bytes and by whole subtrees, has the root of the tree grown leaf by leaf.
func TestRangeContinues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var plain, pieces receipt.Range
		for range rapid.IntRange(1, 12).Draw(t, "pieces") {
			level := rapid.UintRange(0, 6).Draw(t, "level")
			if pieces.Size()&(1<<level-1) != 0 {
				if pieces.AppendSubtree(level, leafHash(0)) == nil {
					t.Fatalf("a subtree of level %d was taken at size %d", level, pieces.Size())
				}
				level = 0
			}
			var sub receipt.Range
			for range uint64(1) << level {
				h := leafHash(plain.Size())
				plain.Append(h)
				sub.Append(h)
			}
			if err := pieces.AppendSubtree(level, sub.Root()); err != nil {
				t.Fatal(err)
			}
			b, err := pieces.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var again receipt.Range
			if err := again.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			pieces = again.Clone()
			if pieces.Root() != plain.Root() || pieces.Size() != plain.Size() {
				t.Fatalf("size %d: the tree in pieces differs", plain.Size())
			}
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 8))
	f.Add(append([]byte{0, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 64)...))
	f.Add(slices.Repeat([]byte{255}, 8+64*32))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r receipt.Range
		if r.UnmarshalBinary(b) != nil {
			return
		}
		again, err := r.MarshalBinary()
		if err != nil || !slices.Equal(again, b) {
			t.Fatalf("%x was read and written as %x, %v", b, again, err)
		}
		r.Root()
	})
}
