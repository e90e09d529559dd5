package ledger

import (
	"context"

	"aims/internal/store"
)

// Companion is state that changes with the log and is in use too often to be
// read and written row by row: it works from memory, learns what becomes of each
// change, and writes once for all changes of a commit. The sequencer calls it,
// one call after the other.
type Companion interface {
	// Begin says that changes follow in a transaction that holds the head of a
	// log of size entries. What an earlier transaction left unfinished is void.
	Begin(tx *store.Tx, size uint64)
	// Settle says what became of the change that ran last: its first receipt
	// stands at index, or it is not kept and what it did is void.
	Settle(index uint64, kept bool)
	// Write stores what the kept changes did. Its error fails the commit.
	Write(tx *store.Tx) error
	// End says that a commit, with changes or without, took the log from one
	// size to another; or, if not stored, that nothing is known of what is.
	End(from, to uint64, stored bool)
}

// Accompany makes c the companion of all changes. It is called once, before
// the first of them that needs it.
func (l *Ledger) Accompany(c Companion) { l.companion.Store(&c) }

// Beside is Change for a function that changes nothing in the database itself,
// only the companion: it needs no savepoint.
func (l *Ledger) Beside(ctx context.Context, fn func(*store.Tx) (Entry, error)) (Ref, error) {
	r := newRequest(Entry{}, func(tx *store.Tx, _ Ref) (Entry, error) { return fn(tx) })
	r.beside = true
	return l.submit(ctx, r)
}

// placeBeside is place for a change without a savepoint.
func (l *Ledger) placeBeside(tx *store.Tx, b *batch, r *request) error {
	entry, err := callChange(tx, b.next(), r.change)
	entries := append([]Entry{entry}, entry.Then...)
	if err == nil {
		err = b.admissible(entries, &l.open)
	}
	if r.err = err; err == nil {
		r.ref, err = b.addAll(entries)
		return err
	}
	return nil
}

// begin tells the companion, if there is one.
func (l *Ledger) begin(tx *store.Tx, size uint64) {
	if c := l.companion.Load(); c != nil {
		(*c).Begin(tx, size)
	}
}

func (l *Ledger) settle(r *request) {
	if c := l.companion.Load(); c != nil {
		(*c).Settle(r.ref.Index, r.err == nil)
	}
}

func (l *Ledger) writeBeside(tx *store.Tx) error {
	if c := l.companion.Load(); c != nil {
		return (*c).Write(tx)
	}
	return nil
}

func (l *Ledger) end(from, to uint64, stored bool) {
	if c := l.companion.Load(); c != nil {
		(*c).End(from, to, stored)
	}
}
