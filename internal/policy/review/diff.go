package review

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"aims/authz"
	"aims/internal/policy/bundle"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// The kinds of a Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is a rule, a budget, a test or a setting that differs.
type Change struct {
	Kind string `json:"kind" enum:"added,removed,changed"`
	// Name is the id of a rule, or the name of what else differs.
	Name string `json:"name"`
	// Parts are what differs of a rule that changed.
	Parts  []string `json:"parts,omitempty"`
	Before string   `json:"before,omitempty"`
	After  string   `json:"after,omitempty"`
}

// TestChange is a test whose outcome differs.
type TestChange struct {
	Name           string        `json:"name"`
	File           string        `json:"file"`
	Before         authz.Verdict `json:"before,omitempty" doc:"absent where the request could not be decided"`
	After          authz.Verdict `json:"after,omitempty"`
	PoliciesBefore []string      `json:"policies_before,omitempty"`
	PoliciesAfter  []string      `json:"policies_after,omitempty"`
}

// ToolChange is a tool of which other calls can come to anything.
type ToolChange struct {
	Action string `json:"action"`
	Before Reach  `json:"before"`
	After  Reach  `json:"after"`
}

// Difference is what differs between two bundles, in text and in behaviour.
type Difference struct {
	Rules    []Change     `json:"rules"`
	Budgets  []Change     `json:"budgets,omitempty"`
	Settings []Change     `json:"settings,omitempty"`
	Tests    []Change     `json:"tests,omitempty"`
	Outcomes []TestChange `json:"outcomes,omitempty"`
	Tools    []ToolChange `json:"tools,omitempty"`
}

// Empty says that nothing differs.
func (d Difference) Empty() bool {
	return len(d.Rules)+len(d.Budgets)+len(d.Settings)+len(d.Tests)+len(d.Outcomes)+len(d.Tools) == 0
}

// Diff compares two bundles. The tests of both are decided by the sets that
// were compiled for tests.
func Diff(before, after, testsBefore, testsAfter Subject) Difference {
	rulesBefore, rulesAfter := rulesOf(before), rulesOf(after)
	d := Difference{
		Rules:    rulesDiff(rulesBefore, rulesAfter),
		Budgets:  namedDiff(budgetTexts(before.Bundle.Meta), budgetTexts(after.Bundle.Meta)),
		Settings: namedDiff(settings(before.Bundle.Meta), settings(after.Bundle.Meta)),
		Tests:    testsDiff(before.Bundle, after.Bundle),
		Outcomes: outcomes(testsBefore, testsAfter),
	}
	for _, t := range after.Tools {
		if b, a := reachOf(rulesBefore, t), reachOf(rulesAfter, t); b != a {
			d.Tools = append(d.Tools, ToolChange{t.Action(), b, a})
		}
	}
	return d
}

func rulesDiff(before, after []*rule) []Change {
	changes := []Change{}
	old := byID(before)
	for _, r := range after {
		was, known := old[r.Policy]
		delete(old, r.Policy)
		if !r.own {
			continue
		}
		if !known {
			changes = append(changes, Change{Kind: Added, Name: r.Policy, After: r.text()})
			continue
		}
		if parts := r.differing(was); len(parts) > 0 {
			changes = append(changes, Change{Kind: Changed, Name: r.Policy, Parts: parts, Before: was.text(), After: r.text()})
		}
	}
	for _, r := range old {
		if r.own {
			changes = append(changes, Change{Kind: Removed, Name: r.Policy, Before: r.text()})
		}
	}
	sortChanges(changes)
	return changes
}

func byID(rules []*rule) map[string]*rule {
	m := make(map[string]*rule, len(rules))
	for _, r := range rules {
		m[r.Policy] = r
	}
	return m
}

func sortChanges(changes []Change) {
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Name, b.Name) })
}

// text is the rule as Cedar, formatted.
func (r *rule) text() string { return string(r.Cedar.MarshalCedar()) }

// differing are the parts of a rule that are not what they were: of the
// conditions, as they are written.
func (r *rule) differing(was *rule) []string {
	var parts []string
	note := func(part string, same bool) {
		if !same {
			parts = append(parts, part)
		}
	}
	note("effect", r.Effect == was.Effect)
	note("scope", r.head() == was.head())
	note("conditions", r.conditions() == was.conditions())
	a, b := r.Cedar.Annotations(), was.Cedar.Annotations()
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		note("@"+string(key), a[key] == b[key])
	}
	return parts
}

