package session

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"aims/internal/aims"
	"aims/internal/store"
)

// kind is what a state is about.
type kind uint8

const (
	runs  kind = iota
	uses       // of a purpose of an agent
	known      // of a value: the purposes that used it
	budgets
	trust
	kinds
)

// name is the place of a state in memory and in its tables.
type name struct {
	kind kind
	a, b string
}

// held is a state as it is after the receipt whose index is version. Its value
// is never changed; nil when nothing is stored.
type held struct {
	value   any
	version uint64
}

// querier is a transaction that reads.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// tables reads and writes the states of one kind.
type tables interface {
	// load reads a state, or, where the stored one has the version of known, returns that.
	load(q querier, n name, known held) (held, error)
	// save writes what makes after from before; a nil value deletes.
	save(tx *store.Tx, n name, before, after held) error
	// size is the memory that a value takes, in bytes.
	size(value any) int64
}

// memory is the states that are in use, as they were last committed, and, for
// the transaction under way, as its changes leave them. It is the companion of
// the ledger.
type memory struct {
	db            *store.DB
	log           *slog.Logger
	tables        [kinds]tables
	insertJournal *sql.Stmt
	limit         int64 // of bytes
	saving        sync.Mutex

	mu      sync.Mutex
	entries map[name]*entry
	bytes   int64
	used    uint64 // counts the uses of entries, as their time
	// epochs grow, for each kind, when tables may hold what this process did not
	// write: what was read in an earlier epoch is compared with them before it is believed.
	epochs  [kinds]uint64
	size    uint64 // of the log after the last commit that is known; 0 for unknown
	commits uint64
	// dirty are the states that are in the journal and not in their tables; seen is
	// the last row of the journal that is known, rows how many there are, about.
	dirty map[name]*unsaved
	// others counts what other processes changed of runs.
	others uint64
	seen   int64
	rows   int

	// What follows is the sequencer's: the transaction under way, what its
	// changes did, and what the change that runs did so far.
	tx     *store.Tx
	first  uint64        // index of its first receipt
	base   map[name]held // as stored, of what was asked for
	draft  map[name]held
	change map[name]any
	failed error // to read what other processes wrote
	// arriving are the results that the change brought, arrived those of the transaction.
	arriving, arrived []arrivalAt
}

// arrivalAt is a result on its way to a position of a run.
type arrivalAt struct {
	name
	position int
	arrival
}

// entry is a state in memory.
type entry struct {
	held
	epoch uint64
	used  uint64
	bytes int64
	// known is what a run has read, for the provenance of its arguments; nil for other kinds.
	known *knowledge
}

func newMemory(db *store.DB, log *slog.Logger, limit int64) *memory {
	return &memory{
		db: db, log: log, limit: limit, entries: map[name]*entry{}, epochs: [kinds]uint64{1, 1, 1, 1, 1}, dirty: map[name]*unsaved{}, seen: -1,
		base: map[name]held{}, draft: map[name]held{}, change: map[name]any{},
	}
}

