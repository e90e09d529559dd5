package session

import (
	"cmp"
	"context"

	"aims/internal/aims"
	"aims/internal/store"
)

// maxListed bounds a page of runs.
const maxListed = 200

// List is some of the runs that are known, those of which something is known
// last first; of one actor, "" for all. before is the position of the page
// before, 0 for the first; next that of this one, 0 when there is no more.
func (s *Sessions) List(ctx context.Context, actor string, before int64, limit int) (page []*Run, next int64, err error) {
	limit = min(cmp.Or(max(limit, 0), maxListed), maxListed)
	if err := s.memory.saveNow(ctx); err != nil {
		return nil, 0, err
	}
	var keys []Key
	var versions []int64
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT actor, name, version FROM session
WHERE (actor = $1 OR $1 = '') AND (version < $2 OR $2 = 0) ORDER BY version DESC LIMIT $3`, actor, before, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k Key
			var version int64
			if err := rows.Scan(&k.Actor, &k.Session, &version); err != nil {
				return err
			}
			keys, versions = append(keys, k), append(versions, version)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, 0, unreadable(err)
	}
	v := s.View(ctx)
	for _, k := range keys {
		r, err := v.Run(k)
		if err != nil {
			return nil, 0, err
		}
		if r.ID != "" {
			page = append(page, r)
		}
	}
	if len(keys) == limit {
		next = versions[len(versions)-1]
	}
	return page, next, nil
}

// Get is what is known of a run; aims.NotFound when nothing is.
func (s *Sessions) Get(ctx context.Context, k Key) (*Run, error) {
	r, err := s.View(ctx).Run(k)
	if err == nil && r.ID == "" {
		err = aims.Errorf(aims.NotFound, nil, "nothing is known of this run: it has not begun, or was idle for too long")
	}
	return r, err
}
