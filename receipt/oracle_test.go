package receipt_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// oracle checks headers and pairing one entry after another, as plainly as it
// can be written. Leaves of 30 kB make batches of a few entries.
type oracle struct {
	place, off uint64
	last       time.Time
	open       map[uint64]string
	found      map[string][]string
	decisions  uint64
}

func (o *oracle) except(check, format string, args ...any) {
	o.found[check] = append(o.found[check], fmt.Sprintf("entry %d: ", o.place)+fmt.Sprintf(format, args...))
}

func (o *oracle) entry(h receipt.Header, id string) {
	if by := h.Index - o.place; by != o.off {
		if o.off = by; by != 0 {
			o.except("indexes", "header says index %d", h.Index)
		}
	}
	if h.Time.Before(o.last) {
		o.except("time", "its time is earlier than that of the entry before it")
	}
	o.last = h.Time
	switch h.Kind {
	case receipt.DecisionKind:
		o.decisions++
		o.open[h.Index] = id
	case receipt.OutcomeKind:
		opened, ok := o.open[h.Closes]
		switch {
		case h.Closes >= h.Index:
			o.except("outcomes", "closes entry %d, which does not come before it", h.Closes)
		case !ok:
			o.except("outcomes", "closes entry %d, which is no decision or was closed before", h.Closes)
		case opened != id:
			o.except("outcomes", "closes entry %d but names another decision", h.Closes)
		}
		if h.Closes < h.Index {
			delete(o.open, h.Closes)
		}
	}
}

func TestVerifyAgreesWithOracle(t *testing.T) {
	pad := strings.Repeat("x", 30_000)
	rapid.Check(t, func(rt *rapid.T) {
		l := newLog(t, "example.org/log", "a")
		o := oracle{open: map[uint64]string{}, found: map[string][]string{}}
		ahead := uint64(0)
		for range rapid.IntRange(1, 60).Draw(rt, "entries") {
			o.place = l.size()
			if rapid.IntRange(0, 30).Draw(rt, "malformed") == 0 {
				o.except("indexes", "its header line is malformed")
				l.push([]byte("aims-receipt/1 note"))
				continue
			}
			if rapid.IntRange(0, 20).Draw(rt, "jump") == 0 {
				ahead++
			}
			h := receipt.Header{Index: o.place + ahead}
			l.now = l.now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 1000, 1e6, 61e6, -5}).Draw(rt, "time")) * time.Microsecond)
			h.Time = l.now
			body := drawEntry(rt, &h, o, pad)
			leaf, err := receipt.AppendLeaf(nil, h, []byte(encode(t, body)))
			if err != nil {
				t.Fatal(err)
			}
			switch b := body.(type) {
			case receipt.Decision:
				o.entry(h, b.ID)
			case receipt.Outcome:
				o.entry(h, b.Decision)
			default:
				o.entry(h, "")
			}
			l.push(leaf)
			if rapid.IntRange(0, 9).Draw(rt, "checkpoint") == 0 {
				l.checkpoint()
			}
		}
		l.checkpoint()
		r := verify(t, l, receipt.Options{Trust: l.trust(), OutcomeWithin: 24 * time.Hour, Workers: rapid.IntRange(1, 3).Draw(rt, "workers")})
		for _, name := range []string{"indexes", "time", "outcomes"} {
			c, _ := r.Check(name)
			var got []string
			for _, e := range c.First {
				got = append(got, e.String())
			}
			want := o.found[name]
			if c.Exceptions != uint64(len(want)) {
				t.Fatalf("%s: %d exceptions %q, want %q", name, c.Exceptions, got, want)
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" && len(want) <= 10 {
				t.Fatalf("%s: %s", name, diff)
			}
		}
		c, _ := r.Check("outcomes")
		if c.Population != o.decisions || strings.Contains(c.Note, fmt.Sprintf("%d decisions without outcome", len(o.open))) != (len(o.open) > 0) {
			t.Fatalf("%d decisions, %d open, but %+v", o.decisions, len(o.open), c)
		}
		if tree, _ := r.Check("tree"); tree.State != receipt.Passed {
			t.Fatalf("%+v", tree)
		}
	})
}

// drawEntry makes the body of the next entry; an outcome closes an entry that
// may or may not be an open decision, and may name the wrong one.
func drawEntry(rt *rapid.T, h *receipt.Header, o oracle, pad string) any {
	padding := ""
	if rapid.Bool().Draw(rt, "large") {
		padding = pad
	}
	switch rapid.IntRange(0, 4).Draw(rt, "kind") {
	case 0:
		h.Kind = receipt.EventKind
		e := event()
		e.Detail = []byte(`{"padding":"` + padding + `"}`)
		return e
	case 1, 2:
		h.Kind = receipt.DecisionKind
		d := decision()
		d.ID, d.Session = id(o.place), padding
		return d
	}
	h.Kind = receipt.OutcomeKind
	h.Closes = rapid.Uint64Range(0, h.Index+1).Draw(rt, "closes")
	if open := slices.Sorted(maps.Keys(o.open)); len(open) > 0 && rapid.IntRange(0, 3).Draw(rt, "any") > 0 {
		h.Closes = rapid.SampledFrom(open).Draw(rt, "an open one")
	}
	b := outcome()
	b.Detail, b.Decision = padding, o.open[h.Closes]
	if b.Decision == "" || rapid.IntRange(0, 5).Draw(rt, "another") == 0 {
		b.Decision = id(1 << 40)
	}
	return b
}
