package upstream

import (
	"errors"
	"io"
	"sync"
)

// unmetered is the size up to which a message is not counted against the
// budget: counting the many small ones would cost more than it protects.
const unmetered = 1 << 20

// Budget bounds the bytes that large messages from servers occupy at a time,
// over all links that share it. A message that does not fit is refused and not
// waited for: waiting calls would hold each other's memory.
type Budget struct {
	mu   sync.Mutex
	free int64
}

// NewBudget makes a budget of n bytes.
func NewBudget(n int64) *Budget { return &Budget{free: n} }

func (b *Budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *Budget) give(n int64) {
	b.mu.Lock()
	b.free += n
	b.mu.Unlock()
}

// lease is one message's share of a budget.
type lease struct {
	budget *Budget
	held   int64
}

// reach makes the lease cover n bytes.
func (l *lease) reach(n int64) bool {
	if n <= unmetered || n <= l.held {
		return true
	}
	if !l.budget.take(n - l.held) {
		return false
	}
	l.held = n
	return true
}

func (l *lease) release() {
	if l.held > 0 {
		l.budget.give(l.held)
		l.held = 0
	}
}

var (
	errTooLarge = errors.New("the message is too large")
	errNoBudget = errors.New("too many large messages at a time")
)

// buffer collects one message within a limit and a budget.
type buffer struct {
	b     []byte
	max   int64
	lease lease
}

// room makes room for n more bytes.
func (f *buffer) room(n int) error {
	need := int64(len(f.b)) + int64(n)
	if need > f.max {
		return errTooLarge
	}
	if need <= int64(cap(f.b)) {
		return nil
	}
	size := min(max(need, 2*int64(cap(f.b)), 1024), f.max)
	if !f.lease.reach(size) {
		return errNoBudget
	}
	grown := make([]byte, len(f.b), size)
	copy(grown, f.b)
	f.b = grown
	return nil
}

func (f *buffer) append(p []byte) error {
	if err := f.room(len(p)); err != nil {
		return err
	}
	f.b = append(f.b, p...)
	return nil
}

// readFrom reads r to its end; hint is its size where it is known, or negative.
func (f *buffer) readFrom(r io.Reader, hint int64) error {
	if hint > f.max {
		return errTooLarge
	}
	if hint > 0 {
		if err := f.room(int(hint)); err != nil {
			return err
		}
	}
	for {
		var n int
		var err error
		if len(f.b) < cap(f.b) {
			n, err = r.Read(f.b[len(f.b):cap(f.b)])
			f.b = f.b[:len(f.b)+n]
		} else {
			// Most often nothing follows, and no more room is needed.
			var probe [512]byte
			n, err = r.Read(probe[:])
			if more := f.append(probe[:n]); more != nil {
				return more
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
