package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
)

// ApprovalRequest is a held call that waits for people, or did.
type ApprovalRequest struct {
	ID         string    `json:"id"`
	State      string    `json:"state" enum:"pending,granted,used,denied,expired,void"`
	Agent      string    `json:"agent"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty" doc:"the person for whom the agent acts, who cannot grant it"`
	Operator   string    `json:"operator,omitempty" doc:"the person who operates the agent, who cannot grant it"`
	Purpose    string    `json:"purpose,omitempty"`
	Session    string    `json:"session,omitempty"`
	Action     string    `json:"action"`
	Server     string    `json:"server,omitempty"`
	Tool       string    `json:"tool,omitempty"`
	Roles      []string  `json:"roles" doc:"each must be given by a person who holds it"`
	Remaining  []string  `json:"remaining" doc:"the roles of which somebody is still needed"`
	Quorum     int       `json:"quorum" doc:"how many different people must grant it in all, at least"`
	Requested  time.Time `json:"requested"`
	Expires    time.Time `json:"expires" doc:"when the request ends, granted or not"`
	Decision   string    `json:"decision" doc:"the receipt of the decision that held the call"`
	// The rest is shown of one request only.
	Pin     string         `json:"pin,omitempty"`
	Policy  string         `json:"policy,omitempty" doc:"digest of the policy set that held the call; under another one it is void"`
	Summary string         `json:"summary,omitempty" doc:"why the call is held, and its arguments without secrets"`
	Votes   []ApprovalVote `json:"votes,omitempty"`
}

// ApprovalVote is what one person said to a held call.
type ApprovalVote struct {
	Person  string    `json:"person"`
	Grant   bool      `json:"grant" doc:"false: denied"`
	Roles   []string  `json:"roles,omitempty" doc:"those of the request that the person held then"`
	Note    string    `json:"note,omitempty"`
	Time    time.Time `json:"time"`
	Receipt string    `json:"receipt" doc:"the receipt of the decision that let the person vote"`
}

// ApprovalPage is a page of held calls, newest first.
type ApprovalPage struct {
	Approvals []ApprovalRequest `json:"approvals"`
	Next      string            `json:"next,omitempty" doc:"before this id the next page begins; absent: there is none"`
}

// ApprovalNote goes with a vote.
type ApprovalNote struct {
	Note string `json:"note,omitempty" maxLength:"1000" doc:"why; kept beside the log and erased with the payloads"`
}

// MaxApprovalWait bounds how long one request waits for people.
const MaxApprovalWait = 50 * time.Second

type listApprovalsRequest struct {
	Credentials
	All    bool   `query:"all" doc:"also those that are over"`
	Before string `query:"before" maxLength:"64" doc:"the next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"100"`
}

type showApprovalRequest struct {
	Credentials
	ID   string `path:"id" maxLength:"64"`
	Wait int    `query:"wait" minimum:"0" maximum:"50" doc:"seconds to wait while the request is pending"`
}

type voteRequest struct {
	Credentials
	ID   string `path:"id" maxLength:"64"`
	Body ApprovalNote
}

func (a *api) approvals(h huma.API) {
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/approvals", Summary: "List the calls that wait for people"}, "approvals/read",
		func(ctx context.Context, _ *listApprovalsRequest) (enforcement.Matter, error) {
			return a.anyApproval(ctx)
		}, a.listApprovals)
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/approvals/{id}", Summary: "Show a held call, and wait while it is pending"}, "approvals/read",
		func(ctx context.Context, in *showApprovalRequest) (enforcement.Matter, error) {
			return a.matterOf(ctx, in.ID, everyRole)
		}, a.showApproval)
	for path, vote := range map[string]struct {
		summary string
		grant   bool
		roles   func(approval.Request) []string
	}{
		"grant": {"Grant a held call: once for each person, in a role that it still needs", true, approval.Request.Remaining},
		"deny":  {"Deny a held call, or take a grant back that is not used yet", false, everyRole},
	} {
		verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/approvals/{id}/" + path, Summary: vote.summary}, "approvals/"+path,
			func(ctx context.Context, in *voteRequest) (enforcement.Matter, error) {
				return a.matterOf(ctx, in.ID, vote.roles)
			},
			func(ctx context.Context, c caller, in *voteRequest) (ApprovalRequest, error) {
				r, err := a.Approvals.Vote(ctx, c.Actor, c.Roles, c.Receipt, in.ID, vote.grant, in.Body.Note)
				return shown(r), err
			})
	}
}

