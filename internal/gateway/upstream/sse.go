package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// maxFieldNoise bounds what an event may carry beside its data: comments, ids
// and fields that nobody knows.
const maxFieldNoise = 64 << 10

var errNoise = errors.New("an event of the stream has too much beside its data")

// event is one server-sent event (HTML Living Standard §9.2).
type event struct {
	id    string
	retry string // milliseconds, digits only
	data  buffer
}

// eventReader reads a stream of events within a limit on each one's data.
type eventReader struct {
	r      *bufio.Reader
	max    int64
	budget *Budget
}

func newEventReader(r io.Reader, max int64, budget *Budget) *eventReader {
	return &eventReader{r: bufio.NewReader(r), max: max, budget: budget}
}

// next returns the next event that has data, an id or a retry time. An event
// that the stream's end cuts off is dropped, as the standard says, and io.EOF
// returned.
func (e *eventReader) next(ctx context.Context) (event, error) {
	ev := event{data: buffer{max: e.max, lease: lease{budget: e.budget}}}
	lines, noise := 0, 0
	for {
		first, partial, err := e.fragment()
		if err != nil {
			ev.data.lease.release()
			return event{}, err
		}
		if !partial && len(first) == 0 {
			if lines > 0 || ev.id != "" || ev.retry != "" {
				ev.data.complete()
				return ev, nil
			}
			noise = 0 // comments alone keep a connection alive for days
			continue
		}
		name, value := cutField(first)
		if string(name) == "data" {
			err = e.data(ctx, &ev.data, lines > 0, value, partial)
			lines++
		} else {
			noise += len(first)
			err = e.other(&ev, string(name), value, partial, &noise)
		}
		if err != nil {
			ev.data.lease.release()
			return event{}, err
		}
	}
}

// data appends the value of a data field, which may go on in more fragments.
func (e *eventReader) data(ctx context.Context, to *buffer, more bool, value []byte, partial bool) error {
	if more {
		if err := to.append(ctx, []byte{'\n'}); err != nil {
			return err
		}
	}
	for {
		if err := to.append(ctx, value); err != nil {
			return err
		}
		if !partial {
			return nil
		}
		var err error
		if value, partial, err = e.fragment(); err != nil {
			return err
		}
	}
}

// other takes note of a field that is not data and skips the rest of its line.
func (e *eventReader) other(ev *event, name string, value []byte, partial bool, noise *int) error {
	if !partial {
		switch name {
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				ev.id = string(value)
			}
		case "retry":
			if digits(value) {
				ev.retry = string(value)
			}
		}
	}
	for partial {
		var rest []byte
		var err error
		if rest, partial, err = e.fragment(); err != nil {
			return err
		}
		*noise += len(rest)
		if *noise > maxFieldNoise {
			return errNoise
		}
	}
	if *noise > maxFieldNoise {
		return errNoise
	}
	return nil
}

// fragment reads up to the end of a line or as much of it as the reader holds;
// partial says that the line goes on. The bytes are valid until the next read.
func (e *eventReader) fragment() (b []byte, partial bool, err error) {
	b, err = e.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		if b[len(b)-1] == '\r' {
			// The line may end here: the line feed that decides it is read next.
			e.r.UnreadByte()
			b = b[:len(b)-1]
		}
		return b, true, nil
	case err != nil:
		return nil, false, err
	}
	b = b[:len(b)-1]
	return bytes.TrimSuffix(b, []byte{'\r'}), false, nil
}

func cutField(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte{':'})
	return name, bytes.TrimPrefix(value, []byte{' '})
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) < 10
}
