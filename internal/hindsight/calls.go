// Package hindsight judges policies by recorded calls: what a candidate would
// have decided, which rules decided what, and the least privilege that the
// work of a purpose needs (ISO 42001 8.1, 9.1, A.9.2). It changes nothing, and
// reads a running log and an export alike.
package hindsight

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"time"

	"aims/receipt"
)

// Stretch is a part of a kept log.
type Stretch struct {
	Source receipt.Source
	// From and To bound the time of the entries: From is included, To is not.
	// Zero is no bound.
	From, To time.Time
	// Progress is told from time to time how many of the entries are read; nil
	// for nobody.
	Progress func(read, of uint64)
}

// call is one recorded decision or refusal with what it was made from.
type call struct {
	header receipt.Header
	body   []byte
	// facts and input are nil where they were erased or never kept.
	facts, input []byte
	// outcome is set for an entry that is one, in place of the rest.
	outcome bool
}

// The size of what is read ahead for one worker.
const (
	batchCalls = 256
	batchBytes = 2 << 20
)

// batch is calls that one worker examines.
type batch[T any] struct {
	calls []call
	read  uint64 // entries of the stretch up to its end
	found T
	err   error
	done  chan struct{}
}

// examine hands the stretch in batches to a worker for each processor, and
// what they found to conclude, in the order of the log.
func examine[T any](ctx context.Context, s Stretch, payloads bool, work func([]call) (T, error), conclude func(T) error) error {
	first, last, err := s.bounds(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan *batch[T]), make(chan *batch[T], 2*workers)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range workers {
		running.Go(func() {
			for b := range jobs {
				b.found, b.err = work(b.calls)
				close(b.done)
			}
		})
	}
	var readErr error
	running.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = feed(ctx, s, first, last, payloads, jobs, order)
	})
	for b := range order {
		<-b.done
		if b.err != nil {
			return b.err
		}
		if err := conclude(b.found); err != nil {
			return err
		}
		if s.Progress != nil {
			s.Progress(b.read, last-first)
		}
	}
	return errors.Join(readErr, ctx.Err())
}

// feed cuts the stretch into batches.
func feed[T any](ctx context.Context, s Stretch, first, last uint64, payloads bool, jobs, order chan<- *batch[T]) error {
	b := &batch[T]{done: make(chan struct{})}
	size := 0
	send := func() bool {
		select {
		case order <- b:
		case <-ctx.Done():
			return false
		}
		// What is in order is examined: whoever waits for it must not wait for ever.
		jobs <- b
		b, size = &batch[T]{done: make(chan struct{})}, 0
		return true
	}
	for c, err := range s.calls(ctx, first, last, payloads) {
		if err != nil {
			return err
		}
		b.calls = append(b.calls, c)
		b.read = c.header.Index + 1 - first
		size += len(c.body) + len(c.facts) + len(c.input)
		if (len(b.calls) == batchCalls || size >= batchBytes) && !send() {
			return ctx.Err()
		}
	}
	if len(b.calls) > 0 {
		send()
	}
	return ctx.Err()
}

// bounds are the indexes of the stretch.
func (s Stretch) bounds(ctx context.Context) (first, last uint64, err error) {
	contents, err := s.Source.Contents(ctx)
	if err != nil {
		return 0, 0, err
	}
	last = contents.Size
	if !s.From.IsZero() {
		if first, err = s.since(ctx, s.From, last); err != nil {
			return 0, 0, err
		}
	}
	if !s.To.IsZero() {
		if last, err = s.since(ctx, s.To, last); err != nil {
			return 0, 0, err
		}
	}
	return min(first, last), last, nil
}

// since is the first entry at a time or later, by bisection: the times of a
// log do not decrease.
func (s Stretch) since(ctx context.Context, at time.Time, size uint64) (uint64, error) {
	low, high := uint64(0), size
	for low < high {
		middle := low + (high-low)/2
		stream, err := s.Source.Entries(ctx, middle)
		if err != nil {
			return 0, err
		}
		leaf, err := readFrame(bufio.NewReaderSize(stream, 4096), nil)
		err = errors.Join(err, stream.Close())
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", middle, err)
		}
		h, _, err := receipt.ParseLeaf(leaf)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", middle, err)
		}
		if h.Time.Before(at) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// readFrame reads one entry as C2SP tlog-tiles frames it.
func readFrame(r io.Reader, into []byte) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if cap(into) < n {
		into = make([]byte, n)
	}
	_, err := io.ReadFull(r, into[:n])
	return into[:n], err
}

// calls streams the decisions and refusals of a stretch, and the outcomes,
// with the facts and inputs that are kept where payloads are asked for.
func (s Stretch) calls(ctx context.Context, first, last uint64, payloads bool) iter.Seq2[call, error] {
	return func(yield func(call, error) bool) {
		if first >= last {
			return
		}
		stream, err := s.Source.Entries(ctx, first)
		if err != nil {
			yield(call{}, err)
			return
		}
		defer stream.Close()
		kept := newKept(ctx, s.Source, first, payloads)
		defer kept.stop()
		r := bufio.NewReaderSize(stream, 1<<18)
		for index := first; index < last; index++ {
			c, keep, err := nextCall(r, kept, index)
			if err != nil {
				yield(call{}, fmt.Errorf("entry %d: %w", index, err))
				return
			}
			if keep && !yield(c, nil) {
				return
			}
		}
	}
}

func nextCall(r io.Reader, kept *keptPayloads, index uint64) (c call, keep bool, err error) {
	leaf, err := readFrame(r, nil)
	if err != nil {
		return c, false, err
	}
	if c.header, c.body, err = receipt.ParseLeaf(leaf); err != nil {
		return c, false, err
	}
	if c.header.Index != index {
		return c, false, fmt.Errorf("it says that it is entry %d: verify the log", c.header.Index)
	}
	switch c.header.Kind {
	case receipt.DecisionKind, receipt.RefusalKind:
		c.facts, c.input, err = kept.of(index)
		return c, true, err
	case receipt.OutcomeKind:
		c.outcome = true
		return c, true, nil
	}
	return c, false, nil
}

// keptPayloads walks along the payloads beside the entries.
type keptPayloads struct {
	next  func() (receipt.Payload, error, bool)
	stop  func()
	head  receipt.Payload
	ready bool
	ended bool
}

func newKept(ctx context.Context, src receipt.Source, first uint64, wanted bool) *keptPayloads {
	if !wanted {
		return &keptPayloads{ended: true, stop: func() {}}
	}
	next, stop := iter.Pull2(src.Payloads(ctx, first))
	return &keptPayloads{next: next, stop: stop}
}

// of gives the facts and the input of an entry; nil what is not kept.
func (k *keptPayloads) of(index uint64) (facts, input []byte, err error) {
	for !k.ended {
		if !k.ready {
			var ok bool
			if k.head, err, ok = k.next(); err != nil || !ok {
				k.ended = true
				return facts, input, err
			}
			k.ready = true
		}
		if k.head.Index > index {
			return facts, input, nil
		}
		k.ready = false
		if k.head.Index < index {
			continue
		}
		switch k.head.Name {
		case receipt.FactsPayload:
			facts = k.head.Data
		case receipt.InputPayload:
			input = k.head.Data
		}
	}
	return facts, input, nil
}
