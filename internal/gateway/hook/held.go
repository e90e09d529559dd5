package hook

import (
	"context"
	"errors"
	"net/http"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/hold"
)

// declare passes on what a caller says of its run; with an error, the id is that
// of the refusal.
func (e *Endpoint) declare(ctx context.Context, who asking, prompt string) (string, error) {
	said := who.said
	if who.Type == aims.AgentType {
		said.Prompt = prompt // of a person's own acts there is no run to be known
	}
	if !said.Says() {
		return "", nil
	}
	return e.enforcer.Declare(ctx, enforcement.Declaration{
		Principal: who.Principal, Session: said.Session, Channel: enforcement.Hook,
		Purpose: said.Purpose, OnBehalfOf: said.OnBehalfOf, Prompt: said.Prompt, Parent: said.Parent,
	})
}

// held waits with a held call for as long as its caller does, and has it
// decided again when people have released it. It returns the ruling to act on,
// or the answer.
func (e *Endpoint) held(r *http.Request, who asking, ev event, call enforcement.Call, ruling enforcement.Ruling) (enforcement.Ruling, []byte) {
	ctx := r.Context()
	for end := e.o.Now().Add(who.wait); e.o.Held != nil; {
		left := end.Sub(e.o.Now())
		if left <= 0 {
			break
		}
		got, err := e.o.Held.Wait(ctx, who.Actor, ruling.Approval, left)
		if err != nil && !errors.Is(err, hold.ErrFull) {
			return ruling, ev.denial("nobody has decided yet, and the wait ended: approval "+ruling.Approval+" stays open", ruling.Receipt)
		}
		if err != nil || got.State == approval.Pending {
			break
		}
		goesOn, cause, text := hold.Settled(got)
		if !goesOn {
			return ruling, who.refuse(&who.Principal, cause, aims.Errorf(aims.Denied, nil, "%s", text))
		}
		// While it waited, its key can have been revoked and a role taken away.
		p, err := e.authenticate(r)
		if err != nil || p.Actor != who.Actor || ctx.Err() != nil {
			return ruling, who.refuse(&who.Principal, "credentials missing, unknown, expired or revoked", aims.Errorf(aims.Unauthenticated, nil, "the credentials are not valid any more"))
		}
		call.Principal = p
		ruling, err = e.enforcer.Decide(ctx, call)
		if err != nil {
			return ruling, ev.denial(e.words(ruling, err), ruling.Receipt)
		}
		if ruling.Verdict != authz.Hold || ruling.Approval == "" {
			return ruling, nil
		}
	}
	return ruling, ev.denial(ruling.Sentence()+" (aims approvals grant "+ruling.Approval+")", ruling.Receipt)
}
