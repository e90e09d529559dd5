package register_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
)

// Two people start from one state. What they do to different records is kept
// from both; where both change one, the second is told what, who and when.
func TestTwoPeopleAtOnce(t *testing.T) {
	w := newWorld(t)
	start := w.apply("ada", register.Base{}, risks("one", "two", "three")).Next
	w.apply("ada", start, risks("ONE", "two", "three"))
	w.clock.Advance(time.Minute)
	second := w.apply("bob", start, risks("one", "TWO", "three"))
	if len(second.Changes) != 1 || len(second.Next.Behind) != 1 || second.Next.Behind[0].ID != "r1" {
		t.Fatalf("%+v", second)
	}
	// Bob's files still say "one", and do not undo what Ada did.
	third := w.apply("bob", second.Next, risks("one", "TWO!", "three"))
	if got := w.state().Registers.Risks; got[0].Title != "ONE" || got[1].Title != "TWO!" {
		t.Fatalf("%+v", got)
	}
	before, _ := w.Version(t.Context())
	_, err := w.Apply(t.Context(), person("bob"), decision, third.Next, w.files(risks("EINS", "TWO!!", "three")), true)
	refused(t, err, aims.Conflict, "risk/r1 was changed by ada at 2026-11-23T12:00:00Z (title)", "nothing was applied")
	_, err = w.Apply(t.Context(), person("bob"), decision, third.Next, w.files(risks()), true)
	refused(t, err, aims.Conflict, "risk/r1")
	if after, _ := w.Version(t.Context()); after != before {
		t.Error("a change in conflict left something behind")
	}
	if got := w.state().Registers.Risks[1].Title; got != "TWO!" {
		t.Errorf("a change in conflict was half applied: %q", got)
	}
	// Both want the same.
	same := w.apply("carl", start, risks("ONE", "TWO!", "three"))
	if len(same.Changes)+len(same.Next.Behind) != 0 {
		t.Errorf("who wants what there is changes %+v", same)
	}
	w.sound()
}

// What another removed is not changed, and what another created is not
// overwritten by who does not know it.
func TestConflictsOfRemovalAndCreation(t *testing.T) {
	w := newWorld(t)
	start := w.apply("ada", register.Base{}, risks("one", "two")).Next
	w.apply("ada", start, risks("one"))
	_, err := w.Apply(t.Context(), person("bob"), decision, start, w.files(risks("one", "TWO")), true)
	refused(t, err, aims.Conflict, "risk/r2 was removed by ada")
	_, err = w.Apply(t.Context(), person("bob"), decision, register.Base{}, w.files(risks("EINS")), true)
	refused(t, err, aims.Conflict, "risk/r1 was created by ada")
	_, err = w.Plan(t.Context(), register.Base{Index: 1 << 40}, w.files(risks()), true)
	refused(t, err, aims.Invalid, "another log")
}

// A directory that holds a part removes nothing of the rest, neither at first
// nor once it is known what it was based on.
func TestAPartRemovesNothing(t *testing.T) {
	w := newWorld(t)
	w.apply("ada", register.Base{}, risks("one", "two"))
	part := w.files("suppliers: [{id: acme, name: Acme}]")
	p, err := w.Apply(t.Context(), person("bob"), decision, register.Base{}, part, false)
	w.ok(err)
	if len(p.Changes) != 1 || len(w.state().Registers.Risks) != 2 {
		t.Fatalf("%+v", p.Changes)
	}
	p, err = w.Apply(t.Context(), person("bob"), decision, p.Next, w.files("suppliers: [{id: acme, name: Acme Ltd}]"), true)
	w.ok(err)
	if len(p.Changes) != 1 || len(w.state().Registers.Risks) != 2 {
		t.Fatalf("the second time: %+v", p.Changes)
	}
	p, err = w.Apply(t.Context(), person("bob"), decision, p.Next, record.Registers{}, true)
	w.ok(err)
	if len(p.Changes) != 1 || p.Changes[0].Event != record.Removed || p.Changes[0].Kind != "supplier" {
		t.Errorf("what the directory had and has no more: %+v", p.Changes)
	}
}

// The registers stay whole: what would be wrong afterwards is refused before
// anything is stored.
func TestTheWholeIsChecked(t *testing.T) {
	w := newWorld(t)
	base := w.apply("ada", register.Base{}, risks("one")).Next
	size := w.ledger.Size()
	for name, files := range map[string]string{
		"there is no person":        strings.Replace(risks("one"), "{id: rita, name: Rita}, ", "", 1),
		"lies after 2026-11-23":     risks("one") + "evaluations: [{id: e, agent: a, agent_version: '1', on: 2027-01-01, metric: m, threshold: t, value: v, result: pass}]\nagents: [{id: a}]",
		"level 3 is beyond":         strings.Replace(risks("one"), "owner: rita", "owner: rita, likelihood: 3", 1),
		"assignment/theo-clerk: ro": strings.Replace(risks("one"), ", {id: clerk, title: Clerk}", "", 1),
	} {
		_, err := w.Apply(t.Context(), person("ada"), decision, base, w.files(files), true)
		refused(t, err, aims.Invalid, name)
	}
	var twice record.Registers
	twice.Suppliers = []record.Supplier{{Base: record.Base{ID: "acme"}, Name: "A"}, {Base: record.Base{ID: "acme"}, Name: "B"}}
	_, err := w.Apply(t.Context(), person("ada"), decision, register.Base{}, twice, false)
	refused(t, err, aims.Invalid, "supplier/acme stands twice")
	var long record.Registers
	long.Suppliers = []record.Supplier{{Base: record.Base{ID: "acme"}, Name: strings.Repeat("x", 2<<20)}}
	_, err = w.Apply(t.Context(), person("ada"), decision, register.Base{}, long, false)
	refused(t, err, aims.Invalid, "supplier/acme has")
	for _, by := range []aims.Actor{{}, aims.System, {Type: aims.AgentType, ID: "billing"}} {
		_, err := w.Apply(t.Context(), by, decision, base, w.files(risks("two")), true)
		refused(t, err, aims.Denied)
	}
	if w.ledger.Size() != size {
		t.Error("what was refused stands in the log")
	}
}

