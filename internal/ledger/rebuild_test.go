package ledger

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/store/sqlite"
	"aims/receipt"
)

// A start rebuilds the right edge from tiles and hashes, whatever the size:
// it is the edge of the process that wrote the log, and proofs over all levels
// of tiles hold.
func TestRebuiltTreeIsTheOneThatWasWritten(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"), time.Now, Schema())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	skey, vkey, err := note.GenerateKey(rand.Reader, "aims.test/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := receipt.NewTrust(vkey, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Origin: "aims.test/log", Signer: signer, Now: time.Now, Log: slog.New(slog.DiscardHandler), SignEvery: time.Hour}
	l, err := Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.Close(context.Background()) }()
	for _, n := range []int{255, 1, 1, 30000, 35279, 1, 34000, 31535} { // 256, 257, …, 65536, 65537, …, 131072
		commitMany(t, l, n)
		rebuilt, err := l.rebuild(t.Context(), l.Size())
		if err != nil {
			t.Fatal(err)
		}
		known := l.tree.Load()
		if rebuilt.root != known.root || rebuilt.size() != known.size() {
			t.Fatalf("rebuilt: size %d root %s, want %d %s", rebuilt.size(), rebuilt.root, known.size(), known.root)
		}
		if diff := cmp.Diff(edge(known), edge(rebuilt)); diff != "" {
			t.Fatalf("size %d: %s", known.size(), diff)
		}
		for _, index := range []uint64{0, l.Size() / 2, l.Size() - 1} {
			leaf, err := l.Entry(t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := l.Prove(t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := receipt.VerifyProof(trust, leaf.Raw, proof); err != nil {
				t.Fatalf("entry %d of %d: %v", index, l.Size(), err)
			}
		}
	}
	// And the process that starts goes on from it.
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(t.Context(), db, o); err != nil {
		t.Fatal(err)
	}
	commitMany(t, l, 700)
	if err := l.Sign(t.Context()); err != nil { // proves that it extends the last
		t.Fatal(err)
	}
}

// edge is the partial tiles that are not empty.
func edge(t *tree) (tiles [][]tlog.Hash) {
	for _, p := range t.partial {
		tiles = append(tiles, append([]tlog.Hash{}, p...))
	}
	for len(tiles) > 0 && len(tiles[len(tiles)-1]) == 0 {
		tiles = tiles[:len(tiles)-1]
	}
	return tiles
}

// commitMany appends n entries in one commit, in the sequencer's place.
func commitMany(t *testing.T, l *Ledger, n int) {
	t.Helper()
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = newRequest(Entry{Kind: receipt.EventKind, Body: []byte("{}")}, nil)
	}
	l.commit(requests)
	for _, r := range requests {
		if r.err != nil {
			t.Fatal(r.err)
		}
	}
}
