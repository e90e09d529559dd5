package session

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// doSomething changes a run as one receipt does.
func doSomething(t *rapid.T, r *Run, index uint64) {
	labels := rapid.SliceOfN(rapid.SampledFrom([]string{"public", "private", "untrusted"}), 0, 2).Draw(t, "labels")
	switch rapid.IntRange(0, 6).Draw(t, "what") {
	case 0:
		r.called(fmt.Sprintf("desk___t%d", rapid.IntRange(0, 3).Draw(t, "tool")), rapid.Bool().Draw(t, "allowed"))
	case 1:
		r.acts(labels)
	case 2:
		r.read(rapid.Uint64Range(0, index).Draw(t, "decision"), labels, rapid.Bool().Draw(t, "kept"))
	case 3:
		if n := len(r.Unreported); n > 0 {
			r.read(uint64(r.Unreported[rapid.IntRange(0, n-1).Draw(t, "unreported")].Decision), labels, true)
		}
	case 4:
		r.overflow(labels)
	case 5:
		r.Prompts = append(r.Prompts[:len(r.Prompts):len(r.Prompts)], unsettled)
		r.Said = append(r.Said[:len(r.Said):len(r.Said)], r.mark(fmt.Sprint(index)))
	case 6:
		r.Purpose, r.Chain = "paying", []Delegator{{Actor: "agent:a", Run: "run_x"}}
	}
	r.settle(index)
}

// Whoever reads the journal, row by row, knows of a run what was known when it
// was written, whatever happened in one commit or in several.
func TestJournalSaysAllThatIsKnownOfARun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Key{"agent:a", "s"}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var written, read held
		index := uint64(1)
		for range rapid.IntRange(1, 20).Draw(t, "commits") {
			before := written
			r, _ := before.value.(*Run)
			if r == nil || rapid.IntRange(0, 9).Draw(t, "anew") == 0 {
				r = &Run{Key: k}
			}
			for range rapid.IntRange(1, 5).Draw(t, "changes") {
				r = r.next(now)
				doSomething(t, r, index)
				written = held{r, index}
				index++
			}
			row, err := json.Marshal([]journalling{journalOf(k.name(), before, written)})
			if err != nil {
				t.Fatal(err)
			}
			var states []journalled
			if err := json.Unmarshal(row, &states); err != nil {
				t.Fatal(err)
			}
			if read, err = states[0].on(read); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, read.value, cmpopts.EquateEmpty()); diff != "" || read.version != written.version {
				t.Fatal(diff)
			}
		}
	})
}

// A row that says what changed is never put on anything else.
func TestJournalNeedsWhatCameBefore(t *testing.T) {
	k := Key{"agent:a", "s"}
	r := (&Run{Key: k}).next(time.Now())
	r.Labels = []string{"private"}
	before := held{r, 7}
	after := r.next(time.Now())
	after.called("desk___pay", true)
	row, err := json.Marshal(journalOf(k.name(), before, held{after, 8}))
	if err != nil {
		t.Fatal(err)
	}
	var j journalled
	if err := json.Unmarshal(row, &j); err != nil {
		t.Fatal(err)
	}
	other := *r
	other.ID = "run_other"
	for name, wrong := range map[string]held{"nothing": {}, "an older state": {r, 6}, "another run": {&other, 7}} {
		if h, err := j.on(wrong); err == nil {
			t.Errorf("put on %s: %+v", name, h.value)
		}
	}
	if h, err := j.on(before); err != nil || len(h.value.(*Run).Labels) != 1 {
		t.Errorf("%+v, %v", h.value, err)
	}
}

// A row as it was written before rows said only what changed.
func TestJournalReadsWholeStates(t *testing.T) {
	const row = `{"k":0,"a":"agent:a","b":"s","v":9,"s":{"began":"2026-01-01T00:00:00Z","changed":"2026-01-01T00:00:00Z","tools":["x"]},"r":"run_a","f":1,"n":[{"r":5,"d":4}]}`
	var j journalled
	if err := json.Unmarshal([]byte(row), &j); err != nil {
		t.Fatal(err)
	}
	old := &Run{ID: "run_a", Labels: []string{"private"}, Unreported: []Unreported{{Decision: 3}}, Results: []Result{{Receipt: 1, Decision: 0}}}
	h, err := j.on(held{old, 4})
	if err != nil {
		t.Fatal(err)
	}
	if r := h.value.(*Run); len(r.Labels) != 0 || len(r.Unreported) != 0 || len(r.Results) != 2 {
		t.Errorf("%+v", r)
	}
}
