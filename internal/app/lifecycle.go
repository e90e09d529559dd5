package app

import (
	"context"
	"time"

	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/lifecycle"
	"aims/internal/register/record"
)

func (a *App) openLifecycle() {
	a.lifecycle = lifecycle.New(lifecycle.Parts{
		Ledger: a.ledger, Inventory: a.inventory, Register: a.register, Policy: a.policyInForce, Now: a.now, Log: a.log,
		Look: func(ctx context.Context, at time.Time, fn func(record.State, *observed.Facts) error) error {
			return a.evidence.Look(ctx, evidence.View{At: at}, func(in *criteria.Input) error { return fn(in.Registers, in.Observed) })
		},
	})
}

// reopenAssessments records what agents do beyond the bounds that were assessed.
func (a *App) reopenAssessments(ctx context.Context) {
	if err := a.lifecycle.Reopen(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("what agents do was not compared with their impact assessments", "error", err)
	}
}
