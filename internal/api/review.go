package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/evidence/audit"
)

type reviewRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day or at a moment; absent: now"`
	ID   string `path:"review" maxLength:"64"`
}

type freezeRequest struct {
	Credentials
	ID string `path:"review" maxLength:"64"`
}

type certificationRequest struct{ Credentials }

// reviews registers management reviews and the certification programme.
func (a *api) reviews(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/reviews", Summary: "Management reviews, with what was frozen for them"}, "audit/read",
		func(ctx context.Context, _ caller, in *auditsRequest) ([]audit.Review, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return nil, err
			}
			return a.Audits.Reviews(ctx, at)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/reviews/{review}", Summary: "A management review: inputs, decisions, what is overdue"}, "audit/read",
		func(ctx context.Context, _ caller, in *reviewRequest) (audit.Review, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return audit.Review{}, err
			}
			return a.Audits.Review(ctx, in.ID, at)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/reviews/{review}/freeze", Summary: "Freeze the inputs of a review before it is held"}, "reviews/freeze",
		func(ctx context.Context, c caller, in *freezeRequest) (audit.Frozen, error) {
			return a.Audits.Freeze(ctx, c.auditor(), in.ID)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/certification", Summary: "The certification programme: windows, readiness, what changed, findings of the body"}, "audit/read",
		func(ctx context.Context, _ caller, _ *certificationRequest) (audit.Programme, error) {
			return a.Audits.Certification(ctx)
		})
}
