package enforcement

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"aims/receipt"
)

// Limits bound how many refusal receipts are written, so that a flood of bad
// requests cannot fill the disk. A receipt costs one, and one more for each
// 4 KiB that are stored with it. The zero value of each means its default.
type Limits struct {
	// Burst and PerSecond are what one caller may cause: 100, and 5 a second.
	Burst, PerSecond float64
	// TotalBurst and TotalPerSecond are for all callers together, once for those
	// that are authenticated and once for those that are not: 500, and 20 a second.
	TotalBurst, TotalPerSecond float64
	// Callers is how many callers are told apart: 4096.
	Callers int
}

func (l Limits) orDefaults() Limits {
	l.Burst = cmp.Or(l.Burst, 100)
	l.PerSecond = cmp.Or(l.PerSecond, 5)
	l.TotalBurst = cmp.Or(l.TotalBurst, 500)
	l.TotalPerSecond = cmp.Or(l.TotalPerSecond, 20)
	l.Callers = cmp.Or(l.Callers, 4096)
	return l
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time, burst, perSecond float64) {
	if b.at.IsZero() {
		b.tokens = burst
	} else if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.tokens = min(burst, b.tokens+gone*perSecond)
	}
	b.at = now
}

// limiter decides which refusals get a receipt of their own and counts the others.
type limiter struct {
	Limits
	mu      sync.Mutex
	callers map[string]*bucket
	// others is shared by the callers for which there is no room.
	others bucket
	known  bucket // all that are authenticated
	rest   bucket // all that are not
	swept  time.Time
	counts map[suppressed]uint64
}

func newLimiter(l Limits) *limiter {
	return &limiter{Limits: l.orDefaults(), callers: map[string]*bucket{}, counts: map[suppressed]uint64{}}
}

// take says whether a refusal of this cost may be recorded by itself.
func (l *limiter) take(caller string, authenticated bool, cost float64, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.bucket(caller, now)
	total := &l.rest
	if authenticated {
		total = &l.known
	}
	mine.fill(now, l.Burst, l.PerSecond)
	total.fill(now, l.TotalBurst, l.TotalPerSecond)
	// What costs more than a full bucket holds empties it.
	fromMine, fromTotal := min(cost, l.Burst), min(cost, l.TotalBurst)
	if mine.tokens < fromMine || total.tokens < fromTotal {
		return false
	}
	mine.tokens -= fromMine
	total.tokens -= fromTotal
	return true
}

// bucket finds a caller's bucket. A full one has nothing to remember and makes
// room; when there is none, the new caller shares.
func (l *limiter) bucket(caller string, now time.Time) *bucket {
	if b, ok := l.callers[caller]; ok {
		return b
	}
	if len(l.callers) >= l.Callers && now.Sub(l.swept) >= time.Second {
		l.swept = now
		for name, b := range l.callers {
			if b.fill(now, l.Burst, l.PerSecond); b.tokens >= l.Burst {
				delete(l.callers, name)
			}
		}
	}
	if len(l.callers) >= l.Callers {
		return &l.others
	}
	b := &bucket{}
	l.callers[caller] = b
	return b
}

// suppressed is what refusals that were only counted have in common.
type suppressed struct {
	actor   receipt.Party // zero for callers that are not authenticated
	channel string
	cause   string
}

// maxSuppressed bounds how many sums are kept, and so what one flush writes.
const maxSuppressed = 64

// suppress counts a refusal that gets no receipt of its own.
func (l *limiter) suppress(s suppressed) { l.add(s, 1) }

func (l *limiter) add(s suppressed, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.counts[s]; !ok && len(l.counts) >= maxSuppressed {
		s = suppressed{channel: s.channel, cause: "refusals of many callers"}
	}
	l.counts[s] += n
}

// sum is a number of like refusals.
type sum struct {
	suppressed
	count uint64
}

// drain takes the sums.
func (l *limiter) drain() []sum {
	l.mu.Lock()
	defer l.mu.Unlock()
	sums := make([]sum, 0, len(l.counts))
	for s, n := range l.counts {
		sums = append(sums, sum{s, n})
	}
	clear(l.counts)
	slices.SortFunc(sums, func(a, b sum) int {
		return cmp.Or(strings.Compare(a.actor.Type, b.actor.Type), strings.Compare(a.actor.ID, b.actor.ID),
			strings.Compare(a.channel, b.channel), strings.Compare(a.cause, b.cause))
	})
	return sums
}
