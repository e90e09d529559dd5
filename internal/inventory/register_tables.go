package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"aims/internal/store"
)

func readVersion(ctx context.Context, tx *store.Tx) (version int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT version FROM inventory_version WHERE id = 1`).Scan(&version)
	return version, err
}

// agentFacts are what is kept of an agent beside its columns.
type agentFacts struct {
	Operator     string            `json:"operator,omitempty"`
	Owner        string            `json:"owner,omitempty"`
	Purposes     []string          `json:"purposes,omitempty"`
	PurposeTexts map[string]string `json:"purpose_texts,omitempty"`
	Delegates    []string          `json:"delegates,omitempty"`
}

func (a *Agent) facts() agentFacts {
	return agentFacts{a.Operator, a.Owner, a.Purposes, a.PurposeTexts, a.Delegates}
}

// moment is the time of a transaction as the tables keep it.
func moment(tx *store.Tx) time.Time { return tx.Now.UTC().Truncate(time.Microsecond) }

// after is the time of a transaction, or, where a clock stood still, the moment
// after before: no two states of one thing have the same time.
func after(before time.Time, tx *store.Tx) time.Time {
	if now := moment(tx); now.After(before) {
		return now
	}
	return before.Add(time.Microsecond)
}

func saveAgent(ctx context.Context, tx *store.Tx, a *Agent) error {
	facts, err := json.Marshal(a.facts())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO inventory_agent (id, stage, facts, created, changed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, facts = excluded.facts, changed = excluded.changed`,
		a.ID, a.Stage, string(facts), a.Created.UnixMicro(), a.Changed.UnixMicro())
	return err
}

func (c *contents) readAgents(ctx context.Context, tx *store.Tx) error {
	return c.readAgentRows(tx.QueryContext(ctx, `SELECT id, stage, facts, created, changed FROM inventory_agent`))
}

// readAgent reads one agent from the tables; nil for none.
func readAgent(ctx context.Context, tx *store.Tx, id string) (*Agent, error) {
	c := newContents()
	err := c.readAgentRows(tx.QueryContext(ctx, `SELECT id, stage, facts, created, changed FROM inventory_agent WHERE id = $1`, id))
	return c.agents[id], err
}

func (c *contents) readAgentRows(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a Agent
		var text string
		var created, changed int64
		if err := rows.Scan(&a.ID, &a.Stage, &text, &created, &changed); err != nil {
			return err
		}
		var f agentFacts
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return err
		}
		a.Operator, a.Owner, a.Purposes, a.PurposeTexts, a.Delegates = f.Operator, f.Owner, f.Purposes, f.PurposeTexts, f.Delegates
		a.Created, a.Changed = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		c.agents[a.ID] = &a
	}
	return rows.Err()
}

func saveStop(ctx context.Context, tx *store.Tx, s *Stop) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO inventory_stop (type, id, reason, by_type, by_id, since) VALUES ($1, $2, $3, $4, $5, $6)`,
		s.Type, s.ID, s.Reason, s.By.Type, s.By.ID, s.Since.UnixMicro())
	return err
}

func deleteStop(ctx context.Context, tx *store.Tx, t target) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM inventory_stop WHERE type = $1 AND id = $2`, t.kind, t.id)
	return err
}

func (c *contents) readStops(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT type, id, reason, by_type, by_id, since FROM inventory_stop`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s Stop
		var since int64
		if err := rows.Scan(&s.Type, &s.ID, &s.Reason, &s.By.Type, &s.By.ID, &since); err != nil {
			return err
		}
		s.Since = time.UnixMicro(since).UTC()
		c.stops[target{s.Type, s.ID}] = &s
	}
	return rows.Err()
}

// saveLabelling keeps what is said about a tool, and nothing when it is empty.
func saveLabelling(ctx context.Context, tx *store.Tx, at toolName, l *Labelling) error {
	if l.empty() {
		_, err := tx.ExecContext(ctx, `DELETE FROM inventory_label WHERE server = $1 AND name = $2`, at.server, at.name)
		return err
	}
	said, err := json.Marshal(Labelling{Effects: l.Effects, Labels: l.Labels, Sinks: l.Sinks})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO inventory_label (server, name, said, source, changed) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (server, name) DO UPDATE SET said = excluded.said, source = excluded.source, changed = excluded.changed`,
		at.server, at.name, string(said), string(l.Source), l.Changed.UnixMicro())
	return err
}

func (c *contents) readLabellings(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT server, name, said, source, changed FROM inventory_label`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var at toolName
		var said, source string
		var changed int64
		if err := rows.Scan(&at.server, &at.name, &said, &source, &changed); err != nil {
			return err
		}
		l := &Labelling{}
		if err := json.Unmarshal([]byte(said), l); err != nil {
			return err
		}
		l.Source, l.Changed = Source(source), time.UnixMicro(changed).UTC()
		c.labels[at] = l
	}
	return rows.Err()
}
