package ledger_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/torchwood"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// replicas opens ledgers on one database: on PostgreSQL each with connections
// of its own, on SQLite, whose file only one process may write, with the same.
func replicas(t *testing.T, at place, o ledger.Options, n int) (ls []*ledger.Ledger, db *store.DB) {
	t.Helper()
	for i := range n {
		if i == 0 || at.File == "" {
			db = at.open(t)
		}
		ls = append(ls, mustOpen(t, db, o))
	}
	return ls, db
}

// Several processes on one database share one dense sequence: nobody forks it,
// nothing is lost, and nobody leads.
func TestReplicasShareOneSequence(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		o := k.options()
		o.SignEvery = 5 * time.Millisecond
		ls, db := replicas(t, at, o, 3)
		const callers, each = 8, 15
		var mu sync.Mutex
		given := map[uint64]bool{}
		var wg sync.WaitGroup
		for i := range callers * len(ls) {
			l := ls[i%len(ls)]
			wg.Go(func() {
				for range each {
					id := aims.NewID("rcp")
					ref, err := l.Append(t.Context(), decision(id, "{}"))
					if err != nil {
						t.Error(err)
						return
					}
					// The outcome comes through another process.
					closed, err := ls[(i+1)%len(ls)].Append(t.Context(), outcome(id, ref.Index, "x"))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if given[ref.Index] || given[closed.Index] {
						t.Errorf("an index was given twice: %d or %d", ref.Index, closed.Index)
					}
					given[ref.Index], given[closed.Index] = true, true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		total := uint64(2 * callers * len(ls) * each)
		for _, l := range ls {
			if err := l.Sign(t.Context()); err != nil {
				t.Fatal(err)
			}
			if l.Size() != total || uint64(len(given)) != total {
				t.Errorf("a process knows %d entries, %d were given, want %d", l.Size(), len(given), total)
			}
			open, err := l.OpenDecisions(t.Context())
			if err != nil || len(open) != 0 {
				t.Errorf("open decisions: %d, %v", len(open), err)
			}
			all(t, l)
		}
		for _, l := range ls {
			mustClose(t, l)
		}
		mustVerify(t, k.verify(t, db))
	})
}

func TestReplicasCloseADecisionOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		ls, _ := replicas(t, at, k.options(), 2)
		for range 10 {
			id := aims.NewID("rcp")
			ref := mustAppend(t, ls[0], decision(id, "{}"))
			var closed atomic.Int32
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					if _, err := ls[i%2].Append(t.Context(), outcome(id, ref.Index, "x")); err == nil {
						closed.Add(1)
					} else {
						wantCode(t, err, aims.Conflict, "closing again")
					}
				})
			}
			wg.Wait()
			if closed.Load() != 1 {
				t.Fatalf("the decision was closed %d times", closed.Load())
			}
		}
	})
}

// One process serves the tiles of what another appended and signed.
func TestReplicaServesWhatAnotherAppended(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		ls, _ := replicas(t, at, k.options(), 2)
		fill(t, ls[0], 700)
		if err := ls[0].Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(ls[1].Handler(func(*http.Request) error { return nil }))
		defer server.Close()
		fetcher, err := torchwood.NewTileFetcher(server.URL+"/log", torchwood.WithHTTPClient(server.Client()))
		if err != nil {
			t.Fatal(err)
		}
		readWithTorchwood(t, k, fetcher, all(t, ls[0]))
	})
}

