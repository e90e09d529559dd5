package gateway

import (
	"context"
	"net/http"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/statement"
)

// said is what a request says of its run, in its _meta, in headers, or the same
// in both.
func (x *exchange) said() (statement.Statement, error) {
	s, err := statement.FromHeader(x.header)
	if err != nil {
		_, text := aims.Public(err)
		return s, headerMismatch(text)
	}
	raw := x.msg.Bytes(envelope.MetaSession)
	if raw == nil {
		return s, nil
	}
	inBody, err := statement.Parse(raw, `_meta["`+metaSession+`"]`)
	if err != nil {
		_, text := aims.Public(err)
		return s, invalidParams(text)
	}
	s, err = s.And(inBody)
	if err != nil {
		_, text := aims.Public(err)
		return s, headerMismatch(text)
	}
	return s, nil
}

// joins puts the request into its run. Within a session that is the session's:
// one connection is one run, or what it has read could be left behind.
func (x *exchange) joins(said statement.Statement) error {
	if x.sess == nil {
		x.run = said.Session
		return nil
	}
	if said.Session != "" && said.Session != x.run {
		return turnedAway(http.StatusBadRequest, envelope.CodeInvalidParams, "another run than the session's",
			"expected no name of a session but the one with which initialize began this one")
	}
	return nil
}

// declare passes on what a request says of its run, before anything is decided
// about the request. It costs a transaction only where it says something new.
func (x *exchange) declare(ctx context.Context, said statement.Statement) error {
	if !said.Says() {
		return nil
	}
	id, err := x.g.Enforcer.Declare(ctx, enforcement.Declaration{
		Principal: x.principal, Session: x.run, Channel: enforcement.MCP,
		Purpose: said.Purpose, OnBehalfOf: said.OnBehalfOf, Prompt: said.Prompt, Parent: said.Parent,
	})
	if err == nil {
		return nil
	}
	f := fromError(err)
	if id != "" {
		f.data = map[string]string{"receipt": id}
	}
	return f
}