// head is the scope alone.
func (r *rule) head() string {
	p := ast.Policy{Effect: ast.EffectPermit, Principal: r.policy.Principal, Action: r.policy.Action, Resource: r.policy.Resource}
	return string(cedar.NewPolicyFromAST((*cedarast.Policy)(&p)).MarshalCedar())
}

func (r *rule) conditions() string {
	var all strings.Builder
	for _, c := range r.policy.Conditions {
		fmt.Fprintf(&all, "%v %s\n", c.Condition, textOf(c.Body))
	}
	return all.String()
}

// namedDiff compares texts by their names.
func namedDiff(before, after map[string]string) []Change {
	var changes []Change
	for name, text := range after {
		was, known := before[name]
		switch {
		case !known:
			changes = append(changes, Change{Kind: Added, Name: name, After: text})
		case was != text:
			changes = append(changes, Change{Kind: Changed, Name: name, Before: was, After: text})
		}
	}
	for name, text := range before {
		if _, still := after[name]; !still {
			changes = append(changes, Change{Kind: Removed, Name: name, Before: text})
		}
	}
	sortChanges(changes)
	return changes
}

func budgetTexts(m bundle.Meta) map[string]string {
	texts := map[string]string{}
	for _, b := range m.Budgets {
		of, window := b.Of, "the whole session"
		if b.Of == bundle.Sum {
			of += " of " + b.Argument
		}
		if b.Window > 0 {
			window = b.Window.String()
		}
		texts[b.Name] = fmt.Sprintf("%s, per %s, over %s, of %s", of, b.Per, window, strings.Join(b.Tools, ", "))
	}
	return texts
}

// settings are the rest of bundle.yaml.
func settings(m bundle.Meta) map[string]string {
	texts := map[string]string{}
	set := func(name, text string) {
		if text != "" {
			texts[name] = text
		}
	}
	set("name", m.Name)
	set("description", m.Description)
	set("owner", m.Owner)
	set("requirements", strings.Join(m.Requirements, ", "))
	for role, n := range m.Quorum {
		set("quorum of "+role, fmt.Sprint(n))
	}
	if m.ApprovalExpiry > 0 {
		set("approval_expiry", m.ApprovalExpiry.String())
	}
	return texts
}

func testsDiff(before, after *bundle.Bundle) []Change {
	name := func(t bundle.Test) string { return t.File + ": " + t.Name }
	expects := func(t bundle.Test) string {
		return strings.TrimSpace(string(t.Expect) + " " + strings.Join(t.Policies, ", "))
	}
	old := map[string]bundle.Test{}
	for _, t := range before.Tests {
		old[name(t)] = t
	}
	var changes []Change
	for _, t := range after.Tests {
		was, known := old[name(t)]
		delete(old, name(t))
		if !known {
			changes = append(changes, Change{Kind: Added, Name: name(t), After: expects(t)})
			continue
		}
		var parts []string
		if !reflect.DeepEqual(was.Request, t.Request) {
			parts = append(parts, "request")
		}
		if expects(was) != expects(t) {
			parts = append(parts, "expect")
		}
		if parts != nil {
			changes = append(changes, Change{Kind: Changed, Name: name(t), Parts: parts, Before: expects(was), After: expects(t)})
		}
	}
	for _, t := range old {
		changes = append(changes, Change{Kind: Removed, Name: name(t), Before: expects(t)})
	}
	sortChanges(changes)
	return changes
}

// outcomes decides the tests of both bundles by both sets.
func outcomes(before, after Subject) []TestChange {
	type key struct{ file, name string }
	seen := map[key]bool{}
	old, now := newTester(before), newTester(after)
	var changes []TestChange
	for _, test := range append(slices.Clone(after.Bundle.Tests), before.Bundle.Tests...) {
		if k := (key{test.File, test.Name}); seen[k] {
			continue
		} else {
			seen[k] = true
		}
		b, a := old.run(test), now.run(test)
		if b.Got != a.Got || !reflect.DeepEqual(b.Policies, a.Policies) {
			changes = append(changes, TestChange{
				Name: test.Name, File: test.File, Before: b.Got, After: a.Got, PoliciesBefore: b.Policies, PoliciesAfter: a.Policies,
			})
		}
	}
	return changes
}
