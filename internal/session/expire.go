package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// expireAtOnce bounds how many runs end with one receipt.
const expireAtOnce = 200

// budgetsForgotten is how long ago the last spending of an account must be for
// it to be forgotten: longer than any window of use.
const budgetsForgotten = 400 * 24 * time.Hour

// errNothingIdle says that no run is idle any more.
var errNothingIdle = errors.New("session: nothing is idle")

// Expire forgets the runs that ended because they were idle, with a receipt
// for each few hundred, and returns how many. It is the step of a ticker.
func (s *Sessions) Expire(ctx context.Context) (int, error) {
	ended := 0
	for {
		keys, err := s.idleKeys(ctx)
		if err != nil || len(keys) == 0 {
			return ended, err
		}
		n, err := s.expire(ctx, keys)
		if errors.Is(err, errNothingIdle) {
			return ended, nil
		}
		if err != nil {
			return ended, err
		}
		ended += n
	}
}

// idleKeys are some runs that were idle when they were read.
func (s *Sessions) idleKeys(ctx context.Context) (keys []Key, err error) {
	if err := s.memory.saveNow(ctx); err != nil {
		return nil, err
	}
	now := s.o.Now()
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT actor, name FROM session WHERE name = '' AND changed < $1 OR changed < $2 LIMIT $3`,
			now.Add(-s.o.DefaultEnds).UnixMicro(), now.Add(-s.o.KeepNamed).UnixMicro(), expireAtOnce)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k Key
			if err := rows.Scan(&k.Actor, &k.Session); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return rows.Err()
	})
	return keys, unreadable(err)
}

func (s *Sessions) expire(ctx context.Context, keys []Key) (int, error) {
	count := 0
	_, err := s.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		count = 0
		for _, k := range keys {
			h, err := s.memory.at(k.name())
			if err != nil {
				return ledger.Entry{}, err
			}
			if r, _ := h.value.(*Run); r == nil || !s.idle(r, tx.Now) {
				continue
			} else if _, err := tx.Exec(`DELETE FROM budget_spent WHERE scope = $1`, r.ID); err != nil {
				return ledger.Entry{}, err
			}
			s.memory.set(k.name(), nil)
			count++
		}
		if count == 0 {
			return ledger.Entry{}, errNothingIdle
		}
		if _, err := tx.Exec(`DELETE FROM budget_spent WHERE changed < $1`, tx.Now.Add(-budgetsForgotten).UnixMicro()); err != nil {
			return ledger.Entry{}, err
		}
		return endedEntry(count)
	})
	return count, err
}

// endedEntry is the receipt of runs that ended.
func endedEntry(count int) (ledger.Entry, error) {
	detail, err := json.Marshal(map[string]int{"count": count})
	if err != nil {
		return ledger.Entry{}, err
	}
	return entryOf(receipt.Event{
		Actor: receipt.Party(aims.System), Name: "session.ended", Object: receipt.Object{Type: "session", ID: "idle"}, Detail: detail,
	}, nil)
}
