package ledger_test

import (
	"fmt"
	"sync"
	"testing"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// beholder is what one process believes of the log when a change is made.
type beholder struct {
	process int
	size    uint64
}

func (*beholder) Settle(uint64, bool)           {}
func (*beholder) Write(*store.Tx) error         { return nil }
func (*beholder) End(_, _ uint64, _ bool)       {}
func (w *beholder) Begin(_ *store.Tx, n uint64) { w.size = n }

// What a change beside the log is made from is the log as it is at the
// receipt's place, however many processes append: between the size that it saw
// and its receipt nothing stands but what the same commit appended.
func TestChangesBesideSeeTheLogAtTheirPlace(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		ls, _ := replicas(t, at, newKeys(t, origin).options(), 3)
		var wg sync.WaitGroup
		for i, l := range ls {
			w := &beholder{process: i}
			l.Accompany(w)
			for caller := range 6 {
				wg.Go(func() {
					for n := range 20 {
						var err error
						if caller == 0 && n%4 == 0 {
							_, err = l.Append(t.Context(), event("plain"))
						} else {
							_, err = l.Beside(t.Context(), func(*store.Tx) (ledger.Entry, error) {
								return event(fmt.Sprintf("%d.%d", w.process, w.size)), nil
							})
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		wg.Wait()
		mustAppend(t, ls[0], event("plain")) // for which it learns of all that the others appended
		leaves := all(t, ls[0])
		names := map[uint64]string{}
		for _, leaf := range leaves {
			e, err := receipt.DecodeEvent(leaf.Body)
			if err != nil {
				t.Fatal(err)
			}
			names[leaf.Index] = e.Name
		}
		for index, name := range names {
			var process int
			var size uint64
			if name == "plain" {
				continue
			}
			if _, err := fmt.Sscanf(name, "%d.%d", &process, &size); err != nil {
				t.Fatal(err)
			}
			for between := size; between < index; between++ {
				if other := names[between]; other != name && other != "plain" {
					t.Fatalf("a change at %d saw a log of %d entries, and %q stands at %d", index, size, other, between)
				}
			}
		}
	})
}

// An outcome that is recorded beside the log is not refused because another
// process has made the decision.
func TestReplicaClosesBesideWhatAnotherDecided(t *testing.T) {
	eachStore(t, func(t *testing.T, at place) {
		ls, _ := replicas(t, at, newKeys(t, origin).options(), 2)
		for range 3 {
			id := aims.NewID("rcp")
			ref := mustAppend(t, ls[0], decision(id, "{}"))
			ran := 0
			close := func() error {
				_, err := ls[1].Beside(t.Context(), func(*store.Tx) (ledger.Entry, error) {
					ran++
					return outcome(id, ref.Index, "x"), nil
				})
				return err
			}
			if err := close(); err != nil || ran == 0 {
				t.Fatalf("%v, ran %d times", err, ran)
			}
			wantCode(t, close(), aims.Conflict, "closing again")
		}
	})
}
