package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/hindsight"
	"aims/internal/policy"
)

// Period bounds recorded calls by their time.
type Period struct {
	Since time.Time `query:"since" doc:"from this time on, RFC 3339; absent: from the beginning"`
	Until time.Time `query:"until" doc:"before this time, RFC 3339; absent: until now"`
}

type replayRequest struct {
	Credentials
	Period
	Body PolicyFiles
}

type coverageRequest struct {
	Credentials
	Period
}

type mineRequest struct {
	Credentials
	Period
	Purpose string   `query:"purpose" maxLength:"256" doc:"the purpose whose work is to be covered; needed"`
	Without []string `query:"without" doc:"receipts and sessions that are not to be learnt from"`
}

// ReplayLine is one line of a replay: progress, a call that would end
// otherwise, or, at the end, the result.
type ReplayLine struct {
	Progress *ReplayProgress   `json:"progress,omitempty"`
	Change   *hindsight.Change `json:"change,omitempty"`
	Result   *hindsight.Replay `json:"result,omitempty"`
	// Check is the only line when the candidate does not compile.
	Check *PolicyCheck `json:"check,omitempty"`
}

// ReplayProgress is how much of the log is read.
type ReplayProgress struct {
	Read uint64 `json:"read"`
	Of   uint64 `json:"of"`
}

func (a *api) hindsight(h huma.API) {
	stream(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/replay", Summary: "Decide recorded calls again under a candidate; one JSON object a line", MaxBodyBytes: maxPolicyBytes},
		"policy/replay", "application/x-ndjson", a.replay)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy/coverage", Summary: "Which rules decided what, and which never did"}, "policy/read", a.coverage)
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy/mine", Summary: "The least privilege that covers the recorded work of a purpose"}, "policy/mine", a.mine)
}

func (a *api) stretch(ctx context.Context, p Period) (hindsight.Stretch, error) {
	if !p.Since.IsZero() && !p.Until.IsZero() && !p.Since.Before(p.Until) {
		return hindsight.Stretch{}, aims.Errorf(aims.Invalid, nil, "since must be before until")
	}
	src, err := a.Source(ctx)
	return hindsight.Stretch{Source: src, From: p.Since, To: p.Until}, err
}

func (a *api) replay(ctx context.Context, _ caller, in *replayRequest, w io.Writer) error {
	out := json.NewEncoder(w)
	b, err := a.bundleOr(in.Body.Files)
	if found := policy.Problems(err); found != nil {
		return out.Encode(ReplayLine{Check: &PolicyCheck{Problems: found}})
	}
	if err != nil {
		return err
	}
	candidate, losses, err := a.Enforcer.CompilePolicy(b)
	if found := policy.Problems(err); found != nil {
		return out.Encode(ReplayLine{Check: &PolicyCheck{Problems: found, Losses: losses}})
	}
	if err != nil {
		return err
	}
	s, err := a.stretch(ctx, in.Period)
	if err != nil {
		return err
	}
	said := a.Now()
	s.Progress = func(read, of uint64) {
		if now := a.Now(); now.Sub(said) >= time.Second {
			said = now
			out.Encode(ReplayLine{Progress: &ReplayProgress{read, of}}) // the next change notices that nobody reads
		}
	}
	result, err := hindsight.ReplayUnder(ctx, s, candidate, func(c hindsight.Change) error {
		return out.Encode(ReplayLine{Change: &c})
	})
	if err != nil {
		return err
	}
	return out.Encode(ReplayLine{Result: &result})
}

func (a *api) coverage(ctx context.Context, _ caller, in *coverageRequest) (hindsight.Coverage, error) {
	s, err := a.stretch(ctx, in.Period)
	if err != nil {
		return hindsight.Coverage{}, err
	}
	return hindsight.Cover(ctx, s, a.Policies.Active())
}

func (a *api) mine(ctx context.Context, _ caller, in *mineRequest) (hindsight.Mined, error) {
	if in.Purpose == "" { // not of the schema: whoever may not ask at all is told that first
		return hindsight.Mined{}, aims.Errorf(aims.Invalid, nil, "expected a purpose: purpose=<id>")
	}
	s, err := a.stretch(ctx, in.Period)
	if err != nil {
		return hindsight.Mined{}, err
	}
	set := a.Policies.Active()
	if set == nil {
		return hindsight.Mined{}, aims.Errorf(aims.NotFound, nil, "no policy is active, so no call was allowed")
	}
	mined, err := hindsight.Mine(ctx, s, hindsight.Mining{Purpose: in.Purpose, Without: in.Without}, set)
	if err == nil && mined.Calls == 0 {
		err = aims.Errorf(aims.NotFound, nil, "no call of the purpose %q was allowed and succeeded in this time", in.Purpose)
	}
	return mined, err
}
