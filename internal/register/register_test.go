package register_test

import (
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/register"
	"aims/internal/register/record"
)

// What is applied is there, is planned no more, and stays known as it was.
func TestApplyShowAndEarlier(t *testing.T) {
	w := newWorld(t)
	empty := w.clock.Now()
	w.clock.Advance(time.Hour)
	p := w.apply("ada", register.Base{}, risks("Wrong payments"))
	if len(p.Changes) != 10 || len(p.Receipts) != 1 {
		t.Fatalf("%d changes, %d receipts", len(p.Changes), len(p.Receipts))
	}
	first := w.clock.Now()
	again, err := w.Plan(t.Context(), p.Next, w.files(risks("Wrong payments")), true)
	w.ok(err)
	if len(again.Changes)+len(again.Conflicts)+len(again.Next.Behind) != 0 {
		t.Errorf("what was just applied would change again: %+v", again)
	}
	w.clock.Advance(time.Hour)
	p = w.apply("bob", p.Next, risks("Payments to strangers", "Loss of data"))
	if len(p.Changes) != 2 || p.Changes[0].Event != record.Changed || p.Changes[1].Event != record.Created {
		t.Fatalf("%+v", p.Changes)
	}
	if f := p.Changes[0].Fields; len(f) != 1 || f[0].Path != "title" || f[0].Before != "Wrong payments" || f[0].After != "Payments to strangers" {
		t.Errorf("the change is shown as %+v", f)
	}
	second := w.clock.Now()
	w.clock.Advance(time.Hour)
	p = w.apply("bob", p.Next, risks("Payments to strangers"))
	if len(p.Changes) != 1 || p.Changes[0].Event != record.Removed {
		t.Fatalf("%+v", p.Changes)
	}
	for at, want := range map[time.Time]int{empty: 0, first: 1, first.Add(time.Hour - 1): 1, second: 2, {}: 1} {
		s, err := w.At(t.Context(), at)
		w.ok(err)
		if len(s.Registers.Risks) != want {
			t.Errorf("at %s there are %d risks; expected %d", at, len(s.Registers.Risks), want)
		}
	}
	history, err := w.History(t.Context(), "risk", "r2", time.Time{})
	w.ok(err)
	if len(history) != 2 || history[0].Version.Event != record.Created || history[1].Version.Event != record.Removed || history[1].Version.By != "bob" {
		t.Errorf("the history of a removed record: %+v", history)
	}
	_, err = w.History(t.Context(), "risk", "r3", time.Time{})
	refused(t, err, aims.NotFound, "risk", "r3")
	w.sound()
}
