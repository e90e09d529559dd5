package session

import (
	"context"
	"encoding/json"

	"aims/internal/aims"
	"aims/internal/store"
)

// A commit writes what it changed of runs and budgets as one row of the
// journal, however many they are. Now and then what changed is moved into its
// tables, each state once, and the rows of the journal go. What is in the journal
// and not in its table is kept in memory: of each process, because each reads
// what the others wrote before it relies on anything.

// journaled says whether states of a kind are written to the journal first.
func (k kind) journaled() bool { return k == runs || k == budgets }

// journalled is a state as a row of the journal has it. Of a run that was there
// before, it is what changed: a run may know much, and each of its calls changes little.
type journalled struct {
	Kind    kind            `json:"k"`
	A       string          `json:"a"`
	B       string          `json:"b,omitempty"`
	Version uint64          `json:"v"`
	State   json.RawMessage `json:"s,omitempty"` // absent: deleted
	// Run is the id of a run, Results those that it has from a position on.
	Run     string   `json:"r,omitempty"`
	From    int      `json:"f,omitempty"`
	Results []Result `json:"n,omitempty"`
	// Base is the version of the run that the rest is to be put on; 0 when
	// everything is there. Then lists that State does not have are as they were,
	// and of the unreported calls, those at Reported are gone and State's are new.
	Base     uint64  `json:"p,omitempty"`
	Reported []int64 `json:"g,omitempty"`
}

// journalling is a state on its way into a row, not yet encoded.
type journalling struct {
	journalled
	State any `json:"s,omitempty"`
}

// unsaved is a state that its table does not have yet.
type unsaved struct {
	base held   // as the table has it
	last uint64 // the row of the journal with its present value
}

const (
	// journalRows and journalStates bound how much is in the journal only.
	journalRows   = 512
	journalStates = 1024
	// saveAtOnce is how many states one transaction moves, at least and at most.
	saveAtLeast, saveAtMost = 64, 1024
)

func journalOf(n name, before, after held) journalling {
	j := journalling{journalled{Kind: n.kind, A: n.a, B: n.b, Version: after.version}, after.value}
	r, ok := after.value.(*Run)
	if !ok {
		return j
	}
	j.Run, j.Results = r.ID, r.Results
	old, _ := before.value.(*Run)
	if old == nil || old.ID != r.ID {
		return j
	}
	j.From = len(old.Results)
	j.Results = r.Results[j.From:]
	if before.version > 0 && !r.lacks(old) {
		changed := r.without(old)
		changed.Unreported, j.Reported = r.unreportedSince(old)
		j.Base, j.State = before.version, changed
	}
	return j
}

// on gives the state when before is the one that it was made from.
func (j journalled) on(before held) (held, error) {
	h := held{version: j.Version}
	if j.State == nil {
		return h, nil
	}
	damaged := func(err error) (held, error) {
		return held{}, aims.Errorf(aims.Internal, err, "what is stored of a run is damaged")
	}
	if j.Kind == budgets {
		w := &Window{}
		h.value = w
		if err := json.Unmarshal(j.State, w); err != nil {
			return damaged(err)
		}
		return h, nil
	}
	r := &Run{Key: Key{j.A, j.B}, ID: j.Run}
	h.value = r
	if err := json.Unmarshal(j.State, r); err != nil {
		return damaged(err)
	}
	old, _ := before.value.(*Run)
	if j.From > 0 || j.Base > 0 {
		if old == nil || old.ID != j.Run || len(old.Results) < j.From || j.Base > 0 && j.Base != before.version {
			return damaged(nil)
		}
		r.Results = old.Results[:j.From:j.From]
	}
	if j.Base > 0 {
		r.fillFrom(old, j.Reported)
	}
	r.Results = append(r.Results, j.Results...)
	return h, nil
}

// writeJournal writes what the transaction changed.
func (m *memory) writeJournal(tx *store.Tx) error {
	var states []journalling
	for n, h := range m.draft {
		if !n.kind.journaled() {
			continue
		}
		states = append(states, journalOf(n, m.base[n], h))
	}
	if len(states) == 0 {
		return nil
	}
	row, err := json.Marshal(states)
	if err != nil {
		return err
	}
	_, err = tx.Stmt(m.insertJournal).Exec(int64(m.first), row)
	return err
}

// open reads the journal that the process before left.
func (m *memory) open(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return unreadable(m.db.View(ctx, func(tx *store.Tx) error { return m.catchUp(tx) }))
}

