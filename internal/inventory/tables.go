package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

func saveTool(ctx context.Context, tx *store.Tx, r *record) error {
	flags, err := json.Marshal(r.Flags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO inventory_tool (server, name, pin, observed, approved, definition, quarantined, flags, first_seen, changed, explicit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (server, name) DO UPDATE SET pin = excluded.pin, observed = excluded.observed, approved = excluded.approved,
	definition = excluded.definition, quarantined = excluded.quarantined, flags = excluded.flags, changed = excluded.changed,
	explicit = excluded.explicit`,
		r.Server, r.Name, r.Pin, notNull(r.Observed), r.Approved, notNull(r.Definition), r.Quarantined, string(flags),
		r.FirstSeen.UnixMicro(), r.Changed.UnixMicro(), r.Explicit)
	return err
}

// notNull is b for a column that may be empty and not NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func saveSighting(ctx context.Context, tx *store.Tx, r *record, kind ChangeKind) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO inventory_sighting (server, name, kind, pin, seen) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (server, name, kind, pin) DO NOTHING`,
		r.Server, r.Name, string(kind), r.Pin, tx.Now.UnixMicro())
	return err
}

func forgetSightings(ctx context.Context, tx *store.Tx, server, tool string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM inventory_sighting WHERE server = $1 AND name = $2`, server, tool)
	return err
}

func deleteTool(ctx context.Context, tx *store.Tx, server, tool string) error {
	if err := forgetSightings(ctx, tx, server, tool); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM inventory_tool WHERE server = $1 AND name = $2`, server, tool)
	return err
}

// read fills contents that are not yet visible to others.
func (c *contents) read(ctx context.Context, tx *store.Tx) error {
	for _, step := range []func(context.Context, *store.Tx) error{
		c.readLabellings, c.readTools, c.readSightings, c.readAgents, c.readStops,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (c *contents) readTools(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT server, name, pin, observed, approved, definition, quarantined, flags, first_seen, changed, explicit FROM inventory_tool`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := &record{seen: map[string]bool{}}
		var observed, definition []byte
		var flags string
		var first, changed int64
		if err := rows.Scan(&r.Server, &r.Name, &r.Pin, &observed, &r.Approved, &definition, &r.Quarantined, &flags, &first, &changed, &r.Explicit); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(flags), &r.Flags); err != nil {
			return err
		}
		r.Observed, r.Definition = observed, definition
		r.FirstSeen, r.Changed = time.UnixMicro(first).UTC(), time.UnixMicro(changed).UTC()
		r.unusable = len(observed) == 0
		r.fingerprint = fingerprint(observed)
		r.classify(c.labels[toolName{r.Server, r.Name}])
		c.place(r)
	}
	return rows.Err()
}

func (c *contents) readSightings(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT server, name, kind, pin FROM inventory_sighting`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var server, name, kind, pin string
		if err := rows.Scan(&server, &name, &kind, &pin); err != nil {
			return err
		}
		if r := c.record(server, name); r != nil {
			r.seen[sighting(ChangeKind(kind), pin)] = true
		}
	}
	return rows.Err()
}

func sighting(kind ChangeKind, pin string) string { return string(kind) + " " + pin }

// toolDetail is what the receipt of a change says.
type toolDetail struct {
	Pin    string `json:"pin,omitempty"`
	Before string `json:"before,omitempty"` // the pin in force before
	// List is the pin of the whole list in which it was seen.
	List        string       `json:"list,omitempty"`
	From        string       `json:"from,omitempty"` // the old name
	Quarantined bool         `json:"quarantined,omitempty"`
	Flags       []Flag       `json:"flags,omitempty"`
	Difference  []Difference `json:"difference,omitempty"`
	Count       int          `json:"count,omitempty"`
	// Said is what was said about the tool, SaidBefore what was before that.
	Said       *Labelling `json:"said,omitempty"`
	SaidBefore *Labelling `json:"said_before,omitempty"`
}

// event is the entry of an event receipt about a tool.
func event(by aims.Actor, decision, name, server, tool string, detail toolDetail) (ledger.Entry, error) {
	object := receipt.Object{Type: "tool", ID: server + "___" + strings.ToValidUTF8(tool, "\uFFFD")}
	entry, err := happened(by, decision, name, object, detail)
	if err == nil && len(entry.Body) > ledger.MaxBody {
		// Escapes can make text six times as long; the inventory has all of it.
		detail.Difference, detail.Flags = nil, nil
		entry, err = happened(by, decision, name, object, detail)
	}
	return entry, err
}

// happened is the entry of an event receipt.
func happened(by aims.Actor, decision, name string, object receipt.Object, detail any) (ledger.Entry, error) {
	d, err := json.Marshal(detail)
	if err != nil {
		return ledger.Entry{}, err
	}
	body, err := receipt.Encode(receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party(by), Name: name, Object: object, Decision: decision, Detail: d,
	})
	return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
}

// changeFailed words the error of a change; ours pass as they are.
func changeFailed(err error) error {
	var ours *aims.Error
	if errors.As(err, &ours) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "the inventory was not changed: it could not be recorded")
}