// get is a state as last committed, outside of any transaction.
func (m *memory) get(ctx context.Context, n name) (held, *entry, error) {
	m.mu.Lock()
	if e, ok := m.entries[n]; ok {
		m.touch(e)
		h := e.held
		m.mu.Unlock()
		return h, e, nil
	}
	commits := m.commits
	m.mu.Unlock()
	var read held
	err := m.db.View(ctx, func(tx *store.Tx) (err error) {
		read, err = m.tables[n.kind].load(tx, n, held{})
		return err
	})
	if err != nil {
		return held{}, nil, unreadable(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[n]
	if !ok {
		e = m.insert(n, read)
		if m.commits != commits {
			e.epoch = 0 // it may be from before a commit that ended meanwhile
		}
	}
	m.touch(e)
	return e.held, e, nil
}

// at is a state within the transaction, where nothing can move.
func (m *memory) at(n name) (held, error) {
	if m.failed != nil {
		return held{}, unreadable(m.failed)
	}
	if value, ok := m.change[n]; ok {
		return held{value, m.draft[n].version}, nil
	}
	if h, ok := m.draft[n]; ok {
		return h, nil
	}
	if h, ok := m.base[n]; ok {
		return h, nil
	}
	h, err := m.stored(n)
	if err == nil {
		m.base[n] = h
	}
	return h, err
}

// stored is a state as it was before the transaction.
func (m *memory) stored(n name) (held, error) {
	m.mu.Lock()
	e, ok := m.entries[n]
	var known held
	if ok {
		m.touch(e)
		if known = e.held; e.epoch == m.epochs[n.kind] {
			m.mu.Unlock()
			return known, nil
		}
	}
	m.mu.Unlock()
	read, err := m.tables[n.kind].load(m.tx, n, known)
	if err != nil {
		return held{}, unreadable(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok = m.entries[n]; !ok {
		m.insert(n, read)
	} else {
		m.put(e, n, read)
	}
	return read, nil
}

// set gives a state that at was asked for its next value, in the change that
// runs; nil deletes it.
func (m *memory) set(n name, value any) { m.change[n] = value }

// arrive hands over a result that the change that runs records.
func (m *memory) arrive(a arrivalAt) { m.arriving = append(m.arriving, a) }

// touch, insert and put are called with mu held.
func (m *memory) touch(e *entry) {
	m.used++
	e.used = m.used
}

func (m *memory) insert(n name, h held) *entry {
	e := &entry{}
	if n.kind == runs {
		e.known = &knowledge{}
	}
	m.entries[n] = e
	m.put(e, n, h)
	m.touch(e)
	if m.bytes > m.limit {
		m.evict()
	}
	return e
}

func (m *memory) put(e *entry, n name, h held) {
	e.held, e.epoch = h, m.epochs[n.kind]
	m.weigh(e, n)
}

// perEntry is about what an entry takes beside its value.
const perEntry = 256

func (m *memory) weigh(e *entry, n name) {
	bytes := perEntry + int64(len(n.a)+len(n.b))
	if e.value != nil {
		bytes += m.tables[n.kind].size(e.value)
	}
	if e.known != nil {
		bytes += e.known.bytes.Load()
	}
	m.bytes += bytes - e.bytes
	e.bytes = bytes
}

// weighed takes note that what a run knows has another size now.
func (m *memory) weighed(n name, e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[n] != e {
		return
	}
	if m.weigh(e, n); m.bytes > m.limit {
		m.evict()
	}
}

// evict drops the least recently used entries until a quarter of the memory is
// free. Whoever holds one goes on with it; its versions are compared anyway.
func (m *memory) evict() {
	type old struct {
		name
		used uint64
	}
	all := make([]old, 0, len(m.entries))
	for n, e := range m.entries {
		if m.dirty[n] == nil { // else its table does not have it
			all = append(all, old{n, e.used})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return cmp.Compare(a.used, b.used) })
	for _, o := range all[:max(0, len(all)-1)] {
		if m.bytes <= m.limit/4*3 {
			return
		}
		m.bytes -= m.entries[o.name].bytes
		delete(m.entries, o.name)
	}
}

// Begin implements ledger.Companion.
func (m *memory) Begin(tx *store.Tx, size uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tx, m.first, m.failed = tx, size, nil
	if size != m.size {
		for k := range kinds {
			if !k.journaled() {
				m.epochs[k]++
			}
		}
		m.commits++
		if m.failed = m.catchUp(tx); m.failed == nil {
			m.size = size
		}
	}
	clear(m.draft)
	clear(m.base)
	clear(m.change)
	m.arriving, m.arrived = nil, nil
}

// Settle implements ledger.Companion.
func (m *memory) Settle(index uint64, kept bool) {
	for n, value := range m.change {
		if !kept {
			continue
		}
		if r, ok := value.(*Run); ok && r != nil {
			r.settle(index)
		}
		m.draft[n] = held{value, index}
	}
	if kept {
		m.arrived = append(m.arrived, m.arriving...)
	}
	m.arriving = nil
	clear(m.change)
}

// Write implements ledger.Companion.
func (m *memory) Write(tx *store.Tx) error {
	if err := m.writeJournal(tx); err != nil {
		return fmt.Errorf("session: write what is known: %w", err)
	}
	for n, h := range m.draft {
		if n.kind.journaled() {
			continue
		}
		if err := m.tables[n.kind].save(tx, n, m.base[n], h); err != nil {
			return fmt.Errorf("session: write what is known of %s %s: %w", n.a, n.b, err)
		}
	}
	return nil
}

// End implements ledger.Companion.
func (m *memory) End(from, to uint64, stored bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
	if stored && from == m.size {
		m.size = to
	} else {
		m.size = 0 // it may be stored all the same, or others appended before
	}
	if stored {
		m.take()
	}
	m.tx, m.arrived = nil, nil
	clear(m.draft)
	clear(m.base)
}

// take makes what the transaction did the last that is known. mu is held.
func (m *memory) take() {
	journaled := false
	for n, h := range m.draft {
		e, ok := m.entries[n]
		if !ok {
			e = m.insert(n, m.base[n])
		}
		if n.kind.journaled() {
			journaled = true
			m.soil(n, m.base[n], m.first)
		}
		m.put(e, n, h)
	}
	if journaled {
		m.seen = int64(m.first)
		m.rows++
	}
	for _, a := range m.arrived {
		m.entries[a.name].known.arrive(a.position, a.arrival)
	}
	m.saveSoon()
}

// unreadable keeps an error that has a sentence for the caller.
func unreadable(err error) error {
	var known *aims.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "what is known of the run cannot be read")
}
