package bundle

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"aims/internal/strict"
	"aims/pdp"
)

// Meta is what bundle.yaml says. All of it is optional.
type Meta struct {
	Name        string
	Description string
	Owner       string
	// Requirements are the ids of the requirements that the bundle as a whole
	// serves, such as A.9.2.
	Requirements []string
	Budgets      []Budget
	// Quorum says of a role how many who hold it must release a held call.
	Quorum map[string]int
	// ApprovalExpiry is how long a request for approval stays open; 0 for the
	// installation's default.
	ApprovalExpiry time.Duration
}

// What a budget counts.
const (
	Calls = "calls" // the number of calls
	Sum   = "sum"   // the sum of a numeric argument
)

// What has one counter each.
const (
	PerSession = "session"
	PerAgent   = "agent"
	PerPurpose = "purpose"
	PerTool    = "tool"
)

// Budget is a counter of what calls spend. The limit is not part of it: a
// policy compares context.budget.<name> with one.
type Budget struct {
	Name string
	// Of is Calls or Sum.
	Of string
	// Argument is the path of the argument that is summed, such as order.amount.
	Argument string
	// Tools are the actions that are counted, such as payments___*.
	Tools []string
	// Per is what has a counter of its own: PerSession, PerAgent, PerPurpose or PerTool.
	Per string
	// Window is how long back is counted; 0 for all of a session.
	Window time.Duration
}

// Counts says whether calls of the action are counted.
func (b Budget) Counts(action string) bool {
	return slices.ContainsFunc(b.Tools, func(glob string) bool { return match(glob, action) })
}

// match matches a name against a pattern in which * stands for any text.
func match(glob, name string) bool {
	first, rest, star := strings.Cut(glob, "*")
	if !star {
		return glob == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		middle, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, rest)
		}
		i := strings.Index(name, middle)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(middle):], after
	}
}

// Counted are the budgets as a catalog has them: each with the tools that it counts.
func (m Meta) Counted(tools []pdp.Tool) []pdp.Budget {
	var out []pdp.Budget
	for _, b := range m.Budgets {
		counted := pdp.Budget{Name: b.Name}
		for _, t := range tools {
			if b.Counts(t.Action()) {
				counted.Actions = append(counted.Actions, t.Action())
			}
		}
		out = append(out, counted)
	}
	return out
}

type metaText struct {
	Name           string           `yaml:"name"`
	Description    string           `yaml:"description"`
	Owner          string           `yaml:"owner"`
	Requirements   []string         `yaml:"requirements"`
	Budgets        []budgetText     `yaml:"budgets"`
	Quorum         map[string]int64 `yaml:"quorum"`
	ApprovalExpiry strict.Duration  `yaml:"approval_expiry"`
}

type budgetText struct {
	Name     string          `yaml:"name"`
	Of       string          `yaml:"of"`
	Argument string          `yaml:"argument"`
	Tools    []string        `yaml:"tools"`
	Per      string          `yaml:"per"`
	Window   strict.Duration `yaml:"window"`
}

// Bounds of what bundle.yaml says.
const (
	maxText    = 2000 // bytes of a description
	maxBudgets = 100
	maxGlobs   = 1000
	maxQuorum  = 20
	// maxWindow bounds how long the spending of every agent is kept.
	maxWindow = 366 * 24 * time.Hour
)

// meta reads bundle.yaml.
func (r *reader) meta(f File) Meta {
	var text metaText
	doc, err := strict.Decode(f.Name, f.Text, &text)
	if err != nil {
		r.yaml(err)
		return Meta{}
	}
	m := Meta{
		Name: text.Name, Description: text.Description, Owner: text.Owner,
		Requirements: text.Requirements, ApprovalExpiry: time.Duration(text.ApprovalExpiry),
	}
	for path, value := range map[string]string{"name": text.Name, "description": text.Description, "owner": text.Owner} {
		if len(value) > maxText {
			doc.Wrong(path, "more than %d bytes", maxText)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(text.Quorum)) {
		n := text.Quorum[role]
		if n < 1 || n > maxQuorum {
			doc.Wrong("quorum."+role, "%d; expected 1 to %d people", n, maxQuorum)
			continue
		}
		if m.Quorum == nil {
			m.Quorum = map[string]int{}
		}
		m.Quorum[role] = int(n)
	}
	if len(text.Budgets) > maxBudgets {
		doc.Wrong("budgets", "%d, at most %d", len(text.Budgets), maxBudgets)
	}
	seen := map[string]bool{}
	for i, b := range text.Budgets {
		m.Budgets = append(m.Budgets, b.budget(doc, indexed("budgets", i), seen))
	}
	r.yaml(doc.Err())
	return m
}

var budgetName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func (b budgetText) budget(doc *strict.Document, at string, seen map[string]bool) Budget {
	switch {
	case !budgetName.MatchString(b.Name):
		doc.Wrong(at+".name", "%.100q; expected a lower-case letter, then at most 63 of a-z, 0-9 and _", b.Name)
	case seen[b.Name]:
		doc.Wrong(at+".name", "%q is the name of an earlier budget too", b.Name)
	}
	seen[b.Name] = true
	switch {
	case b.Of != Calls && b.Of != Sum:
		doc.Wrong(at+".of", "%.100q; expected calls or sum", b.Of)
	case b.Of == Sum && b.Argument == "":
		doc.Wrong(at+".argument", "missing; a sum is that of an argument")
	case b.Of == Calls && b.Argument != "":
		doc.Wrong(at+".argument", "only a sum has an argument; calls are counted without one")
	}
	if !slices.Contains([]string{PerSession, PerAgent, PerPurpose, PerTool}, b.Per) {
		doc.Wrong(at+".per", "%.100q; expected session, agent, purpose or tool", b.Per)
	}
	if window := time.Duration(b.Window); window == 0 && b.Per != PerSession {
		doc.Wrong(at+".window", "missing; only a session ends by itself")
	} else if window > maxWindow {
		doc.Wrong(at+".window", "%s, at most a year", window)
	}
	if len(b.Tools) == 0 || len(b.Tools) > maxGlobs {
		doc.Wrong(at+".tools", "%d; expected 1 to %d actions, such as payments___*", len(b.Tools), maxGlobs)
	}
	return Budget{Name: b.Name, Of: b.Of, Argument: b.Argument, Tools: b.Tools, Per: b.Per, Window: time.Duration(b.Window)}
}

// base is a file's name without directory and ending.
func base(name string) string { return strings.TrimSuffix(path.Base(name), path.Ext(name)) }
