package session

import (
	"math"
	"slices"
	"time"
)

// Account is one counter of a budget: that of a run, an agent, a purpose or a tool.
type Account struct {
	Budget string
	Scope  string
	// Window is how long back is counted; 0 for always.
	Window time.Duration
}

func (a Account) name() name { return name{budgets, a.Budget, a.Scope} }

// Window is what was spent on an account within the last time. It is never changed.
type Window struct {
	Buckets []Bucket `json:"buckets"` // oldest first
}

// Bucket is a part of the window, with what was spent until its end.
type Bucket struct {
	End int64 `json:"end"` // microseconds since the Unix epoch; 0 for never
	Sum int64 `json:"sum"` // ten-thousandths, as Cedar's decimal
}

// maxBuckets is into how many parts a window is cut: by that much a sum falls too
// late, and never too early.
const maxBuckets = 60

// counts says whether a bucket is, or may in part be, within the window.
func (b Bucket) counts(window time.Duration, now time.Time) bool {
	return window == 0 || b.End == 0 || b.End+window.Microseconds() > now.UnixMicro()
}

func (w *Window) spent(window time.Duration, now time.Time) int64 {
	sum := int64(0)
	if w == nil {
		return 0
	}
	for _, b := range w.Buckets {
		if b.counts(window, now) {
			sum = saturated(sum, b.Sum)
		}
	}
	return sum
}

// saturated adds amounts that are not negative, up to the largest.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// add is the window with an amount that is spent now.
func (w *Window) add(amount int64, window time.Duration, now time.Time) *Window {
	next := &Window{}
	if w != nil {
		next.Buckets = slices.DeleteFunc(slices.Clone(w.Buckets), func(b Bucket) bool { return !b.counts(window, now) })
	}
	end := int64(0)
	if window > 0 {
		size := max(1, window.Microseconds()/maxBuckets)
		end = (now.UnixMicro()/size + 1) * size
	}
	last := len(next.Buckets) - 1
	// A clock that runs backwards adds to the newest bucket, which counts longest.
	if last < 0 || end != 0 && next.Buckets[last].End != 0 && next.Buckets[last].End < end {
		next.Buckets = append(next.Buckets, Bucket{End: end})
		last++
	}
	if end == 0 {
		next.Buckets[last].End = 0
	}
	next.Buckets[last].Sum = saturated(next.Buckets[last].Sum, amount)
	for len(next.Buckets) > maxBuckets+2 { // the window was longer before: count the oldest for longer
		next.Buckets[1].Sum = saturated(next.Buckets[0].Sum, next.Buckets[1].Sum)
		next.Buckets = next.Buckets[1:]
	}
	return next
}

// Spent is what was spent on an account within its window, in ten-thousandths.
func (v *View) Spent(a Account) (int64, error) {
	h, err := v.note(a.name())
	w, _ := h.value.(*Window)
	return w.spent(a.Window, v.now), err
}

// Spend spends an amount, which is not negative, on an account.
func (t *Tx) Spend(a Account, amount int64) error {
	h, err := t.get(a.name())
	if err != nil {
		return err
	}
	w, _ := h.value.(*Window)
	t.s.memory.set(a.name(), w.add(amount, a.Window, t.now))
	return nil
}
