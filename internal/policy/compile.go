package policy

import (
	"bytes"
	"slices"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
	"aims/pdp"
)

// Circumstances are what a bundle is compiled for.
type Circumstances struct {
	Tools []pdp.Tool
	// Extensions are the protocol methods beyond MCP that the configuration lets through.
	Extensions []string
	// Schema stands in place of the tools where only it is known.
	Schema []byte
	Known  review.Known
	// Unseen are servers whose tools a review leaves out.
	Unseen []string
}

// Compile compiles a bundle with the policies of the house. It fails with
// aims.Invalid; Problems has the places.
func Compile(b *bundle.Bundle, c Circumstances) (*pdp.Set, []pdp.Loss, error) {
	return compile(b.Sources, b.Meta, c)
}

func compile(sources []pdp.Source, m bundle.Meta, c Circumstances) (*pdp.Set, []pdp.Loss, error) {
	if err := checkExtensions(c.Extensions); err != nil {
		return nil, nil, err
	}
	schema, losses := c.Schema, []pdp.Loss(nil)
	if schema == nil {
		var err error
		schema, losses, err = pdp.GenerateSchema(pdp.Catalog{Tools: c.Tools, Extensions: c.Extensions, Budgets: m.Counted(c.Tools)})
		if err != nil {
			return nil, nil, aims.Errorf(aims.Invalid, err, "the tools cannot be described to policies: %v", err)
		}
	}
	all := append(House(), generated(c.Extensions)...)
	set, err := pdp.Compile(append(all, sources...), schema)
	if problems := Problems(err); problems != nil {
		return nil, losses, bundle.Failed("the policies do not compile", problems)
	}
	return set, losses, err
}

// Reviewed is a bundle that compiles, ready to be reviewed. Its tests have
// policies and tools of their own beside those that there are.
type Reviewed struct {
	review.Subject
	tests review.Subject
}

// Prepare compiles a bundle for review and for its tests.
func Prepare(b *bundle.Bundle, c Circumstances) (Reviewed, error) {
	set, losses, err := Compile(b, c)
	r := Reviewed{Subject: review.Subject{Bundle: b, Set: set, Tools: c.seen(), Losses: losses, Known: c.Known}}
	if err != nil {
		return r, err
	}
	r.tests = r.Subject
	if len(b.Tools)+len(b.TestSources) == 0 {
		return r, nil
	}
	r.tests.Tools = withTools(c.Tools, b.Tools)
	c.Tools = r.tests.Tools
	if c.Schema != nil {
		if c.Schema, err = withActions(c.Schema, b); err != nil {
			return r, err
		}
	}
	r.tests.Set, _, err = compile(slices.Concat(b.Sources, b.TestSources), b.Meta, c)
	return r, err
}

func (c Circumstances) seen() []pdp.Tool {
	if len(c.Unseen) == 0 {
		return c.Tools
	}
	return slices.DeleteFunc(slices.Clone(c.Tools), func(t pdp.Tool) bool { return slices.Contains(c.Unseen, t.Server) })
}

// Check gives the findings.
func (r Reviewed) Check() []review.Finding { return review.Check(r.Subject) }

// Test runs the tests.
func (r Reviewed) Test() review.Report { return review.Test(r.tests) }

// Diff says what differs in after.
func (r Reviewed) Diff(after Reviewed) review.Difference {
	return review.Diff(r.Subject, after.Subject, r.tests, after.tests)
}

// ready is nil for a bundle that may be put in force as far as it speaks for
// itself: its tests pass, and with whole no rule of it is void.
func (r Reviewed) ready(whole bool) error {
	if failures := r.Test().Failures(); len(failures) > 0 {
		return bundle.Failed("the tests of the policies fail", failures)
	}
	if !whole {
		return nil
	}
	var void []pdp.Problem
	for _, f := range r.Check() {
		if f.Severity == review.Error {
			void = append(void, pdp.Problem{File: f.File, Line: f.Line, Column: f.Column, Policy: f.Policy, Message: f.Message})
		}
	}
	if len(void) > 0 {
		return bundle.Failed("the policies cannot do what they say", void)
	}
	return nil
}

// withTools adds the tools of tests; one that there is is as it is.
func withTools(tools, more []pdp.Tool) []pdp.Tool {
	known := map[string]bool{}
	for _, t := range tools {
		known[t.Action()] = true
	}
	all := slices.Clone(tools)
	for _, t := range more {
		if !known[t.Action()] {
			all = append(all, t)
		}
	}
	return all
}

// withActions adds the actions of a bundle's own tools to a schema of which the
// tools are not known. A generated schema has one line for each action.
func withActions(schema []byte, b *bundle.Bundle) ([]byte, error) {
	generated, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: b.Tools, Budgets: b.Meta.Counted(b.Tools)})
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "the tools of the tests cannot be described to policies: %v", err)
	}
	all := append(slices.Clone(schema), '\n')
	for line := range bytes.Lines(generated) {
		name, isTool := bytes.CutSuffix(beforeAppliesTo(line), []byte(` in [Action::"call_tool"]`))
		if isTool && !bytes.Contains(schema, append(slices.Clone(name), ' ')) {
			all = append(all, line...)
		}
	}
	return all, nil
}

func beforeAppliesTo(line []byte) []byte {
	name, _, _ := bytes.Cut(line, []byte(" appliesTo "))
	return name
}
