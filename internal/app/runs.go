package app

import "context"

// endRuns forgets the runs that ended because they were idle.
func (a *App) endRuns(ctx context.Context) {
	if _, err := a.sessions.Expire(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("runs that are idle could not be ended; they count until they are", "error", err)
	}
}

// recordDifferences records how a candidate would have decided otherwise.
func (a *App) recordDifferences(ctx context.Context) {
	if err := a.enforcer.RecordDifferences(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("what the candidate would have decided otherwise could not be recorded", "error", err)
	}
}
