package ledger_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/sqlite"
	"aims/internal/witness"
	"aims/receipt"
)

// testWitness is a real witness behind a server that tests can break.
type testWitness struct {
	*httptest.Server
	key  *torchwood.CosignatureVerifier
	db   *store.DB
	down atomic.Bool
	// spoil, when set, changes an answer after the witness gave it.
	spoil atomic.Pointer[func(http.ResponseWriter, *http.Request, http.Handler)]
	asked atomic.Int64
}

func newTestWitness(t *testing.T, name string, logs ...note.Verifier) *testWitness {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "witness.db"), time.Now, witness.Schema())
	opened(t, db, err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner(name, key)
	if err != nil {
		t.Fatal(err)
	}
	h := witness.New(db, witness.Options{Signer: signer, Logs: logs, Log: slog.New(slog.DiscardHandler)}).Handler()
	w := &testWitness{key: signer.Verifier(), db: db}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if spoil := w.spoil.Load(); spoil != nil {
			(*spoil)(rw, r, h)
			return
		}
		if w.down.Load() {
			http.Error(rw, "down", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *testWitness) config() ledger.Witness {
	return ledger.Witness{URL: w.URL + "/", Verifier: w.key, Client: w.Client()}
}

// cosigners are the witnesses whose cosignatures the newest checkpoint has,
// and its size.
func (k keys) cosigners(t testing.TB, l *ledger.Ledger, witnesses ...*testWitness) (names []string, size uint64) {
	t.Helper()
	signed, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var vkeys []string
	for _, w := range witnesses {
		vkeys = append(vkeys, w.key.String())
	}
	trust, err := receipt.NewTrust(k.vkey, vkeys, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := trust.Open(signed)
	if err != nil {
		t.Fatalf("%v\n%s", err, signed)
	}
	for _, s := range c.Cosignatures {
		names = append(names, s.Witness)
	}
	return names, c.Size
}

func TestCheckpointsAreWitnessed(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		a, b := newTestWitness(t, "witness.test/a", k.verifier), newTestWitness(t, "witness.test/b", k.verifier)
		o := k.options()
		o.SignEvery = time.Millisecond
		o.Witnesses = []ledger.Witness{a.config(), b.config()}
		l := mustOpen(t, db, o)
		for _, n := range []int{1, 5, 300} {
			fill(t, l, n)
			eventually(t, "two cosignatures", func() bool {
				names, size := k.cosigners(t, l, a, b)
				return size == l.Size() && len(names) == 2
			})
		}
		// A proof carries them, and satisfies who wants both.
		trust, err := receipt.NewTrust(k.vkey, []string{a.key.String(), b.key.String()}, 2)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := l.Entry(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := l.Prove(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receipt.VerifyProof(trust, leaf.Raw, proof); err != nil {
			t.Errorf("%v\n%s", err, proof)
		}
		// The last checkpoint of a log at rest is witnessed too.
		fill(t, l, 3)
		mustClose(t, l)
		l = mustOpen(t, db, k.options())
		if names, size := k.cosigners(t, l, a, b); size != l.Size() || len(names) != 2 {
			t.Errorf("the last checkpoint, of size %d, has cosignatures %v", size, names)
		}
	})
}

// A witness that is away holds up nothing, and is caught up with when it is back.
func TestWitnessThatIsAway(t *testing.T) {
	k := newKeys(t, origin)
	w := newTestWitness(t, "witness.test/a", k.verifier)
	w.down.Store(true)
	o := k.options()
	o.SignEvery = time.Millisecond
	o.Witnesses = []ledger.Witness{w.config()}
	l := mustOpen(t, onSQLite(t).open(t), o)
	fill(t, l, 10)
	eventually(t, "a checkpoint", func() bool { return k.head(t, l).Size == 10 })
	eventually(t, "an attempt", func() bool { return w.asked.Load() > 0 })
	if names, _ := k.cosigners(t, l, w); len(names) != 0 {
		t.Error("cosigned by a witness that is away")
	}
	w.down.Store(false)
	eventually(t, "a cosignature", func() bool { names, _ := k.cosigners(t, l, w); return len(names) == 1 })
}

// The witness's answer was lost: it has seen more than the log knows of it.
func TestAnswerThatWasLost(t *testing.T) {
	k := newKeys(t, origin)
	w := newTestWitness(t, "witness.test/a", k.verifier)
	lose := func(rw http.ResponseWriter, r *http.Request, h http.Handler) {
		h.ServeHTTP(httptest.NewRecorder(), r)
		http.Error(rw, "lost", http.StatusBadGateway)
	}
	w.spoil.Store(&lose)
	o := k.options()
	o.SignEvery = time.Millisecond
	o.Witnesses = []ledger.Witness{w.config()}
	l := mustOpen(t, onSQLite(t).open(t), o)
	fill(t, l, 10)
	eventually(t, "an attempt", func() bool { return w.asked.Load() > 0 })
	w.spoil.Store(nil)
	fill(t, l, 10)
	eventually(t, "a cosignature", func() bool {
		names, size := k.cosigners(t, l, w)
		return size == 20 && len(names) == 1
	})
}

// Whatever comes back, only a signature of the witness's key over this
// checkpoint is kept.
func TestAnswersThatAreNoCosignature(t *testing.T) {
	k := newKeys(t, origin)
	other := newTestWitness(t, "witness.test/other", k.verifier)
	w := newTestWitness(t, "witness.test/a", k.verifier)
	o := k.options()
	o.Witnesses = []ledger.Witness{w.config()}
	db := onSQLite(t).open(t)
	for what, c := range map[string]struct {
		status int
		answer string
	}{
		"nothing":               {200, ""},
		"text":                  {200, "thanks"},
		"another's signature":   {200, "— witness.test/other " + strings.Repeat("A", 100) + "\n"},
		"a forged signature":    {200, "— witness.test/a " + strings.Repeat("A", 100) + "\n"},
		"a size that is none":   {409, "many\n"},
		"a negative size":       {409, "-5\n"},
		"a size beyond the log": {409, "1000000\n"},
		"the same size again":   {409, "0\n"},
		"a redirect":            {302, ""},
		"a refusal":             {422, "no"},
		"megabytes":             {200, strings.Repeat("— witness.test/a AAAA\n", 100000)},
	} {
		spoil := func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
			io.Copy(io.Discard, r.Body)
			if c.status == http.StatusConflict {
				rw.Header().Set("Content-Type", "text/x.tlog.size")
			}
			rw.WriteHeader(c.status)
			io.WriteString(rw, c.answer)
		}
		w.spoil.Store(&spoil)
		l := mustOpen(t, db, o)
		fill(t, l, 1)
		mustClose(t, l) // asks for the last checkpoint
		l = mustOpen(t, db, k.options())
		if names, _ := k.cosigners(t, l, w, other); len(names) != 0 {
			t.Errorf("%s: cosignatures %v", what, names)
		}
		mustClose(t, l)
	}
}

// logged collects what is written to the operator's log.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

// Somebody took the database back to an earlier state, tail, checkpoints and
// all. Nothing in it shows that; the witness does.
func TestWitnessShowsARemovedTail(t *testing.T) {
	k, at := newKeys(t, origin), onSQLite(t)
	w := newTestWitness(t, "witness.test/a", k.verifier)
	o := k.options()
	o.Witnesses = []ledger.Witness{w.config()}
	db := at.open(t)
	l := mustOpen(t, db, o)
	fill(t, l, 10)
	mustClose(t, l)
	earlier := filepath.Join(t.TempDir(), "earlier.db")
	sqlExecOutside(t, db, "VACUUM INTO '"+earlier+"'")
	l = mustOpen(t, db, o)
	fill(t, l, 10)
	mustClose(t, l)

	rolled, err := sqlite.Open(t.Context(), earlier, time.Now, ledger.Schema())
	opened(t, rolled, err)
	seen := &logged{}
	o.Log = slog.New(slog.NewTextHandler(seen, nil))
	l = mustOpen(t, rolled, o)
	fill(t, l, 3)
	eventually(t, "the operator being told", func() bool { return seen.has("entries were removed") })
	// And when the log has grown past what the witness saw, it is another log.
	fill(t, l, 20)
	if err := l.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if !seen.has("422") {
		t.Errorf("the witness did not refuse the other history: %s", seen.b.String())
	}
}
