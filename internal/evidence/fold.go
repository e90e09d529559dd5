package evidence

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/internal/store"
)

// keepEvery is how many entries are folded before the fold is kept again: what
// a process that starts has to read beyond it takes a moment.
const keepEvery = 50_000

// facts hands what the log showed at the view's moment to fn.
func (s *Service) facts(ctx context.Context, v View, fn func(*observed.Facts) error) error {
	size := s.p.Ledger.Size()
	if !v.At.IsZero() {
		var err error
		if size, err = s.p.Ledger.SizeAt(ctx, v.At); err != nil {
			return err
		}
	}
	if err := s.advance(ctx, size, v.Progress); err != nil {
		return err
	}
	s.mu.RLock()
	if s.newest.Size == size || v.At.IsZero() { // now, also when more came meanwhile
		defer s.mu.RUnlock()
		return fn(s.newest)
	}
	s.mu.RUnlock()
	return s.asOf(ctx, size, v.Progress, fn)
}

// Advance folds what is new in the log, so that the next question is answered
// at once. It is the step of a ticker.
func (s *Service) Advance(ctx context.Context) error {
	return s.advance(ctx, s.p.Ledger.Size(), nil)
}

// advance folds what is new up to a size, and keeps the fold from time to time.
func (s *Service) advance(ctx context.Context, size uint64, progress func(uint64, uint64)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		facts, err := s.load(ctx)
		if err != nil {
			return err
		}
		s.newest, s.kept = facts, facts.Size
	}
	if err := s.fold(ctx, s.newest, size, progress); err != nil {
		return err
	}
	if s.newest.Size < s.kept+keepEvery {
		return nil
	}
	// That the next start takes longer is no reason not to answer.
	if err := s.keep(ctx); err != nil {
		s.p.Log.Warn("the fold of the log was not kept; the next start folds it anew", "error", err)
	}
	s.kept = s.newest.Size
	return nil
}

// asOf folds the log as it was. What was asked for last is kept in memory, so
// that several questions about one moment fold it once.
func (s *Service) asOf(ctx context.Context, size uint64, progress func(uint64, uint64), fn func(*observed.Facts) error) error {
	s.pastMu.Lock()
	defer s.pastMu.Unlock()
	if s.past == nil || s.past.Size > size {
		s.past = observed.New()
	}
	if err := s.fold(ctx, s.past, size, progress); err != nil {
		return err
	}
	return fn(s.past)
}

func (s *Service) fold(ctx context.Context, f *observed.Facts, size uint64, progress func(uint64, uint64)) error {
	if f.Size >= size {
		return nil
	}
	src, err := s.p.Ledger.Source(ctx, nil)
	if err != nil {
		return err
	}
	var told func(uint64)
	if progress != nil {
		told = func(done uint64) { progress(done, size) }
	}
	if err := f.Fold(ctx, src, size, told); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return aims.Errorf(aims.Unavailable, err, "the log cannot be read to its end: verify it")
	}
	return nil
}

// load is the kept fold; that of nothing where there is none, or where it was
// made of another log than this, or by another version.
func (s *Service) load(ctx context.Context) (*observed.Facts, error) {
	var size int64
	var root, kept []byte
	err := s.p.DB.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT size, root, facts FROM evidence_fold WHERE id = 1`).Scan(&size, &root, &kept)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return observed.New(), nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	facts := observed.New()
	is, err := s.p.Ledger.RootAt(ctx, uint64(size))
	switch {
	case err != nil || !bytes.Equal(is[:], root):
		s.p.Log.Warn("the kept fold was not made of this log; the log is folded anew", "entries", size)
	case facts.UnmarshalBinary(kept) != nil || facts.Size != uint64(size):
		s.p.Log.Info("the kept fold is of another version; the log is folded anew", "entries", size)
	default:
		return facts, nil
	}
	return observed.New(), nil
}

// keep stores the newest fold with the root of the tree that it was made of.
func (s *Service) keep(ctx context.Context) error {
	root, err := s.p.Ledger.RootAt(ctx, s.newest.Size)
	if err != nil {
		return err
	}
	facts, err := s.newest.MarshalBinary()
	if err != nil {
		return err
	}
	return s.p.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO evidence_fold (id, size, root, facts) VALUES (1, $1, $2, $3)
ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root, facts = excluded.facts`, int64(s.newest.Size), root[:], facts)
		return err
	})
}

func unreadable(err error) error {
	var known *aims.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "the kept fold of the log cannot be read")
}
