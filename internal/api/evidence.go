package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/framework"
)

// Judged is the moment and the period that evidence is judged by.
type Judged struct {
	AsOf  string `query:"as_of" maxLength:"40" doc:"log and registers as they were at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339); absent: now"`
	From  string `query:"from" maxLength:"40" doc:"begin of the period, a day or a moment; absent: a year before its end"`
	Until string `query:"until" maxLength:"40" doc:"end of the period, a day that belongs to it or a moment; absent: the moment of the log"`
}

// view reads what a caller asked for. The end of a day that is not over is now.
func (a *api) view(j Judged) (v evidence.View, err error) {
	now := a.Now()
	if v.At, err = AsOf(j.AsOf, now); err != nil {
		return v, err
	}
	if v.At.After(now) {
		v.At = time.Time{}
	}
	if v.Until, err = AsOf(j.Until, now); err != nil {
		return v, err
	}
	if v.From, err = AsOf(j.From, now); err != nil {
		return v, err
	}
	if _, day := time.Parse(time.DateOnly, j.From); day == nil { // a period begins with its first day
		v.From = v.From.Truncate(24 * time.Hour)
	}
	return v, nil
}

type gapRequest struct {
	Credentials
	Judged
	Area  string `query:"area" doc:"rows of one clause or area of Annex A only, such as 6 or A.6"`
	Owner string `query:"owner" doc:"rows of one owner only"`
}

type requirementRequest struct {
	Credentials
	Judged
	ID string `path:"requirement" doc:"id of a requirement, such as 6.1.2 or A.6.2.8"`
}

type measuresRequest struct {
	Credentials
	Judged
	Measure string `query:"measure" doc:"one measure only"`
	Step    string `query:"step" enum:"day,week,month" default:"week" doc:"length of the steps; a month is 30 days"`
}

type coverageOfRequest struct {
	Credentials
	Judged
	Framework string `query:"framework" doc:"eu-ai-act, nist-ai-rmf, iso27001 or owasp-asi"`
}

type unregisteredRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day or at a moment; absent: now"`
}

// evidenceView registers what is shown of the requirements.
func (a *api) evidenceView(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/evidence", Summary: "What is shown of each of the 70 requirements, what is missing, and what to do first"},
		"evidence/read", func(ctx context.Context, _ caller, in *gapRequest) (evidence.Gap, error) {
			v, err := a.view(in.Judged)
			if err != nil {
				return evidence.Gap{}, err
			}
			return a.Evidence.Gap(ctx, v, evidence.Filter{Area: in.Area, Owner: in.Owner})
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/evidence/requirements/{requirement}", Summary: "What is shown of one requirement, down to the receipts"},
		"evidence/read", func(ctx context.Context, _ caller, in *requirementRequest) (evidence.Requirement, error) {
			v, err := a.view(in.Judged)
			if err != nil {
				return evidence.Requirement{}, err
			}
			return a.Evidence.Requirement(ctx, v, in.ID)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/evidence/measures", Summary: "Measures of the management system over time"},
		"evidence/read", a.measures)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/evidence/coverage", Summary: "What of the evidence is likely useful for another framework"},
		"evidence/read", func(ctx context.Context, _ caller, in *coverageOfRequest) (*framework.View, error) {
			v, err := a.view(in.Judged)
			if err != nil {
				return nil, err
			}
			return a.Evidence.Coverage(ctx, v, in.Framework)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/evidence/unregistered", Summary: "Agents seen at the enforcement points and never registered"},
		"inventory/read", func(ctx context.Context, _ caller, in *unregisteredRequest) ([]evidence.Unregistered, error) {
			v, err := a.view(Judged{AsOf: in.AsOf})
			if err != nil {
				return nil, err
			}
			return a.Evidence.Unregistered(ctx, v.At)
		})
}

func (a *api) measures(ctx context.Context, _ caller, in *measuresRequest) ([]evidence.Series, error) {
	step, ok := map[string]time.Duration{"day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour}[in.Step]
	if !ok {
		return nil, aims.Errorf(aims.Invalid, nil, "there is no step %q; expected day, week or month", in.Step)
	}
	v, err := a.view(in.Judged)
	if err != nil {
		return nil, err
	}
	return a.Evidence.Measures(ctx, v, in.Measure, step)
}
