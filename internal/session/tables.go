package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// statements are those that a commit runs for each state that it changed.
type statements struct {
	saveRun, saveResult, saveBudget *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *store.DB, m *memory) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.saveRun, `INSERT INTO session (actor, name, id, version, changed, state) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (actor, name) DO UPDATE SET id = excluded.id, version = excluded.version, changed = excluded.changed, state = excluded.state
WHERE session.version < excluded.version`},
		{&s.saveResult, `INSERT INTO session_result (run, position, receipt, decision, labels) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`},
		{&s.saveBudget, `INSERT INTO budget_spent (budget, scope, version, changed, state) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (budget, scope) DO UPDATE SET version = excluded.version, changed = excluded.changed, state = excluded.state
WHERE budget_spent.version < excluded.version`},
		{&m.insertJournal, `INSERT INTO session_journal (first, states) VALUES ($1, $2)`},
	} {
		var err error
		if *p.stmt, err = db.Prepare(ctx, p.text); err != nil {
			s.close()
			return aims.Errorf(aims.Unavailable, err, "the database has no tables for runs")
		}
	}
	return nil
}

func (s *statements) close() {
	for _, stmt := range []*sql.Stmt{s.saveRun, s.saveResult, s.saveBudget} {
		if stmt != nil {
			stmt.Close()
		}
	}
}

// runTables keep runs.
type runTables struct{ sql *statements }

