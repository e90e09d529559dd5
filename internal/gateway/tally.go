package gateway

import (
	"context"
	"sync"

	"aims/internal/aims"
)

// tally counts what runs, per actor and in all.
type tally struct {
	max int

	mu    sync.Mutex
	of    map[aims.Actor]int
	all   int
	empty chan struct{} // closed and replaced whenever nothing runs any more
}

func (t *tally) init(max int) {
	t.max, t.of, t.empty = max, map[aims.Actor]int{}, make(chan struct{})
}

// start counts one more; false says that the actor has too many.
func (t *tally) start(a aims.Actor) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[a] >= t.max {
		return false
	}
	t.of[a]++
	t.all++
	return true
}

func (t *tally) end(a aims.Actor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[a]--; t.of[a] == 0 {
		delete(t.of, a)
	}
	if t.all == 0 {
		close(t.empty)
		t.empty = make(chan struct{})
	}
}

// idle waits until nothing runs, or ctx ends.
func (t *tally) idle(ctx context.Context) {
	t.mu.Lock()
	all, empty := t.all, t.empty
	t.mu.Unlock()
	if all == 0 {
		return
	}
	select {
	case <-empty:
	case <-ctx.Done():
	}
}
