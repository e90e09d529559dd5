package approval

import (
	"context"
	"errors"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// atOnce is how many requests one change settles: their receipts stand behind
// each other.
const atOnce = 32

// errNone takes back a change that found nothing to do.
var errNone = errors.New("approval: nothing to do")

// Expire settles the requests whose time is over or whose policy is not in
// force any more, and returns how many. It is the step of a ticker: nothing
// waits for it, because an approval that is over is never used.
func (a *Approvals) Expire(ctx context.Context) (int, error) {
	due := func(tx *store.Tx) ([]Request, error) {
		policy, _ := a.inForce()
		// A request of another policy is not always due: end judges each.
		found, err := query(tx, `SELECT `+columns+` FROM approval_request
WHERE state IN ('pending', 'granted') AND (expires <= $1 OR $2 <> '' AND policy <> $2) ORDER BY expires LIMIT 1000`, micros(tx.Now), policy)
		if err != nil {
			return nil, err
		}
		kept := found[:0]
		for _, r := range found {
			if _, ends := a.end(r, tx.Now); ends && len(kept) < atOnce {
				kept = append(kept, r)
			}
		}
		return kept, nil
	}
	return a.each(ctx, due, func(tx *store.Tx, r *Request) (ledger.Entry, error) {
		e, _ := a.end(*r, tx.Now)
		return a.finish(tx, r, e)
	}, func(r Request) { a.waiting.wake(r.ID) })
}

// finish settles a request by an event that nobody caused.
func (a *Approvals) finish(tx *store.Tx, r *Request, e event) (ledger.Entry, error) {
	to, ok := next(r.State, e)
	if !ok {
		return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "the approval %s is %s", r.ID, r.State)
	}
	if err := settle(tx, r.ID, r.State, to); err != nil {
		return ledger.Entry{}, err
	}
	r.State, r.Settled = to, tx.Now
	return endedEntry(*r, to)
}

// each does one thing to all requests that find gives, some at a time, each
// with its receipt, and calls after for those that are done.
func (a *Approvals) each(ctx context.Context, find func(*store.Tx) ([]Request, error), do func(*store.Tx, *Request) (ledger.Entry, error), after func(Request)) (int, error) {
	for n := 0; ; {
		var found []Request
		err := a.db.View(ctx, func(tx *store.Tx) (err error) {
			found, err = find(tx)
			return err
		})
		if err != nil || len(found) == 0 {
			return n, failed(err, "the approvals could not be read")
		}
		_, err = a.ledger.Change(ctx, func(tx *store.Tx) (first ledger.Entry, err error) {
			if found, err = find(tx); err != nil {
				return first, err
			}
			if len(found) == 0 {
				return first, errNone // another process was faster
			}
			for i := range found {
				entry, err := do(tx, &found[i])
				if err != nil {
					return first, err
				}
				if i == 0 {
					first = entry
				} else {
					first.Then = append(first.Then, entry)
				}
			}
			return first, nil
		})
		if errors.Is(err, errNone) {
			return n, nil
		}
		if err != nil {
			return n, failed(err, "the approvals could not be settled")
		}
		for _, r := range found {
			after(r)
		}
		n += len(found)
	}
}

// Announce gives every request that waits, and of which nobody was told yet,
// to tell, once among all processes. It is the step of a ticker. What is
// announced has its receipt before tell is called, which must not block; a
// process that ends between the two leaves people to the list.
func (a *Approvals) Announce(ctx context.Context, tell func(Request)) (int, error) {
	unannounced := func(tx *store.Tx) ([]Request, error) {
		return query(tx, `SELECT `+columns+` FROM approval_request
WHERE state = 'pending' AND announced = 0 AND expires > $1 ORDER BY id LIMIT $2`, micros(tx.Now), atOnce)
	}
	return a.each(ctx, unannounced, func(tx *store.Tx, r *Request) (ledger.Entry, error) {
		err := one(tx.Exec(`UPDATE approval_request SET announced = $1 WHERE id = $2 AND announced = 0`, micros(tx.Now), r.ID))
		if err != nil {
			return ledger.Entry{}, err
		}
		return entry(aims.System, "approval.announced", "", r.ID, detail{Hold: r.Decision, State: r.State})
	}, tell)
}

// Forget removes the requests that came to their end before a time, with their
// summaries, digests and notes; their receipts stay. It returns how many.
func (a *Approvals) Forget(ctx context.Context, before time.Time) (int, error) {
	const most = 1000
	n := 0
	for {
		var gone int64
		_, err := a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
			const old = `SELECT id FROM approval_request WHERE settled > 0 AND settled < $1 ORDER BY settled, id LIMIT $2`
			if _, err := tx.Exec(`DELETE FROM approval_vote WHERE request IN (`+old+`)`, micros(before), most); err != nil {
				return ledger.Entry{}, err
			}
			done, err := tx.Exec(`DELETE FROM approval_request WHERE id IN (`+old+`)`, micros(before), most)
			if err != nil {
				return ledger.Entry{}, err
			}
			if gone, err = done.RowsAffected(); err != nil {
				return ledger.Entry{}, err
			}
			if gone == 0 {
				return ledger.Entry{}, errNone
			}
			return forgottenEntry(gone, before)
		})
		if errors.Is(err, errNone) {
			break
		}
		if err != nil {
			return n, failed(err, "old approvals could not be removed")
		}
		n += int(gone)
	}
	if n == 0 {
		return 0, nil
	}
	for _, table := range []string{"approval_request", "approval_vote"} {
		if err := a.db.Scrub(ctx, table); err != nil {
			return n, err
		}
	}
	return n, nil
}
