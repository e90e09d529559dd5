package session

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is spent and however the clock runs, a window never shows less than
// was spent within it, and more only by a bucket.
func TestWindowNeverForgetsTooEarly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.IntRange(1, 3_600_000).Draw(t, "window ms")) * time.Millisecond
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		type spending struct {
			at     time.Time
			amount int64
		}
		var all []spending
		var w *Window
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(window)/20).Draw(t, "later")))
			if rapid.Bool().Draw(t, "spends") {
				amount := rapid.Int64Range(0, 1_000_000).Draw(t, "amount")
				w = w.add(amount, window, now)
				all = append(all, spending{now, amount})
			}
			least, most := int64(0), int64(0)
			for _, s := range all {
				if now.Sub(s.at) < window {
					least += s.amount
				}
				if now.Sub(s.at) <= window+window/maxBuckets+2*time.Microsecond {
					most += s.amount
				}
			}
			if got := w.spent(window, now); got < least || got > most {
				t.Fatalf("spent %d, expected %d to %d", got, least, most)
			}
			if w != nil && len(w.Buckets) > maxBuckets+2 {
				t.Fatalf("%d buckets", len(w.Buckets))
			}
		}
	})
}

// A window that becomes shorter or longer, a clock that goes back, and sums
// beyond all numbers lose nothing.
func TestWindowUnderChange(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var w *Window
	for i := range 100 {
		w = w.add(1, time.Hour, now.Add(time.Duration(i)*time.Minute/2))
	}
	later := now.Add(50 * time.Minute)
	if got := w.add(1, 24*time.Hour, later).spent(24*time.Hour, later); got != 101 {
		t.Errorf("a longer window: %d", got)
	}
	if got := w.add(1, 0, later).spent(0, later.Add(1e6*time.Hour)); got != 101 {
		t.Errorf("no window: %d", got)
	}
	if got := w.add(5, time.Hour, now.Add(-time.Hour)).spent(time.Hour, later); got != 105 {
		t.Errorf("a clock that went back: %d", got)
	}
	if got := w.add(math.MaxInt64, time.Hour, later).spent(time.Hour, later); got != math.MaxInt64 {
		t.Errorf("the largest amount: %d", got)
	}
}
