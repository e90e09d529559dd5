package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/enforcement"
	"aims/internal/ledger"
	"aims/receipt"
)

// How often the housekeeping runs.
const (
	reportInterval    = 5 * time.Second
	retentionInterval = 10 * time.Minute
	// policyInterval bounds how long what another process on the same database
	// has activated is not in force here.
	policyInterval = 2 * time.Second
	// followInterval bounds how long a stop or a revocation that another process
	// on the same database was told of is not in force here.
	followInterval = 500 * time.Millisecond
	// foldInterval bounds how much of the log a question about evidence has to
	// read before it is answered.
	foldInterval = 30 * time.Second
)

func readOutcome() enforcement.Outcome { return enforcement.Outcome{Status: receipt.Succeeded} }

// startLoops starts the housekeeping. Each loop is a ticker around one step.
func (a *App) startLoops() {
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loop := func(every time.Duration, step func(context.Context)) {
		loops.Go(func() {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					step(ctx)
				}
			}
		})
	}
	loop(reportInterval, a.closeOverdue)
	loop(reportInterval, a.flushRefusals)
	loop(policyInterval, a.followPolicies)
	loop(reportInterval, a.expireApprovals)
	loop(reportInterval, a.endRuns)
	loop(reportInterval, a.recordDifferences)
	loop(statedEvery, a.stateCounts)
	loop(reportInterval, a.reopenAssessments)
	loop(foldInterval, a.foldEvidence)
	held := a.now().Add(-firstHeld)
	loop(lapseInterval, func(ctx context.Context) {
		now := a.now()
		if err := a.raiseLapses(ctx, held); err != nil {
			if ctx.Err() == nil {
				a.log.Error("criteria that held could not be looked at again", "error", err)
			}
			return
		}
		held = now
	})
	if a.fitsMemory {
		loop(reportInterval, fitMemory)
	}
	if len(a.cfg.Notifications) > 0 {
		loop(announceInterval, a.announceApprovals)
	}
	following, admitting := true, true
	loop(followInterval, func(ctx context.Context) { following = a.followInventory(ctx, following) })
	loop(followInterval, func(ctx context.Context) { admitting = a.followDirectory(ctx, admitting) })
	if a.cfg.Retention.Payloads > 0 {
		loop(retentionInterval, a.forgetApprovals)
		var from uint64
		loop(retentionInterval, func(ctx context.Context) { from = a.eraseOld(ctx, from) })
	}
	a.onStop("the housekeeping", func(context.Context) error {
		cancel()
		loops.Wait()
		return nil
	})
}

// foldEvidence adds what is new in the log to what evidence knows of it.
func (a *App) foldEvidence(ctx context.Context) {
	if err := a.evidence.Advance(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the log could not be folded for evidence", "error", err)
	}
}

// followPolicies takes over what another process has put in force.
func (a *App) followPolicies(ctx context.Context) {
	if _, err := a.policies.Refresh(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("what is in force could not be read", "error", err)
	}
}

func (a *App) closeOverdue(ctx context.Context) {
	n, err := a.enforcer.CloseOverdue(ctx)
	if n > 0 {
		a.log.Warn("outcomes were not reported in time", "decisions", n)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("overdue decisions could not be closed", "error", err)
	}
}

func (a *App) flushRefusals(ctx context.Context) {
	if err := a.enforcer.FlushRefusals(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("refusals could not be recorded", "error", err)
	}
}

// followInventory takes up what other processes on the same database stopped,
// labelled and registered.
func (a *App) followInventory(ctx context.Context, before bool) bool {
	return a.follow(ctx, before, "what other processes stop", a.inventory.Refresh)
}

// followDirectory takes up which keys and roles they changed.
func (a *App) followDirectory(ctx context.Context, before bool) bool {
	return a.follow(ctx, before, "which keys and roles other processes change", a.directory.Refresh)
}

// follow says so once when reading what fails, and once when it works again.
func (a *App) follow(ctx context.Context, before bool, what string, read func(context.Context) error) bool {
	err := read(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return before
	case err != nil && before:
		a.log.Error(what+" cannot be read", "error", err)
	case err == nil && !before:
		a.log.Info(what + " is read again")
	}
	return err == nil
}

// eraseOld erases the payloads, from an entry on, that are older than the
// retention period, but not what registers and corrective actions are proved by.
// It returns the entry from which to go on next time.
func (a *App) eraseOld(ctx context.Context, from uint64) uint64 {
	age := time.Duration(a.cfg.Retention.Payloads)
	end, err := api.FirstSince(ctx, a.ledger, a.now().Add(-age))
	var kept []uint64
	if err == nil && end > from {
		kept, err = api.Documented(ctx, a.register, a.corrective, from, end)
	}
	if err == nil && end > from {
		_, err = a.ledger.Erase(ctx, ledger.Erasure{
			Erasure: receipt.Erasure{From: from, To: end - 1, Names: api.PayloadNames(), Rule: fmt.Sprintf("retention.payloads %s", age)},
			Actor:   aims.System, Spare: kept,
		})
	}
	if err != nil {
		if ctx.Err() == nil {
			a.log.Error("payloads past their retention could not be erased", "error", err)
		}
		return from
	}
	return max(from, end)
}
