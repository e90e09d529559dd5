package review

import (
	"slices"

	"aims/authz"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

// Result is what became of one test.
type Result struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	// Problem is why the request could not be decided; the test has failed then.
	Problem string        `json:"problem,omitempty"`
	Expect  authz.Verdict `json:"expect"`
	Got     authz.Verdict `json:"got,omitempty"`
	// Want are the determining policies that the test asks for, where it does.
	Want     []string      `json:"want,omitempty"`
	Policies []string      `json:"policies,omitempty" doc:"the determining policies"`
	Faults   []authz.Fault `json:"faults,omitempty"`
}

// Report is what became of the tests of a bundle.
type Report struct {
	Results []Result `json:"results"`
	Failed  int      `json:"failed"`
	// Rules is how many the bundle has, Untested which of them determined the
	// outcome of no test.
	Rules    int      `json:"rules"`
	Untested []string `json:"untested,omitempty"`
}

// Failures are the tests that did not pass, as problems with their places.
func (r Report) Failures() []pdp.Problem {
	var failed []pdp.Problem
	for _, t := range r.Results {
		if !t.Passed {
			failed = append(failed, pdp.Problem{File: t.File, Line: t.Line, Message: "the test " + t.Name + " fails: " + t.Why()})
		}
	}
	return failed
}

// Test runs the tests of a bundle against its set.
func Test(s Subject) Report {
	t := newTester(s)
	report := Report{Results: []Result{}}
	determined := map[string]bool{}
	for _, test := range s.Bundle.Tests {
		result := t.run(test)
		if !result.Passed {
			report.Failed++
		}
		for _, id := range result.Policies {
			determined[id] = true
		}
		report.Results = append(report.Results, result)
	}
	for _, r := range rulesOf(s) {
		if !r.own {
			continue
		}
		report.Rules++
		if !determined[r.Policy] {
			report.Untested = append(report.Untested, r.Policy)
		}
	}
	return report
}

// tester decides the requests of tests.
type tester struct {
	set     *pdp.Set
	tools   map[string]pdp.Tool
	budgets []bundle.Budget
}

func newTester(s Subject) *tester {
	t := &tester{set: s.Set, tools: map[string]pdp.Tool{}, budgets: s.Bundle.Meta.Budgets}
	for _, tool := range s.Tools {
		t.tools[tool.Action()] = tool
	}
	return t
}

func (t *tester) run(test bundle.Test) Result {
	r := Result{Name: test.Name, File: test.File, Line: test.Line, Expect: test.Expect, Want: slices.Clone(test.Policies)}
	slices.Sort(r.Want)
	req, entities, err := t.request(test.Request)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	d := t.set.Decide(req, entities)
	r.Got, r.Faults = d.Verdict, d.Faults
	for _, reason := range d.Reasons {
		r.Policies = append(r.Policies, reason.Policy)
	}
	r.Passed = r.Got == r.Expect && (test.Policies == nil || slices.Equal(r.Want, r.Policies))
	return r
}

// Why says how the outcome differs from what is expected.
func (r Result) Why() string {
	switch {
	case r.Problem != "":
		return r.Problem
	case r.Passed:
		return ""
	case r.Got != r.Expect:
		expected := "expected " + string(r.Expect)
		if r.Want != nil {
			expected += by(r.Want)
		}
		return expected + ", got " + string(r.Got) + by(r.Policies) + faulty(r.Faults)
	}
	return string(r.Got) + " as expected, but expected" + by(r.Want) + ", got" + by(r.Policies)
}

func by(policies []string) string {
	if len(policies) == 0 {
		return " by no policy"
	}
	text := " by " + policies[0]
	for _, p := range policies[1:] {
		text += ", " + p
	}
	return text
}

func faulty(faults []authz.Fault) string {
	text := ""
	for _, f := range faults {
		text += "; " + f.Effect + " " + f.Policy + " cannot be evaluated: " + f.Message
	}
	return text
}
