package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/receipt"
)

// batch is what one commit appends.
type batch struct {
	first   uint64
	time    time.Time
	headers []receipt.Header
	hashes  []tlog.Hash
	leaves  []byte
	vault   []byte
	closed  map[uint64]bool
}

// spare is the room of a batch that was written, for the next one.
type spare struct{ leaves, vault []byte }

// maxSpare bounds what is kept of either, in bytes.
const maxSpare = 1 << 20

func (b *batch) spare() spare {
	var s spare
	if cap(b.leaves) <= maxSpare {
		s.leaves = b.leaves[:0]
	}
	if cap(b.vault) <= maxSpare {
		clear(b.vault) // content is kept nowhere but where it can be erased
		s.vault = b.vault[:0]
	}
	return s
}

// newBatch begins a batch on a tree at the transaction's time, which is never
// before the last leaf, whatever the clock does.
func newBatch(base *tree, now time.Time, room spare) *batch {
	at := time.UnixMicro(max(now.UnixMicro(), base.lastTime)).UTC()
	return &batch{first: base.size(), time: at, leaves: room.leaves, vault: room.vault, closed: map[uint64]bool{}}
}

// check refuses an entry that can never be appended, because no verifier would
// take it.
func (e *Entry) check() error {
	switch e.Kind {
	case receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind, receipt.EventKind:
	default:
		return aims.Errorf(aims.Invalid, nil, "a receipt of kind %q", e.Kind)
	}
	if len(e.Body) == 0 || len(e.Body) > MaxBody {
		return aims.Errorf(aims.Invalid, nil, "a receipt of %d bytes: at least 1, at most %d", len(e.Body), MaxBody)
	}
	seen := make([]string, 0, 4)
	for _, p := range e.Payloads {
		switch p.Name {
		case receipt.InputPayload, receipt.FactsPayload, receipt.ResultPayload:
		default:
			return aims.Errorf(aims.Invalid, nil, "a payload named %q: only input, facts and result are known", p.Name)
		}
		if slices.Contains(seen, p.Name) {
			return aims.Errorf(aims.Invalid, nil, "two payloads named %s", p.Name)
		}
		seen = append(seen, p.Name)
		if len(p.Data) > receipt.MaxPayload {
			return aims.Errorf(aims.Invalid, nil, "a payload of %d bytes: at most %d", len(p.Data), receipt.MaxPayload)
		}
		if !holds(e.Body, `"`+p.Name+`":"`, p.Salt.Digest(p.Data)) {
			return aims.Errorf(aims.Invalid, nil, "the receipt does not hold the digest of its payload %s", p.Name)
		}
	}
	return nil
}

// holds says whether a string that is opened as given is somewhere in a body.
func holds(body []byte, opening, text string) bool {
	for {
		i := bytes.Index(body, []byte(opening))
		if i < 0 {
			return false
		}
		body = body[i+len(opening):]
		if rest, ok := bytes.CutPrefix(body, []byte(text)); ok && len(rest) > 0 && rest[0] == '"' {
			return true
		}
	}
}

// admit refuses an outcome of a decision that is not open.
func (b *batch) admit(e *Entry, open *openDecisions) error {
	if e.Kind == receipt.OutcomeKind && (b.closed[e.Closes] || !open.has(e.Closes)) {
		return aims.Errorf(aims.Conflict, nil, "entry %d is not a decision that waits for its outcome", e.Closes)
	}
	return nil
}

// maxThen bounds how many entries stand behind that of a change.
const maxThen = 4096

// admissible checks and admits the entries of one change.
func (b *batch) admissible(entries []Entry, open *openDecisions) error {
	if len(entries) > 1+maxThen {
		return aims.Errorf(aims.Invalid, nil, "%d receipts stand behind another, at most %d", len(entries)-1, maxThen)
	}
	// Every other request of the commit has room for its own entry.
	if len(entries) > 1 && len(b.hashes)+len(entries) > maxEntries-queueLength {
		return aims.Errorf(aims.Unavailable, nil, "too much is to be recorded at once: nothing was done; try again")
	}
	closes := map[uint64]bool{}
	for i := range entries {
		e := &entries[i]
		if i > 0 && len(e.Then) > 0 {
			return aims.Errorf(aims.Invalid, nil, "a receipt that stands behind another has receipts behind it")
		}
		if err := e.check(); err != nil {
			return err
		}
		if err := b.admit(e, open); err != nil {
			return err
		}
		if e.Kind == receipt.OutcomeKind {
			if closes[e.Closes] {
				return aims.Errorf(aims.Conflict, nil, "entry %d is closed twice by one change", e.Closes)
			}
			closes[e.Closes] = true
		}
	}
	return nil
}

// addAll places the admissible entries of one change, and returns where the
// first stands.
func (b *batch) addAll(entries []Entry) (Ref, error) {
	first, err := b.add(&entries[0])
	for i := 1; i < len(entries) && err == nil; i++ {
		_, err = b.add(&entries[i])
	}
	return first, err
}

// next is where the next entry will stand.
func (b *batch) next() Ref { return Ref{Index: b.first + uint64(len(b.hashes)), Time: b.time} }

// add places a checked and admitted entry at the end of the batch.
func (b *batch) add(e *Entry) (Ref, error) {
	at := b.next()
	h := receipt.Header{Kind: e.Kind, Index: at.Index, Closes: e.Closes, Time: at.Time}
	frame := len(b.leaves)
	leaves, err := receipt.AppendLeaf(append(b.leaves, 0, 0), h, e.Body)
	if err != nil {
		return Ref{}, err
	}
	binary.BigEndian.PutUint16(leaves[frame:], uint16(len(leaves)-frame-2))
	b.leaves = leaves
	b.hashes = append(b.hashes, receipt.LeafHash(leaves[frame+2:]))
	b.headers = append(b.headers, h)
	if e.Kind == receipt.OutcomeKind {
		b.closed[e.Closes] = true
	}
	b.keep(h.Index, e.Payloads)
	return at, nil
}

func (b *batch) keep(index uint64, payloads []Payload) {
	if len(payloads) > 1 {
		payloads = slices.Clone(payloads)
		slices.SortFunc(payloads, func(x, y Payload) int { return strings.Compare(x.Name, y.Name) })
	}
	for _, p := range payloads {
		b.vault = appendStored(b.vault, Stored{Payload: receipt.Payload{Index: index, Name: p.Name, Salt: p.Salt, Data: p.Data}})
	}
}
