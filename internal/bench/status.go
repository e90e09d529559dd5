package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"aims/internal/evidence"
	"aims/internal/register"
	"aims/internal/store"
)

// What is promised of the status of all requirements over a million decisions
// with their outcomes, on two cores.
const (
	mostCold  = 5   // s, by a process that knows nothing yet
	mostFresh = 200 // ms, when only new receipts arrived
	newCalls  = 500 // calls recorded between two questions
)

// status asks what is shown of the 70 requirements over a growing log. The bare
// equivalent is reading the log and nothing else, in the same run.
func (b *bench) status(ctx context.Context) (rows []Row, err error) {
	log, err := openLog(ctx, filepath.Join(b.dir, "status.db"), register.Schema(), evidence.Schema())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.close(context.WithoutCancel(ctx))) }()
	registers, err := register.Open(ctx, log.db, log.Ledger, register.Options{})
	if err != nil {
		return nil, err
	}
	for i, decisions := range b.sizes.judged {
		b.say("status: recording %d decisions with their outcomes", decisions)
		if err := fill(ctx, log, 2*decisions); err != nil {
			return nil, err
		}
		bare, err := readAll(ctx, log)
		if err != nil {
			return nil, err
		}
		cold, fresh, err := b.ask(ctx, log, registers)
		if err != nil {
			return nil, err
		}
		first := Row{Name: fmt.Sprintf("status of the 70 requirements over %d decisions, cold; time over reading the log", decisions), Value: cold.Seconds(), Unit: "s"}.
			withRatio(cold.Seconds() / bare.Seconds())
		again := Row{Name: fmt.Sprintf("status of the 70 requirements over %d decisions, %d calls later", decisions, newCalls), Value: millis(fresh), Unit: "ms"}
		if i == len(b.sizes.judged)-1 {
			first, again = first.valueAtMost(mostCold), again.valueAtMost(mostFresh)
		}
		rows = append(rows, first, again)
	}
	return rows, nil
}

// ask times the first question of a process, and those after new calls.
func (b *bench) ask(ctx context.Context, log *testLog, registers *register.Register) (cold, fresh time.Duration, err error) {
	// What an earlier size kept must not help this one.
	err = log.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM evidence_fold")
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	service := evidence.New(evidence.Parts{DB: log.db, Ledger: log.Ledger, Register: registers, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	once := func() (time.Duration, error) {
		start := time.Now()
		list, err := service.Status(ctx, time.Time{}, time.Time{}, time.Time{})
		if err == nil && len(list) != 70 {
			err = fmt.Errorf("%d statuses, want 70", len(list))
		}
		return time.Since(start), err
	}
	if cold, err = once(); err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	for range b.sizes.rounds {
		if err := fill(ctx, log, log.Size()+2*newCalls); err != nil {
			return 0, 0, err
		}
		again, err := once()
		if err != nil {
			return 0, 0, err
		}
		took = append(took, again)
	}
	return cold, median(took), nil
}

// readAll is how long it takes to read every entry.
func readAll(ctx context.Context, log *testLog) (time.Duration, error) {
	start := time.Now()
	source, err := log.Source(ctx, nil)
	if err != nil {
		return 0, err
	}
	entries, err := source.Entries(ctx, 0)
	if err != nil {
		return 0, err
	}
	_, err = io.CopyBuffer(io.Discard, struct{ io.Reader }{entries}, make([]byte, 1<<20))
	return time.Since(start), errors.Join(err, entries.Close())
}
