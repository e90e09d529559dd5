package upstream

import (
	"context"
	"io"
)

// buffer collects one message within a limit and a budget.
type buffer struct {
	b     []byte
	max   int64
	lease lease
}

func (s *Server) buffer() buffer {
	return buffer{max: s.cfg.Limits.MessageBytes, lease: lease{budget: s.budget}}
}

// room makes room for n more bytes, of at most more in all.
func (f *buffer) room(ctx context.Context, n int, more int64) error {
	need := int64(len(f.b)) + int64(n)
	if need > f.max {
		return errTooLarge
	}
	had := int64(cap(f.b))
	if need <= had {
		return nil
	}
	if need > unmetered {
		if err := f.lease.reserve(ctx, int64(len(f.b))+more); err != nil {
			return err
		}
	}
	next := 2 * had
	if had >= unmetered {
		next = had + had/2 // doubling would leave up to half of it unused
	}
	grown := make([]byte, len(f.b), min(max(need, next, 1024), f.max))
	copy(grown, f.b)
	f.b = grown
	return nil
}

// append adds p to a message of a size that nobody knows.
func (f *buffer) append(ctx context.Context, p []byte) error {
	if err := f.room(ctx, len(p), f.max-int64(len(f.b))); err != nil {
		return err
	}
	f.b = append(f.b, p...)
	return nil
}

// complete says that nothing is added any more.
func (f *buffer) complete() {
	if cap(f.b) <= unmetered {
		f.lease.release()
		return
	}
	f.lease.settle(int64(cap(f.b)))
}

// readFrom reads r to its end; hint is its size where it is known, or negative.
func (f *buffer) readFrom(ctx context.Context, r io.Reader, hint int64) error {
	if hint > f.max {
		return errTooLarge
	}
	if hint > 0 {
		if err := f.room(ctx, int(hint), hint); err != nil {
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
			if more := f.append(ctx, probe[:n]); more != nil {
				return more
			}
		}
		if err == io.EOF {
			f.complete()
			return nil
		}
		if err != nil {
			return err
		}
	}
}
