package app

import (
	"context"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/audit"
	"aims/receipt"
)

// statedEvery is how often a process states what it counted of its own receipts.
const statedEvery = time.Hour

// openAudits puts internal audits over the other parts.
func (a *App) openAudits() error {
	trust, err := receipt.NewTrust(a.key.verifier, nil, 0)
	if err != nil {
		return aims.Errorf(aims.Internal, err, "the log's own key cannot be read")
	}
	a.audits = audit.New(audit.Parts{
		DB: a.db, Ledger: a.ledger, Register: a.register, Evidence: a.evidence, Corrective: a.corrective,
		Source: a.Source, Compile: Compile, Trust: trust, Now: a.now,
		State: func(ctx context.Context) error { return a.enforcer.StateCounts(ctx, false) },
	})
	a.onStop("what was counted of the receipts", func(ctx context.Context) error { return a.enforcer.StateCounts(ctx, true) })
	return nil
}

func (a *App) stateCounts(ctx context.Context) {
	if err := a.enforcer.StateCounts(ctx, false); err != nil && ctx.Err() == nil {
		a.log.Error("what was counted of the receipts could not be stated", "error", err)
	}
}
