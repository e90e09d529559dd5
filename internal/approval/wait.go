package approval

import (
	"context"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
)

// Wait returns a request when it is not pending any more: granted, denied,
// expired, void or used. It is woken by votes in this process, and looks for
// those in others every Options.Poll. When ctx ends before, it fails with
// aims.Timeout and returns the request as it was.
func (a *Approvals) Wait(ctx context.Context, id string) (Request, error) {
	settled, leave := a.waiting.join(a, id) // before it is read, so that no vote is missed
	defer leave()
	for {
		r, err := a.Get(ctx, id)
		if err != nil || r.State != Pending {
			return r, err
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return r, aims.Errorf(aims.Timeout, ctx.Err(), "the approval %s still waits", id)
		}
	}
}

// waiting is who waits for which request. While somebody does, one goroutine
// looks at the database for all of them.
type waiting struct {
	mu   sync.Mutex
	of   map[string]map[chan struct{}]bool
	stop context.CancelFunc
}

// join makes a channel that has something to read when the request may be
// settled.
func (w *waiting) join(a *Approvals, id string) (settled <-chan struct{}, leave func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.of) == 0 {
		w.of = map[string]map[chan struct{}]bool{}
		ctx, stop := context.WithCancel(context.Background())
		w.stop = stop
		go a.look(ctx)
	}
	if w.of[id] == nil {
		w.of[id] = map[chan struct{}]bool{}
	}
	w.of[id][ch] = true
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.of[id], ch); len(w.of[id]) == 0 {
			delete(w.of, id)
		}
		if len(w.of) == 0 {
			w.stop()
		}
	}
}

// wake lets those who wait for a request read it again.
func (w *waiting) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.of[id] {
		select {
		case ch <- struct{}{}:
		default: // it has something to read already
		}
	}
}

// ids are the requests that somebody waits for.
func (w *waiting) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make([]string, 0, len(w.of))
	for id := range w.of {
		ids = append(ids, id)
	}
	return ids
}

// look wakes those whose request is not pending any more, until nobody waits.
func (a *Approvals) look(ctx context.Context) {
	ticker := time.NewTicker(a.o.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		pending, err := a.pending(ctx)
		if err != nil {
			if ctx.Err() == nil {
				a.o.Log.Error("the approvals that somebody waits for could not be read", "error", err)
			}
			continue // the next tick tries again
		}
		for _, id := range a.waiting.ids() {
			if !pending[id] {
				a.waiting.wake(id)
			}
		}
	}
}

// pending are the ids of all requests that wait for people and whose time is
// not over.
func (a *Approvals) pending(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT id, policy, requested FROM approval_request WHERE state = 'pending' AND expires > $1`, micros(a.o.Now()))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Request
			var requested int64
			if err := rows.Scan(&r.ID, &r.Policy, &requested); err != nil {
				return err
			}
			if r.Requested = fromMicros(requested); !a.superseded(r) {
				ids[r.ID] = true
			}
		}
		return rows.Err()
	})
	return ids, err
}
