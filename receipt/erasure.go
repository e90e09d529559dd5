package receipt

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
)

// erasures are the entries whose payloads were erased, by the payloads' name.
type erasures struct {
	spans map[string][]span
	// digest is the sum of the digests of the events' bodies. The verified
	// stream must give the same.
	digest uint64
}

// span is the entries from one to another, both included.
type span struct{ from, to uint64 }

// covers says whether a payload was erased.
func (e *erasures) covers(index uint64, name string) bool {
	spans := e.spans[name]
	i, exact := slices.BinarySearchFunc(spans, index, func(s span, index uint64) int {
		switch {
		case s.from > index:
			return 1
		case s.to < index:
			return -1
		}
		return 0
	})
	return exact && i < len(spans)
}

// readErasures collects the erasure events before payloads are checked,
// because they stand behind the receipts whose payloads they erased.
func readErasures(ctx context.Context, src Source, seed maphash.Seed) (erasures, error) {
	found := erasures{spans: map[string][]span{}}
	stream, err := src.Entries(ctx, 0)
	if err != nil {
		return found, fmt.Errorf("receipt: reading entries: %w", err)
	}
	defer stream.Close()
	in := bufio.NewReaderSize(stream, streamBytes)
	var leaf []byte
	for index := uint64(0); ; index++ {
		if index%batchEntries == 0 && ctx.Err() != nil {
			return found, ctx.Err()
		}
		leaf, err = nextEvent(in, leaf)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // the pass that follows says where
		}
		if err != nil {
			return found, fmt.Errorf("receipt: reading entries: %w", err)
		}
		found.take(leaf, index, seed)
	}
	for name, spans := range found.spans {
		found.spans[name] = merge(spans)
	}
	return found, nil
}

// nextEvent passes over one entry and returns its leaf if it may be an event.
func nextEvent(in *bufio.Reader, buf []byte) ([]byte, error) {
	const start = magic + "event "
	head, err := in.Peek(frameHeader)
	if err != nil {
		return buf[:0], err
	}
	size := int(binary.BigEndian.Uint16(head))
	head, err = in.Peek(frameHeader + min(size, len(start)))
	if err != nil {
		return buf[:0], err
	}
	if string(head[frameHeader:]) != start {
		_, err := in.Discard(frameHeader + size)
		return buf[:0], err
	}
	if _, err := in.Discard(frameHeader); err != nil {
		return buf[:0], err
	}
	buf = slices.Grow(buf[:0], size)[:size]
	_, err = io.ReadFull(in, buf)
	return buf, err
}

// take notes the erasure of a leaf that is a well-formed event of one.
func (e *erasures) take(leaf []byte, index uint64, seed maphash.Seed) {
	h, body, err := ParseLeaf(leaf)
	if err != nil || h.Kind != EventKind {
		return
	}
	event, err := DecodeEvent(body)
	if err != nil {
		return
	}
	erasure, erases, err := event.erasure(index)
	if err != nil || !erases {
		return
	}
	e.digest += maphash.Bytes(seed, body)
	for _, name := range erasure.Names {
		e.spans[name] = append(e.spans[name], span{erasure.From, erasure.To})
	}
}

// merge sorts spans and joins those that touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	joined := spans[:0]
	for _, s := range spans {
		if last := len(joined) - 1; last >= 0 && s.from <= joined[last].to+1 {
			joined[last].to = max(joined[last].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}
