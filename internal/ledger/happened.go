package ledger

import (
	"bytes"
	"context"
	"iter"
	"time"

	"aims/receipt"
)

// Happening is an event with its place in the log.
type Happening struct {
	Leaf
	Event *receipt.Event
}

// Happened are the events at a time or before it whose names begin with a word,
// such as "agent.", oldest first: what a state at that time follows from. It
// reads the log from its first entry, and ends with the first error.
func (l *Ledger) Happened(ctx context.Context, at time.Time, words ...string) iter.Seq2[Happening, error] {
	return func(yield func(Happening, error) bool) {
		size, err := l.SizeAt(ctx, at)
		if err != nil {
			yield(Happening{}, err)
			return
		}
		for leaf, err := range l.Entries(ctx, 0, size) {
			if err == nil && !named(leaf, words) {
				continue
			}
			h := Happening{Leaf: leaf}
			if err == nil {
				h.Event, err = receipt.DecodeEvent(leaf.Body)
			}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

// named says whether an entry is an event of a name that begins with a word. A
// name elsewhere in the body, as in the detail, is not the event's: that stands
// first, because receipts are encoded field by field.
func named(leaf Leaf, words []string) bool {
	if leaf.Kind != receipt.EventKind {
		return false
	}
	_, rest, found := bytes.Cut(leaf.Body, []byte(`"name":"`))
	for _, w := range words {
		if found && bytes.HasPrefix(rest, []byte(w)) {
			return true
		}
	}
	return false
}
