package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/session"
)

// TrustedValue is a line of the trusted directory.
type TrustedValue struct {
	Kind  string    `json:"kind" doc:"of sink: account, credential, path, recipient, repository, url"`
	Value string    `json:"value"`
	Note  string    `json:"note,omitempty"`
	By    Actor     `json:"by"`
	Added time.Time `json:"added"`
}

// TrustValue names a value of the trusted directory.
type TrustValue struct {
	Kind  string `json:"kind,omitempty" doc:"of sink: account, credential, path, recipient, repository, url"`
	Value string `json:"value,omitempty"`
	Note  string `json:"note,omitempty" doc:"why; only to add"`
}

// Session is what is known of a run.
type Session struct {
	Actor      string    `json:"actor"`
	Session    string    `json:"session,omitempty" doc:"empty for the calls of an agent without one"`
	ID         string    `json:"id" doc:"tells this run from an earlier one of the same name"`
	Purpose    string    `json:"purpose,omitempty"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"`
	Parent     string    `json:"parent,omitempty" doc:"the receipt of the decision that delegated"`
	Depth      int       `json:"depth"`
	Began      time.Time `json:"began"`
	Changed    time.Time `json:"changed"`
	Labels     []string  `json:"labels" doc:"of what it has read"`
	Calls      int64     `json:"calls" doc:"of tools, allowed"`
	Refusals   int64     `json:"refusals" doc:"calls of tools that were denied"`
	Results    int       `json:"results" doc:"that it has read"`
	Prompts    int       `json:"prompts" doc:"of the user"`
	Refused    string    `json:"refused,omitempty" doc:"why it can do nothing any more"`
	// The rest is shown of one run only.
	Tools []string `json:"tools,omitempty" doc:"that it called"`
	Chain []string `json:"chain,omitempty" doc:"who delegated, the nearest first"`
}

// SessionPage is a page of runs, those that did something last first.
type SessionPage struct {
	Sessions []Session `json:"sessions"`
	Next     int64     `json:"next,omitempty" doc:"before this position the next page begins; absent: there is none"`
}

type listTrustRequest struct{ Credentials }

type changeTrustRequest struct {
	Credentials
	Body TrustValue
}

type listSessionsRequest struct {
	Credentials
	Actor  string `query:"actor" maxLength:"300" doc:"agent:<id>; of all when empty"`
	Before int64  `query:"before" minimum:"0" doc:"the next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

type showSessionRequest struct {
	Credentials
	Actor   string `query:"actor" maxLength:"300" doc:"agent:<id>"`
	Session string `query:"session" maxLength:"256" doc:"empty for the calls of an agent without one"`
}

func (a *api) trust(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/trust", Summary: "List the trusted directory"}, "trust/read",
		func(ctx context.Context, _ caller, _ *listTrustRequest) ([]TrustedValue, error) {
			directory, err := a.Sessions.Trusted(ctx)
			list := []TrustedValue{}
			for _, e := range directory.List() {
				list = append(list, TrustedValue{Kind: e.Kind, Value: e.Value, Note: e.Note, By: Actor(e.By), Added: e.Added})
			}
			return list, err
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/trust", Summary: "Trust a value as a sink of a kind, whoever names it"}, "trust/change",
		func(ctx context.Context, c caller, in *changeTrustRequest) (Done, error) {
			return Done{c.Receipt}, a.Sessions.Trust(ctx, c.Actor, c.Receipt, session.Trusted{Kind: in.Body.Kind, Value: in.Body.Value}, in.Body.Note)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/trust/remove", Summary: "Trust a value no longer"}, "trust/change",
		func(ctx context.Context, c caller, in *changeTrustRequest) (Done, error) {
			return Done{c.Receipt}, a.Sessions.Distrust(ctx, c.Actor, c.Receipt, session.Trusted{Kind: in.Body.Kind, Value: in.Body.Value})
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/sessions", Summary: "List the runs that are known"}, "sessions/read",
		func(ctx context.Context, _ caller, in *listSessionsRequest) (SessionPage, error) {
			runs, next, err := a.Sessions.List(ctx, in.Actor, in.Before, in.Limit)
			page := SessionPage{Sessions: []Session{}, Next: next}
			for _, r := range runs {
				page.Sessions = append(page.Sessions, sessionOf(r))
			}
			return page, err
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/sessions/show", Summary: "Show what is known of a run"}, "sessions/read",
		func(ctx context.Context, _ caller, in *showSessionRequest) (Session, error) {
			r, err := a.Sessions.Get(ctx, session.Key{Actor: in.Actor, Session: in.Session})
			if err != nil {
				return Session{}, err
			}
			s := sessionOf(r)
			s.Tools = r.Tools
			for _, d := range r.Chain {
				s.Chain = append(s.Chain, d.Actor)
			}
			return s, nil
		})
}

func sessionOf(r *session.Run) Session {
	s := Session{
		Actor: r.Actor, Session: r.Session, ID: r.ID, Purpose: r.Purpose, OnBehalfOf: r.OnBehalfOf, Parent: r.Parent, Depth: r.Depth(),
		Began: r.Began, Changed: r.Changed, Labels: r.Labels, Calls: r.Calls, Refusals: r.Refusals, Results: len(r.Results),
		Prompts: len(r.Prompts), Refused: r.Full,
	}
	if s.Labels == nil {
		s.Labels = []string{}
	}
	return s
}