// catchUp takes over what the journal has that this process has not seen. q is
// a transaction that sees all of it, m.mu is held.
func (m *memory) catchUp(q querier) error {
	rows, err := readJournal(q, m.seen)
	if err != nil {
		return err
	}
	// Asked afterwards, so that no row that went before it was read goes unnoticed.
	var saved int64
	if err := q.QueryRow(`SELECT first FROM session_saved WHERE id = 1`).Scan(&saved); err != nil {
		return err
	}
	if saved > m.seen {
		// Rows went before they were seen: the tables have what they said.
		clear(m.dirty)
		m.epochs[runs]++
		m.epochs[budgets]++
		m.others++
		m.seen = saved
	}
	for n, u := range m.dirty {
		if int64(u.last) <= saved {
			delete(m.dirty, n) // another process has moved it
		}
	}
	for _, row := range rows {
		if row.first <= m.seen {
			continue
		}
		m.others++
		for _, j := range row.states {
			if err := m.apply(q, uint64(row.first), j); err != nil {
				return err
			}
		}
		m.seen = row.first
		m.rows++
	}
	return nil
}

// journalRow is a row of the journal.
type journalRow struct {
	first  int64
	states []journalled
}

func readJournal(q querier, after int64) ([]journalRow, error) {
	rows, err := q.Query(`SELECT first, states FROM session_journal WHERE first > $1 ORDER BY first`, after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []journalRow
	for rows.Next() {
		var r journalRow
		var text []byte
		if err := rows.Scan(&r.first, &text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &r.states); err != nil {
			return nil, aims.Errorf(aims.Internal, err, "what is stored of runs is damaged")
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func (m *memory) apply(q querier, row uint64, j journalled) error {
	n := name{j.Kind, j.A, j.B}
	if !n.kind.journaled() {
		return aims.Errorf(aims.Internal, nil, "what is stored of runs is damaged")
	}
	e, ok := m.entries[n]
	if !ok || e.epoch != m.epochs[n.kind] {
		read, err := m.tables[n.kind].load(q, n, held{})
		if err != nil {
			return err
		}
		if !ok {
			e = m.insert(n, read)
		} else {
			m.put(e, n, read)
		}
	}
	if j.Version <= e.version {
		return nil // the table has it, or something newer
	}
	next, err := j.on(e.held)
	if err != nil {
		return err
	}
	m.soil(n, e.held, row)
	m.put(e, n, next)
	return nil
}

// soil notes that the newest value of a state is in a row of the journal.
// before is what it was. It is called with mu held.
func (m *memory) soil(n name, before held, row uint64) {
	u := m.dirty[n]
	if u == nil {
		u = &unsaved{base: before}
		m.dirty[n] = u
	}
	u.last = row
}

// saveSoon moves the journal into the tables when there is much in it.
func (m *memory) saveSoon() {
	if m.rows < journalRows && len(m.dirty) < journalStates || !m.saving.TryLock() {
		return
	}
	go func() {
		defer m.saving.Unlock()
		if err := m.save(context.Background()); err != nil {
			m.log.Warn("what is known of runs could not be moved into its tables; it stays in the journal", "error", err)
		}
	}()
}

// saveNow moves the journal into the tables, so that they can be searched.
func (m *memory) saveNow(ctx context.Context) error {
	m.saving.Lock()
	defer m.saving.Unlock()
	return m.save(ctx)
}

// saving is a state on its way into its table.
type saving struct {
	name
	base, value held
}

func (m *memory) save(ctx context.Context) error {
	m.mu.Lock()
	upTo, rows := m.seen, m.rows
	work := make([]saving, 0, len(m.dirty))
	for n, u := range m.dirty {
		work = append(work, saving{n, u.base, m.entries[n].held})
	}
	m.mu.Unlock()
	size := min(max(len(work)/4, saveAtLeast), saveAtMost)
	for len(work) > 0 {
		some := work[:min(size, len(work))]
		work = work[len(some):]
		if err := m.saveSome(ctx, some); err != nil {
			return err
		}
	}
	if rows == 0 {
		return nil
	}
	err := m.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM session_journal WHERE first <= $1`, upTo); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE session_saved SET first = $1 WHERE id = 1 AND first < $1`, upTo)
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.rows -= rows
	}
	return err
}

func (m *memory) saveSome(ctx context.Context, some []saving) error {
	err := m.db.Update(ctx, func(tx *store.Tx) error {
		// One process at a time: two that save the same states in another order
		// would wait for each other.
		if _, err := tx.Exec(`UPDATE session_saved SET first = first WHERE id = 1`); err != nil {
			return err
		}
		for _, s := range some {
			if err := m.tables[s.kind].save(tx, s.name, s.base, s.value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range some {
		u := m.dirty[s.name]
		if u == nil {
			continue
		}
		if u.base = s.value; m.entries[s.name].version == s.value.version {
			delete(m.dirty, s.name)
		}
	}
	return nil
}
