package review

import (
	"encoding/json"
	"slices"
	"strings"

	"aims/internal/policy/bundle"
)

// budgets reports counters that count nothing, or that nobody looks at.
func (c *checker) budgets() {
	for role := range c.Bundle.Meta.Quorum {
		if !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.Hold == role }) {
			c.sayOf(Warning, bundle.MetaFile, "the quorum of the role %q is never asked for: no rule is held for it", role)
		}
	}
	for _, b := range c.Bundle.Meta.Budgets {
		if !slices.ContainsFunc(c.rules, func(r *rule) bool { return r.reads("budget", b.Name) }) {
			c.sayOf(Warning, bundle.MetaFile, "the budget %s limits nothing: no rule compares context.budget.%s", b.Name, b.Name)
		}
		if c.Tools != nil {
			c.counted(b)
		}
	}
}

// counted looks at the tools that a budget counts.
func (c *checker) counted(b bundle.Budget) {
	counted, without := 0, 0
	for _, t := range c.Tools {
		if !b.Counts(t.Action()) {
			continue
		}
		counted++
		if b.Of != bundle.Sum {
			continue
		}
		switch kind := argumentKind(t.InputSchema, b.Argument); kind {
		case number, unclear:
		case "":
			without++
		default:
			c.sayOf(Error, bundle.MetaFile, "the budget %s sums %s, which of %s is no number but of the type %s", b.Name, b.Argument, t.Action(), kind)
		}
	}
	switch {
	case counted == 0:
		c.sayOf(Warning, bundle.MetaFile, "the budget %s counts no tool that there is now: %s", b.Name, strings.Join(b.Tools, ", "))
	case without == counted:
		c.sayOf(Error, bundle.MetaFile, "the budget %s sums %s, which no tool that it counts has", b.Name, b.Argument)
	case without > 0:
		c.sayOf(Warning, bundle.MetaFile, "the budget %s sums %s, which %d of the %d tools that it counts do not have: every call of them is refused", b.Name, b.Argument, without, counted)
	}
}

// What argumentKind says beside the names of JSON types.
const (
	number  = "number"
	unclear = "unclear" // of several types, or of none that is told
)

// argumentKind is the JSON type of the argument at a path, such as
// order.amount; empty where the schema has no such argument.
func argumentKind(schema json.RawMessage, path string) string {
	for name := range strings.SplitSeq(path, ".") {
		var object struct {
			Properties map[string]json.RawMessage `json:"properties"`
		}
		if json.Unmarshal(schema, &object) != nil || object.Properties[name] == nil {
			return ""
		}
		schema = object.Properties[name]
	}
	var kinds []string
	if !kindsOf(schema, &kinds, 0) {
		return unclear
	}
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "null" })
	for i, k := range kinds {
		if k == "integer" {
			kinds[i] = number
		}
	}
	slices.Sort(kinds)
	if kinds = slices.Compact(kinds); len(kinds) == 1 {
		return kinds[0]
	}
	return unclear
}

// kindsOf gathers the types that a schema allows; false where it does not tell.
func kindsOf(schema json.RawMessage, kinds *[]string, depth int) bool {
	var s struct {
		Type  any               `json:"type"`
		AnyOf []json.RawMessage `json:"anyOf"`
		OneOf []json.RawMessage `json:"oneOf"`
	}
	const deep = 8
	if json.Unmarshal(schema, &s) != nil || depth > deep {
		return false
	}
	switch t := s.Type.(type) {
	case string:
		*kinds = append(*kinds, t)
		return true
	case []any:
		for _, one := range t {
			name, _ := one.(string)
			*kinds = append(*kinds, name)
		}
		return len(t) > 0
	}
	alternatives := append(s.AnyOf, s.OneOf...)
	for _, a := range alternatives {
		if !kindsOf(a, kinds, depth+1) {
			return false
		}
	}
	return len(alternatives) > 0
}
