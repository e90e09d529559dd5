package ledger_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// fill appends entries in commits of different sizes.
func fill(t testing.TB, l *ledger.Ledger, n int) {
	t.Helper()
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := l.Append(context.WithoutCancel(t.Context()), event("filled"))
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckpointsFollowTheLog(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		o := k.options()
		o.SignEvery = time.Millisecond
		l := mustOpen(t, db, o)
		if c := k.head(t, l); c.Size != 0 {
			t.Errorf("the first checkpoint is of size %d", c.Size)
		}
		for range 3 {
			fill(t, l, 5)
			eventually(t, "a checkpoint", func() bool { return k.head(t, l).Size == l.Size() })
			if c := k.head(t, l); c.Root != rootOf(all(t, l)) {
				t.Error("the checkpoint's root is not that of the entries")
			}
		}
		count := func() (n int) {
			err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM log_checkpoint").Scan(&n) })
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := count()
		for range 3 {
			if err := l.Sign(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if before < 4 || count() != before {
			t.Errorf("%d checkpoints, then %d although the log did not grow", before, count())
		}
	})
}

func TestProofs(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		trust, err := receipt.NewTrust(k.vkey, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for size := range 4 {
			fill(t, l, []int{1, 2, 255, 300}[size])
			for _, leaf := range all(t, l) {
				if size > 2 && leaf.Index%50 != 0 {
					continue
				}
				proof, err := l.Prove(t.Context(), leaf.Index)
				if err != nil {
					t.Fatal(err)
				}
				h, err := receipt.VerifyProof(trust, leaf.Raw, proof)
				if err != nil || h.Index != leaf.Index {
					t.Fatalf("entry %d: %+v, %v\n%s", leaf.Index, h, err, proof)
				}
				other, err := l.Entry(t.Context(), (leaf.Index+1)%l.Size())
				if err == nil && other.Index != leaf.Index {
					if _, err := receipt.VerifyProof(trust, other.Raw, proof); err == nil {
						t.Fatalf("the proof of entry %d proves entry %d", leaf.Index, other.Index)
					}
				}
			}
		}
		_, err = l.Prove(t.Context(), l.Size())
		wantCode(t, err, aims.NotFound, "a proof of what is not there")
	})
}

// A generic client of C2SP tlog-tiles reads and checks the whole log.
func TestTilesAreReadByAnIndependentClient(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		server := httptest.NewServer(l.Handler(func(*http.Request) error { return nil }))
		defer server.Close()
		fetcher, err := torchwood.NewTileFetcher(server.URL+"/log", torchwood.WithHTTPClient(server.Client()))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 254, 1, 1, 600} {
			fill(t, l, n)
			if err := l.Sign(t.Context()); err != nil {
				t.Fatal(err)
			}
			readWithTorchwood(t, k, fetcher, all(t, l))
		}
	})
}

func readWithTorchwood(t *testing.T, k keys, fetcher torchwood.TileReader, want []ledger.Leaf) {
	t.Helper()
	signed, err := fetcher.ReadEndpoint(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := torchwood.VerifyCheckpoint(signed, torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(k.verifier)))
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for i, entry := range client.AllEntries(t.Context(), c.Tree, 0) {
		if i != int64(len(got)) {
			t.Fatalf("entry %d after %d entries", i, len(got))
		}
		got = append(got, entry)
	}
	if err := client.Err(); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || !slices.EqualFunc(got, want, func(g []byte, w ledger.Leaf) bool { return string(g) == string(w.Raw) }) {
		t.Errorf("the client read %d entries, the log has %d, or they differ", len(got), len(want))
	}
}

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoMayReadWhat(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	fill(t, l, 300)
	if err := l.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	for code, want := range map[aims.Code]int{aims.Unauthenticated: 401, aims.Denied: 403, aims.Unavailable: 503, aims.Internal: 500} {
		h := l.Handler(func(*http.Request) error { return aims.Errorf(code, errors.New("the cause"), "a sentence") })
		for _, path := range []string{"/log/tile/0/000", "/log/tile/entries/000", "/log/tile/0/x999/999"} {
			w := get(t, h, path)
			if w.Code != want || strings.Contains(w.Body.String(), "cause") || !strings.Contains(w.Body.String(), "a sentence") {
				t.Errorf("%s for %s: %d %s", path, code, w.Code, w.Body)
			}
		}
		if w := get(t, h, "/log/checkpoint"); w.Code != 200 || !strings.HasPrefix(w.Body.String(), origin+"\n300\n") {
			t.Errorf("the checkpoint is not open to everyone: %d %s", w.Code, w.Body)
		}
	}
}