func everyRole(r approval.Request) []string { return r.Roles }

// anyApproval is the matter of what is not about one request: approvers are
// those whom the active policies or an open request name.
func (a *api) anyApproval(ctx context.Context) (enforcement.Matter, error) {
	roles, err := a.Approvals.OpenRoles(ctx)
	if err != nil {
		return enforcement.Matter{}, err
	}
	if set := a.Policies.Active(); set != nil {
		for _, rule := range set.Rules() {
			if rule.Hold != "" {
				roles = append(roles, rule.Hold)
			}
		}
	}
	slices.Sort(roles)
	return enforcement.Matter{Roles: slices.Compact(roles)}, nil
}

// matterOf is the matter of one request. One that does not exist is decided
// like the list, so that only who may see that learns that it does not.
func (a *api) matterOf(ctx context.Context, id string, roles func(approval.Request) []string) (enforcement.Matter, error) {
	r, err := a.Approvals.Get(ctx, id)
	if code, _ := aims.Public(err); err != nil && code == aims.NotFound {
		return a.anyApproval(ctx)
	}
	if err != nil {
		return enforcement.Matter{}, err
	}
	m := enforcement.Matter{Authors: r.Authors(), Roles: roles(r)}
	if len(m.Roles) == 0 {
		m.Roles = r.Roles // it has everybody; the vote says that it is over
	}
	return m, nil
}

func (a *api) listApprovals(ctx context.Context, _ caller, in *listApprovalsRequest) (ApprovalPage, error) {
	found, next, err := a.Approvals.List(ctx, approval.Filter{All: in.All, Before: in.Before, Limit: in.Limit})
	page := ApprovalPage{Approvals: []ApprovalRequest{}, Next: next}
	for _, r := range found {
		line := shown(r)
		line.Pin, line.Policy, line.Votes = "", "", nil
		page.Approvals = append(page.Approvals, line)
	}
	return page, err
}

func (a *api) showApproval(ctx context.Context, _ caller, in *showApprovalRequest) (ApprovalRequest, error) {
	if in.Wait == 0 {
		r, err := a.Approvals.Get(ctx, in.ID)
		return shown(r), err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
	defer cancel()
	r, err := a.Approvals.Wait(waiting, in.ID)
	if r.ID != "" && ctx.Err() == nil {
		err = nil // it still waits, and its state says so
	}
	return shown(r), err
}

func shown(r approval.Request) ApprovalRequest {
	out := ApprovalRequest{
		ID: r.ID, State: string(r.State), Agent: r.Agent, OnBehalfOf: r.OnBehalfOf, Operator: r.Operator, Purpose: r.Purpose, Session: r.Session,
		Action: r.Action, Server: r.Server, Tool: r.Tool, Roles: r.Roles, Remaining: []string{}, Quorum: max(1, r.Quorum),
		Requested: r.Requested, Expires: r.Expires, Decision: r.Decision, Pin: r.Pin, Policy: r.Policy, Summary: r.Summary,
	}
	if r.State == approval.Pending {
		out.Remaining = r.Remaining()
	}
	for _, v := range r.Votes {
		out.Votes = append(out.Votes, ApprovalVote{Person: v.Person, Grant: v.Grant, Roles: v.Roles, Note: v.Note, Time: v.Time, Receipt: v.Decision})
	}
	return out
}
