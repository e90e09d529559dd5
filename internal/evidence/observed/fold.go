package observed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"aims/receipt"
)

// stretchBytes is how much of the log one worker folds at a time.
const stretchBytes = 2 << 20

// job is a stretch of the log that a worker folds.
type job struct {
	first  uint64
	frames []byte
	part   *Part
	err    error
	done   chan struct{}
}

// Fold adds the entries from where the facts end up to another, on as many
// processors as there are. progress is told how many are folded; nil for
// nobody. After an error the facts are those of the entries that were added
// before it.
func (f *Facts) Fold(ctx context.Context, src receipt.Source, to uint64, progress func(uint64)) error {
	if f.Size >= to {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan *job), make(chan *job, 2*workers)
	free := make(chan []byte, 4*workers) // stretches that are added, to be read into again
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range workers {
		running.Go(func() {
			for j := range jobs {
				j.part, j.err = FoldPart(j.first, j.frames)
				close(j.done)
			}
		})
	}
	var readErr error
	running.Go(func() {
		defer close(order)
		defer close(jobs)
		readErr = cut(ctx, src, f.Size, to, free, jobs, order)
	})
	for j := range order {
		<-j.done
		if j.err == nil {
			j.err = f.Add(j.part)
		}
		if j.err != nil {
			return fmt.Errorf("observed: %w", j.err)
		}
		select {
		case free <- j.frames[:cap(j.frames)]:
		default:
		}
		if progress != nil {
			progress(f.Size)
		}
	}
	if readErr == nil && f.Size < to {
		readErr = ctx.Err()
	}
	return readErr
}

// cut reads entries and hands them on in stretches, in their order.
func cut(ctx context.Context, src receipt.Source, from, to uint64, free <-chan []byte, jobs, order chan<- *job) error {
	stream, err := src.Entries(ctx, from)
	if err != nil {
		return fmt.Errorf("observed: the log cannot be read: %w", err)
	}
	defer stream.Close()
	var rest []byte // of an entry whose end is still to be read
	for next := from; next < to; {
		var b []byte
		select {
		case b = <-free:
		default:
			b = make([]byte, stretchBytes)
		}
		held := copy(b, rest)
		n, err := io.ReadFull(stream, b[held:])
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return fmt.Errorf("observed: the log cannot be read: %w", err)
		}
		b = b[:held+n]
		length, entries := whole(b, to-next)
		if entries == 0 {
			return fmt.Errorf("observed: entry %d: the log ends before it", next)
		}
		rest = append(rest[:0], b[length:]...)
		j := &job{first: next, frames: b[:length], done: make(chan struct{})}
		next += entries
		select {
		case order <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		jobs <- j // what is in order is folded: whoever waits for it must not wait for ever
	}
	return nil
}

// whole is the length of the whole entries that b begins with, at most most.
func whole(b []byte, most uint64) (length int, entries uint64) {
	for entries < most && len(b)-length >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(b[length:]))
		if len(b)-length < n {
			break
		}
		length += n
		entries++
	}
	return length, entries
}
