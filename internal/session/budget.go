package session

import (
	"math"
	"time"
)

// Window is what was spent of a budget within the last time. It is never changed.
type Window struct {
	Buckets []Bucket `json:"buckets"` // oldest first
}

// Bucket is a part of the window, with what was spent in it.
type Bucket struct {
	Begin int64 `json:"begin"` // microseconds since the Unix epoch
	Sum   int64 `json:"sum"`   // ten-thousandths, as Cedar's decimal
}

// buckets is into how many parts a window is cut: that is how much too late,
// and never too early, a sum falls.
const buckets = 60

// one is a call in the unit of sums.
const one = 10_000

func bucketOf(window time.Duration) int64 { return max(1, window.Microseconds()/buckets) }

// spent is the sum within the window that ends now.
func (w *Window) spent(window time.Duration, now time.Time) int64 {
	if w == nil {
		return 0
	}
	sum := int64(0)
	for _, b := range w.Buckets {
		if b.Begin+bucketOf(window)+window.Microseconds() > now.UnixMicro() {
			if sum > math.MaxInt64-b.Sum {
				return math.MaxInt64
			}
			sum += b.Sum
		}
	}
	return sum
}

// add is the window with an amount that is spent now.
func (w *Window) add(amount int64, window time.Duration, now time.Time) *Window {
	size := bucketOf(window)
	begin := now.UnixMicro() / size * size
	next := &Window{Buckets: make([]Bucket, 0, buckets+2)}
	if w != nil {
		for _, b := range w.Buckets {
			if b.Begin+size+window.Microseconds() > now.UnixMicro() {
				next.Buckets = append(next.Buckets, b)
			}
		}
	}
	last := len(next.Buckets) - 1
	// A clock that runs backwards adds to the newest bucket, which is dropped last.
	if last < 0 || next.Buckets[last].Begin < begin {
		next.Buckets = append(next.Buckets, Bucket{Begin: begin})
		last++
	}
	next.Buckets[last].Sum += amount
	return next
}
