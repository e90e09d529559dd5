package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/evidence/audit"
)

type auditsRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day or at a moment; absent: now"`
}

type auditRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day or at a moment; absent: now"`
	ID   string `path:"audit" maxLength:"64"`
}

type auditRunRequest struct {
	Credentials
	ID    string   `path:"audit" maxLength:"64"`
	Tests []string `query:"test" doc:"tests to run; absent: all"`
}

// SampleWanted says what sample is drawn.
type SampleWanted struct {
	Kind    string `json:"kind" doc:"decisions, approvals, gates or changes"`
	Agent   string `json:"agent,omitempty" maxLength:"256"`
	Tool    string `json:"tool,omitempty" maxLength:"256" doc:"server___tool"`
	Verdict string `json:"verdict,omitempty" maxLength:"16" doc:"allow, deny or hold; of a gate passed or failed"`
	From    string `json:"from,omitempty" maxLength:"40" doc:"a day or a moment; absent: the audit's period"`
	Until   string `json:"until,omitempty" maxLength:"40"`
	Items   int    `json:"items,omitempty" doc:"how many; absent: 25"`
	Seed    string `json:"seed,omitempty" maxLength:"200" doc:"absent: the newest checkpoint"`
}

type auditSampleRequest struct {
	Credentials
	ID   string `path:"audit" maxLength:"64"`
	Body SampleWanted
}

// ItemResult is what a person found of an item of a sample.
type ItemResult struct {
	Item     string `json:"item" maxLength:"64" doc:"the receipt"`
	Conforms bool   `json:"conforms"`
	Note     string `json:"note,omitempty" maxLength:"4000" doc:"kept beside the log"`
}

type auditResultRequest struct {
	Credentials
	ID   string `path:"audit" maxLength:"64"`
	Body ItemResult
}

type auditFindingRequest struct {
	Credentials
	ID   string `path:"audit" maxLength:"64"`
	Body audit.NewFinding
}

// AuditLine is one line of a run: how far it is, or, at the end, the results or
// what is wrong.
type AuditLine struct {
	Progress *ReplayProgress `json:"progress,omitempty"`
	Results  []audit.Result  `json:"results,omitempty"`
	Problem  *Problem        `json:"problem,omitempty"`
}

// auditor is a caller as the author of a work paper.
func (c caller) auditor() audit.By {
	return audit.By{Actor: c.Actor, Decision: c.Receipt, Roles: c.Roles}
}

func (a *api) audits(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/audits", Summary: "Internal audits, and what of them is planned"}, "audit/read",
		func(ctx context.Context, _ caller, in *auditsRequest) ([]audit.Audit, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return nil, err
			}
			return a.Audits.List(ctx, at)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/audits/{audit}", Summary: "An audit with tests, samples, results and findings"}, "audit/read",
		func(ctx context.Context, _ caller, in *auditRequest) (audit.Report, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return audit.Report{}, err
			}
			return a.Audits.Report(ctx, in.ID, at)
		})
	stream(a, h, huma.Operation{Method: http.MethodPost, Path: "/audits/{audit}/run", Summary: "Run tests of whole populations; one JSON object a line"},
		"audit/run", "application/x-ndjson", a.runAudit)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/audits/{audit}/samples", Summary: "Draw a sample that anybody draws again"}, "audit/run", a.drawSample)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/audits/{audit}/results", Summary: "Say what was found of an item of a sample"}, "audit/run",
		func(ctx context.Context, c caller, in *auditResultRequest) (audit.Judgement, error) {
			return a.Audits.Judge(ctx, c.auditor(), in.ID, in.Body.Item, in.Body.Conforms, in.Body.Note)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/audits/{audit}/findings", Summary: "Raise a finding as a nonconformity or an opportunity"}, "audit/run",
		func(ctx context.Context, c caller, in *auditFindingRequest) (audit.Finding, error) {
			return a.Audits.Find(ctx, c.auditor(), in.ID, in.Body)
		})
}

func (a *api) runAudit(ctx context.Context, c caller, in *auditRunRequest, w io.Writer) error {
	out := json.NewEncoder(w)
	said := a.Now()
	results, err := a.Audits.Run(ctx, c.auditor(), in.ID, in.Tests, func(done, of uint64) {
		if now := a.Now(); now.Sub(said) >= time.Second {
			said = now
			out.Encode(AuditLine{Progress: &ReplayProgress{done, of}}) // the results notice that nobody reads
		}
	})
	if err == nil {
		return out.Encode(AuditLine{Results: results})
	}
	// The answer has begun: the reason goes as its last line, before it breaks off.
	if out.Encode(AuditLine{Problem: a.failed("audit/run", err)}) == nil {
		flush(w)
	}
	return err
}

// flush sends what is written to a stream.
func flush(w io.Writer) {
	if p, ok := w.(*pieces); ok {
		w = p.Writer
	}
	if rw, ok := w.(http.ResponseWriter); ok {
		// Best effort: whoever does not get it sees that the answer broke off.
		_ = http.NewResponseController(rw).Flush()
	}
}

func (a *api) drawSample(ctx context.Context, c caller, in *auditSampleRequest) (audit.Sample, error) {
	b := in.Body
	v, err := a.view(Judged{From: b.From, Until: b.Until})
	if err != nil {
		return audit.Sample{}, err
	}
	q := audit.Query{Kind: b.Kind, Agent: b.Agent, Tool: b.Tool, Verdict: b.Verdict, From: v.From, Until: v.Until}
	return a.Audits.Draw(ctx, c.auditor(), in.ID, q, b.Items, b.Seed, nil)
}
