package bench

import (
	"context"
	"sync"
	"time"
)

// roomy is how much garbage, in percent of what is in use, the processes that
// only stand beside the product let gather: those that call and the MCP server
// that is called. With little in use they would otherwise collect it hundreds
// of times a second, on the cores that the product shares with them. The
// product itself, and what its cost is compared with, run as they are.
const roomy = 800

// operation is one thing that a caller does again and again. caller numbers
// the callers from 0 and n the caller's operations.
type operation func(ctx context.Context, caller, n int) error

// loaded is what concurrent callers did.
type loaded struct {
	took    []time.Duration // each operation's time, in no order
	elapsed time.Duration
}

func (l loaded) perSecond() float64 { return float64(len(l.took)) / l.elapsed.Seconds() }

// load lets callers do op in a closed loop for the window: each begins its next
// when its last is done. The first error ends it.
func load(ctx context.Context, callers int, window time.Duration, op operation) (loaded, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([][]time.Duration, callers)
	var done sync.WaitGroup
	start := time.Now()
	for caller := range callers {
		done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				if began.Sub(start) >= window {
					return
				}
				if err := op(ctx, caller, n); err != nil {
					cancel(err)
					return
				}
				took[caller] = append(took[caller], time.Since(began))
			}
		})
	}
	done.Wait()
	result := loaded{elapsed: time.Since(start)}
	for _, t := range took {
		result.took = append(result.took, t...)
	}
	return result, context.Cause(ctx)
}

// alternate times a and b in turn, count times each, one after the other.
func alternate(ctx context.Context, count int, a, b operation) (tookA, tookB []time.Duration, err error) {
	for n := range count {
		for _, side := range []struct {
			op   operation
			took *[]time.Duration
		}{{a, &tookA}, {b, &tookB}} {
			start := time.Now()
			if err := side.op(ctx, 0, n); err != nil {
				return nil, nil, err
			}
			*side.took = append(*side.took, time.Since(start))
		}
	}
	return tookA, tookB, nil
}
