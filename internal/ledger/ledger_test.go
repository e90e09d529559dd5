package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/sqlite"
	"aims/receipt"
)

func TestConcurrentAppendsMakeOneDenseLog(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		const callers, each = 32, 20
		var mu sync.Mutex
		bodies := map[uint64]string{}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					e := event("test.done")
					ref, err := l.Append(t.Context(), e)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if _, twice := bodies[ref.Index]; twice {
						t.Errorf("index %d was given twice", ref.Index)
					}
					bodies[ref.Index] = string(e.Body)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		mustClose(t, l)

		l = mustOpen(t, db, k.options())
		leaves := all(t, l)
		if len(leaves) != callers*each {
			t.Fatalf("%d entries, want %d", len(leaves), callers*each)
		}
		for i, leaf := range leaves {
			if string(leaf.Body) != bodies[uint64(i)] {
				t.Fatalf("entry %d is not what its caller appended", i)
			}
			if i > 0 && leaf.Time.Before(leaves[i-1].Time) {
				t.Fatalf("entry %d is earlier than the one before", i)
			}
		}
		if c := k.head(t, l); c.Size != callers*each || c.Root != rootOf(leaves) {
			t.Errorf("the checkpoint is of size %d, root %s; the entries give %s", c.Size, c.Root, rootOf(leaves))
		}
	})
}

func TestRefIsWhereTheLeafStands(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k := newKeys(t, origin)
		l := mustOpen(t, at.open(t), k.options())
		ref := mustAppend(t, l, event("first"))
		id := aims.NewID("rcp")
		ref = mustAppend(t, l, decision(id, "{}"))
		leaf, err := l.Entry(t.Context(), ref.Index)
		if err != nil {
			t.Fatal(err)
		}
		if ref.Index != 1 || leaf.Kind != receipt.DecisionKind || !leaf.Time.Equal(ref.Time) {
			t.Errorf("ref %+v, leaf %+v", ref, leaf.Header)
		}
		if time.Since(ref.Time).Abs() > time.Minute {
			t.Errorf("the receipt's time is %v", ref.Time)
		}
		_, err = l.Entry(t.Context(), 2)
		wantCode(t, err, aims.NotFound, "an entry that is not there")
	})
}

// A clock that is set back does not make the log go back.
func TestTimeNeverGoesBack(t *testing.T) {
	k := newKeys(t, origin)
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	db, err := sqlite.Open(t.Context(), t.TempDir()+"/log.db", now, ledger.Schema())
	opened(t, db, err)
	l := mustOpen(t, db, k.options())
	first := mustAppend(t, l, event("first"))
	offset.Store(int64(-time.Hour))
	second := mustAppend(t, l, event("second"))
	if second.Time.Before(first.Time) {
		t.Errorf("%v, then %v", first.Time, second.Time)
	}
	mustClose(t, l)
	l = mustOpen(t, db, k.options())
	if third := mustAppend(t, l, event("third")); third.Time.Before(first.Time) {
		t.Errorf("%v, then %v after a restart", first.Time, third.Time)
	}
}

func TestEntriesThatCanNeverBeAppended(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	good := event("good")
	payload := func(names ...string) (out []ledger.Payload) {
		for _, name := range names {
			out = append(out, ledger.Payload{Name: name, Data: []byte("x")})
		}
		return out
	}
	for what, e := range map[string]ledger.Entry{
		"no body":           {Kind: receipt.EventKind},
		"a body too large":  {Kind: receipt.EventKind, Body: make([]byte, ledger.MaxBody+1)},
		"an unknown kind":   {Kind: "gossip", Body: good.Body},
		"no kind":           {Body: good.Body},
		"an unknown name":   {Kind: receipt.EventKind, Body: good.Body, Payloads: payload("secret")},
		"a name twice":      {Kind: receipt.EventKind, Body: good.Body, Payloads: payload("input", "input")},
		"another payload":   {Kind: receipt.DecisionKind, Body: decision(aims.NewID("rcp"), "{}").Body, Payloads: payload("input")},
		"a payload too big": {Kind: receipt.EventKind, Body: good.Body, Payloads: []ledger.Payload{{Name: "input", Data: make([]byte, receipt.MaxPayload+1)}}},
	} {
		_, err := l.Append(t.Context(), e)
		wantCode(t, err, aims.Invalid, "Append: "+what)
		_, err = l.Change(t.Context(), func(*store.Tx) (ledger.Entry, error) { return e, nil })
		wantCode(t, err, aims.Invalid, "Change: "+what)
	}
	if l.Size() != 0 {
		t.Errorf("%d entries", l.Size())
	}
	for _, kind := range []receipt.Kind{receipt.RefusalKind, receipt.DecisionKind, receipt.EventKind} {
		mustAppend(t, l, ledger.Entry{Kind: kind, Body: []byte(`{"x":"` + strings.Repeat("x", ledger.MaxBody-8) + `"}`)})
	}
}

func TestDecisionIsClosedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		mustAppend(t, l, event("first"))
		id := aims.NewID("rcp")
		ref := mustAppend(t, l, decision(id, "{}"))
		other := mustAppend(t, l, decision(aims.NewID("rcp"), "{}"))

		_, err := l.Append(t.Context(), outcome(id, 0, "x"))
		wantCode(t, err, aims.Conflict, "closing an event")
		_, err = l.Append(t.Context(), outcome(id, 99, "x"))
		wantCode(t, err, aims.Conflict, "closing what is not there")

		var closed, refused atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				_, err := l.Append(t.Context(), outcome(id, ref.Index, "x"))
				if err == nil {
					closed.Add(1)
				} else if codeOf(err) == aims.Conflict {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if closed.Load() != 1 || refused.Load() != 15 {
			t.Errorf("%d callers closed the decision, %d were refused", closed.Load(), refused.Load())
		}
		mustClose(t, l)

		l = mustOpen(t, db, k.options())
		_, err = l.Append(t.Context(), outcome(id, ref.Index, "x"))
		wantCode(t, err, aims.Conflict, "closing again after a restart")
		open, err := l.OpenDecisions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(open) != 1 || open[0].Index != other.Index {
			t.Errorf("open decisions after a restart: %v", open)
		}
		mustAppend(t, l, outcome(aims.NewID("rcp"), other.Index, "x"))
	})
}

// table makes a table of a caller.
func table(t *testing.T, db *store.DB) {
	t.Helper()
	sqlExec(t, db, "CREATE TABLE state (id BIGINT PRIMARY KEY)")
}

func put(tx *store.Tx, id int) error {
	_, err := tx.Exec("INSERT INTO state (id) VALUES ($1)", id)
	return err
}

