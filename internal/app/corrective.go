package app

import (
	"context"
	"time"

	"aims/internal/corrective"
	"aims/iso42001"
)

func (a *App) openCorrective() {
	c := a.cfg.Corrective
	a.corrective = corrective.New(a.db, a.ledger, corrective.Options{
		Known: func(id string) error {
			_, err := iso42001.Get(id)
			return err
		},
		Prove: func(ctx context.Context, call string) (corrective.PolicyProof, error) {
			return a.apiParts().Prove(ctx, call)
		},
		Observed: func(ctx context.Context, n corrective.Nonconformity, since time.Time) (corrective.Observed, error) {
			return a.apiParts().ObservedSince(ctx, n, since)
		},
		Policy:     a.policyInForce,
		Recurrence: time.Duration(c.Recurrence), PlanWithin: time.Duration(c.PlanWithin), DecideWithin: time.Duration(c.DecideWithin),
		AcknowledgeWithin: time.Duration(c.AcknowledgeWithin), AnswerWithin: time.Duration(c.AnswerWithin),
		Anonymous: !c.NamedConcernsOnly, AnonymousPerHour: int(c.AnonymousPerHour),
		Now: a.now,
	})
}
