package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// large reads a message of size bytes whose length the server did not say.
func large(ctx context.Context, b *Budget, size int64) (*buffer, error) {
	f := &buffer{max: 8 << 20, lease: lease{budget: b}}
	err := f.readFrom(ctx, io.LimitReader(zeros{}, size), -1)
	if err != nil {
		f.lease.release()
	}
	return f, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		whole := NewBudget(16<<20, time.Minute)
		first, err := large(ctx, whole, 7<<20)
		if err != nil {
			t.Fatal(err)
		}
		second, err := large(ctx, whole, 2<<20)
		if err != nil {
			t.Fatal("only what a message really has is kept of its room", err)
		}
		began := time.Now()
		if _, err := large(ctx, whole, 2<<20); !errors.Is(err, errNoBudget) || time.Since(began) != time.Minute {
			t.Errorf("beside two: %v after %v", err, time.Since(began))
		}
		if _, err := large(ctx, whole, 1<<20); err != nil {
			t.Errorf("a small message beside them: %v", err)
		}
		impatient, leave := context.WithCancelCause(ctx)
		left := make(chan error)
		go func() {
			_, err := large(impatient, whole, 2<<20)
			left <- err
		}()
		synctest.Wait()
		behind := make(chan error)
		go func() {
			f := &buffer{max: 8 << 20, lease: lease{budget: whole}}
			err := f.readFrom(ctx, bytes.NewReader(make([]byte, 3<<20)), 3<<20)
			f.lease.release()
			behind <- err
		}()
		synctest.Wait()
		why := errors.New("went away")
		leave(why)
		if err := <-left; !errors.Is(err, why) {
			t.Errorf("who went away while waiting: %v", err)
		}
		if err := <-behind; err != nil {
			t.Errorf("who waited behind it, for less: %v", err)
		}
		first.lease.release()
		first.lease.release() // once is enough
		second.lease.release()
		if _, err := large(ctx, whole, 9<<20); !errors.Is(err, errTooLarge) {
			t.Errorf("more than one message may have: %v", err)
		}
		if whole.free != whole.total {
			t.Errorf("%d bytes of the budget are lost", whole.total-whole.free)
		}
	})
}

// TestBudgetIsFair checks that a large message is not overtaken for ever by
// smaller ones that would fit.
func TestBudgetIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := NewBudget(16<<20, time.Minute)
		held, err := whole.take(t.Context(), 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		var order []int64
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, n := range []int64{15 << 20, 2 << 20} {
			all.Go(func() {
				got, err := whole.take(t.Context(), n)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, got)
				mu.Unlock()
				whole.give(got)
			})
			synctest.Wait()
		}
		whole.give(held)
		all.Wait()
		if len(order) != 2 || order[0] != 15<<20 {
			t.Errorf("in the order %v", order)
		}
	})
}

// TestOneServerLeavesRoom checks that a server which sends large messages and
// never ends them does not keep the others' from agents.
func TestOneServerLeavesRoom(t *testing.T) {
	whole := NewBudget(32<<20, time.Minute)
	bad, good := whole.share(8<<20), whole.share(8<<20)
	ctx, stop := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	began := make(chan struct{}, 2)
	for range 6 {
		stuck.Go(func() {
			f := &buffer{max: 8 << 20, lease: lease{budget: bad}}
			endless := readFunc(func(p []byte) (int, error) {
				if f.lease.held > 0 {
					began <- struct{}{}
					<-ctx.Done()
					return 0, ctx.Err()
				}
				return len(p), nil
			})
			if err := f.readFrom(ctx, endless, -1); err == nil {
				t.Error("an endless message ended")
			}
			f.lease.release()
		})
	}
	<-began
	<-began
	if _, err := large(t.Context(), good, 7<<20); err != nil {
		t.Errorf("the other server: %v", err)
	}
	stop()
	stuck.Wait()
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// TestBudgetUnderPressure checks that never more than the budget is held, that
// all get their turn, and that nothing is lost, whoever leaves meanwhile.
func TestBudgetUnderPressure(t *testing.T) {
	whole := NewBudget(24<<20, time.Minute)
	shares := []*Budget{whole.share(8 << 20), whole.share(8 << 20), whole.share(8 << 20)}
	var held, through atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if i%5 == 0 {
				stop()
			}
			f := &buffer{max: 8 << 20, lease: lease{budget: shares[i%3]}}
			defer f.lease.release()
			if err := f.readFrom(ctx, io.LimitReader(zeros{}, int64(i%7+1)<<20), -1); err != nil {
				if i%5 != 0 {
					t.Errorf("message %d: %v", i, err)
				}
				return
			}
			through.Add(1)
			if now := held.Add(f.lease.held); now > 24<<20 {
				t.Errorf("%d bytes are held", now)
			}
			held.Add(-f.lease.held)
		})
	}
	all.Wait()
	if through.Load() < 48 {
		t.Errorf("%d messages came through", through.Load())
	}
	for _, b := range append(shares, whole) {
		if b.free != b.total {
			t.Errorf("%d bytes are lost", b.total-b.free)
		}
	}
}