func (t runTables) load(q querier, n name, known held) (held, error) {
	var id string
	var version uint64
	var state []byte
	err := q.QueryRow(`SELECT id, version, state FROM session WHERE actor = $1 AND name = $2`, n.a, n.b).Scan(&id, &version, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return held{}, nil
	}
	if err != nil || known.value != nil && known.version == version {
		return known, err
	}
	r := &Run{Key: Key{n.a, n.b}, ID: id}
	if err := json.Unmarshal(state, r); err != nil {
		return held{}, aims.Errorf(aims.Internal, err, "what is stored of a run is damaged")
	}
	if before, ok := known.value.(*Run); ok && before.ID == id {
		r.Results = before.Results[:len(before.Results):len(before.Results)]
	}
	rows, err := q.Query(`SELECT receipt, decision, labels FROM session_result WHERE run = $1 AND position >= $2 ORDER BY position`, id, len(r.Results))
	if err != nil {
		return held{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var result Result
		var labels []byte
		if err := rows.Scan(&result.Receipt, &result.Decision, &labels); err != nil {
			return held{}, err
		}
		if err := json.Unmarshal(labels, &result.Labels); err != nil {
			return held{}, aims.Errorf(aims.Internal, err, "what is stored of a run is damaged")
		}
		r.Results = append(r.Results, result)
	}
	return held{r, version}, rows.Err()
}

func (t runTables) save(tx *store.Tx, n name, before, after held) error {
	old, _ := before.value.(*Run)
	r, _ := after.value.(*Run)
	stored := 0
	if old != nil && old.ID != "" {
		if r != nil && r.ID == old.ID {
			stored = len(old.Results)
		} else if _, err := tx.Exec(`DELETE FROM session_result WHERE run = $1`, old.ID); err != nil {
			return err
		}
	}
	if r == nil {
		_, err := tx.Exec(`DELETE FROM session WHERE actor = $1 AND name = $2 AND version < $3`, n.a, n.b, int64(after.version))
		return err
	}
	state, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := tx.Stmt(t.sql.saveRun).Exec(n.a, n.b, r.ID, int64(after.version), r.Changed.UnixMicro(), state); err != nil {
		return err
	}
	for i, result := range r.Results[stored:] {
		labels, err := json.Marshal(result.Labels)
		if err != nil {
			return err
		}
		if _, err := tx.Stmt(t.sql.saveResult).Exec(r.ID, stored+i, result.Receipt, result.Decision, string(labels)); err != nil {
			return err
		}
	}
	return nil
}

func (runTables) size(value any) int64 {
	r := value.(*Run)
	const perString, perResult, perOther = 24, 40, 64
	n := int64(512)
	for _, list := range [][]string{r.Labels, r.Tools, r.Overflow} {
		for _, s := range list {
			n += perString + int64(len(s))
		}
	}
	return n + int64(cap(r.Results))*perResult + int64(len(r.Unreported)+len(r.Chain)+len(r.Prompts))*perOther
}

// useTables keep what purposes used.
type useTables struct{}

func (useTables) load(q querier, n name, known held) (held, error) {
	rows, err := q.Query(`SELECT kind, value, run, again, version FROM history_use WHERE actor = $1 AND purpose = $2 AND version > $3`, n.a, n.b, int64(known.version))
	if err != nil {
		return held{}, err
	}
	defer rows.Close()
	h := known
	before, _ := known.value.(*Uses)
	for rows.Next() {
		var u use
		var version uint64
		if err := rows.Scan(&u.Kind, &u.Value, &u.first, &u.again, &version); err != nil {
			return held{}, err
		}
		before = before.put(u)
		h.value, h.version = before, max(h.version, version)
	}
	return h, rows.Err()
}

func (useTables) save(tx *store.Tx, n name, before, after held) error {
	old, _ := before.value.(*Uses)
	for _, u := range after.value.(*Uses).since(old) {
		_, err := tx.Exec(`INSERT INTO history_use (actor, purpose, kind, value, run, again, version) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (actor, purpose, kind, value) DO UPDATE SET again = excluded.again, version = excluded.version`,
			n.a, n.b, u.Kind, u.Value, u.first, u.again, int64(after.version))
		if err != nil {
			return err
		}
	}
	return nil
}

func (useTables) size(value any) int64 {
	const perUse = 192
	return int64(value.(*Uses).Len()) * perUse
}

// knownTables keep which purposes used a value. Rows are only added.
type knownTables struct{}

func (knownTables) load(q querier, n name, known held) (held, error) {
	rows, err := q.Query(`SELECT purpose, version FROM history_known WHERE kind = $1 AND value = $2 ORDER BY version, purpose`, n.a, n.b)
	if err != nil {
		return held{}, err
	}
	defer rows.Close()
	var h held
	var p purposesOf
	for rows.Next() {
		var purpose string
		var version uint64
		if err := rows.Scan(&purpose, &version); err != nil {
			return held{}, err
		}
		p = append(p, purpose)
		h = held{p, max(h.version, version)}
	}
	if h.version == known.version {
		h = known
	}
	return h, rows.Err()
}

func (knownTables) save(tx *store.Tx, n name, before, after held) error {
	old, _ := before.value.(purposesOf)
	for _, purpose := range after.value.(purposesOf)[len(old):] {
		_, err := tx.Exec(`INSERT INTO history_known (kind, value, purpose, version) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			n.a, n.b, purpose, int64(after.version))
		if err != nil {
			return err
		}
	}
	return nil
}

func (knownTables) size(value any) int64 {
	const perPurpose = 64
	return int64(len(value.(purposesOf))) * perPurpose
}

// budgetTables keep what was spent.
type budgetTables struct{ sql *statements }

func (budgetTables) load(q querier, n name, known held) (held, error) {
	var version uint64
	var state []byte
	err := q.QueryRow(`SELECT version, state FROM budget_spent WHERE budget = $1 AND scope = $2`, n.a, n.b).Scan(&version, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return held{}, nil
	}
	if err != nil || known.value != nil && known.version == version {
		return known, err
	}
	var w Window
	if err := json.Unmarshal(state, &w); err != nil {
		return held{}, aims.Errorf(aims.Internal, err, "what is stored of a budget is damaged")
	}
	return held{&w, version}, nil
}

func (t budgetTables) save(tx *store.Tx, n name, _, after held) error {
	w, _ := after.value.(*Window)
	if w == nil {
		_, err := tx.Exec(`DELETE FROM budget_spent WHERE budget = $1 AND scope = $2`, n.a, n.b)
		return err
	}
	state, err := json.Marshal(w)
	if err != nil {
		return err
	}
	_, err = tx.Stmt(t.sql.saveBudget).Exec(n.a, n.b, int64(after.version), tx.Now.UnixMicro(), state)
	return err
}

func (budgetTables) size(value any) int64 {
	const perBucket = 16
	return 128 + int64(len(value.(*Window).Buckets))*perBucket
}

// trustTables keep the trusted directory, whole.
type trustTables struct{}

func (trustTables) load(q querier, _ name, known held) (held, error) {
	var version uint64
	err := q.QueryRow(`SELECT version FROM trust_version WHERE id = 1`).Scan(&version)
	if err != nil || known.value != nil && known.version == version {
		return known, err
	}
	rows, err := q.Query(`SELECT kind, value, note, by_type, by_id, added FROM trust ORDER BY kind, value`)
	if err != nil {
		return held{}, err
	}
	defer rows.Close()
	d := &Directory{entries: map[Trusted]TrustedEntry{}}
	for rows.Next() {
		var e TrustedEntry
		var added int64
		if err := rows.Scan(&e.Kind, &e.Value, &e.Note, &e.By.Type, &e.By.ID, &added); err != nil {
			return held{}, err
		}
		e.Added = time.UnixMicro(added).UTC()
		d.entries[e.Trusted] = e
	}
	return held{d, version}, rows.Err()
}

func (trustTables) save(tx *store.Tx, _ name, before, after held) error {
	old, _ := before.value.(*Directory)
	d := after.value.(*Directory)
	for t := range old.all() {
		if _, kept := d.entries[t]; kept {
			continue
		}
		if _, err := tx.Exec(`DELETE FROM trust WHERE kind = $1 AND value = $2`, t.Kind, t.Value); err != nil {
			return err
		}
	}
	for t, e := range d.entries {
		if _, had := old.all()[t]; had {
			continue
		}
		_, err := tx.Exec(`INSERT INTO trust (kind, value, note, by_type, by_id, added) VALUES ($1, $2, $3, $4, $5, $6)`,
			e.Kind, e.Value, e.Note, e.By.Type, e.By.ID, e.Added.UnixMicro())
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE trust_version SET version = $1 WHERE id = 1`, int64(after.version))
	return err
}

func (trustTables) size(value any) int64 {
	const perTrusted = 256
	return int64(len(value.(*Directory).entries)) * perTrusted
}
