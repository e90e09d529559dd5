package enforcement

import (
	"context"
	"runtime"
	"time"
)

// Prepare does all that Decide does besides appending, for benchmarks.
func (e *Enforcer) Prepare(c Call) error {
	c, err := c.named()
	if err != nil {
		return err
	}
	a, err := e.judge(c, e.sessions.View(context.Background()))
	if err != nil {
		return err
	}
	_, err = entryOf(c, a)
	return err
}

// Limiter is the limiter of refusals, for its property test.
type Limiter struct{ *limiter }

// NewLimiter makes one.
func NewLimiter(l Limits) Limiter { return Limiter{newLimiter(l)} }

// Take asks for a receipt of one caller.
func (l Limiter) Take(caller string, now time.Time) bool { return l.take(caller, true, 1, now) }

// WaitForShadow returns when the candidate has decided what was recorded.
func (e *Enforcer) WaitForShadow() {
	for {
		e.shadow.mu.Lock()
		running := e.shadow.running
		e.shadow.mu.Unlock()
		if !running {
			return
		}
		runtime.Gosched()
	}
}