// A change that is larger than one receipt stands in several, together.
func TestLargeChangeStandsInSeveralReceipts(t *testing.T) {
	w := newWorld(t)
	var want record.Registers
	for i := range 1200 {
		s := record.Supplier{Base: record.Base{ID: fmt.Sprintf("supplier-%04d-%s", i, strings.Repeat("x", 40))}, Name: "Supplier"}
		if i%100 == 0 {
			s.Note = strings.Repeat("n", 900<<10)
		}
		want.Suppliers = append(want.Suppliers, s)
	}
	p, err := w.Apply(t.Context(), person("ada"), decision, register.Base{}, want, true)
	w.ok(err)
	if len(p.Receipts) < 10 {
		t.Errorf("%d receipts", len(p.Receipts))
	}
	if s := w.state(); len(s.Registers.Suppliers) != 1200 || s.Versions[record.Key{Kind: "supplier", ID: want.Suppliers[1199].ID}].Index != p.Next.Index {
		t.Errorf("%d suppliers", len(s.Registers.Suppliers))
	}
	for i := range 40 {
		want.Suppliers[i].Note = strings.Repeat("m", 1000<<10)
	}
	size := w.ledger.Size()
	_, err = w.Apply(t.Context(), person("ada"), decision, p.Next, want, true)
	refused(t, err, aims.Invalid, "more than fit into one transaction")
	if w.ledger.Size() != size {
		t.Error("a part of it was stored")
	}
	w.sound()
}

// What follows from records follows in the same transaction, or nothing happens.
func TestProjectionsRideAlong(t *testing.T) {
	var seen []string
	fail := false
	w := newWorld(t, func(_ context.Context, _ *store.Tx, p register.Projected) ([]ledger.Entry, error) {
		if p.Kind != "risk" {
			return nil, nil
		}
		title := func(rec any) string { r, _ := rec.(record.Risk); return r.Title }
		seen = append(seen, title(p.Before)+">"+title(p.After)+" by "+p.By.ID)
		if fail {
			return nil, errors.New("no")
		}
		return nil, nil
	})
	base := w.apply("ada", register.Base{}, risks("one")).Next
	base = w.apply("bob", base, risks("two")).Next
	fail = true
	if _, err := w.Apply(t.Context(), person("ada"), decision, base, w.files(risks()), true); err == nil {
		t.Error("a projection that failed is passed over")
	}
	if got := strings.Join(seen, ", "); got != ">one by ada, one>two by bob, two> by ada" {
		t.Errorf("projections saw %s", got)
	}
	if s := w.state(); len(s.Registers.Risks) != 1 {
		t.Error("the records changed without what follows from them")
	}
	w.sound()
}

// Whatever people do from whichever base, the tables are what the log says, every
// earlier state stays readable as it was, and files that were applied are no
// change.
func TestAnyHistoryIsTheLogs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		var bases []register.Base
		states := map[time.Time]record.Registers{}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			w.clock.Advance(time.Second)
			var want record.Registers
			for id := range 4 {
				if rapid.Bool().Draw(rt, "there") {
					want.Suppliers = append(want.Suppliers, record.Supplier{
						Base: record.Base{ID: fmt.Sprint("s", id)}, Name: rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "name"),
					})
				}
			}
			base := register.Base{}
			if n := rapid.IntRange(0, len(bases)).Draw(rt, "base"); n > 0 {
				base = bases[n-1]
			}
			whole := rapid.Bool().Draw(rt, "whole")
			p, err := w.Apply(t.Context(), person("ada"), decision, base, want, whole)
			if code, _ := aims.Public(err); err != nil && code != aims.Conflict {
				rt.Fatal(err)
			}
			if err == nil {
				bases = append(bases, p.Next)
				if again, err := w.Plan(t.Context(), p.Next, want, true); err != nil || len(again.Changes)+len(again.Conflicts) > 0 {
					rt.Fatalf("applied, and %+v is left (%v)", again, err)
				}
			}
			states[w.clock.Now()] = w.state().Registers
		}
		for at, want := range states {
			if s, err := w.At(t.Context(), at); err != nil || !s.Registers.Equal(want) {
				rt.Fatalf("at %s it was otherwise (%v)", at, err)
			}
		}
		if v, err := w.Verify(t.Context()); err != nil || len(v.Differences) > 0 {
			rt.Fatalf("%v %v", v.Differences, err)
		}
	})
}
