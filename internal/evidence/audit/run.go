package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/receipt"
)

// Result is what one test of a whole population found.
type Result struct {
	Test string `json:"test"`
	// Of is what the population is of; Population how many were examined.
	Of         string `json:"of"`
	Population uint64 `json:"population"`
	Exceptions uint64 `json:"exceptions"`
	// State is never ok for an empty population, or for one of which a part could
	// not be examined.
	State receipt.State `json:"state"`
	// From and Until are the times of what was examined.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Size and Root name the log that was examined.
	Size uint64 `json:"size"`
	Root string `json:"root"`
	// First are the first exceptions; Checks, for the tests of the log, what they
	// consist of.
	First  []receipt.Exception `json:"first,omitempty"`
	Checks []receipt.Check     `json:"checks,omitempty"`
	Note   string              `json:"note,omitempty"`
	Paper  *Paper              `json:"paper,omitempty"`
}

// mostListed is how many exceptions a result lists; all are counted.
const mostListed = 50

func (r *Result) except(place, format string, args ...any) {
	r.Exceptions++
	if len(r.First) < mostListed {
		r.First = append(r.First, receipt.Exception{Place: place, Text: fmt.Sprintf(format, args...)})
	}
}

// conclude gives the result its state.
func (r *Result) conclude(unexamined string) {
	switch {
	case r.Exceptions > 0:
		r.State = receipt.Broken
	case unexamined != "" || r.Population == 0:
		r.State = receipt.Unchecked
	default:
		r.State = receipt.Passed
	}
	if r.Population == 0 && unexamined == "" {
		unexamined = "there are none"
	}
	r.say(unexamined)
}

func (r *Result) say(note string) {
	switch {
	case note == "":
	case r.Note == "":
		r.Note = note
	default:
		r.Note += "; " + note
	}
}

// Tests are the names of the tests in the order in which they run.
func Tests() []string {
	return []string{observed.TestIntegrity, observed.TestCompleteness, observed.TestDecisions, observed.TestApprovals, observed.TestGates}
}

