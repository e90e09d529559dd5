// Package ledger appends receipts in group commits, sequences them, signs
// checkpoints, has them witnessed and serves the log as tiles.
package ledger

import (
	"context"
	"time"

	"aims/internal/store"
	"aims/receipt"
)

// Payload is content that lies beside the log and can be erased: the receipt
// holds only its salted digest.
type Payload struct {
	Name string // "input", "facts" or "result"
	Salt receipt.Salt
	Data []byte
}

// Entry is a receipt to be appended. The sequencer gives it index and time.
type Entry struct {
	Kind     receipt.Kind
	Closes   uint64 // with OutcomeKind: the index of the decision
	Body     []byte // as receipt.Encode makes it
	Payloads []Payload
}

// Ref is where a receipt came to stand.
type Ref struct {
	Index uint64
	Time  time.Time
}

// Append makes the entry durable and returns where it stands. When it returns
// an error, the entry is not in the log, or, when ctx ended or the connection broke while the
// commit was under way, may be: the caller must act as if it were not.
func (l *Ledger) Append(ctx context.Context, e Entry) (Ref, error) { panic("x") }

// Change runs fn in the transaction that also appends the entry that fn
// returns: the state and its receipt are stored together or not at all. fn
// runs under a savepoint and may be run again when the commit is retried; its
// error is returned as it is.
func (l *Ledger) Change(ctx context.Context, fn func(*store.Tx) (Entry, error)) (Ref, error) {
	panic("x")
}

// Ledger is the log of one installation.
type Ledger struct{}
