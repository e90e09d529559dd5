package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// Erasure says which payloads are to be erased, and who wants it by which
// decision.
type Erasure struct {
	receipt.Erasure
	Actor aims.Actor
	// Decision is the id of the receipt that allowed it; empty for what the
	// system does by itself.
	Decision string
	// Spare are entries, in ascending order, whose payloads stay: the erasure is
	// then of the stretches between them, each with receipts of its own.
	Spare []uint64
}

// stretches are the parts of the erasure between the entries that it spares.
func (e Erasure) stretches() []Erasure {
	var out []Erasure
	for _, spared := range append(slices.Clone(e.Spare), e.To+1) {
		if spared < e.From || spared > e.To+1 {
			continue
		}
		if spared > e.From {
			part := e
			part.To = spared - 1
			out = append(out, part)
		}
		e.From = spared + 1
	}
	return out
}

// erasedRows bounds how many commits one transaction rewrites, so that
// receipts of calls do not wait long.
const erasedRows = 64

// errNoPayloads ends an erasure that finds nothing to erase.
var errNoPayloads = errors.New("ledger: no payloads")

// Erase removes payloads and their salts; the receipts, and with them the
// tree, stay as they are. Each transaction that erases appends a receipt of it
// (receipt.ErasedEvent); a wide range takes several. When it returns without
// an error, the bytes are gone from the database's files too. What is erased
// already stays so, without another receipt.
func (l *Ledger) Erase(ctx context.Context, e Erasure) ([]Ref, error) {
	if e.From > e.To || e.To >= l.Size() {
		return nil, aims.Errorf(aims.Invalid, nil, "entries %d to %d cannot be erased: the log has %d", e.From, e.To, l.Size())
	}
	if len(e.Names) == 0 || e.Rule == "" {
		return nil, aims.Errorf(aims.Invalid, nil, "an erasure names payloads and the rule that demands it")
	}
	var refs []Ref
	for _, part := range e.stretches() {
		done, err := l.eraseStretch(ctx, part)
		if refs = append(refs, done...); err != nil {
			return refs, err
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	return refs, l.db.Scrub(ctx, "log_vault")
}

// eraseStretch erases from the first entry to the last.
func (l *Ledger) eraseStretch(ctx context.Context, e Erasure) ([]Ref, error) {
	var refs []Ref
	for e.From <= e.To {
		var next uint64
		ref, err := l.Change(ctx, func(tx *store.Tx) (entry Entry, err error) {
			entry, next, err = e.erase(tx)
			return entry, err
		})
		switch {
		case err == nil:
			refs = append(refs, ref)
		case !errors.Is(err, errNoPayloads):
			return refs, unreadable(err)
		}
		e.From = next
	}
	return refs, nil
}

// erase rewrites the payloads of some commits, from e.From on. next is the
// entry at which to go on.
func (e Erasure) erase(tx *store.Tx) (entry Entry, next uint64, err error) {
	first, err := firstRow(tx, "log_vault", e.From)
	if err != nil {
		return entry, 0, err
	}
	blobs, next, err := vaultRows(tx, first, e.To)
	if err != nil {
		return entry, 0, err
	}
	erased := 0
	for _, row := range blobs {
		blob, n, err := e.rewrite(row.payloads)
		if err != nil {
			return entry, 0, damage("the payloads of the commit at entry %d: %w", row.first, err)
		}
		if n == 0 {
			continue
		}
		erased += n
		if _, err := tx.Exec("UPDATE log_vault SET payloads = $1 WHERE first = $2", blob, int64(row.first)); err != nil {
			return entry, 0, err
		}
	}
	if erased == 0 {
		return entry, next, errNoPayloads
	}
	e.To = min(e.To, next-1)
	entry, err = e.entry()
	return entry, next, err
}

func (e Erasure) entry() (Entry, error) {
	detail, err := json.Marshal(e.Erasure)
	if err != nil {
		return Entry{}, err
	}
	body, err := receipt.Encode(receipt.Event{
		ID:       aims.NewID("rcp"),
		Actor:    receipt.Party{Type: e.Actor.Type, ID: e.Actor.ID},
		Name:     receipt.ErasedEvent,
		Object:   receipt.Object{Type: "system", ID: "aims"},
		Decision: e.Decision,
		Detail:   detail,
	})
	if err != nil {
		return Entry{}, aims.Errorf(aims.Invalid, err, "the erasure's receipt cannot be written")
	}
	return Entry{Kind: receipt.EventKind, Body: body}, nil
}

// rewrite is a blob without the payloads that are to be erased, and their number.
func (e Erasure) rewrite(blob []byte) (out []byte, erased int, err error) {
	for p, err := range eachStored(blob) {
		if err != nil {
			return nil, 0, err
		}
		if !p.Erased && e.From <= p.Index && p.Index <= e.To && slices.Contains(e.Names, p.Name) {
			p = Stored{Payload: receipt.Payload{Index: p.Index, Name: p.Name}, Erased: true}
			erased++
		}
		out = appendStored(out, p)
	}
	return out, erased, nil
}

// vaultRow is the stored payloads of one commit.
type vaultRow struct {
	first    uint64
	payloads []byte
}

// vaultRows reads stored payloads from a commit on, at most erasedRows and
// about pageBytes of them, none that begins after last. next is the entry at
// which to go on, after last at the end.
func vaultRows(q querier, first, last uint64) (out []vaultRow, next uint64, err error) {
	rows, err := q.Query("SELECT first, payloads FROM log_vault WHERE first >= $1 AND first <= $2 ORDER BY first LIMIT $3",
		int64(first), int64(last), erasedRows+1)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var row vaultRow
		if err := rows.Scan(&row.first, &row.payloads); err != nil {
			return nil, 0, err
		}
		if len(out) == erasedRows || len(out) > 0 && size+len(row.payloads) > 8*pageBytes {
			return out, row.first, nil
		}
		size += len(row.payloads)
		out = append(out, row)
	}
	return out, last + 1, rows.Err()
}
