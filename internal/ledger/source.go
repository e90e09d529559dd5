package ledger

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// source shows a stored log to a verifier, of a database that may have been
// changed: it judges nothing, so that the verifier can name the place.
type source struct {
	reader
	contents receipt.Contents
	policies []receipt.PolicySet
	// end and signed bound what is shown: what there was when the view was
	// made, also where the head of the log says something else.
	end    uint64
	signed int64
}

// NewSource is the log in a database as it is now, for receipt.Verify and
// receipt.Export. The database may be open for reading only, while another
// process writes it. policies are the policy sets to show with it. Payloads
// that are erased while it is read are missing from it without an event that
// says so.
func NewSource(ctx context.Context, db *store.DB, policies []receipt.PolicySet) (receipt.Source, error) {
	s := &source{reader: reader{db: db}, policies: policies}
	s.contents = receipt.Contents{Hashes: true, Payloads: true, Policies: []string{}}
	err := db.View(ctx, func(tx *store.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT origin, size FROM log_head WHERE id = 1").Scan(&s.contents.Origin, &s.contents.Size); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(size), 0) FROM log_checkpoint").Scan(&s.signed); err != nil {
			return err
		}
		var last sql.NullInt64
		err := tx.QueryRowContext(ctx, "SELECT MAX(first) FROM log_batch").Scan(&last)
		s.end = max(s.contents.Size, uint64(last.Int64+1))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, aims.Errorf(aims.NotFound, err, "the database holds no log")
	}
	for _, set := range policies {
		s.contents.Policies = append(s.contents.Policies, set.Digest)
	}
	slices.Sort(s.contents.Policies)
	return s, unreadable(err)
}

// Source is the log as it is now, with the policy sets to show with it.
func (l *Ledger) Source(ctx context.Context, policies []receipt.PolicySet) (receipt.Source, error) {
	return NewSource(ctx, l.db, policies)
}

func (s *source) Contents(context.Context) (receipt.Contents, error) { return s.contents, nil }

func (s *source) Policy(_ context.Context, digest string) (receipt.PolicySet, error) {
	for _, set := range s.policies {
		if set.Digest == digest {
			return set, nil
		}
	}
	return receipt.PolicySet{}, receipt.ErrNotKept
}

// checkpointsPage bounds how many checkpoints are read at once.
const checkpointsPage = 1000

func (s *source) Checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for after, more := int64(-1), true; more; {
			var page []storedCheckpoint
			err := s.db.View(ctx, func(tx *store.Tx) (err error) {
				page, err = checkpointPage(tx, after, s.signed)
				return err
			})
			if err != nil {
				yield(nil, unreadable(err))
				return
			}
			for _, c := range page {
				if after = c.size; !yield(c.note, nil) {
					return
				}
			}
			more = len(page) == checkpointsPage
		}
	}
}

type storedCheckpoint struct {
	size int64
	note []byte
}

// checkpointPage reads the checkpoints after a size with their cosignatures.
func checkpointPage(q querier, after, until int64) ([]storedCheckpoint, error) {
	rows, err := q.Query("SELECT size, note FROM log_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size LIMIT $3", after, until, checkpointsPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []storedCheckpoint
	for rows.Next() {
		var c storedCheckpoint
		if err := rows.Scan(&c.size, &c.note); err != nil {
			return nil, err
		}
		page = append(page, c)
	}
	if err := rows.Err(); err != nil || len(page) == 0 {
		return nil, err
	}
	lines, err := q.Query("SELECT size, line FROM log_cosignature WHERE size > $1 AND size <= $2 ORDER BY size, witness", after, page[len(page)-1].size)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	at := 0
	for lines.Next() {
		var size int64
		var line string
		if err := lines.Scan(&size, &line); err != nil {
			return nil, err
		}
		for at < len(page)-1 && page[at].size < size {
			at++
		}
		if page[at].size == size {
			page[at].note = append(page[at].note, line...)
		}
	}
	return page, lines.Err()
}

func (s *source) Entries(ctx context.Context, from uint64) (io.ReadCloser, error) {
	return s.stream(ctx, from, true, func(r row) []byte {
		rest := r.leaves
		for index := r.first; index < from && len(rest) >= 2; index++ {
			rest = rest[min(len(rest), 2+int(binary.BigEndian.Uint16(rest))):]
		}
		return rest
	}), nil
}

func (s *source) Hashes(ctx context.Context, from uint64) (io.ReadCloser, error) {
	return s.stream(ctx, from, false, func(r row) []byte {
		// One hash for each entry, whatever is stored: a hash that is missing
		// must not move those after it.
		hashes := make([]byte, r.entries*tlog.HashSize)
		copy(hashes, r.hashes)
		skip := min(max(from, r.first)-r.first, uint64(r.entries))
		return hashes[skip*tlog.HashSize:]
	}), nil
}

// stream joins what part gives of each stored commit.
func (s *source) stream(ctx context.Context, from uint64, leaves bool, part func(row) []byte) io.ReadCloser {
	next, stop := iter.Pull2(s.pages(ctx, from, leaves))
	return &rowStream{next: next, stop: stop, part: part}
}

// pages reads stored commits from the one that holds an index on, whatever
// gaps there are and whatever they say of themselves.
func (s *source) pages(ctx context.Context, from uint64, leaves bool) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		first, begun, limit := uint64(0), false, firstRows
		for {
			var rows []row
			err := s.db.View(ctx, func(tx *store.Tx) (err error) {
				if !begun {
					if first, err = firstRow(tx, "log_batch", from); err != nil {
						return err
					}
				}
				rows, err = page(tx, first, s.end, leaves, limit)
				return err
			})
			if err != nil {
				yield(row{}, unreadable(err))
				return
			}
			for _, r := range rows {
				r.entries = max(0, min(r.entries, maxEntries))
				if !yield(r, nil) {
					return
				}
				first, begun = r.first+1, true
			}
			if len(rows) == 0 {
				return
			}
			limit = nextLimit(rows)
		}
	}
}

// rowStream is an io.ReadCloser over stored commits.
type rowStream struct {
	next func() (row, error, bool)
	stop func()
	part func(row) []byte
	rest []byte
}

func (r *rowStream) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		row, err, ok := r.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, io.EOF
		}
		r.rest = r.part(row)
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *rowStream) Close() error {
	r.stop()
	return nil
}

func (s *source) Payloads(ctx context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		last := s.end - 1
		for next := from; s.end > 0 && next <= last; {
			var rows []vaultRow
			err := s.db.View(ctx, func(tx *store.Tx) error {
				first, err := firstRow(tx, "log_vault", next)
				if err != nil {
					return err
				}
				rows, next, err = vaultRows(tx, first, last)
				return err
			})
			if err != nil {
				yield(receipt.Payload{}, unreadable(err))
				return
			}
			for _, r := range rows {
				if !yieldKept(r, from, last, yield) {
					return
				}
			}
		}
	}
}

func yieldKept(r vaultRow, from, last uint64, yield func(receipt.Payload, error) bool) bool {
	for p, err := range eachStored(r.payloads) {
		if err != nil {
			yield(receipt.Payload{}, &receipt.FormatError{Place: fmt.Sprintf("payloads of the commit at entry %d", r.first), Text: "they are malformed"})
			return false
		}
		if p.Erased || p.Index < from || p.Index > last {
			continue
		}
		if !yield(p.Payload, nil) {
			return false
		}
	}
	return true
}