func TestTileEndpoints(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	fill(t, l, 300)
	h := l.Handler(func(*http.Request) error { return nil })
	leaves := all(t, l)
	for path, want := range map[string]int{
		"/log/tile/0/000": 8192, "/log/tile/0/001.p/44": 44 * 32, "/log/tile/0/000.p/7": 7 * 32, "/log/tile/0/001.p/1": 32, "/log/tile/1/000.p/1": 32,
	} {
		w := get(t, h, path)
		if w.Code != 200 || w.Body.Len() != want || w.Header().Get("Content-Type") != "application/octet-stream" ||
			!strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.Contains(w.Header().Get("Cache-Control"), "private") {
			t.Errorf("%s: %d, %d bytes, %v", path, w.Code, w.Body.Len(), w.Header())
		}
	}
	first := get(t, h, "/log/tile/0/001.p/44").Body.Bytes()
	if want := receipt.LeafHash(leaves[256].Raw); tlog.Hash(first[:32]) != want {
		t.Error("the first hash of the second tile is not that of entry 256")
	}
	for _, path := range []string{
		"/log/tile/0/001", "/log/tile/0/001.p/45", "/log/tile/0/002", "/log/tile/1/000", "/log/tile/2/000.p/1", "/log/tile/63/000",
		"/log/tile/0/0", "/log/tile/0/000.p/0", "/log/tile/0/000.p/256", "/log/tile/-1/000", "/log/tile/data/000", "/log/tile/0/", "/log/tile/entries/001",
		"/log/tile/64/000", "/log/tile/0/x999/x999/x999/x999/x999/x999/999", "/log/tile/0/../../etc/passwd", "/log/other",
	} {
		if w := get(t, h, path); w.Code < 300 || w.Code >= 500 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := get(t, h, "/log/checkpoint"); w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("checkpoint: %v", w.Header())
	}
	if w := get(t, h, "/log/tile/entries/001.p/44", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() == 0 {
		t.Errorf("a compressed bundle: %v", w.Header())
	}
	r := httptest.NewRequest("POST", "/log/checkpoint", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestFind(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		old := "rcp_" + "01500000-0000-7000-8000-000000000001" // minted years ago by its own clock
		early := decision(old, "{}")
		mustAppend(t, l, early)
		var ids []string
		for range 20 {
			fill(t, l, 3)
			id := aims.NewID("rcp")
			mustAppend(t, l, decision(id, "{}"))
			ids = append(ids, id)
		}
		for _, id := range append(ids, old) {
			leaf, err := l.Find(t.Context(), id)
			if err != nil || !strings.Contains(string(leaf.Body), id) {
				t.Errorf("%s: %v", id, err)
			}
		}
		mustAppend(t, l, outcome(ids[0], 4, "x")) // names the id, and is not it
		if leaf, err := l.Find(t.Context(), ids[0]); err != nil || leaf.Kind != receipt.DecisionKind {
			t.Errorf("found %+v, %v", leaf.Header, err)
		}
		for _, id := range []string{aims.NewID("rcp"), aims.NewID("key"), "", "rcp_", strings.Repeat("x", 40), ids[0] + "x", strings.ToUpper(ids[0])} {
			_, err := l.Find(t.Context(), id)
			wantCode(t, err, aims.NotFound, "id "+id)
		}
	})
}

func TestPayloads(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		fill(t, l, 3)
		id := aims.NewID("rcp")
		ref := mustAppend(t, l, decision(id, `{"amount":5}`))
		fill(t, l, 3)
		got, err := l.Payloads(t.Context(), ref.Index)
		if err != nil || len(got) != 2 || got[0].Name != "facts" || got[1].Name != "input" || string(got[1].Data) != `{"amount":5}` || got[1].Salt != salt(id) {
			t.Errorf("payloads %+v, %v", got, err)
		}
		if got, err := l.Payloads(t.Context(), 0); err != nil || len(got) != 0 {
			t.Errorf("payloads of an entry without: %+v, %v", got, err)
		}
		_, err = l.Payloads(t.Context(), 99)
		wantCode(t, err, aims.NotFound, "payloads of what is not there")
	})
}

// Whatever path is asked for is a tile or an error of the caller.
func FuzzTilePath(f *testing.F) {
	k := newKeys(f, origin)
	l := mustOpen(f, onSQLite(f).open(f), k.options())
	fill(f, l, 300)
	h := l.Handler(func(*http.Request) error { return nil })
	for _, path := range []string{"0/000", "0/001.p/44", "entries/000", "1/000.p/1", "63/x999/000", "0/000.p/257", "-1/000", "entries/x000/000"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/log/tile/", nil)
		r.URL.Path = "/log/tile/" + path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code == 200 && w.Body.Len() == 0 {
			t.Errorf("%q: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	})
}
