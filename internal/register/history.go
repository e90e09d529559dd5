package register

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/register/record"
	"aims/internal/store"
)

// Change is one thing that happened to a record: a version, or a mark.
type Change struct {
	// Version is set for a version, with the fields in which it differs from the
	// one before.
	Version *record.Version      `json:"version,omitempty"`
	Fields  []record.FieldChange `json:"fields,omitempty"`
	Mark    *record.Mark         `json:"mark,omitempty"`
}

// index is its place in the log.
func (c Change) index() uint64 {
	if c.Mark != nil {
		return c.Mark.Index
	}
	return c.Version.Index
}

// History is what happened to a record up to a time, oldest first; the zero time
// is now. Of the kind requirement it is what people attested. It fails with
// aims.NotFound when there never was such a record.
func (r *Register) History(ctx context.Context, kind, id string, at time.Time) ([]Change, error) {
	var out []Change
	err := r.db.View(ctx, func(tx *store.Tx) error {
		until := newest
		var err error
		if !at.IsZero() {
			if until, err = entryAt(tx, at); err != nil {
				return err
			}
		}
		out, err = history(tx, record.Key{Kind: kind, ID: id}, until)
		return err
	})
	if err == nil && len(out) == 0 {
		err = aims.Errorf(aims.NotFound, nil, "nothing is known of a %.40s %.80q", kind, id)
	}
	return out, failed(err, "the history could not be read")
}

func history(tx *store.Tx, key record.Key, until uint64) ([]Change, error) {
	out, err := versionsOf(tx, key, until)
	if err != nil {
		return nil, err
	}
	marks, err := loadMarks(tx, until)
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		if m.On == key.Kind && m.ID == key.ID {
			out = append(out, Change{Mark: &m})
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(a.index(), b.index()) })
	return out, nil
}

func versionsOf(tx *store.Tx, key record.Key, until uint64) ([]Change, error) {
	rows, err := tx.Query(`SELECT number, event, digest, content, author, at, entry, receipt FROM register_version
WHERE kind = $1 AND id = $2 AND entry <= $3 ORDER BY number`, key.Kind, key.ID, int64(until))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Change
	var before []byte
	for rows.Next() {
		var v record.Version
		var text []byte
		if err := rows.Scan(&v.Number, &v.Event, &v.Digest, &text, &v.By, &v.At, &v.Index, &v.Receipt); err != nil {
			return nil, err
		}
		if v.Event == record.Removed {
			text = nil
		} else if digestOf(text) != v.Digest {
			return nil, damaged(key, nil)
		}
		fields, err := differ(key, before, text)
		if err != nil {
			return nil, err
		}
		out, before = append(out, Change{Version: &v, Fields: fields}), text
	}
	return out, rows.Err()
}
