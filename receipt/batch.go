package receipt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// The verifier reads the log in batches that workers examine side by side and
// that are concluded in order. The limits keep a batch in a processor's cache
// and bound what is in memory whatever the log holds.
const (
	batchBytes    = 128 << 10 // of framed entries
	batchEntries  = 4096
	batchNotes    = 256
	batchPayloads = 2 << 20 // bytes; one payload may exceed it
	frameHeader   = 2
)

// batch is a run of entries and all that belongs to them.
type batch struct {
	first    uint64 // index of the first entry
	count    int
	frames   []byte // count whole frames, in buf
	hashes   []byte // as many stored leaf hashes as there were, if any are kept
	cuts     []cut
	payloads []Payload
	// read is what was found wrong with the streams while reading the batch;
	// found is what the worker found in it.
	read  tallies
	found findings

	buf, hashBuf []byte
	hasher       *hasher
	done         chan struct{}
}

// cut is a checkpoint that belongs after the first at entries of a batch.
type cut struct {
	at   int
	note []byte
	// ordinal counts the kept checkpoints from 1; 0 is one kept elsewhere.
	ordinal uint64
	// late: it states a smaller size than the checkpoint before it, or none.
	late bool
	size uint64 // as stated
	// elsewhere is the verified checkpoint that was kept elsewhere.
	elsewhere *Checkpoint
}

func newBatch() *batch {
	return &batch{buf: make([]byte, batchBytes), hasher: newHasher(), done: make(chan struct{}, 1)}
}

// reader fills batches from a Source.
type reader struct {
	entries  io.Reader
	hashes   io.Reader // nil when none are kept
	notes    *noteQueue
	payloads *payloadQueue // nil when they are not to be read

	next  uint64 // index of the next entry
	carry []byte // bytes read beyond the last batch
	ended bool   // entries has no more
	torn  bool   // entries ended inside a frame; said already
}

// fill reads the next batch; more is false when nothing is left after it.
func (r *reader) fill(ctx context.Context, b *batch) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	b.first, b.count = r.next, 0
	clear(b.payloads) // they may be large
	b.cuts, b.payloads = b.cuts[:0], b.payloads[:0]
	b.read.clear()
	have, err := r.readEntries(b)
	if err != nil {
		return false, err
	}
	used, err := r.take(ctx, b, have)
	if err != nil {
		return false, err
	}
	b.frames = b.buf[:used]
	if r.carry = r.carry[:0]; !r.torn {
		r.carry = append(r.carry, b.buf[used:have]...)
	}
	r.next += uint64(b.count)
	if err := r.readHashes(b); err != nil {
		return false, err
	}
	if !r.ended || len(r.carry) > 0 {
		return true, nil
	}
	return r.finish(b)
}

// readEntries fills the buffer and returns how much of it is filled.
func (r *reader) readEntries(b *batch) (int, error) {
	have := copy(b.buf, r.carry)
	for have < len(b.buf) && !r.ended {
		n, err := r.entries.Read(b.buf[have:])
		have += n
		if errors.Is(err, io.EOF) {
			r.ended = true
		} else if err != nil {
			return 0, fmt.Errorf("receipt: reading entries: %w", err)
		}
	}
	return have, nil
}

// take walks the frames that go into the batch, and with them the checkpoints
// and the payloads, and returns the length of these frames.
func (r *reader) take(ctx context.Context, b *batch, have int) (used int, err error) {
	payloadBytes := 0
	for {
		if index := r.next + uint64(b.count); r.notes.due <= index {
			if err := r.notes.cutsAt(b, index); err != nil {
				return 0, err
			}
		}
		if b.count == batchEntries || len(b.cuts) >= batchNotes || payloadBytes >= batchPayloads || have-used < frameHeader {
			break
		}
		size := frameHeader + int(binary.BigEndian.Uint16(b.buf[used:]))
		if have-used < size {
			break
		}
		if r.payloads != nil {
			n, err := r.payloads.of(b, r.next+uint64(b.count))
			if err != nil {
				return 0, err
			}
			payloadBytes += n
		}
		used += size
		b.count++
	}
	if b.count == 0 && len(b.cuts) == 0 && r.ended && have > 0 {
		r.torn = true
		b.read.except(headCheck, entryPlace(r.next), "the stream of entries ends inside it")
	}
	return used, nil
}

func (r *reader) readHashes(b *batch) error {
	b.hashes = nil
	if r.hashes == nil || b.count == 0 {
		return nil
	}
	want := b.count * len(Hash{})
	b.hashBuf = slices.Grow(b.hashBuf[:0], want)[:want]
	n, err := io.ReadFull(r.hashes, b.hashBuf)
	whole := n - n%len(Hash{})
	b.hashes = b.hashBuf[:whole]
	if err == nil {
		return nil
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("receipt: reading leaf hashes: %w", err)
	}
	b.read.except(hashCheck, entryPlace(b.first+uint64(whole/len(Hash{}))), "the stored leaf hashes end before it")
	r.hashes = nil
	return nil
}

// finish says what is left in the other streams after the last entry.
func (r *reader) finish(b *batch) (more bool, err error) {
	if err := r.payloads.rest(b); err != nil {
		return false, err
	}
	if r.hashes != nil {
		n, err := io.ReadFull(r.hashes, make([]byte, 1))
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("receipt: reading leaf hashes: %w", err)
		}
		if n > 0 {
			b.read.except(hashCheck, entryPlace(r.next), "there are stored leaf hashes from here on, and no entries")
		}
		r.hashes = nil
	}
	return r.notes.rest(b)
}

