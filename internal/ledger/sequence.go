package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
)

const (
	// queueLength bounds how many callers wait in order; further ones wait
	// until there is room or their context ends.
	queueLength = 1024
	// batchBytes bounds how much one commit appends, beside its first entry.
	batchBytes = 8 << 20
	// settle is how long a caller whose context ended still waits for a commit
	// under way, so that it knows.
	settle = 5 * time.Second
)

// request is an entry on its way into the log.
type request struct {
	entry  Entry
	change func(*store.Tx, Ref) (Entry, error)
	beside bool // the change needs no savepoint
	state  atomic.Int32
	done   chan struct{}
	// ref and err are set before done is closed.
	ref Ref
	err error
}

// The states of a request. A caller that gives up moves it from waiting to
// abandoned, the sequencer from waiting to taken: one of them wins.
const (
	waiting int32 = iota
	taken
	abandoned
)

func newRequest(e Entry, change func(*store.Tx, Ref) (Entry, error)) *request {
	return &request{entry: e, change: change, done: make(chan struct{})}
}

func (r *request) answer(err error) {
	if err != nil {
		r.ref, r.err = Ref{}, err
	}
	close(r.done)
}

func (r *request) bytes() int {
	n := len(r.entry.Body)
	for _, p := range r.entry.Payloads {
		n += len(p.Data)
	}
	return n
}