// Whoever changes the head of the log under a running process does not make it
// go on from there: it refuses, and signs nothing.
func TestDatabaseThatIsChangedUnderARunningProcess(t *testing.T) {
	empty := bytes.Repeat([]byte{0}, 32)
	for what, change := range map[string]func(t *testing.T, db *store.DB, before []byte){
		"the tail dropped, with an earlier head": func(t *testing.T, db *store.DB, root []byte) {
			sqlExec(t, db, "DELETE FROM log_batch WHERE first >= 3")
			sqlExec(t, db, "UPDATE log_head SET size = 3, root = $1", root)
		},
		"the head alone set back": func(t *testing.T, db *store.DB, root []byte) {
			sqlExec(t, db, "UPDATE log_head SET size = 3, root = $1", root)
		},
		"another root":            func(t *testing.T, db *store.DB, _ []byte) { sqlExec(t, db, "UPDATE log_head SET root = $1", empty) },
		"a head ahead of the log": func(t *testing.T, db *store.DB, _ []byte) { sqlExec(t, db, "UPDATE log_head SET size = 9") },
		"no head":                 func(t *testing.T, db *store.DB, _ []byte) { sqlExec(t, db, "DELETE FROM log_head") },
		"a forged batch and its head": func(t *testing.T, db *store.DB, _ []byte) {
			sqlExec(t, db, "INSERT INTO log_batch (first, entries, time, hashes, leaves) VALUES (6, 1, 0, $1, $2)", empty, []byte{0, 2, 'h', 'i'})
			sqlExec(t, db, "UPDATE log_head SET size = 7, root = $1", empty)
		},
	} {
		t.Run(what, func(t *testing.T) {
			eachStore(t, func(t *testing.T, at place) {
				k, db := newKeys(t, origin), at.open(t)
				l := mustOpen(t, db, k.options())
				for range 3 {
					mustAppend(t, l, event("before"))
				}
				root := rootOf(all(t, l))
				for range 3 {
					mustAppend(t, l, event("after"))
				}
				if err := l.Sign(t.Context()); err != nil {
					t.Fatal(err)
				}
				change(t, db, root[:])
				for range 2 {
					_, err := l.Append(t.Context(), event("forked"))
					wantCode(t, err, aims.Unavailable, "Append")
					if err := l.Sign(t.Context()); err == nil {
						t.Error("a checkpoint was signed")
					}
				}
				if c := k.head(t, l); c.Size != 6 {
					t.Errorf("the head is of size %d", c.Size)
				}
			})
		})
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		fill(t, l, 10)
		mustClose(t, l)
		refused := func(what string, o ledger.Options) {
			t.Helper()
			if l, err := ledger.Open(t.Context(), db, o); err == nil {
				l.Close(t.Context())
				t.Errorf("%s: opened", what)
			} else if codeOf(err) == "" {
				t.Errorf("%s: %v has no sentence for the caller", what, err)
			}
		}
		other := k.options()
		other.Origin = "another.test/log"
		refused("another origin", other)
		refused("another key", newKeys(t, origin).options())

		batch := func(fn func()) { // with the database as it was before
			var hashes, leaves, root []byte
			err := db.View(t.Context(), func(tx *store.Tx) error {
				if err := tx.QueryRow("SELECT root FROM log_head").Scan(&root); err != nil {
					return err
				}
				return tx.QueryRow("SELECT hashes, leaves FROM log_batch WHERE first = 0").Scan(&hashes, &leaves)
			})
			if err != nil {
				t.Fatal(err)
			}
			fn()
			sqlExec(t, db, "UPDATE log_batch SET hashes = $1, leaves = $2 WHERE first = 0", hashes, leaves)
			sqlExec(t, db, "UPDATE log_head SET size = 10, root = $1", root)
		}
		batch(func() {
			sqlExec(t, db, "UPDATE log_batch SET hashes = $1 WHERE first = 0", make([]byte, 32))
			refused("a changed hash", k.options())
		})
		batch(func() {
			root := rootOf(nil)
			sqlExec(t, db, "UPDATE log_head SET size = 0, root = $1", root[:])
			refused("everything dropped, but not the checkpoints", k.options())
		})
		l = mustOpen(t, db, k.options())
		if l.Size() != 10 {
			t.Errorf("%d entries", l.Size())
		}
		mustClose(t, l)
		sqlExec(t, db, "UPDATE log_checkpoint SET note = $1 WHERE size = 10", []byte("forged\n10\n\n— "+origin+" AAAA\n"))
		refused("a forged checkpoint", k.options())
	})
}

// A start reads only from the oldest open decision that the last checkpoint
// noted, and finds all that are open.
func TestOpenDecisionsAfterARestart(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		work(t, l, 20)
		first := mustAppend(t, l, decision(aims.NewID("rcp"), "{}"))
		work(t, l, 5)
		if err := l.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := aims.NewID("rcp")
		second := mustAppend(t, l, decision(id, "{}"))
		// The process is gone without a last checkpoint: another one begins.
		l = mustOpen(t, db, k.options())
		open, err := l.OpenDecisions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(open) != 2 || open[0].Index != first.Index || open[1].Index != second.Index || open[1].Kind != receipt.DecisionKind {
			t.Errorf("open: %+v", open)
		}
		mustAppend(t, l, outcome(id, second.Index, "found at start"))
		if open, err = l.OpenDecisions(t.Context()); err != nil || len(open) != 1 {
			t.Errorf("open after closing one: %d, %v", len(open), err)
		}
		var noted int64
		if err := l.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT oldest_open FROM log_checkpoint ORDER BY size DESC LIMIT 1").Scan(&noted)
		})
		if err != nil || noted != int64(first.Index) {
			t.Errorf("the checkpoint notes %d as the oldest open decision, want %d (%v)", noted, first.Index, err)
		}
	})
}