// Run runs tests of an audit, all of them when none is named, and keeps the
// results as work papers. It fails with aims.Denied for who is none of the
// auditors, and when one of them owns what the audit covers.
func (a *Audits) Run(ctx context.Context, by By, id string, tests []string, progress Progress) ([]Result, error) {
	_, x, err := a.permitted(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if len(tests) == 0 {
		tests = Tests()
	}
	for _, t := range tests {
		if !slices.Contains(Tests(), t) {
			return nil, aims.Errorf(aims.Invalid, nil, "there is no test %.40q; expected %s", t, strings.Join(Tests(), ", "))
		}
	}
	from, until, err := Bounds(x)
	if err != nil {
		return nil, err
	}
	results, err := a.examine(ctx, from, until, tests, progress)
	if err != nil {
		return nil, err
	}
	drafts := make([]draft, len(results))
	for i, r := range results {
		drafts[i] = draft{kind: testedPaper, subject: id, item: r.Test, detail: r.detail(), content: r}
	}
	papers, err := a.keep(ctx, by, nil, drafts...)
	for i := range papers {
		results[i].Paper = &papers[i]
	}
	return results, err
}

// testedDetail is what the receipt of a test says. A population that could not be
// examined counts as none: nobody reads its zero exceptions as a pass.
type testedDetail struct {
	Test       string        `json:"test"`
	Population uint64        `json:"population"`
	Exceptions uint64        `json:"exceptions"`
	State      receipt.State `json:"state"`
	From       time.Time     `json:"from"`
	Until      time.Time     `json:"until"`
	Size       uint64        `json:"size"`
	Digest     string        `json:"digest"` // the root of the log of that size
}

func (r Result) detail() testedDetail {
	d := testedDetail{Test: r.Test, Population: r.Population, Exceptions: r.Exceptions, State: r.State, From: r.From, Until: r.Until, Size: r.Size, Digest: r.Root}
	if r.State == receipt.Unchecked {
		d.Population = 0
	}
	return d
}

// examine runs tests over the log as it is now; those of people's acts look at
// the period, those of the log at all of it.
func (a *Audits) examine(ctx context.Context, from, until time.Time, tests []string, progress Progress) ([]Result, error) {
	if a.p.State != nil {
		if err := a.p.State(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.p.Ledger.Sign(ctx); err != nil {
		return nil, err
	}
	src, err := a.p.Source(ctx)
	if err != nil {
		return nil, err
	}
	contents, err := src.Contents(ctx)
	if err != nil {
		return nil, err
	}
	root, err := a.p.Ledger.RootAt(ctx, contents.Size)
	if err != nil {
		return nil, err
	}
	walked, err := a.walk(ctx, contents.Size, from, until)
	if err != nil {
		return nil, err
	}
	verified, err := a.verify(ctx, src, contents.Size, tests, progress)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, t := range tests {
		r := Result{Test: t, From: walked.first, Until: walked.last, Size: contents.Size, Root: fmt.Sprintf("sha256:%x", root[:])}
		switch t {
		case observed.TestIntegrity:
			integrity(&r, verified)
		case observed.TestCompleteness:
			completeness(&r, verified, walked.counts)
		case observed.TestDecisions:
			decisions(&r, verified)
		case observed.TestApprovals:
			r.From, r.Until = from, until
			err = a.approvals(ctx, &r, walked)
		case observed.TestGates:
			r.From, r.Until = from, until
			err = a.gates(ctx, &r, walked)
		}
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// verify verifies the log as an auditor would from outside, where a test needs it.
func (a *Audits) verify(ctx context.Context, src receipt.Source, size uint64, tests []string, progress Progress) (receipt.Report, error) {
	wanted := func(t string) bool { return slices.Contains(tests, t) }
	if !wanted(observed.TestIntegrity) && !wanted(observed.TestCompleteness) && !wanted(observed.TestDecisions) {
		return receipt.Report{}, nil
	}
	opt := receipt.Options{Trust: a.p.Trust, Growing: true, Progress: func(done uint64) { progress.at(done, size) }}
	if wanted(observed.TestDecisions) {
		opt.Compile = a.p.Compile
	}
	return receipt.Verify(ctx, src, opt)
}

// The checks of a verification that the tests of the log consist of.
var (
	integrityChecks    = []string{"signatures", "tree", "hashes", "head", "bodies", "payloads", "contents"}
	completenessChecks = []string{"indexes", "time", "outcomes"}
)

func (r *Result) take(v receipt.Report, names []string) (unexamined []string) {
	for _, name := range names {
		c, ok := v.Check(name)
		if !ok {
			unexamined = append(unexamined, name+" was not checked")
			continue
		}
		r.Checks = append(r.Checks, c)
		r.Exceptions += c.Exceptions
		for _, e := range c.First {
			if len(r.First) < mostListed {
				r.First = append(r.First, e)
			}
		}
		if c.State == receipt.Unchecked && c.Population > 0 {
			unexamined = append(unexamined, name+": "+c.Note)
		}
	}
	return unexamined
}

func integrity(r *Result, v receipt.Report) {
	r.Of, r.Population = "entries of the log", v.Size
	r.conclude(strings.Join(r.take(v, integrityChecks), "; "))
}

func completeness(r *Result, v receipt.Report, counts *counts) {
	r.Of, r.Population = "entries of the log", v.Size
	unexamined := r.take(v, completenessChecks)
	counts.reconcile(r)
	r.conclude(strings.Join(unexamined, "; "))
}

func decisions(r *Result, v receipt.Report) {
	r.Of = "decisions by policy"
	c, ok := v.Check("decisions")
	if !ok {
		r.conclude("they were not made again")
		return
	}
	unexamined := r.take(v, []string{"decisions"})
	r.Population = c.Population
	if c.Note != "" && len(unexamined) == 0 { // some could not be: that is no pass of all
		unexamined = []string{c.Note}
	}
	r.conclude(strings.Join(unexamined, "; "))
}

// result is a test's result as its paper has it.
func (p stored) result() (Result, error) {
	var r Result
	err := json.Unmarshal(p.Content, &r)
	r.Paper = &p.Paper
	return r, err
}
