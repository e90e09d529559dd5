package audit

import (
	"context"
	"time"

	"aims/internal/register/record"
)

// Report is an audit with its work papers.
type Report struct {
	Audit Audit `json:"audit"`
	// Programme is the one that it belongs to; nil for none.
	Programme *record.AuditProgramme `json:"programme,omitempty"`
	// Tests are the newest run of each test, in their order; Runs how often tests
	// ran altogether.
	Tests    []Result  `json:"tests"`
	Runs     int       `json:"runs"`
	Samples  []Sample  `json:"samples"`
	Findings []Finding `json:"findings"`
	// Open are the items of samples that nobody looked at yet; Exceptions those
	// that did not conform.
	Open       int `json:"open_items"`
	Exceptions int `json:"exception_items"`
}

// Report is an audit with everything that was found, as of a time; zero for now.
func (a *Audits) Report(ctx context.Context, id string, at time.Time) (Report, error) {
	s, x, err := a.find(ctx, id, at)
	if err != nil {
		return Report{}, err
	}
	r := Report{Tests: []Result{}}
	if r.Audit, err = a.counted(ctx, s, x, at); err != nil {
		return r, err
	}
	if p, ok := s.Registers.Get("audit_programme", x.Programme); ok {
		programme := p.(record.AuditProgramme)
		r.Programme = &programme
	}
	papers, err := a.papers(ctx, id, at)
	if err != nil {
		return r, err
	}
	newest := map[string]Result{}
	for _, p := range papers {
		if p.Kind != testedPaper {
			continue
		}
		result, err := p.result()
		if err != nil {
			return r, damaged(p, err)
		}
		newest[result.Test] = result
		r.Runs++
	}
	for _, t := range Tests() {
		if result, ok := newest[t]; ok {
			r.Tests = append(r.Tests, result)
		}
	}
	if r.Samples, err = a.samples(ctx, id, at); err != nil {
		return r, err
	}
	for _, s := range r.Samples {
		for _, i := range s.Items {
			switch {
			case i.Result == nil:
				r.Open++
			case !i.Result.Conforms:
				r.Exceptions++
			}
		}
	}
	r.Findings, err = a.findings(ctx, id, at)
	return r, err
}