// submit queues a request and waits for its answer.
func (l *Ledger) submit(ctx context.Context, r *request) (Ref, error) {
	if err := ctx.Err(); err != nil {
		return Ref{}, notStored(err)
	}
	select {
	case <-l.closing:
		return Ref{}, errClosed()
	default:
	}
	select {
	case l.queue <- r:
	case <-l.closing:
		return Ref{}, errClosed()
	case <-ctx.Done():
		return Ref{}, aims.Errorf(aims.Exhausted, ctx.Err(), "too many receipts wait to be stored: nothing was done")
	}
	select {
	case <-r.done:
		return r.ref, r.err
	case <-l.ended:
		return r.afterEnd()
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(waiting, abandoned) {
		return Ref{}, notStored(ctx.Err())
	}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	select {
	case <-r.done:
		return r.ref, r.err
	case <-timer.C:
		return Ref{}, aims.Errorf(aims.Unavailable, ctx.Err(), "the receipt could not be stored in time: treat it as not done")
	}
}

// afterEnd is the answer to a request that came into the queue while the
// sequencer ended: what it took is answered, the rest was never stored.
func (r *request) afterEnd() (Ref, error) {
	select {
	case <-r.done:
		return r.ref, r.err
	default:
		return Ref{}, errClosed()
	}
}

func notStored(cause error) error {
	return aims.Errorf(aims.Unavailable, cause, "the receipt was not stored in time: nothing was done")
}

func errClosed() error {
	return aims.Errorf(aims.Unavailable, nil, "the log is closed: nothing was done")
}

// sequence is the one goroutine that appends: it takes all that waits, commits
// it at once, and answers.
func (l *Ledger) sequence() {
	defer close(l.ended)
	for {
		select {
		case r := <-l.queue:
			l.commit(l.collect(r))
		case <-l.closing:
			for {
				select {
				case r := <-l.queue:
					l.commit(l.collect(r))
				default:
					return
				}
			}
		}
	}
}

// collect takes all requests that wait, up to batchBytes.
func (l *Ledger) collect(first *request) []*request {
	var requests []*request
	size := 0
	take := func(r *request) {
		if r.state.CompareAndSwap(waiting, taken) {
			requests = append(requests, r)
			size += r.bytes()
		}
	}
	take(first)
	// Callers that the last commit has just answered are about to ask again:
	// let them run before the next one begins, as long as that brings any.
	for before := 0; before < len(requests); {
		before = len(requests)
		runtime.Gosched()
		for more := true; more; {
			if len(requests) >= queueLength || size >= batchBytes {
				return requests
			}
			select {
			case r := <-l.queue:
				take(r)
			default:
				more = false
			}
		}
	}
	return requests
}

// errNothing rolls back a batch in which no request could be placed.
var errNothing = errors.New("ledger: nothing to append")

// commit appends the requests in one transaction and answers each. When the
// transaction fails, nothing is known to be stored; the next one compares the
// log's head with what is known here before it appends.
func (l *Ledger) commit(requests []*request) {
	if len(requests) == 0 {
		return
	}
	var next *tree
	var b *batch
	err := l.db.Update(context.Background(), func(tx *store.Tx) (err error) {
		b, next, err = l.extend(tx, requests)
		return err
	})
	l.sayWhetherStored(err)
	switch {
	case err == nil:
		for _, h := range b.headers {
			l.open.note(h)
		}
		l.tree.Store(next)
		l.end(b.first, next.size(), true)
		l.spare = b.spare()
	case errors.Is(err, errNothing):
		err = nil // each request has its own error
	default:
		l.end(0, 0, false)
		l.wary = waryFor
		err = aims.Errorf(aims.Unavailable, err, "the receipt could not be stored: nothing was done")
	}
	for _, r := range requests {
		if r.err != nil {
			r.answer(r.err)
		} else {
			r.answer(err)
		}
	}
}

// sayWhetherStored tells the operator once that nothing can be stored, and
// once that it is stored again.
func (l *Ledger) sayWhetherStored(err error) {
	switch {
	case errors.Is(err, errNothing):
	case err != nil && !l.failing:
		l.options.Log.Error("receipts cannot be stored: calls are refused", "error", err)
		l.failing = true
	case err == nil && l.failing:
		l.options.Log.Info("receipts are stored again")
		l.failing = false
	}
}

// extend writes the requests' entries behind the log's head.
//
// The head is compared and moved by one statement, which finds it only as it
// is known here, and in PostgreSQL locks it: when it does, nobody has appended
// anything since that is known, and what the requests were placed by is so. The
// head is locked beforehand where more depends on it: when another process
// appends too, when a change writes to the database before the head moves, and
// before any request is refused, an outcome for instance, of which another
// process may just have made the decision.
func (l *Ledger) extend(tx *store.Tx, requests []*request) (b *batch, next *tree, err error) {
	changes := slices.ContainsFunc(requests, func(r *request) bool { return r.change != nil })
	known, locked := l.tree.Load(), l.locksFirst(requests)
	for {
		if locked {
			if known, err = l.lockHead(tx); err != nil {
				return nil, nil, err
			}
		}
		if changes {
			l.begin(tx, known.size())
		}
		var full []tile
		moved := false
		b, next, full, err = l.build(tx, known, requests)
		if err == nil && (locked || len(b.hashes) >= len(requests) && !refusesAny(requests)) {
			if len(b.hashes) == 0 {
				return nil, nil, errNothing
			}
			moved, err = l.sql.moveHead(tx, known, next)
		}
		if err != nil {
			return nil, nil, err
		}
		if moved {
			if err = l.sql.write(tx, b, full); err == nil && changes {
				err = l.writeBeside(tx)
			}
			return b, next, err
		}
		if locked {
			return nil, nil, errors.New("ledger: the head moved although it was locked")
		}
		locked = true
	}
}

// waryFor is how many commits lock the head first after one found it elsewhere.
const waryFor = 64

// locksFirst says whether the head is to be locked before requests are placed.
func (l *Ledger) locksFirst(requests []*request) bool {
	changes := func(r *request) bool { return r.change != nil }
	writes := func(r *request) bool { return r.change != nil && !r.beside }
	if l.wary == 0 {
		return slices.ContainsFunc(requests, writes)
	}
	l.wary--
	return slices.ContainsFunc(requests, changes)
}

func refusesAny(requests []*request) bool {
	return slices.ContainsFunc(requests, func(r *request) bool { return r.err != nil })
}

// build places the requests' entries on a tree, those that can be placed.
func (l *Ledger) build(tx *store.Tx, known *tree, requests []*request) (*batch, *tree, []tile, error) {
	b := newBatch(known, tx.Now, l.spare)
	for _, r := range requests {
		if err := l.place(tx, b, r); err != nil {
			return nil, nil, nil, err
		}
	}
	next, full := known.grow(b.hashes, b.time.UnixMicro())
	return b, next, full, nil
}

// lockHead keeps every other process from appending until the transaction
// ends, and returns the tree as it is now.
func (l *Ledger) lockHead(tx *store.Tx) (*tree, error) {
	var h head
	// An update of nothing locks the row in PostgreSQL as in SQLite.
	if err := tx.Stmt(l.sql.lock).QueryRow().Scan(&h.size, &h.root, &h.time); err != nil {
		return nil, fmt.Errorf("ledger: the head: %w", err)
	}
	known := l.tree.Load()
	if h.matches(known) {
		return known, nil
	}
	l.wary = waryFor
	current, err := l.catchUp(tx, known, h)
	if err != nil {
		return nil, err
	}
	l.tree.Store(current)
	return current, nil
}

// place puts one request into the batch. The error it returns ends the
// transaction; one that concerns only the request is left in it.
func (l *Ledger) place(tx *store.Tx, b *batch, r *request) error {
	if r.change == nil {
		if r.err = b.admit(&r.entry, &l.open); r.err != nil {
			return nil
		}
		var err error
		r.ref, err = b.add(&r.entry)
		return err
	}
	if r.beside {
		defer l.settle(r)
		return l.placeBeside(tx, b, r)
	}
	if _, err := tx.Exec("SAVEPOINT change"); err != nil {
		return err
	}
	defer l.settle(r)
	entry, err := callChange(tx, b.next(), r.change)
	entries := append([]Entry{entry}, entry.Then...)
	if err == nil {
		err = b.admissible(entries, &l.open)
	}
	if err == nil {
		// A statement that failed and whose error fn swallowed shows here.
		if _, err = tx.Exec("RELEASE SAVEPOINT change"); err == nil {
			r.ref, err = b.addAll(entries)
			return err
		}
		err = aims.Errorf(aims.Unavailable, err, "the change could not be stored: nothing was done")
	}
	r.err = err
	if _, err := tx.Exec("ROLLBACK TO SAVEPOINT change"); err != nil {
		return err
	}
	_, err = tx.Exec("RELEASE SAVEPOINT change")
	return err
}

// callChange keeps a panic of one caller's function from ending the process,
// because the sequencer works for all of them.
func callChange(tx *store.Tx, at Ref, change func(*store.Tx, Ref) (Entry, error)) (e Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = aims.Errorf(aims.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "the change failed: nothing was done")
		}
	}()
	return change(tx, at)
}