// noteQueue is the kept checkpoints, oldest first, and among them those that
// were kept elsewhere.
type noteQueue struct {
	next      func() ([]byte, error, bool)
	elsewhere []Checkpoint // verified, by size
	head      cut          // the next one, where peeked
	peeked    bool
	ended     bool
	ordinal   uint64
	largest   uint64
	// due is the size at which the next checkpoint must be asked for.
	due uint64
}

// peek is the next checkpoint; ok is false after the last.
func (q *noteQueue) peek(b *batch) (c cut, ok bool, err error) {
	if !q.peeked && !q.ended {
		if err := q.read(b); err != nil {
			return cut{}, false, err
		}
	}
	if len(q.elsewhere) > 0 && (!q.peeked || !q.head.late && q.elsewhere[0].Size <= q.head.size) {
		e := &q.elsewhere[0]
		return cut{size: e.Size, elsewhere: e}, true, nil
	}
	return q.head, q.peeked, nil
}

func (q *noteQueue) read(b *batch) error {
	note, err, ok := q.next()
	var malformed *FormatError
	if errors.As(err, &malformed) {
		q.ended = true
		b.read.except(signatureCheck, malformed.Place, "%s", malformed.Text)
		return nil
	}
	if err != nil {
		return fmt.Errorf("receipt: reading checkpoints: %w", err)
	}
	if q.ended = !ok; !ok {
		return nil
	}
	q.ordinal++
	q.head = cut{note: slices.Clone(note), ordinal: q.ordinal}
	size, stated := CheckpointSize(note)
	q.head.size, q.head.late = size, !stated || size < q.largest
	q.largest = max(q.largest, size)
	q.peeked = true
	return nil
}

func (q *noteQueue) pop(c cut) {
	if c.elsewhere != nil {
		q.elsewhere = q.elsewhere[1:]
		return
	}
	q.peeked = false
}

// cutsAt moves the checkpoints of at most that size to the batch.
func (q *noteQueue) cutsAt(b *batch, size uint64) error {
	for len(b.cuts) < batchNotes {
		c, ok, err := q.peek(b)
		if err != nil {
			return err
		}
		if !ok {
			q.due = math.MaxUint64
			return nil
		}
		if c.size > size && !c.late {
			q.due = c.size
			return nil
		}
		q.pop(c)
		c.at = b.count
		b.cuts = append(b.cuts, c)
	}
	return nil
}

// rest moves the checkpoints that cover more entries than there are; more says
// that there was no room for all.
func (q *noteQueue) rest(b *batch) (more bool, err error) {
	for {
		c, ok, err := q.peek(b)
		if err != nil || !ok {
			return false, err
		}
		if len(b.cuts) >= batchNotes {
			return true, nil
		}
		q.pop(c)
		c.at = b.count
		b.cuts = append(b.cuts, c)
	}
}

// payloadQueue is the kept payloads in the order of their entries.
type payloadQueue struct {
	next   func() (Payload, error, bool)
	head   Payload
	peeked bool
	ended  bool
	last   Payload // the one before head; its data is not kept
	any    bool
}

// peek is the next payload, nil after the last. What is malformed ends the
// stream: behind it nothing can be told apart.
func (q *payloadQueue) peek(b *batch) (*Payload, error) {
	if q.peeked {
		return &q.head, nil
	}
	if q.ended {
		return nil, nil
	}
	p, err, ok := q.next()
	var malformed *FormatError
	if errors.As(err, &malformed) {
		q.ended = true
		b.read.except(payloadCheck, malformed.Place, "%s", malformed.Text)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: reading payloads: %w", err)
	}
	if q.ended = !ok; !ok {
		return nil, nil
	}
	if q.any && (p.Index < q.last.Index || p.Index == q.last.Index && p.Name <= q.last.Name) {
		b.read.except(payloadCheck, payloadPlace(&p), "it comes after the payload %s of entry %d", q.last.Name, q.last.Index)
	}
	q.last, q.any = Payload{Index: p.Index, Name: p.Name}, true
	q.head, q.peeked = p, true
	return &q.head, nil
}

// of moves the payloads of an entry to the batch and returns their size.
// Payloads of an earlier entry are out of order, which was said; they count as missing.
func (q *payloadQueue) of(b *batch, index uint64) (int, error) {
	size := 0
	for {
		p, err := q.peek(b)
		if err != nil || p == nil || p.Index > index {
			return size, err
		}
		if p.Index == index {
			b.payloads = append(b.payloads, *p)
			size += len(p.Data)
		}
		q.head, q.peeked = Payload{}, false
	}
}

// rest names the payloads behind the last entry.
func (q *payloadQueue) rest(b *batch) error {
	if q == nil {
		return nil
	}
	for {
		p, err := q.peek(b)
		if err != nil || p == nil {
			return err
		}
		b.read.except(payloadCheck, payloadPlace(p), "there is no such entry")
		q.peeked = false
	}
}

// FormatError says that stored bytes are not in the form that they should be
// in, and where. It is a finding, not a failure to read.
type FormatError struct {
	Place string
	Text  string
}

func (e *FormatError) Error() string { return "receipt: " + e.Place + ": " + e.Text }
