package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/store"
	"aims/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "aims.test/log"

// testLog is a log whose checkpoints are made by hand.
type testLog struct {
	origin string
	signer note.Signer
	key    note.Verifier
	hashes []tlog.Hash
	salt   uint64 // makes another history
}

func newLog(t testing.TB, origin string) *testLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{origin: origin, signer: signer, key: key}
}

// fork is a log of the same key with another history.
func (l *testLog) fork() *testLog {
	return &testLog{origin: l.origin, signer: l.signer, key: l.key, salt: l.salt + 1}
}

func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = l.hashes[index]
	}
	return out, nil
}

func (l *testLog) growTo(t testing.TB, size int64) {
	t.Helper()
	for n := int64(0); n < size; n++ {
		if int64(len(l.hashes)) > tlog.StoredHashIndex(0, n) {
			continue
		}
		leaf := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)+l.salt<<32))
		hashes, err := tlog.StoredHashesForRecordHash(n, leaf, l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, hashes...)
	}
}

func (l *testLog) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	l.growTo(t, size)
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func (l *testLog) checkpoint(t testing.TB, size int64) string {
	t.Helper()
	text := torchwood.Checkpoint{Origin: l.origin, Tree: tlog.Tree{N: size, Hash: l.root(t, size)}}.String()
	signed, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func (l *testLog) proof(t testing.TB, old, size int64) (lines string) {
	t.Helper()
	l.growTo(t, size)
	if old == 0 || old >= size {
		return ""
	}
	proof, err := tlog.ProveTree(size, old, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range proof {
		lines += h.String() + "\n"
	}
	return lines
}

// request is a well-formed add-checkpoint.
func (l *testLog) request(t testing.TB, old, size int64) string {
	return fmt.Sprintf("old %d\n%s\n%s", old, l.proof(t, old, size), l.checkpoint(t, size))
}

type fixture struct {
	handler http.Handler
	key     *torchwood.CosignatureVerifier
	db      *store.DB
}

func newWitness(t testing.TB, path string, logs ...*testLog) fixture {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, time.Now, Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	seed := sha256.Sum256([]byte("the witness's key in tests"))
	signer, err := torchwood.NewCosignatureSigner("witness.test/w1", ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	var keys []note.Verifier
	for _, l := range logs {
		keys = append(keys, l.key)
	}
	w := New(db, Options{Signer: signer, Logs: keys, Log: slog.New(slog.DiscardHandler)})
	return fixture{handler: w.Handler(), key: signer.Verifier(), db: db}
}

func (f fixture) post(body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(body)))
	return w
}

func (f fixture) want(t *testing.T, what, body string, status int) string {
	t.Helper()
	w := f.post(body)
	if w.Code != status {
		t.Errorf("%s: %d %q, want %d", what, w.Code, w.Body, status)
	}
	return w.Body.String()
}

// cosigned checks that an answer is a cosignature of a checkpoint.
func (f fixture) cosigned(t *testing.T, checkpoint, answer string) {
	t.Helper()
	n, err := note.Open([]byte(checkpoint+answer), note.VerifierList(f.key))
	if err != nil || len(n.Sigs) != 1 {
		t.Fatalf("the answer %q is no cosignature: %v", answer, err)
	}
	at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("cosigned at %d, %v", at, err)
	}
}

func TestConsistentCheckpointsAreCosigned(t *testing.T) {
	l := newLog(t, origin)
	path := filepath.Join(t.TempDir(), "witness.db")
	w := newWitness(t, path, l)
	old := int64(0)
	for _, size := range []int64{1, 2, 7, 7, 8, 300, 1000} {
		w.cosigned(t, l.checkpoint(t, size), w.want(t, fmt.Sprintf("%d to %d", old, size), l.request(t, old, size), 200))
		old = size
	}
	// What it has seen survives a restart.
	w.db.Close()
	w = newWitness(t, path, l)
	if got := w.want(t, "an old size after a restart", l.request(t, 0, 2000), 409); got != "1000\n" {
		t.Errorf("says %q", got)
	}
	w.want(t, "the next after a restart", l.request(t, 1000, 1001), 200)
}

