package sqlite

import (
	"context"
	"time"

	"aims/internal/aims"
)

// The write-ahead log is copied into the file every checkpointEvery. Readers
// and commits go on meanwhile, so under load it is never copied to its end and
// would grow for ever. Past maxPages it is begun anew, for which commits wait:
// little is left to copy then, and readers of older states are waited for no
// longer than restartPatience. Where one was in the way, the log may first grow by as much again.
const (
	checkpointEvery = 500 * time.Millisecond
	maxPages        = 16384 // of 4 KiB: 64 MiB
	restartPatience = 50 * time.Millisecond
)

func (f *file) startCheckpointing() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.done.Go(func() {
		ticker := time.NewTicker(checkpointEvery)
		defer ticker.Stop()
		limit := maxPages
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				// An error here loses nothing: the commits are durable in the
				// write-ahead log, and the next tick tries again.
				pages, _ := f.copyLog(context.WithoutCancel(ctx), limit)
				limit = maxPages + pages
			}
		}
	})
}

// copyLog copies what is committed from the write-ahead log into the file, and
// when the log holds more than limit pages begins it anew. It returns the pages
// of a log that should have been begun anew and could not.
func (f *file) copyLog(ctx context.Context, limit int) (int, error) {
	_, pages, err := f.walCheckpoint(ctx, "PASSIVE")
	if err != nil || pages <= limit {
		return 0, err
	}
	busy, pages, err := f.walCheckpoint(ctx, "RESTART")
	if err == nil && !busy {
		return 0, nil
	}
	return pages, err
}

// scrub leaves nothing of an earlier state in the write-ahead log. secure_delete
// has already overwritten it in the file.
func (f *file) scrub(ctx context.Context, _ string) error {
	for {
		busy, _, err := f.walCheckpoint(ctx, "TRUNCATE")
		if err != nil {
			return unavailable(err, "the write-ahead log could not be emptied")
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return aims.Errorf(aims.Timeout, ctx.Err(), "the write-ahead log could not be emptied in time: a reader still uses it")
		case <-time.After(restartPatience): // lets commits through
		}
	}
}

func (f *file) walCheckpoint(ctx context.Context, mode string) (busy bool, pages int, err error) {
	var copied int
	err = f.checkpoint.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return busy, pages, err
}
