package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/enforcement"
)

// Text goes with a step of a case; it is kept beside the log and erased with
// the payloads.
type Text struct {
	Text string `json:"text,omitempty" maxLength:"8192" doc:"kept beside the log and erased with the payloads"`
}

// CaseFilter says which cases are listed.
type CaseFilter struct {
	Open        bool      `query:"open" doc:"only those that are not over"`
	State       string    `query:"state" maxLength:"32"`
	Requirement string    `query:"requirement" maxLength:"16"`
	At          time.Time `query:"at" doc:"as of this time, RFC 3339; absent: now"`
	Before      string    `query:"before" maxLength:"64" doc:"id of the last of the page before"`
	Limit       int       `query:"limit" minimum:"1" maximum:"500" default:"500"`
}

func (f CaseFilter) filter() corrective.Filter {
	return corrective.Filter{
		Open: f.Open, State: corrective.State(f.State), Requirement: f.Requirement, At: f.At, Before: f.Before, Limit: f.Limit,
	}
}

type listCasesRequest struct {
	Credentials
	CaseFilter
}

type showCaseRequest struct {
	Credentials
	ID string    `path:"id" maxLength:"64"`
	At time.Time `query:"at" doc:"as of this time, RFC 3339; absent: now"`
}

type overdueRequest struct {
	Credentials
	At time.Time `query:"at" doc:"overdue at this time, RFC 3339; absent: now"`
}

// caseRequest is a step of a case.
type caseRequest[T any] struct {
	Credentials
	ID   string `path:"id" maxLength:"64"`
	Body T
}

type newCaseRequest[T any] struct {
	Credentials
	Body T
}

// by is a caller as the author of a step.
func (c caller) by() corrective.By {
	return corrective.By{Actor: c.Actor, Decision: c.Receipt, Roles: c.Roles}
}

// owners is the matter of what the owner of an action may do; of any action for
// the empty id.
func (a *api) owners(ctx context.Context, id, only string) (enforcement.Matter, error) {
	n, err := a.Corrective.Nonconformity(ctx, id, time.Time{})
	if err != nil {
		return enforcement.Matter{}, err
	}
	var m enforcement.Matter
	for _, action := range n.Actions {
		if only != "" && action.ID != only {
			continue
		}
		m.Authors = append(m.Authors, aims.Actor{Type: aims.PersonType, ID: action.Owner})
	}
	return m, nil
}

func (a *api) nonconformities(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/nonconformities", Summary: "List nonconformities and opportunities, newest first"}, "nonconformities/read",
		func(ctx context.Context, _ caller, in *listCasesRequest) ([]corrective.Nonconformity, error) {
			f := in.filter()
			f.Words = true
			found, err := a.Corrective.Nonconformities(ctx, f)
			return append([]corrective.Nonconformity{}, found...), err
		})
	verbOf(a, h, huma.Operation{Method: http.MethodGet, Path: "/nonconformities/{id}", Summary: "Show a nonconformity with everything that happened"}, "nonconformities/read",
		func(ctx context.Context, in *showCaseRequest) (enforcement.Matter, error) {
			return a.owners(ctx, in.ID, "")
		},
		func(ctx context.Context, _ caller, in *showCaseRequest) (corrective.Nonconformity, error) {
			return a.Corrective.Nonconformity(ctx, in.ID, in.At)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/nonconformities", Summary: "Raise a nonconformity or an opportunity"}, "nonconformities/raise",
		func(ctx context.Context, c caller, in *newCaseRequest[corrective.NewNonconformity]) (corrective.Nonconformity, error) {
			return a.Corrective.Raise(ctx, c.by(), in.Body)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/corrective/overdue", Summary: "What should have been done about nonconformities, incidents and concerns"}, "nonconformities/read",
		func(ctx context.Context, _ caller, in *overdueRequest) ([]corrective.Duty, error) {
			if in.At.IsZero() {
				in.At = a.Now()
			}
			return a.Corrective.Overdue(ctx, in.At)
		})
	a.nonconformitySteps(h)
}

func (a *api) nonconformitySteps(h huma.API) {
	caseStep(a, h, "/nonconformities", "correct", "Record what was done about the thing itself", "nonconformities/correct", noMatter,
		func(ctx context.Context, by corrective.By, id string, in Text) (corrective.Nonconformity, error) {
			return a.Corrective.Correct(ctx, by, id, in.Text)
		})
	caseStep(a, h, "/nonconformities", "analyse", "Record extent and root cause", "nonconformities/analyse", noMatter, a.Corrective.Analyse)
	caseStep(a, h, "/nonconformities", "plan", "Say what is to be done, by whom and until when", "nonconformities/plan", noMatter, a.Corrective.Plan)
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/nonconformities/{id}/implement", Summary: "Record that an action is done; one that changes policy is proved first"},
		"nonconformities/implement",
		func(ctx context.Context, in *caseRequest[corrective.Implementation]) (enforcement.Matter, error) {
			return a.owners(ctx, in.ID, in.Body.Action)
		},
		func(ctx context.Context, c caller, in *caseRequest[corrective.Implementation]) (corrective.Nonconformity, error) {
			return a.Corrective.Implement(ctx, c.by(), in.ID, in.Body)
		})
	caseStep(a, h, "/nonconformities", "review", "Record whether the actions helped", "nonconformities/review",
		func(ctx context.Context, id string) (enforcement.Matter, error) {
			n, err := a.Corrective.Nonconformity(ctx, id, time.Time{})
			return enforcement.Matter{Authors: n.Doers()}, err
		}, a.Corrective.Review)
	for name, do := range map[string]struct {
		summary string
		matter  func(context.Context, string) (enforcement.Matter, error)
		take    func(context.Context, corrective.By, string, string) (corrective.Nonconformity, error)
	}{
		"close":    {"Close a nonconformity whose actions were effective", noMatter, a.Corrective.Close},
		"withdraw": {"Withdraw a nonconformity that was raised in error", noMatter, a.Corrective.Withdraw},
		"reopen":   {"Take a nonconformity up again", noMatter, a.Corrective.Reopen},
		"waive": {"Accept things as they are; never by who answers for them", func(ctx context.Context, id string) (enforcement.Matter, error) {
			n, err := a.Corrective.Nonconformity(ctx, id, time.Time{})
			return enforcement.Matter{Authors: n.Authors()}, err
		}, a.Corrective.Waive},
	} {
		caseStep(a, h, "/nonconformities", name, do.summary, "nonconformities/"+name, do.matter,
			func(ctx context.Context, by corrective.By, id string, in Text) (corrective.Nonconformity, error) {
				return do.take(ctx, by, id, in.Text)
			})
	}
}

func noMatter(context.Context, string) (enforcement.Matter, error) { return enforcement.Matter{}, nil }

// caseStep registers one step of a case.
func caseStep[T, Out any](a *api, h huma.API, path, name, summary, action string, matter func(context.Context, string) (enforcement.Matter, error),
	do func(context.Context, corrective.By, string, T) (Out, error)) {
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: path + "/{id}/" + name, Summary: summary}, action,
		func(ctx context.Context, in *caseRequest[T]) (enforcement.Matter, error) { return matter(ctx, in.ID) },
		func(ctx context.Context, c caller, in *caseRequest[T]) (Out, error) {
			return do(ctx, c.by(), in.ID, in.Body)
		})
}
