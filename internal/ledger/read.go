package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// Leaf is one receipt of the log. Raw is what the log commits to; Body is its
// part after the header.
type Leaf struct {
	receipt.Header
	Raw  []byte
	Body []byte
}

// reader reads what is stored, of a running log or of a file.
type reader struct{ db *store.DB }

// row is one stored commit.
type row struct {
	first   uint64
	entries int
	hashes  []byte
	leaves  []byte
}

// end is the index after the row's last entry.
func (r row) end() uint64 { return r.first + uint64(r.entries) }

// The memory that a read holds, and with it the time for which it keeps the
// write-ahead log from being emptied, is bounded by pages of about this size.
const (
	pageBytes = 1 << 20
	// firstRows is how many stored commits are asked for before their size is
	// known, mostRows how many at most.
	firstRows = 8
	mostRows  = 4096
	// maxEntries is more than any commit has: a number beyond it was not
	// written by this package, and would cost memory.
	maxEntries = 1 << 16
)

// querier is a transaction or a store's reader.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// firstRow is the beginning of the stored commit that holds an index.
func firstRow(q querier, table string, index uint64) (uint64, error) {
	var first sql.NullInt64
	err := q.QueryRow("SELECT MAX(first) FROM "+table+" WHERE first <= $1", int64(index)).Scan(&first)
	return uint64(first.Int64), err
}

// page reads up to limit stored commits that begin at an index or later, and
// before another. leaves may be left out.
func page(q querier, first, to uint64, leaves bool, limit int) ([]row, error) {
	columns := "first, entries, hashes"
	if leaves {
		columns += ", leaves"
	}
	rows, err := q.Query("SELECT "+columns+" FROM log_batch WHERE first >= $1 AND first < $2 ORDER BY first LIMIT $3",
		int64(first), int64(to), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for size := 0; size < 2*pageBytes && rows.Next(); {
		var r row
		fields := []any{&r.first, &r.entries, &r.hashes}
		if leaves {
			fields = append(fields, &r.leaves)
		}
		if err := rows.Scan(fields...); err != nil {
			return nil, err
		}
		size += len(r.hashes) + len(r.leaves)
		out = append(out, r)
	}
	return out, rows.Err()
}

// nextLimit is how many commits to ask for next, to get about pageBytes: a
// server sends all that it was asked for, read or not.
func nextLimit(rows []row) int {
	size := 1
	for _, r := range rows {
		size += len(r.hashes) + len(r.leaves)
	}
	return max(1, min(pageBytes*len(rows)/size, mostRows))
}

// pageWith reads stored commits from the one that holds an index on.
func pageWith(q querier, index, to uint64, leaves bool, limit int) ([]row, error) {
	first, err := firstRow(q, "log_batch", index)
	if err != nil {
		return nil, err
	}
	rows, err := page(q, first, to, leaves, limit)
	for _, r := range rows {
		if r.entries < 1 || r.entries > maxEntries {
			return nil, damage("the commit at entry %d says that it has %d entries", r.first, r.entries)
		}
	}
	return rows, err
}

// damage is an error about what is stored: it names the place for the
// operator and nothing for a caller.
func damage(format string, args ...any) error {
	return aims.Errorf(aims.Internal, fmt.Errorf(format, args...), "the log's storage is damaged: verify it")
}

// rows streams stored commits without a gap, page by page.
func (r reader) rows(ctx context.Context, from, to uint64, leaves bool) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		limit := firstRows
		for next := from; next < to; {
			var rows []row
			err := r.db.View(ctx, func(tx *store.Tx) (err error) {
				rows, err = pageWith(tx, next, to, leaves, limit)
				return err
			})
			if err == nil && (len(rows) == 0 || rows[0].first > next || rows[0].end() <= next) {
				err = damage("entry %d is not stored", next)
			}
			if err != nil {
				yield(row{}, unreadable(err))
				return
			}
			for _, row := range rows {
				if row.first > next {
					yield(row, damage("entry %d is not stored", next))
					return
				}
				next = row.end()
				if !yield(row, nil) {
					return
				}
			}
			limit = nextLimit(rows)
		}
	}
}

func unreadable(err error) error {
	var known *aims.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "the log cannot be read")
}

// split gives the row's leaves from an index, framed and bare.
func (r row) each(from uint64, fn func(index uint64, leaf []byte) error) error {
	rest := r.leaves
	for index := r.first; index < r.end(); index++ {
		leaf, after, err := torchwood.ReadTileEntry(rest)
		if err != nil {
			return damage("entry %d: %w", index, err)
		}
		rest = after
		if index < from {
			continue
		}
		if err := fn(index, leaf); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return damage("%d bytes after entry %d", len(rest), r.end()-1)
	}
	return nil
}

// parse reads a stored leaf and checks that it stands where it says.
func parse(index uint64, raw []byte) (Leaf, error) {
	h, body, err := receipt.ParseLeaf(raw)
	if err != nil {
		return Leaf{}, damage("entry %d: %w", index, err)
	}
	if h.Index != index {
		return Leaf{}, damage("entry %d says that it is entry %d", index, h.Index)
	}
	return Leaf{Header: h, Raw: raw, Body: body}, nil
}

// leaves streams entries from an index up to another.
func (r reader) leaves(ctx context.Context, from, to uint64) iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		errStop := errors.New("stop")
		for row, err := range r.rows(ctx, from, to, true) {
			if err != nil {
				yield(Leaf{}, err)
				return
			}
			err = row.each(from, func(index uint64, raw []byte) error {
				if index >= to {
					return errStop
				}
				leaf, err := parse(index, raw)
				if err != nil {
					return err
				}
				if !yield(leaf, nil) {
					return errStop
				}
				return nil
			})
			if err == errStop {
				return
			}
			if err != nil {
				yield(Leaf{}, err)
				return
			}
		}
	}
}

// leafHashes are the stored hashes of the leaves from an index up to another.
func (r reader) leafHashes(ctx context.Context, from, to uint64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, 0, to-from)
	for row, err := range r.rows(ctx, from, to, false) {
		if err != nil {
			return nil, err
		}
		if len(row.hashes) != row.entries*tlog.HashSize {
			return nil, damage("the hashes of entries %d to %d", row.first, row.end()-1)
		}
		hashes := row.hashes
		if row.first < from {
			hashes = hashes[(from-row.first)*tlog.HashSize:]
		}
		out = append(out, split(hashes)...)
	}
	if uint64(len(out)) < to-from {
		return nil, damage("the hashes of entries %d to %d", from, to-1)
	}
	return out[:to-from], nil
}

// Entries streams the receipts from an index up to, not including, another.
// It ends at what is committed. Each leaf's bytes are the caller's.
func (l *Ledger) Entries(ctx context.Context, from, to uint64) iter.Seq2[Leaf, error] {
	return l.leaves(ctx, from, min(to, l.Size()))
}

// Entry is the receipt at an index; aims.NotFound when there is none.
func (l *Ledger) Entry(ctx context.Context, index uint64) (Leaf, error) {
	if index >= l.Size() {
		return Leaf{}, aims.Errorf(aims.NotFound, nil, "there is no entry %d: the log has %d", index, l.Size())
	}
	for leaf, err := range l.leaves(ctx, index, index+1) {
		return leaf, err
	}
	return Leaf{}, damage("entry %d is not stored", index)
}