func states(t *testing.T, db *store.DB) (ids []int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT id FROM state ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// Every way in which a change can fail takes back its state and its receipt,
// and nobody else's in the same commit.
func TestChangeIsAllOrNothing(t *testing.T) {
	mine := errors.New("mine")
	failures := map[string]func(*store.Tx) (ledger.Entry, error){
		"an error of its own": func(tx *store.Tx) (ledger.Entry, error) { return event("never"), errors.Join(put(tx, 10), mine) },
		"a panic":             func(tx *store.Tx) (ledger.Entry, error) { put(tx, 11); panic("broken") },
		"an error of the database": func(tx *store.Tx) (ledger.Entry, error) {
			return event("never"), errors.Join(put(tx, 12), put(tx, 12))
		},
		"a receipt that cannot be": func(tx *store.Tx) (ledger.Entry, error) {
			return ledger.Entry{Kind: "gossip", Body: []byte("{}")}, put(tx, 13)
		},
		"closing what is not open": func(tx *store.Tx) (ledger.Entry, error) { return outcome(aims.NewID("rcp"), 77, "x"), put(tx, 14) },
		"a second receipt that cannot be": func(tx *store.Tx) (ledger.Entry, error) {
			return followed(event("never"), event("never"), ledger.Entry{Kind: "gossip", Body: []byte("{}")}), put(tx, 15)
		},
		"a second receipt that closes what is not open": func(tx *store.Tx) (ledger.Entry, error) {
			return followed(event("never"), outcome(aims.NewID("rcp"), 77, "x")), put(tx, 16)
		},
		"receipts behind receipts behind receipts": func(tx *store.Tx) (ledger.Entry, error) {
			return followed(event("never"), followed(event("never"), event("never"))), put(tx, 17)
		},
		"too many receipts": func(tx *store.Tx) (ledger.Entry, error) {
			return followed(event("never"), slices.Repeat([]ledger.Entry{event("never")}, 5000)...), put(tx, 18)
		},
	}
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		table(t, db)
		l := mustOpen(t, db, k.options())
		// All of them wait while this one runs, so that they share a commit.
		begun, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := l.Change(t.Context(), func(tx *store.Tx) (ledger.Entry, error) {
				close(begun)
				<-release
				return event("first"), put(tx, 1)
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-begun
		for what, fn := range failures {
			wg.Go(func() {
				_, err := l.Change(t.Context(), fn)
				if err == nil {
					t.Errorf("%s: no error", what)
				}
				if what == "an error of its own" && !errors.Is(err, mine) {
					t.Errorf("%s: %v", what, err)
				}
			})
			wg.Go(func() { mustAppend(t, l, event("beside")) })
		}
		for id := range 3 {
			wg.Go(func() {
				_, err := l.Change(t.Context(), func(tx *store.Tx) (ledger.Entry, error) { return event("second"), put(tx, 2+id) })
				if err != nil {
					t.Error(err)
				}
			})
		}
		close(release)
		wg.Wait()
		if diff := cmp.Diff([]int{1, 2, 3, 4}, states(t, db)); diff != "" {
			t.Error(diff)
		}
		leaves := all(t, l)
		if want := 4 + len(failures); len(leaves) != want {
			t.Errorf("%d receipts, want %d", len(leaves), want)
		}
		if slices.ContainsFunc(leaves, func(l ledger.Leaf) bool { return strings.Contains(string(l.Body), "never") }) {
			t.Error("the receipt of a change that failed is in the log")
		}
	})
}

// followed is an entry with others behind it.
func followed(e ledger.Entry, then ...ledger.Entry) ledger.Entry {
	e.Then = then
	return e
}

// A change of whole registers has a receipt for each agent that it concerns.
func TestAChangeHasManyReceipts(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		many := func(n int) error {
			_, err := l.Change(t.Context(), func(*store.Tx) (ledger.Entry, error) {
				e := event("first")
				for range n {
					e.Then = append(e.Then, event("behind"))
				}
				return e, nil
			})
			return err
		}
		if err := many(1000); err != nil || l.Size() != 1001 {
			t.Fatalf("a change with 1000 receipts behind it: %v, %d entries", err, l.Size())
		}
		if err := many(5000); codeOf(err) != aims.Invalid || l.Size() != 1001 {
			t.Errorf("a change with 5000 receipts behind it: %v, %d entries", err, l.Size())
		}
	})
}

// What follows from a change stands right behind it, whatever else is in the
// same commit, and no decision is closed twice in it.
func TestReceiptsOfOneChangeStandTogether(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		id := aims.NewID("rcp")
		held := mustAppend(t, l, decision(id, "s"))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { mustAppend(t, l, event("beside")) })
			wg.Go(func() {
				ref, err := l.Change(t.Context(), func(*store.Tx) (ledger.Entry, error) {
					return followed(event("one"), event("two"), event("three")), nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				for i, want := range []string{"one", "two", "three"} {
					leaf, err := l.Entry(t.Context(), ref.Index+uint64(i))
					if err != nil || !strings.Contains(string(leaf.Body), want) {
						t.Errorf("entry %d: %s, %v, want %s", ref.Index+uint64(i), leaf.Body, err, want)
					}
				}
			})
		}
		wg.Wait()
		_, err := l.Change(t.Context(), func(*store.Tx) (ledger.Entry, error) {
			return followed(outcome(id, held.Index, "x"), outcome(id, held.Index, "x")), nil
		})
		if codeOf(err) != aims.Conflict {
			t.Errorf("closing a decision twice at once: %v", err)
		}
		if _, err := l.Append(t.Context(), followed(event("one"), event("two"))); codeOf(err) != aims.Invalid {
			t.Errorf("several without a change: %v", err)
		}
		mustClose(t, l)
		mustVerify(t, k.verify(t, db))
	})
}