// statements are those of the hot path.
type statements struct {
	lock, insertBatch, insertVault, insertTile, move *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *store.DB) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.lock, "UPDATE log_head SET size = size WHERE id = 1 RETURNING size, root, time"},
		{&s.insertBatch, "INSERT INTO log_batch (first, entries, time, hashes, leaves) VALUES ($1, $2, $3, $4, $5)"},
		{&s.insertVault, "INSERT INTO log_vault (first, payloads) VALUES ($1, $2)"},
		{&s.insertTile, "INSERT INTO log_tile (level, number, hashes) VALUES ($1, $2, $3)"},
		{&s.move, "UPDATE log_head SET size = $1, root = $2, time = $3 WHERE id = 1 AND size = $4 AND root = $5"},
	} {
		var err error
		if *p.stmt, err = db.Prepare(ctx, p.text); err != nil {
			s.close()
			return aims.Errorf(aims.Unavailable, err, "the database does not hold a log")
		}
	}
	return nil
}

func (s *statements) close() {
	for _, stmt := range []*sql.Stmt{s.lock, s.insertBatch, s.insertVault, s.insertTile, s.move} {
		if stmt != nil {
			stmt.Close()
		}
	}
}

// moveHead makes next the head of the log if known is.
func (s *statements) moveHead(tx *store.Tx, known, next *tree) (bool, error) {
	result, err := tx.Stmt(s.move).Exec(int64(next.size()), next.root[:], next.lastTime, int64(known.size()), known.root[:])
	if err != nil {
		return false, fmt.Errorf("ledger: head: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}

func (s *statements) write(tx *store.Tx, b *batch, full []tile) error {
	if _, err := tx.Stmt(s.insertBatch).Exec(int64(b.first), len(b.hashes), b.time.UnixMicro(), join(b.hashes), b.leaves); err != nil {
		return fmt.Errorf("ledger: entries: %w", err)
	}
	if len(b.vault) > 0 {
		if _, err := tx.Stmt(s.insertVault).Exec(int64(b.first), b.vault); err != nil {
			return fmt.Errorf("ledger: payloads: %w", err)
		}
	}
	for _, t := range full {
		if _, err := tx.Stmt(s.insertTile).Exec(t.level, int64(t.number), t.hashes); err != nil {
			return fmt.Errorf("ledger: tile: %w", err)
		}
	}
	return nil
}

// head is the row that says what the log is.
type head struct {
	size int64
	root []byte
	time int64
}

func (h head) matches(t *tree) bool {
	return h.size == int64(t.size()) && string(h.root) == string(t.root[:])
}

func (h head) String() string {
	if len(h.root) != tlog.HashSize {
		return fmt.Sprintf("size %d, malformed root", h.size)
	}
	return fmt.Sprintf("size %d, root %s", h.size, tlog.Hash(h.root))
}
