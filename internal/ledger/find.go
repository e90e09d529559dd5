package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// Find is the receipt with an id; aims.NotFound when there is none. An id holds
// the time at which it was minted, and it was committed soon after, so that
// usually few entries are read. Where clocks differ more are, in the end all.
func (l *Ledger) Find(ctx context.Context, id string) (Leaf, error) {
	minted, ok := mintedAt(id)
	if !ok {
		return Leaf{}, aims.Errorf(aims.NotFound, nil, "there is no receipt with this id: an id is rcp_ and a UUID of version 7")
	}
	size := l.Size()
	var bounds [4]uint64
	for i, at := range []time.Time{minted.Add(-clocksDiffer), minted, minted.Add(commitsSoon), minted.Add(clocksDiffer)} {
		var err error
		if bounds[i], err = l.since(ctx, at, size); err != nil {
			return Leaf{}, err
		}
	}
	early, begin, soon, late := bounds[0], bounds[1], bounds[2], bounds[3]
	leaf, err := l.search(ctx, id, begin, soon)
	if !errors.Is(err, errNotThere) {
		return leaf, err
	}
	// One long search at a time: a caller that makes up ids must not keep
	// every core busy.
	select {
	case l.longSearch <- struct{}{}:
		defer func() { <-l.longSearch }()
	case <-ctx.Done():
		return Leaf{}, aims.Errorf(aims.Timeout, ctx.Err(), "the receipt was not found in time")
	}
	for _, stretch := range [][2]uint64{{early, begin}, {soon, late}, {late, size}, {0, early}} {
		leaf, err := l.search(ctx, id, stretch[0], stretch[1])
		if !errors.Is(err, errNotThere) {
			return leaf, err
		}
	}
	return Leaf{}, aims.Errorf(aims.NotFound, nil, "there is no receipt with this id")
}

// A receipt is committed soon after its id was minted. The clocks of several
// processes are likely to differ by no more than clocksDiffer.
const (
	commitsSoon  = 10 * time.Second
	clocksDiffer = 10 * time.Minute
)

// mintedAt is the time in an id (RFC 9562 §5.7), in milliseconds.
func mintedAt(id string) (time.Time, bool) {
	const form = "rcp_00000000-0000-7000-8000-000000000000"
	if len(id) != len(form) || !strings.HasPrefix(id, "rcp_") || id[12] != '-' || id[18] != '7' {
		return time.Time{}, false
	}
	b, err := hex.DecodeString(id[4:12] + id[13:17])
	if err != nil {
		return time.Time{}, false
	}
	var ms int64
	for _, c := range b {
		ms = ms<<8 | int64(c)
	}
	return time.UnixMilli(ms), true
}

// since is the first entry of the first commit at a time or later, found by
// bisection because the times of commits do not decrease.
func (r reader) since(ctx context.Context, at time.Time, size uint64) (uint64, error) {
	low, high := uint64(0), size
	err := r.db.View(ctx, func(tx *store.Tx) error {
		for low < high {
			var first, entries, micros int64
			err := tx.QueryRowContext(ctx, "SELECT first, entries, time FROM log_batch WHERE first <= $1 ORDER BY first DESC LIMIT 1",
				int64(low+(high-low)/2)).Scan(&first, &entries, &micros)
			if errors.Is(err, sql.ErrNoRows) || err == nil && uint64(first+entries) <= low {
				return damage("entry %d is not stored", low)
			}
			if err != nil {
				return err
			}
			if micros < at.UnixMicro() {
				low = uint64(first + entries)
			} else {
				high = max(uint64(first), low)
			}
		}
		return nil
	})
	return min(low, size), unreadable(err)
}

var errNotThere = errors.New("ledger: not there")

// search looks for an id among entries. A body begins with its id, because
// receipt.Encode writes it so.
func (r reader) search(ctx context.Context, id string, from, to uint64) (Leaf, error) {
	begin := []byte(`{"id":"` + id + `"`)
	for row, err := range r.rows(ctx, from, to, true) {
		if err != nil {
			return Leaf{}, err
		}
		if !bytes.Contains(row.leaves, begin) {
			continue
		}
		found := Leaf{}
		err := row.each(from, func(index uint64, raw []byte) error {
			leaf, err := parse(index, raw)
			if err == nil && found.Raw == nil && bytes.HasPrefix(leaf.Body, begin) {
				found = leaf
			}
			return err
		})
		if err != nil || found.Raw != nil {
			return found, err
		}
	}
	return Leaf{}, errNotThere
}

// OpenDecisions are the decisions without outcome, oldest first. At start
// those are the actions that the process before did not see the end of.
func (l *Ledger) OpenDecisions(ctx context.Context) ([]Leaf, error) {
	var open []Leaf
	for _, index := range l.open.list() {
		leaf, err := l.Entry(ctx, index)
		if err != nil {
			return nil, err
		}
		open = append(open, leaf)
	}
	return open, nil
}

// Stored is a payload in the vault, or what is left of one that was erased: its
// index and name.
type Stored struct {
	receipt.Payload
	Erased bool
}

// Payloads are those of one receipt, by name, the erased ones included. The
// data is the caller's.
func (l *Ledger) Payloads(ctx context.Context, index uint64) ([]Stored, error) {
	if index >= l.Size() {
		return nil, aims.Errorf(aims.NotFound, nil, "there is no entry %d: the log has %d", index, l.Size())
	}
	var blob []byte
	err := l.db.View(ctx, func(tx *store.Tx) error {
		first, err := firstRow(tx, "log_batch", index)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, "SELECT payloads FROM log_vault WHERE first = $1", int64(first)).Scan(&blob)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, unreadable(err)
	}
	var out []Stored
	for p, err := range eachStored(blob) {
		if err != nil {
			return nil, damage("the payloads of entry %d: %w", index, err)
		}
		if p.Index == index {
			out = append(out, p)
		}
	}
	return out, nil
}