func TestInconsistentCheckpointsAreRefused(t *testing.T) {
	l := newLog(t, origin)
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), l)
	w.want(t, "the first", l.request(t, 0, 100), 200)
	forked, stranger, impostor := l.fork(), newLog(t, "other.test/log"), newLog(t, origin)

	conflict := w.post(l.request(t, 50, 200))
	if conflict.Code != 409 || conflict.Header().Get("Content-Type") != "text/x.tlog.size" || conflict.Body.String() != "100\n" {
		t.Errorf("another old size: %d %v %q", conflict.Code, conflict.Header(), conflict.Body)
	}
	w.want(t, "a shorter log", l.request(t, 0, 60), 409)
	w.want(t, "an old size above the new", "old 100\n\n"+l.checkpoint(t, 60), 400)
	w.want(t, "another tree of the same size", forked.request(t, 100, 100), 409)
	w.want(t, "a fork with its own proof", forked.request(t, 100, 200), 422)
	w.want(t, "a fork with the log's proof", fmt.Sprintf("old 100\n%s\n%s", l.proof(t, 100, 200), forked.checkpoint(t, 200)), 422)
	w.want(t, "no proof", "old 100\n\n"+l.checkpoint(t, 200), 422)
	w.want(t, "a proof of other sizes", fmt.Sprintf("old 100\n%s\n%s", l.proof(t, 99, 200), l.checkpoint(t, 200)), 422)
	w.want(t, "a proof that is too long", fmt.Sprintf("old 100\n%s%s\n%s", l.proof(t, 100, 200), l.root(t, 1).String()+"\n", l.checkpoint(t, 200)), 422)
	w.want(t, "a proof between equal sizes", fmt.Sprintf("old 100\n%s\n%s", l.root(t, 1).String()+"\n", l.checkpoint(t, 100)), 422)
	w.want(t, "a log that is not watched", stranger.request(t, 0, 5), 404)
	w.want(t, "another key", impostor.request(t, 100, 200), 403)
	w.want(t, "no signature of the log", "old 100\n\n"+strings.Replace(l.checkpoint(t, 200), "— "+origin, "— someone.test", 1), 403)
	text, _, _ := strings.Cut(l.checkpoint(t, 200), "\n\n")
	w.want(t, "a size that was changed", "old 100\n\n"+strings.Replace(l.checkpoint(t, 200), "\n200\n", "\n201\n", 1), 403)
	w.want(t, "no signature at all", "old 100\n\n"+text+"\n", 400)

	// None of it moved what the witness has seen.
	w.want(t, "the honest next", l.request(t, 100, 200), 200)
}

func TestFirstCheckpointHasNoProof(t *testing.T) {
	l := newLog(t, origin)
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), l)
	w.want(t, "a proof from nothing", fmt.Sprintf("old 0\n%s\n%s", l.proof(t, 3, 5), l.checkpoint(t, 5)), 422)
	w.want(t, "the empty log", l.request(t, 0, 0), 200)
	w.want(t, "the first entries", l.request(t, 0, 5), 200)
}

func TestMalformedRequests(t *testing.T) {
	l := newLog(t, origin)
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), l)
	cp := l.checkpoint(t, 5)
	for what, body := range map[string]string{
		"nothing":               "",
		"no old size":           "\n" + cp,
		"another word":          "new 0\n\n" + cp,
		"a negative size":       "old -1\n\n" + cp,
		"leading zeros":         "old 00\n\n" + cp,
		"a plus sign":           "old +0\n\n" + cp,
		"a size beyond int64":   "old 9223372036854775808\n\n" + cp,
		"two spaces":            "old  0\n\n" + cp,
		"a proof line too long": "old 0\n" + strings.Repeat("A", 45) + "\n\n" + cp,
		"no base64":             "old 0\n" + strings.Repeat("!", 44) + "\n\n" + cp,
		"64 proof lines":        "old 0\n" + strings.Repeat(l.root(t, 1).String()+"\n", 64) + "\n" + cp,
		"no checkpoint":         "old 0\n\n",
		"half a checkpoint":     "old 0\n\n" + cp[:20],
		"64 KiB":                "old 0\n\n" + cp + strings.Repeat("x", maxRequest),
	} {
		w.want(t, what, body, 400)
	}
	r := httptest.NewRecorder()
	w.handler.ServeHTTP(r, httptest.NewRequest("GET", "/add-checkpoint", nil))
	if r.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.Code)
	}
}

