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

// ConcernReported is a concern that was taken, with the token to follow it.
type ConcernReported struct {
	ID    string          `json:"id"`
	Token string          `json:"token" doc:"shown once and stored nowhere: whoever has it follows the concern"`
	Due   corrective.Date `json:"due" doc:"day by which it is acknowledged"`
}

// ConcernTriage says what a concern is about and who deals with it.
type ConcernTriage struct {
	Category corrective.Category `json:"category" enum:"safety,fairness,privacy,security,misuse,obligations,other"`
	Handler  string              `json:"handler" doc:"id of the person who deals with it"`
	Note     string              `json:"note,omitempty" doc:"kept beside the log; the reporter does not see it"`
}

// ConcernToken follows a concern, and adds to it where there is a text. It is
// in the body because addresses end up in logs.
type ConcernToken struct {
	Token string `json:"token" maxLength:"128"`
	Text  string `json:"text,omitempty" maxLength:"8192" doc:"to be added to the concern"`
}

// keyless is a request of somebody who does not say who they are. One that
// comes with a key is refused: its sender would believe to be unknown.
type keyless[T any] struct {
	Authorization string `header:"Authorization" hidden:"true"`
	Body          T
}

func (a *api) concerns(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/concerns", Summary: "List concerns without what people wrote, newest first"}, "concerns/read",
		func(ctx context.Context, _ caller, in *listCasesRequest) ([]corrective.Concern, error) {
			found, err := a.Corrective.Concerns(ctx, in.filter())
			return append([]corrective.Concern{}, found...), err
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/concerns/{id}", Summary: "Show a concern with what people wrote"}, "concerns/open",
		func(ctx context.Context, _ caller, in *showCaseRequest) (corrective.Concern, error) {
			return a.Corrective.Concern(ctx, in.ID, in.At)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/concerns", Summary: "Report a concern by name"}, "concerns/report",
		func(ctx context.Context, c caller, in *newCaseRequest[Text]) (ConcernReported, error) {
			return reported(a.Corrective.ReportConcern(ctx, c.by(), in.Body.Text))
		})
	caseStep(a, h, "/concerns", "triage", "Say what it is about and who deals with it", "concerns/handle", a.reporter,
		func(ctx context.Context, by corrective.By, id string, in ConcernTriage) (corrective.Concern, error) {
			return a.Corrective.Triage(ctx, by, id, in.Category, in.Handler, in.Note)
		})
	for name, do := range map[string]struct {
		summary string
		take    func(context.Context, corrective.By, string, string) (corrective.Concern, error)
	}{
		"acknowledge": {"Tell the reporter that it was read", a.Corrective.Acknowledge},
		"answer":      {"Tell the reporter what came of it", a.Corrective.Answer},
		"close":       {"Close a concern; one without an answer with a reason", a.Corrective.CloseConcern},
	} {
		caseStep(a, h, "/concerns", name, do.summary, "concerns/handle", a.reporter,
			func(ctx context.Context, by corrective.By, id string, in Text) (corrective.Concern, error) {
				return do.take(ctx, by, id, in.Text)
			})
	}
	a.anonymousConcerns(h)
}

// reporter makes who raised a concern an author of it.
func (a *api) reporter(ctx context.Context, id string) (enforcement.Matter, error) {
	var m enforcement.Matter
	c, err := a.Corrective.Concern(ctx, id, time.Time{})
	if c.Reporter != nil {
		m.Authors = []aims.Actor{*c.Reporter}
	}
	return m, err
}

func reported(c corrective.Concern, token string, err error) (ConcernReported, error) {
	return ConcernReported{ID: c.ID, Token: token, Due: c.Due}, err
}

// anonymousConcerns are the operations that need no key and know nobody. What
// they do is not decided about a principal, because there is none: the
// configuration lets them or not, and the concern itself is the receipt.
func (a *api) anonymousConcerns(h huma.API) {
	withoutKey(a, h, "/concerns/anonymous", "Report a concern without saying who one is",
		func(ctx context.Context, in Text) (ConcernReported, error) {
			return reported(a.Corrective.ReportAnonymously(ctx, in.Text))
		})
	withoutKey(a, h, "/concerns/follow", "Follow a concern by its token, and add to it",
		func(ctx context.Context, in ConcernToken) (corrective.Concern, error) {
			if in.Text != "" {
				return a.Corrective.Supplement(ctx, in.Token, in.Text)
			}
			return a.Corrective.Follow(ctx, in.Token)
		})
}

func withoutKey[T, Out any](a *api, h huma.API, path, summary string, do func(context.Context, T) (Out, error)) {
	op := huma.Operation{Method: http.MethodPost, Path: "/api/v1" + path, Summary: summary, Security: []map[string][]string{{}}}
	op.OperationID = operationID(op)
	huma.Register(h, op, func(ctx context.Context, in *keyless[T]) (*answer[Out], error) {
		if in.Authorization != "" {
			return nil, problem(aims.Errorf(aims.Invalid, nil, "this takes no key: send it without one, or it would not be anonymous"))
		}
		out, err := do(ctx, in.Body)
		if err != nil {
			return nil, a.failed("concerns/anonymous", err)
		}
		return &answer[Out]{out}, nil
	})
}
