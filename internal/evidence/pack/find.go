package pack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"aims/receipt"
)

// The events that registers are rebuilt from.
const (
	changedEvent = "register.changed"
	markedEvent  = "register.marked"
)

// found is what one reading of the entries shows: where the period lies and
// which entries the registers are rebuilt from.
type found struct {
	request          Request
	origin           string
	size, first, end uint64
	last             time.Time // of the entries before end
	until            time.Time // as of when the records are judged
	registers        []registerEvent
	sample           *sampler
}

type registerEvent struct {
	index uint64
	at    time.Time
	event *receipt.Event
}

// find reads the entries once.
func find(ctx context.Context, src receipt.Source, r Request, p Progress) (*found, error) {
	contents, err := src.Contents(ctx)
	if err != nil {
		return nil, err
	}
	f := &found{request: r, origin: contents.Origin, size: contents.Size, until: r.Until, sample: newSampler(contents.Origin, r)}
	stream, err := src.Entries(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	in := bufio.NewReaderSize(stream, 1<<20)
	began := false
	for index := uint64(0); index < f.size; index++ {
		if index%65536 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p.at("finding the period", index, f.size)
		}
		leaf, err := frame(in)
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the log ends before entry %d; it says that it has %d", index, f.size)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		h, body, err := receipt.ParseLeaf(leaf)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		if !h.Time.Before(r.Until) {
			break // later entries are there only because a checkpoint covers them
		}
		if !began && !h.Time.Before(r.From) {
			f.first, began = index, true
		}
		f.end, f.last = index+1, h.Time
		if err := f.note(h, index, body, began); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	if !began {
		f.first = f.end
	}
	if f.end == 0 {
		return nil, &RequestError{fmt.Sprintf("there is nothing to pack: the log has no entry up to %s", r.last())}
	}
	if !began && f.end == f.size {
		return nil, &RequestError{fmt.Sprintf("there is nothing to pack: the newest entry of the log is of %s, before the period", f.last.UTC().Format(time.DateOnly))}
	}
	f.cutAt(f.size)
	return f, nil
}

// cutAt settles how long the log of the pack is: where it ends with the period,
// nothing is known of the time after its last entry.
func (f *found) cutAt(size uint64) {
	f.size, f.until = size, f.request.Until
	if f.end == size {
		f.until = f.last
	}
}

// note keeps what the entry says about registers, and offers decisions of the
// period to the sample.
func (f *found) note(h receipt.Header, index uint64, body []byte, inPeriod bool) error {
	switch h.Kind {
	case receipt.EventKind:
		if !bytes.Contains(body, []byte(`"name":"register.`)) {
			return nil
		}
		e, err := receipt.DecodeEvent(bytes.Clone(body))
		if err != nil {
			return err
		}
		if e.Name == changedEvent || e.Name == markedEvent {
			f.registers = append(f.registers, registerEvent{index, h.Time, e})
		}
	case receipt.DecisionKind, receipt.RefusalKind:
		if inPeriod && !bytes.Contains(body, []byte(`"channel":"management"`)) {
			return f.sample.offer(index, body)
		}
	}
	return nil
}

// frame reads one framed leaf. What it returns is valid until the next.
func frame(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(2)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head))
	whole, err := in.Peek(2 + n)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := in.Discard(2 + n); err != nil {
		return nil, err
	}
	return whole[2:], nil
}

// fetch looks up payloads one after the other, where that is quick.
func fetch(src receipt.Source) payloads {
	return func(ctx context.Context, indexes []uint64) (map[uint64][]byte, error) {
		out := map[uint64][]byte{}
		for _, index := range indexes {
			for p, err := range src.Payloads(ctx, index) {
				if err != nil {
					return nil, err
				}
				if p.Index == index && p.Name == receipt.InputPayload {
					out[index] = bytes.Clone(p.Data)
				}
				if p.Index >= index {
					break
				}
			}
		}
		return out, nil
	}
}

// slice shows the part of a log that goes into a pack: its entries, the
// payloads of the period, and those of the registers since the beginning.
type slice struct {
	receipt.Source
	found *found
	// used says which policy sets the entries name.
	used func(digest string) bool
}

func (s *slice) Contents(ctx context.Context) (receipt.Contents, error) {
	c, err := s.Source.Contents(ctx)
	if !c.Payloads {
		return c, errors.Join(err, errors.New("the payloads cannot be read, and the registers are in them"))
	}
	c.Size, c.PayloadsFrom = s.found.size, s.found.first
	c.Policies = slices.DeleteFunc(slices.Clone(c.Policies), func(digest string) bool { return !s.used(digest) })
	return c, err
}

func (s *slice) Payloads(ctx context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		for _, e := range s.found.registers {
			if e.index < from || e.index >= s.found.first {
				continue
			}
			for p, err := range s.Source.Payloads(ctx, e.index) {
				if err == nil && p.Index > e.index {
					break
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
		for p, err := range s.Source.Payloads(ctx, max(from, s.found.first)) {
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// day is the last day of a period, for people.
func (r Request) last() string { return r.Until.Add(-time.Nanosecond).UTC().Format(time.DateOnly) }

func (r Request) String() string {
	parts := []string{r.From.UTC().Format(time.DateOnly) + " to " + r.last()}
	if r.For != "" {
		parts = append(parts, "for "+r.For)
	}
	return strings.Join(parts, ", ")
}
