package authzen

import (
	"context"
	"encoding/json"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/statement"
)

// declare passes on what a question says of the run that it is part of. With an
// error it returns the receipt of the refusal.
func (a *API) declare(ctx context.Context, c enforcement.Call, said statement.Statement) (string, error) {
	if !said.Says() {
		return "", nil
	}
	return a.enforcer.Declare(ctx, enforcement.Declaration{
		Principal: c.Principal, Via: c.Via, Session: said.Session, Channel: enforcement.AuthZEN,
		Purpose: said.Purpose, OnBehalfOf: said.OnBehalfOf, Prompt: said.Prompt, Parent: said.Parent,
	})
}

// session takes what is said of a run before anything is asked in it: for
// frameworks that know it at another place than the one that asks.
func (a *API) session(ctx context.Context, c caller, body []byte) ([]byte, error) {
	var subject []byte
	rest := map[string]json.RawMessage{}
	err := members(body, "the request", func(name string, v []byte) error {
		if name == "subject" {
			subject = v
		} else {
			rest[name] = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	object, err := json.Marshal(rest)
	if err != nil {
		return nil, err // they were read, so this does not happen
	}
	said, err := statement.Parse(object, "the request")
	if err != nil {
		return nil, &malformed{err}
	}
	if !said.Says() {
		return nil, malformedf("expected at least one of purpose, on_behalf_of, prompt and parent")
	}
	call := enforcement.Call{Principal: c.Principal}
	if subject != nil {
		e, err := parseEntity(subject, nil, "subject", "id", true)
		if err != nil {
			return nil, err
		}
		if call.Principal, err = a.subject(ctx, c, e); err != nil {
			return nil, err
		}
	}
	if call.Principal.Actor != c.Actor {
		call.Via = c.Actor
	}
	id, err := a.declare(ctx, call, said)
	if err != nil {
		if code, _ := aims.Public(err); code == aims.Denied || code == aims.Invalid || code == aims.Exhausted {
			err = &turned{err, id}
		}
		return nil, err
	}
	b := appendString([]byte(`{"session":`), said.Session)
	if id != "" {
		b = appendString(append(b, `,"id":`...), id)
	}
	return append(b, '}'), nil
}
