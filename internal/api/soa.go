package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/pack"
	"aims/internal/evidence/soa"
)

// Applicability is the statement of applicability with what changed since it was
// approved, or since another moment.
type Applicability struct {
	soa.Statement
	At    time.Time `json:"at" doc:"moment of log and registers"`
	Stale bool      `json:"stale" doc:"an earlier statement was approved, and this one was not"`
	// Since is the moment that Changes are from: that of the comparison, or of
	// the approval of an earlier statement.
	Since   *time.Time   `json:"since,omitempty" doc:"moment that the changes are counted from; absent: nothing was compared"`
	Changes []soa.Change `json:"changes"`
}

type soaRequest struct {
	Credentials
	AsOf    string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
	Compare string `query:"compare" maxLength:"40" doc:"what changed since the end of a day or a moment; absent: since the approval, where it is stale"`
}

// applicability registers the statement of applicability.
func (a *api) applicability(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/soa", Summary: "The statement of applicability: 38 rows, whether it is approved, and what changed since"},
		"evidence/read", a.showStatement)
}

func (a *api) showStatement(ctx context.Context, _ caller, in *soaRequest) (Applicability, error) {
	now := a.Now()
	at, err := AsOf(in.AsOf, now)
	if err != nil {
		return Applicability{}, err
	}
	since, err := AsOf(in.Compare, now)
	if err != nil {
		return Applicability{}, err
	}
	out := Applicability{At: at, Changes: []soa.Change{}}
	if at.IsZero() {
		out.At = now
	}
	if out.Statement, err = a.statementAt(ctx, at); err != nil {
		return out, err
	}
	if out.Stale = out.Statement.Stale(); since.IsZero() && out.Stale {
		leaf, err := a.find(ctx, out.Approved.Receipt)
		if err != nil {
			return out, err
		}
		since = leaf.Time // to the microsecond
	}
	if since.IsZero() {
		return out, nil
	}
	before, err := a.statementAt(ctx, since)
	out.Since, out.Changes = &since, soa.Compare(before, out.Statement)
	return out, err
}

// statementAt is the statement of applicability at a moment; now for the zero time.
func (a *api) statementAt(ctx context.Context, at time.Time) (s soa.Statement, err error) {
	if at.After(a.Now()) { // the end of a day that is not over
		at = time.Time{}
	}
	src, err := a.Source(ctx)
	if err != nil {
		return s, err
	}
	err = a.Evidence.Look(ctx, evidence.View{At: at}, func(in *criteria.Input) error {
		statuses, err := criteria.Evaluate(in)
		if err == nil {
			s, err = pack.Statement(ctx, src, in.Registers, in.Observed, statuses)
		}
		if err != nil {
			return aims.Errorf(aims.Conflict, err, "the statement of applicability cannot be made: %s", err)
		}
		return nil
	})
	return s, err
}

// presentStatement refuses to approve another statement than the present one.
func (a *api) presentStatement(ctx context.Context, digest string) error {
	s, err := a.statementAt(ctx, time.Time{})
	if err == nil && s.Digest != digest {
		err = aims.Errorf(aims.Conflict, nil, "the statement of applicability is another than the one that was shown: its digest is %s; look at it again", s.Digest)
	}
	return err
}
