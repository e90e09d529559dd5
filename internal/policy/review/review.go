// Package review says what there is to say of a policy bundle before people
// put it in force: findings, test results, and differences from another
// (ISO 42001 8.1, A.6.2.4). It is pure: the same bundle, tools and policies give
// the same words.
package review

import (
	"cmp"
	"fmt"
	"slices"

	"aims/internal/policy/bundle"
	"aims/pdp"
)

// Subject is a bundle with the set that was compiled from it, which holds the
// policies of the house as well.
type Subject struct {
	Bundle *bundle.Bundle
	Set    *pdp.Set
	// Tools are those that the set was compiled for; nil where only their schema is known.
	Tools  []pdp.Tool
	Losses []pdp.Loss
	Known  Known
}

// Known are the entities that exist, as far as somebody knows; a nil list
// means that nobody does, and nothing is said then.
type Known struct {
	Servers, Agents, People, Roles []string
}

// Severity is how much a finding matters.
type Severity string

const (
	// Error is a rule that cannot do what it says. A bundle with one is not published.
	Error Severity = "error"
	// Warning is most likely a mistake.
	Warning Severity = "warning"
	// Note is for the reader to know.
	Note Severity = "note"
)

// Finding is one thing that a reviewer should know.
type Finding struct {
	Severity Severity `json:"severity" enum:"error,warning,note"`
	File     string   `json:"file,omitempty"`
	// Line and Column count from 1; 0 where the finding concerns no place.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Message string `json:"message"`
}

func (f Finding) String() string {
	place := pdp.Problem{File: f.File, Line: f.Line, Column: f.Column, Policy: f.Policy, Message: f.Message}
	return string(f.Severity) + ": " + place.String()
}

// Worst says whether a finding of at least this severity is among them.
func Worst(findings []Finding, least Severity) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return rank(f.Severity) <= rank(least) })
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Check reviews a bundle that compiles. What it says of rules that never have
// an effect is sound and incomplete: what is said is so for every request, and a
// rule of which nothing is said may be without effect all the same.
// docs/policy.md lists what is looked for. Findings are sorted by severity and place.
func Check(s Subject) []Finding {
	c := checker{Subject: s, rules: rulesOf(s)}
	c.annotations()
	c.constants()
	c.holds()
	c.pairs()
	c.entities()
	c.budgets()
	c.uncovered()
	c.files()
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return c.findings
}

type checker struct {
	Subject
	rules    []*rule
	findings []Finding
}

func (c *checker) say(s Severity, r *rule, format string, args ...any) {
	c.findings = append(c.findings, Finding{
		Severity: s, File: r.File, Line: r.Line, Column: r.Column, Policy: r.Policy, Message: fmt.Sprintf(format, args...),
	})
}

func (c *checker) sayOf(s Severity, file, format string, args ...any) {
	c.findings = append(c.findings, Finding{Severity: s, File: file, Message: fmt.Sprintf(format, args...)})
}

// own are the rules of the bundle, without those of the house.
func (c *checker) own(yield func(*rule) bool) {
	for _, r := range c.rules {
		if r.own && !yield(r) {
			return
		}
	}
}

// annotations reports rules that do not say why they are there.
func (c *checker) annotations() {
	for r := range c.own {
		if r.Text == "" {
			c.say(Warning, r, "there is no @reason: whoever is refused, or reads the record, is not told why")
		}
		if len(r.Controls) == 0 {
			severity := Warning
			if len(c.Bundle.Meta.Requirements) > 0 {
				severity = Note
			}
			c.say(severity, r, "there is no @control: no requirement is named that the rule serves")
		}
		if _, named := r.Cedar.Annotations()["id"]; !named {
			c.say(Note, r, "there is no @id: its name changes when rules before it come or go")
		}
	}
}

// files says what of the bundle beside its rules needs a look.
func (c *checker) files() {
	if len(c.Bundle.Tests) == 0 {
		c.sayOf(Note, bundle.TestsDir, "there are no tests")
	}
	if c.Bundle.Schema != nil && string(c.Bundle.Schema) != string(c.Set.Schema()) {
		c.sayOf(Warning, bundle.SchemaFile, "it is not the schema of the tools that there are now; write it again with --write-schema")
	}
	for _, l := range c.Losses {
		what := l.Action
		if l.Argument != "" {
			what += " " + l.Argument
		}
		c.sayOf(Note, "", "%s: %s", what, l.Text)
	}
}
