package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"aims/receipt"
)

func leafHash(i int) tlog.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// reference is the whole tree, kept by x/mod.
type reference struct{ hashes []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = r.hashes[index]
	}
	return out, nil
}

// failer is a test, of the standard library or of rapid.
type failer interface {
	Fatalf(format string, args ...any)
}

func (r *reference) add(t failer, n int, leaf tlog.Hash) {
	hashes, err := tlog.StoredHashesForRecordHash(int64(n), leaf, r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.hashes = append(r.hashes, hashes...)
}

// However the leaves come in commits, and whether or not some of them fail and
// are built again, the tree is that of RFC 6962 and every full tile is written
// once with the right hashes.
func TestTreeGrowsAsTheReferenceDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := growth{tree: emptyTree(), written: map[tlog.Tile][]byte{}}
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 64, 255, 256, 257, 1000}), 1, 6).Draw(t, "batches") {
			if rapid.Bool().Draw(t, "fails first") {
				g.tree.grow(make([]tlog.Hash, rapid.IntRange(1, 600).Draw(t, "lost")), 0)
			}
			g.by(t, n)
		}
		g.compare(t)
	})
}

// The same where tiles of level 1 become full.
func TestTreeFillsHigherTiles(t *testing.T) {
	g := growth{tree: emptyTree(), written: map[tlog.Tile][]byte{}}
	for _, n := range []int{65000, 535, 1, 1, 400, 65200} {
		g.by(t, n)
		g.compare(t)
	}
	if len(g.written) != 2 {
		t.Errorf("%d tiles of level 1, want 2", len(g.written))
	}
}

// growth is a tree and its reference.
type growth struct {
	tree    *tree
	ref     reference
	written map[tlog.Tile][]byte
}

func (g *growth) by(t failer, n int) {
	leaves := make([]tlog.Hash, n)
	for i := range leaves {
		at := int(g.tree.size()) + i
		leaves[i] = leafHash(at)
		g.ref.add(t, at, leaves[i])
	}
	next, full := g.tree.grow(leaves, 1)
	g.tree = next
	for _, f := range full {
		at := tlog.Tile{H: 8, L: f.level, N: int64(f.number), W: 256}
		if g.written[at] != nil {
			t.Fatalf("tile %s twice", at.Path())
		}
		g.written[at] = f.hashes
	}
}

func (g *growth) compare(t failer) {
	size := int64(g.tree.size())
	root, err := tlog.TreeHash(size, &g.ref)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if g.tree.root != root {
		t.Fatalf("size %d: root %s, want %s", size, g.tree.root, root)
	}
	for _, at := range tlog.NewTiles(8, 0, size) {
		want, err := tlog.ReadTileData(at, &g.ref)
		if err != nil {
			t.Fatalf("%v", err)
		}
		switch {
		case at.W < 256:
			if diff := cmp.Diff(want, join(g.tree.partial[at.L][:at.W])); diff != "" {
				t.Fatalf("tile %s: %s", at.Path(), diff)
			}
		case at.L > 0:
			if !bytes.Equal(want, g.written[at]) {
				t.Fatalf("tile %s differs or was not written", at.Path())
			}
		}
	}
}

func TestWidth(t *testing.T) {
	tr, _ := emptyTree().grow(make([]tlog.Hash, 70000), 0) // the example in C2SP tlog-tiles
	for _, c := range []struct{ level, number, want int }{
		{0, 0, 256}, {0, 272, 256}, {0, 273, 112}, {0, 274, 0}, {1, 0, 256}, {1, 1, 17}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}, {3, 0, 0}, {63, 0, 0},
	} {
		if got := tr.width(c.level, uint64(c.number)); got != c.want {
			t.Errorf("tile %d of level %d has %d hashes, want %d", c.number, c.level, got, c.want)
		}
	}
}

func TestPayloadsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Stored
		var blob []byte
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			p := Stored{Erased: rapid.Bool().Draw(t, "erased")}
			p.Index = rapid.Uint64().Draw(t, "index")
			p.Name = rapid.SampledFrom([]string{"input", "facts", "result", ""}).Draw(t, "name")
			if !p.Erased {
				copy(p.Salt[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "salt"))
				p.Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
			}
			want = append(want, p)
			blob = appendStored(blob, p)
		}
		var got []Stored
		for p, err := range eachStored(blob) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What somebody changed in the vault is refused or read, and nothing else.
func FuzzReadStored(f *testing.F) {
	whole := appendStored(nil, Stored{Payload: receipt.Payload{Index: 7, Name: "input", Data: []byte("{}")}})
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(appendStored(whole, Stored{Payload: receipt.Payload{Index: 7, Name: "facts"}, Erased: true}))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 255})
	f.Add(append(bytes.Repeat([]byte{0}, 8), 1, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for p, err := range eachStored(b) {
			if err != nil {
				return
			}
			again = appendStored(again, p)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("read and written again: %x, was %x", again, b)
		}
	})
}

// A stored commit that somebody changed gives an error, or leaves.
func FuzzRow(f *testing.F) {
	f.Add([]byte{0, 2, 'h', 'i', 0, 0}, 2)
	f.Add([]byte{0, 2, 'h'}, 1)
	f.Add([]byte{}, 3)
	f.Fuzz(func(t *testing.T, leaves []byte, entries int) {
		r := row{first: 5, entries: max(0, min(entries, maxEntries)), leaves: leaves}
		read, size := 0, 0
		err := r.each(5, func(index uint64, leaf []byte) error {
			read, size = read+1, size+2+len(leaf)
			parse(index, leaf) // must not panic
			return nil
		})
		if err == nil && (read != r.entries || size != len(leaves)) {
			t.Errorf("%d leaves of %d bytes read from %d of %d bytes", read, size, r.entries, len(leaves))
		}
	})
}
