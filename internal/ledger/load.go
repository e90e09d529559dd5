package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/receipt"
)

// load reads what the log is, creating it when there is none.
func (l *Ledger) load(ctx context.Context) error {
	h, err := l.create(ctx)
	if err != nil {
		return err
	}
	known, err := l.rebuild(ctx, uint64(h.size))
	if err != nil {
		return err
	}
	if known.lastTime = h.time; !h.matches(known) {
		return aims.Errorf(aims.Unavailable, fmt.Errorf("the head says %v, the stored hashes give size %d, root %s", h, known.size(), known.root),
			"the log's storage does not agree with itself: it was changed or damaged; verify it")
	}
	l.tree.Store(known)
	if err := l.loadSigned(ctx); err != nil {
		return err
	}
	return l.loadOpen(ctx)
}

// create makes the head of an empty log unless there is one, and returns it.
func (l *Ledger) create(ctx context.Context) (h head, err error) {
	var origin string
	err = l.db.Update(ctx, func(tx *store.Tx) error {
		empty := emptyTree()
		if _, err := tx.ExecContext(ctx, "INSERT INTO log_head (id, origin, size, root, time) VALUES (1, $1, 0, $2, 0) ON CONFLICT (id) DO NOTHING",
			l.options.Origin, empty.root[:]); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT origin, size, root, time FROM log_head WHERE id = 1").Scan(&origin, &h.size, &h.root, &h.time)
	})
	if err != nil {
		return h, unreadable(err)
	}
	if origin != l.options.Origin {
		return h, aims.Errorf(aims.Invalid, nil, "the database holds the log %q, the configuration names %q", origin, l.options.Origin)
	}
	return h, nil
}

// rebuild makes the tree of a size from the stored hashes, beginning at the
// last full tile of each level, so that it costs the same for a log of any size.
func (r reader) rebuild(ctx context.Context, size uint64) (*tree, error) {
	t := &tree{}
	for level := 0; size>>(8*uint(level)) > 0; level++ {
		t.partial = append(t.partial, make([]tlog.Hash, 0, torchwood.TileWidth))
	}
	for level := len(t.partial) - 1; level >= 2; level-- {
		end := size >> (8 * uint(level))
		roots, err := r.tileRoots(ctx, level-1, end&^(torchwood.TileWidth-1), end)
		if err != nil {
			return nil, err
		}
		for _, root := range roots {
			if err := t.right.AppendSubtree(8*uint(level), root); err != nil {
				return nil, err
			}
		}
		t.partial[level] = append(t.partial[level], roots...)
	}
	hashes, err := r.leafHashes(ctx, t.size(), size)
	if err != nil {
		return nil, err
	}
	grown, _ := t.grow(hashes, 0)
	return grown, nil
}

// tileRoots are the roots of full tiles of a level, from a number up to another.
func (r reader) tileRoots(ctx context.Context, level int, from, to uint64) ([]tlog.Hash, error) {
	roots := make([]tlog.Hash, 0, to-from)
	for number := from; number < to; number++ {
		hashes, err := r.tile(ctx, level, number)
		if err != nil {
			return nil, err
		}
		roots = append(roots, subtreeRoot(split(hashes)))
	}
	return roots, nil
}

// tile is a full hash tile from level 1 up.
func (r reader) tile(ctx context.Context, level int, number uint64) ([]byte, error) {
	var hashes []byte
	err := r.db.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT hashes FROM log_tile WHERE level = $1 AND number = $2", level, int64(number)).Scan(&hashes)
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(hashes) != torchwood.TileWidth*tlog.HashSize {
		return nil, damage("hash tile %d of level %d", number, level)
	}
	return hashes, unreadable(err)
}

// catchUp is the tree after what another process, or a commit whose outcome
// was unknown here, appended to the known one. It fails when that is not an
// extension: then the database was changed or replaced under this process.
func (l *Ledger) catchUp(q querier, known *tree, h head) (*tree, error) {
	t := known
	for t.size() < uint64(h.size) {
		rows, err := pageWith(q, t.size(), uint64(h.size), true, firstRows)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, diverged(known, h)
		}
		for _, row := range rows {
			if row.first != t.size() {
				return nil, diverged(known, h)
			}
			if t, err = l.follow(t, row, h.time); err != nil {
				return nil, err
			}
		}
	}
	if !h.matches(t) {
		return nil, diverged(known, h)
	}
	return t, nil
}

func (l *Ledger) follow(t *tree, r row, lastTime int64) (*tree, error) {
	hashes := make([]tlog.Hash, 0, r.entries)
	err := r.each(r.first, func(index uint64, raw []byte) error {
		leaf, err := parse(index, raw)
		if err != nil {
			return err
		}
		l.open.note(leaf.Header)
		hashes = append(hashes, receipt.LeafHash(raw))
		return nil
	})
	next, _ := t.grow(hashes, lastTime)
	return next, err
}

func diverged(known *tree, h head) error {
	return fmt.Errorf("ledger: the database's log (%v) does not extend the one known here (size %d, root %s): it was changed or replaced", h, known.size(), known.root)
}

// loadOpen finds the decisions without outcome, beginning where the last
// checkpoint says that there are none before.
func (l *Ledger) loadOpen(ctx context.Context) error {
	var from uint64
	err := l.db.View(ctx, func(tx *store.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT oldest_open FROM log_checkpoint ORDER BY size DESC LIMIT 1").Scan(&from)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return unreadable(err)
	}
	for leaf, err := range l.leaves(ctx, from, l.Size()) {
		if err != nil {
			return err
		}
		l.open.note(leaf.Header)
	}
	return nil
}
