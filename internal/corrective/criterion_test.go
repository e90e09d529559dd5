package corrective_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
)

var server = corrective.By{Actor: aims.System}

func (w *world) lapse(held time.Time) (corrective.Nonconformity, bool) {
	w.t.Helper()
	n, raised, err := w.Lapsed(w.t.Context(), server, corrective.Lapse{
		Criterion: "A.9.2/1", Requirement: "A.9.2", Held: held, Statement: "a rule that nobody approved", Responsible: "mara", Evidence: []string{w.event()},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n, raised
}

// A criterion that no longer holds has one open nonconformity, however often it
// is looked at, and also after the analysis found another cause.
func TestALapseIsRaisedOnce(t *testing.T) {
	w := newWorld(t, nil)
	held := w.clock.Now()
	w.clock.Advance(time.Hour)
	n, raised := w.lapse(held)
	if !raised || n.Source != corrective.FromCriterion || n.Criterion != "A.9.2/1" || n.Cause != "a.9.2-1" || n.Responsible != "mara" || n.State != corrective.Raised {
		t.Fatalf("%+v", n)
	}
	must[corrective.Nonconformity](t)(w.Correct(t.Context(), by("mara"), n.ID, "taken out of force"))
	must[corrective.Nonconformity](t)(w.Analyse(t.Context(), by("mara"), n.ID, corrective.CauseAnalysis{Extent: "e", RootCause: "r", Cause: "no-second-pair-of-eyes"}))
	w.clock.Advance(day)
	if _, raised := w.lapse(w.clock.Now()); raised {
		t.Error("it was raised a second time while the first is open")
	}
	all := must[[]corrective.Nonconformity](t)(w.Nonconformities(t.Context(), corrective.Filter{}))
	if len(all) != 1 {
		t.Errorf("%d nonconformities", len(all))
	}
}

// What was withdrawn was said of these exceptions; another lapse is another case.
func TestAWithdrawnLapseStaysSo(t *testing.T) {
	w := newWorld(t, nil)
	held := w.clock.Now()
	w.clock.Advance(time.Hour)
	n, _ := w.lapse(held)
	must[corrective.Nonconformity](t)(w.Withdraw(t.Context(), by("henrik"), n.ID, "the rule is a test's"))
	if _, raised := w.lapse(held); raised {
		t.Error("what was withdrawn came back by the same exceptions")
	}
	w.clock.Advance(day)
	if again, raised := w.lapse(w.clock.Now().Add(-time.Hour)); !raised || again.ID == n.ID {
		t.Errorf("another lapse is not raised: %+v", again)
	}
}

// The same criterion that lapses again after its actions opens the case again.
func TestALapseComesBack(t *testing.T) {
	w := newWorld(t, nil)
	held := w.clock.Now()
	w.clock.Advance(time.Hour)
	n, _ := w.lapse(held)
	today := w.date(0)
	must[corrective.Nonconformity](t)(w.Correct(t.Context(), by("mara"), n.ID, "taken out of force"))
	must[corrective.Nonconformity](t)(w.Analyse(t.Context(), by("mara"), n.ID, corrective.CauseAnalysis{Extent: "e", RootCause: "r", Cause: "x"}))
	must[corrective.Nonconformity](t)(w.Plan(t.Context(), by("mara"), n.ID, corrective.ActionPlan{
		Actions: []corrective.NewAction{{Text: "two look", Owner: "otto", Due: today, Kind: corrective.ProcessAction}}, ReviewFrom: today,
	}))
	must[corrective.Nonconformity](t)(w.Implement(t.Context(), by("otto"), n.ID, corrective.Implementation{Action: "a1", Note: "done"}))
	w.clock.Advance(3 * day)
	again, raised := w.lapse(w.clock.Now().Add(-day))
	if !raised || again.ID != n.ID || again.State != corrective.Reopened {
		t.Errorf("raised %v: %+v", raised, again)
	}
}

// Several processes that look at the same time raise one.
func TestALapseIsRaisedOnceByMany(t *testing.T) {
	w := newWorld(t, nil)
	held := w.clock.Now()
	w.clock.Advance(time.Hour)
	evidence := []string{w.event()}
	var group sync.WaitGroup
	var count atomic.Int32
	for range 8 {
		other := corrective.New(w.db, w.ledger, w.o)
		group.Go(func() {
			_, raised, err := other.Lapsed(t.Context(), server, corrective.Lapse{Criterion: "8.3/1", Requirement: "8.3", Held: held, Statement: "s", Evidence: evidence})
			if err != nil {
				t.Error(err)
			}
			if raised {
				count.Add(1)
			}
		})
	}
	group.Wait()
	if count.Load() != 1 {
		t.Errorf("raised %d times", count.Load())
	}
}