// A function that hides an error of the database has not changed anything.
func TestChangeThatHidesAnError(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		table(t, db)
		l := mustOpen(t, db, k.options())
		_, err := l.Change(t.Context(), func(tx *store.Tx) (ledger.Entry, error) {
			if err := put(tx, 1); err != nil {
				return ledger.Entry{}, err
			}
			put(tx, 1)
			return event("hidden"), nil
		})
		// SQLite undoes the statement alone, PostgreSQL gives up the transaction.
		if stored := len(states(t, db)); (err == nil) != (stored == 1) || uint64(stored) != l.Size() {
			t.Errorf("error %v, %d rows, %d receipts", err, stored, l.Size())
		}
		mustAppend(t, l, event("after"))
	})
}

// blocked runs a change that holds the sequencer until release is called.
func blocked(t *testing.T, l *ledger.Ledger) (release func()) {
	t.Helper()
	begun, let, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := l.Change(context.Background(), func(*store.Tx) (ledger.Entry, error) {
			close(begun)
			<-let
			return event("blocking"), nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-begun
	var once sync.Once
	release = func() { once.Do(func() { close(let); <-done }) }
	t.Cleanup(release)
	return release
}

func TestContextThatEnds(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Append(ended, event("never"))
	wantCode(t, err, aims.Unavailable, "a context that had ended")

	release := blocked(t, l)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = l.Append(short, event("never"))
	wantCode(t, err, aims.Unavailable, "a context that ended in the queue")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the cause is %v", err)
	}
	release()
	mustAppend(t, l, event("after"))
	for _, leaf := range all(t, l) {
		if strings.Contains(string(leaf.Body), "never") {
			t.Error("a caller was told that nothing was done, and its receipt is in the log")
		}
	}
}

// While the commit is under way, the caller waits for what comes of it.
func TestContextThatEndsDuringTheCommit(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	ctx, cancel := context.WithCancel(t.Context())
	ref, err := l.Change(ctx, func(*store.Tx) (ledger.Entry, error) {
		cancel()
		return event("committed"), nil
	})
	if err != nil || ref.Index != 0 || l.Size() != 1 {
		t.Errorf("ref %+v, error %v, %d entries", ref, err, l.Size())
	}
}

func TestFullQueue(t *testing.T) {
	k := newKeys(t, origin)
	l := mustOpen(t, onSQLite(t).open(t), k.options())
	release := blocked(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var exhausted, waited atomic.Int32
	var wg sync.WaitGroup
	const callers = 1500
	for range callers {
		wg.Go(func() {
			switch _, err := l.Append(ctx, event("never")); codeOf(err) {
			case aims.Exhausted:
				exhausted.Add(1)
			case aims.Unavailable:
				waited.Add(1)
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	// One more is turned away when its time is over, because the queue is full.
	eventually(t, "a full queue", func() bool {
		short, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		_, err := l.Append(short, event("never"))
		return codeOf(err) == aims.Exhausted
	})
	cancel()
	wg.Wait()
	release()
	if exhausted.Load() == 0 || waited.Load() == 0 {
		t.Errorf("%d found the queue full, %d waited in it", exhausted.Load(), waited.Load())
	}
	mustAppend(t, l, event("after"))
	if l.Size() != 2 {
		t.Errorf("%d entries, want the blocking one and the last", l.Size())
	}
}

func TestClose(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		k, db := newKeys(t, origin), at.open(t)
		l := mustOpen(t, db, k.options())
		var stored atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for {
					_, err := l.Append(t.Context(), event("x"))
					if err != nil {
						wantCode(t, err, aims.Unavailable, "while closing")
						return
					}
					stored.Add(1)
				}
			})
		}
		eventually(t, "some appends", func() bool { return stored.Load() > 100 })
		mustClose(t, l)
		wg.Wait()
		if l.Size() != uint64(stored.Load()) {
			t.Errorf("%d entries, %d callers were told so", l.Size(), stored.Load())
		}
		_, err := l.Change(t.Context(), func(*store.Tx) (ledger.Entry, error) { return event("late"), nil })
		wantCode(t, err, aims.Unavailable, "after Close")
		mustClose(t, l) // closing twice does no harm

		l = mustOpen(t, db, k.options())
		if c := k.head(t, l); c.Size != uint64(stored.Load()) {
			t.Errorf("the last checkpoint is of size %d, the log has %d", c.Size, stored.Load())
		}
	})
}
