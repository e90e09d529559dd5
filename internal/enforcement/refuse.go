package enforcement

import (
	"context"
	"errors"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/receipt"
)

// Refuse records a request that was turned away before it could be decided,
// and returns the id of its refusal receipt; empty when it was only counted,
// because there were too many, or when it could not be recorded. Counted ones
// are recorded together by FlushRefusals.
func (e *Enforcer) Refuse(ctx context.Context, r Refusal) string {
	key, actor := "remote "+r.Remote, receipt.Party{}
	if r.Principal != nil {
		actor = receipt.Party(r.Principal.Actor)
		key = r.Principal.Actor.String()
	}
	counted := suppressed{actor: actor, channel: r.Channel, cause: r.Cause}
	// One caller's bad requests of one cause must not keep its other causes out.
	if !e.refusals.take(key+" "+r.Cause, r.Principal != nil, 1, e.o.Now()) {
		e.refusals.suppress(counted)
		return ""
	}
	id, err := e.recordRefusal(ctx, sum{counted, 1}, clean(r.Method, maxMethod))
	if err != nil {
		e.o.Log.Error("a refusal could not be recorded", "cause", r.Cause, "error", err)
		return ""
	}
	return id
}

// FlushRefusals records the refusals that were only counted, one receipt for
// all that are alike. It is the step of a ticker and of closing; it writes at
// most a few dozen receipts. What it cannot record stays counted.
func (e *Enforcer) FlushRefusals(ctx context.Context) error {
	var failures []error
	for _, s := range e.refusals.drain() {
		if _, err := e.recordRefusal(ctx, s, ""); err != nil {
			e.refusals.add(s.suppressed, s.count)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func (e *Enforcer) recordRefusal(ctx context.Context, s sum, method string) (string, error) {
	body := receipt.Decision{
		ID: aims.NewID("rcp"), Channel: s.channel, Method: method, Verdict: authz.Deny, Cause: s.cause,
	}
	if s.actor.ID != "" {
		body.Actor = &s.actor
	}
	if s.count > 1 {
		body.Count = s.count
	}
	encoded, err := receipt.Encode(&body)
	if err != nil {
		return "", err
	}
	ref, err := e.commit(ctx, ledger.Entry{Kind: receipt.RefusalKind, Body: encoded})
	e.counter.count(ref, err)
	return body.ID, err
}
