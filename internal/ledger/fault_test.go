package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/storetest"
)

func (d *disk) place() place {
	return placeAt(filepath.Join(d.dir, "log.db"))
}

func placeAt(file string) place { return place{storetest.Place{File: file}} }

// The disk fails in every way that it can, in the middle of work. Callers are
// told that nothing was done, state and receipt stay together, the log goes on
// when the disk is back, and it verifies.
func TestDiskThatFails(t *testing.T) {
	codes := map[string]map[string]int32{
		"ENOSPC": {"write": sqlite3.SQLITE_FULL, "truncate": sqlite3.SQLITE_FULL, "sync": sqlite3.SQLITE_FULL},
		"EIO":    {"write": sqlite3.SQLITE_IOERR_WRITE, "truncate": sqlite3.SQLITE_IOERR_TRUNCATE, "sync": sqlite3.SQLITE_IOERR_FSYNC},
	}
	for cause, code := range codes {
		for _, op := range []string{"write", "sync"} {
			for _, when := range []moment{before, halfway, after} {
				for _, skip := range []int{0, 1, 2, 5} {
					if op == "sync" && (when == halfway || skip > 1) {
						continue
					}
					t.Run(fmt.Sprintf("%s at %s, moment %d, after %d calls", cause, op, when, skip), func(t *testing.T) {
						failInTheMiddle(t, func(seen int, o, file string) fault {
							if o != op || file != "-wal" || seen < skip {
								return fault{}
							}
							return fault{code: code[o], when: when}
						})
					})
				}
			}
		}
	}
}

// failInTheMiddle works on a disk, lets it fail by a rule that is told how many
// calls it has seen, and works on when it is whole again.
func failInTheMiddle(t *testing.T, rule func(seen int, op, file string) fault) {
	d, k := newDisk(t), newKeys(t, origin)
	db := d.place().open(t)
	table(t, db)
	l := mustOpen(t, db, k.options())
	work(t, l, 10)
	var mu sync.Mutex
	stored := map[uint64]string{}
	attempt := func(n int) (failed int) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				e := event("attempt")
				ref, err := l.Change(t.Context(), func(tx *store.Tx) (ledger.Entry, error) {
					_, err := tx.Exec("INSERT INTO state (id) SELECT COALESCE(MAX(id), 0) + 1 FROM state")
					return e, err
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed++
					wantUnavailable(t, err)
					return
				}
				stored[ref.Index] = string(e.Body)
			})
		}
		wg.Wait()
		return failed
	}
	if attempt(5) != 0 {
		t.Fatal("a whole disk fails")
	}
	seen := 0
	d.failing(func(op, file string) fault {
		f := rule(seen, op, file)
		seen++
		return f
	})
	failed := 0
	for range 5 {
		failed += attempt(4)
	}
	if failed == 0 || d.tripped == 0 {
		t.Fatalf("the disk failed %d times and callers noticed %d", d.tripped, failed)
	}
	d.failing(nil)
	if n := attempt(8); n != 0 {
		t.Errorf("%d of 8 fail although the disk is whole again", n)
	}
	checkStored(t, l, stored)
	if rows := len(states(t, db)); rows != len(stored) {
		t.Errorf("%d rows of state, %d receipts of them", rows, len(stored))
	}
	mustClose(t, l)
	mustVerify(t, k.verify(t, db))
}

// wantUnavailable takes an error that says clearly that nothing was done.
func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	wantCode(t, err, aims.Unavailable, "a failing disk")
	if _, text := aims.Public(err); !strings.Contains(text, "nothing was done") {
		t.Errorf("the caller is told %q", text)
	}
}

// checkStored checks that a log has what was acknowledged, and of what was
// attempted nothing else.
func checkStored(t *testing.T, l *ledger.Ledger, stored map[uint64]string) {
	t.Helper()
	attempts := 0
	for _, leaf := range all(t, l) {
		if strings.Contains(string(leaf.Body), `"attempt"`) {
			attempts++
		}
		if want, ok := stored[leaf.Index]; ok && want != string(leaf.Body) {
			t.Errorf("entry %d is not what was acknowledged", leaf.Index)
		}
	}
	if attempts != len(stored) {
		t.Errorf("%d attempts are in the log, %d were acknowledged", attempts, len(stored))
	}
}

