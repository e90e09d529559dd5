package upstream

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// unmetered is the size up to which a message is not counted against the
// budget: counting the many small ones would cost more than it protects.
const unmetered = 1 << 20

// Budget bounds the bytes that large messages from servers occupy at a time,
// over all links that share it. A message that finds no room waits for its
// turn, first come, first served. Room is made for all of it before more of it
// is read, so that nobody who holds a part waits for another part.
type Budget struct {
	whole *Budget // that this is a share of; nil for the whole itself
	total int64
	wait  time.Duration

	mu    sync.Mutex
	free  int64
	queue list.List // of *turn
}

// turn is somebody who waits for n bytes.
type turn struct {
	n  int64
	in chan struct{} // closed when it has them
}

// NewBudget makes a budget of n bytes; nobody waits for them longer than wait.
func NewBudget(n int64, wait time.Duration) *Budget {
	return &Budget{total: n, free: n, wait: wait}
}

// share is what one of those who use b may have of it at a time: half, or one
// message of the largest size, so that one server cannot occupy it all.
func (b *Budget) share(largest int64) *Budget {
	n := min(max(b.total/2, largest), b.total)
	return &Budget{whole: b, total: n, free: n, wait: b.wait}
}

// take takes n bytes, or all that there are, and returns how many it took. It
// fails with errNoBudget, or with the cause of ctx's end.
func (b *Budget) take(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.total)
	if !b.takeNow(n) {
		limited, stop := context.WithTimeoutCause(ctx, b.wait, errNoBudget)
		defer stop()
		if err := b.queued(limited, n); err != nil {
			return 0, err
		}
	}
	if b.whole != nil {
		if _, err := b.whole.take(ctx, n); err != nil {
			b.give(n)
			return 0, err
		}
	}
	return n, nil
}

func (b *Budget) takeNow(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue.Len() > 0 || n > b.free {
		return false
	}
	b.free -= n
	return true
}

// queued waits for n bytes.
func (b *Budget) queued(ctx context.Context, n int64) error {
	t := &turn{n: n, in: make(chan struct{})}
	b.mu.Lock()
	place := b.queue.PushBack(t)
	b.serve() // they may have been given back meanwhile
	b.mu.Unlock()
	select {
	case <-t.in:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-t.in: // at the same moment
		b.free += n
	default:
		b.queue.Remove(place)
	}
	b.serve() // those behind may be content with less
	return context.Cause(ctx)
}

// serve gives those who wait what there is, in their order.
func (b *Budget) serve() {
	for first := b.queue.Front(); first != nil; first = b.queue.Front() {
		t := first.Value.(*turn)
		if t.n > b.free {
			return
		}
		b.free -= t.n
		b.queue.Remove(first)
		close(t.in)
	}
}

// give gives n bytes back.
func (b *Budget) give(n int64) {
	b.mu.Lock()
	b.free += n
	b.serve()
	b.mu.Unlock()
	if b.whole != nil {
		b.whole.give(n)
	}
}

// lease is one message's share of a budget.
type lease struct {
	budget *Budget
	held   int64
}

// reserve makes room for a message of at most n bytes, once for all of it.
func (l *lease) reserve(ctx context.Context, n int64) error {
	if l.held > 0 {
		return nil
	}
	var err error
	l.held, err = l.budget.take(ctx, n)
	return err
}

// settle keeps n bytes and gives back the rest.
func (l *lease) settle(n int64) {
	if n < l.held {
		l.budget.give(l.held - n)
		l.held = n
	}
}

func (l *lease) release() { l.settle(0) }

var (
	errTooLarge = errors.New("the message is too large")
	errNoBudget = errors.New("too many large messages at a time")
)