// Each log has its own history, and several keys may sign for one.
func TestLogsAreWatchedApart(t *testing.T) {
	a, b := newLog(t, "a.test/log"), newLog(t, "b.test/log")
	rolled := newLog(t, "a.test/log")
	rolled.hashes = a.hashes
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), a, b, rolled)
	w.want(t, "a", a.request(t, 0, 10), 200)
	w.want(t, "b", b.request(t, 0, 20), 200)
	w.want(t, "a, signed by its other key", rolled.request(t, 10, 15), 200)
	w.want(t, "b again", b.request(t, 20, 25), 200)
}

// Of many at the same time, with two histories among them, the cosigned ones
// are of one history.
func TestOneHistoryUnderConcurrency(t *testing.T) {
	l := newLog(t, origin)
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), l)
	w.want(t, "the first", l.request(t, 0, 100), 200)
	forked := l.fork()
	honest, lying := l.request(t, 100, 101), ""
	// A fork that shares the first 100 leaves and differs in the last.
	forked.hashes = append(forked.hashes[:0], l.hashes[:tlog.StoredHashCount(100)]...)
	lying = forked.request(t, 100, 101)
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for i := range 40 {
		body := honest
		if i%2 == 1 {
			body = lying
		}
		wg.Go(func() {
			if r := w.post(body); r.Code == 200 {
				mu.Lock()
				answers[body]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if answers[honest] > 0 && answers[lying] > 0 || answers[honest]+answers[lying] != 1 {
		t.Errorf("%d of one history and %d of the other were cosigned, want one in all", answers[honest], answers[lying])
	}
}

// A witness that cannot store does not cosign.
func TestNothingIsCosignedThatIsNotStored(t *testing.T) {
	l := newLog(t, origin)
	w := newWitness(t, filepath.Join(t.TempDir(), "witness.db"), l)
	w.want(t, "the first", l.request(t, 0, 100), 200)
	err := w.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("CREATE TRIGGER full BEFORE UPDATE ON witness_seen BEGIN SELECT RAISE(ABORT, 'disk full'); END")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.want(t, "a broken store", l.request(t, 100, 200), 500); strings.Contains(answer, "—") || strings.Contains(answer, "disk full") {
		t.Errorf("answer %q", answer)
	}
}

func FuzzParse(f *testing.F) {
	l := newLog(f, origin)
	f.Add([]byte(l.request(f, 0, 5)))
	f.Add([]byte(l.request(f, 3, 300)))
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 18446744073709551616\n\nx\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parse(body)
		if err != nil {
			return
		}
		// What is read is what stands there: written again it is the same.
		var again bytes.Buffer
		fmt.Fprintf(&again, "old %d\n", r.old)
		for _, h := range r.proof {
			fmt.Fprintf(&again, "%s\n", h)
		}
		again.WriteByte('\n')
		again.Write(r.note)
		if !bytes.Equal(again.Bytes(), body) {
			t.Errorf("read and written again: %q, was %q", again.Bytes(), body)
		}
		if !strings.HasPrefix(string(r.note), r.text) || !strings.HasPrefix(r.text, r.checkpoint.Origin+"\n") || r.checkpoint.N < 0 {
			t.Errorf("text %q, checkpoint %+v", r.text, r.checkpoint)
		}
	})
}