// Every receipt was synced before its caller was told.
func TestAcknowledgedMeansSynced(t *testing.T) {
	d, k := newDisk(t), newKeys(t, origin)
	l := mustOpen(t, d.place().open(t), k.options())
	for range 50 {
		mustAppend(t, l, event("synced"))
		if d.unsynced("-wal") {
			t.Fatal("a receipt was acknowledged before it was synced")
		}
	}
}

// The power fails at any moment: whatever of the unsynced writes reached the
// medium, every acknowledged receipt is there and the log verifies.
func TestPowerLoss(t *testing.T) {
	t.Parallel() // it waits for the disk most of the time
	d, k := newDisk(t), newKeys(t, origin)
	o := k.options()
	o.SignEvery = 5 * time.Millisecond
	l := mustOpen(t, d.place().open(t), o)
	var mu sync.Mutex
	acknowledged := map[uint64]string{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := aims.NewID("rcp")
				ref, err := l.Append(t.Context(), decision(id, strings.Repeat("x", 3000)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[ref.Index] = id
				mu.Unlock()
			}
		})
	}
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	var cuts []string
	var known []map[uint64]string
	for range rounds {
		more := count() + rand.IntN(60)
		eventually(t, "work between the cuts", func() bool { return count() >= more })
		mu.Lock()
		before := map[uint64]string{}
		for index, id := range acknowledged {
			before[index] = id
		}
		mu.Unlock()
		dir := t.TempDir()
		d.powerLoss(t, dir)
		cuts, known = append(cuts, dir), append(known, before)
	}
	close(stop)
	wg.Wait()
	for i, dir := range cuts {
		checkAfterCrash(t, k, placeAt(filepath.Join(dir, "log.db")), known[i])
		if t.Failed() {
			t.Fatalf("cut %d", i)
		}
	}
}

// A commit that was synced but reported as failed is not in the log for the
// process that goes on, and may be there after a crash: in both cases the log
// is one and verifies.
func TestCommitOfUnknownOutcome(t *testing.T) {
	d, k := newDisk(t), newKeys(t, origin)
	l := mustOpen(t, d.place().open(t), k.options())
	work(t, l, 3)
	d.failing(func(op, file string) fault {
		if op == "sync" && file == "-wal" {
			return fault{code: sqlite3.SQLITE_IOERR_FSYNC, when: after}
		}
		return fault{}
	})
	_, err := l.Append(t.Context(), event("unknown"))
	wantUnavailable(t, err)
	crashed := t.TempDir()
	d.powerLoss(t, crashed)
	d.failing(nil)
	mustAppend(t, l, event("after"))

	leaves := all(t, l)
	if len(leaves) != 10 || strings.Contains(string(leaves[9].Body), "unknown") {
		t.Errorf("%d entries, the last is %s", len(leaves), leaves[len(leaves)-1].Body)
	}
	after := placeAt(filepath.Join(crashed, "log.db"))
	checkAfterCrash(t, k, after, nil)
	db := after.open(t)
	l = mustOpen(t, db, k.options())
	if n := l.Size(); n != 9 && n != 10 {
		t.Errorf("%d entries after the crash", n)
	}
	mustAppend(t, l, event("goes-on"))
	mustClose(t, l)
	mustVerify(t, k.verify(t, db))
}

// A disk that fails while the write-ahead log is copied into the file loses
// nothing: it is copied again.
func TestDiskThatFailsDuringTheCopying(t *testing.T) {
	d, k := newDisk(t), newKeys(t, origin)
	db := d.place().open(t)
	l := mustOpen(t, db, k.options())
	work(t, l, 50)
	for _, op := range []string{"write", "sync"} {
		before := d.tripped
		d.failing(func(o, file string) fault {
			if o == op && file == "" {
				return fault{code: sqlite3.SQLITE_IOERR_WRITE, when: halfway}
			}
			return fault{}
		})
		if err := db.Scrub(t.Context(), "log_vault"); err == nil {
			t.Errorf("%s: copying onto a broken disk succeeded", op)
		}
		if d.tripped == before {
			t.Fatalf("%s: the disk was not asked", op)
		}
		mustAppend(t, l, event("goes-on")) // commits need the write-ahead log alone
	}
	d.failing(nil)
	if err := db.Scrub(t.Context(), "log_vault"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	report := k.verify(t, db)
	if mustVerify(t, report); report.Size != 152 {
		t.Errorf("%d entries", report.Size)
	}
}
