package review

import (
	"slices"
	"strings"

	"aims/pdp"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// pairs reports rules that never have an effect because of another one, and
// rules that mean the same.
func (c *checker) pairs() {
	x := newShelf(c.rules)
	for r := range c.own {
		if _, why := r.impossible(); why != "" || r.refusesByError() {
			continue // said already, or it refuses also where the other's conditions are not true
		}
		for _, other := range x.atLeast(r) {
			if message, severity := c.against(r, other, covers(r, other)); message != "" {
				c.say(severity, r, message, other.Policy, other.File, other.Line)
				break
			}
		}
	}
}

// against says what it means for a rule that another applies whenever it does;
// same says that this holds the other way round too.
func (c *checker) against(r, other *rule, same bool) (message string, severity Severity) {
	permits := func(r *rule) bool { return r.Effect == "permit" }
	switch {
	case permits(r) && !permits(other):
		return "it never has an effect: the forbid %s (%s:%d) refuses all that it permits", Warning
	case permits(r) != permits(other):
		return "", ""
	case r.Hold != "" && other.Hold == "":
		return "it never holds anything: the forbid %s (%s:%d) refuses all that it would hold", Warning
	case r.Hold != other.Hold:
		return "", "" // a second role is asked for, or a refusal that nobody releases
	case !same:
		return "it adds nothing to %s (%s:%d), which says so of all that it applies to", Note
	case other.own && before(r, other):
		return "", "" // it is said of the other one
	}
	return "it means the same as %s (%s:%d)", Warning
}

func before(a, b *rule) bool {
	if a.File != b.File {
		return a.File < b.File
	}
	return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
}

// covers says that a applies to every request that b applies to.
func covers(a, b *rule) bool {
	return wider(a.policy.Principal, b.policy.Principal) && wider(a.policy.Resource, b.policy.Resource) &&
		widerActions(a.policy.Action, b.policy.Action) && subset(a.literals, b.literals)
}

// subset says that every literal of a is one of b. Both are sorted.
func subset(a, b []literal) bool {
	for len(a) > 0 {
		if len(b) == 0 {
			return false
		}
		switch strings.Compare(a[0].text, b[0].text) {
		case 0:
			a, b = a[1:], b[1:]
		case 1:
			b = b[1:]
		default:
			return false
		}
	}
	return true
}

// wider says that a scope of principals or resources matches whatever b does.
func wider(a, b ast.IsScopeNode) bool {
	switch a := a.(type) {
	case ast.ScopeTypeAll:
		return true
	case ast.ScopeTypeIs:
		switch b := b.(type) {
		case ast.ScopeTypeIs:
			return a.Type == b.Type
		case ast.ScopeTypeIsIn:
			return a.Type == b.Type
		case ast.ScopeTypeEq:
			return a.Type == b.Entity.Type
		}
	case ast.ScopeTypeIn:
		switch b := b.(type) {
		case ast.ScopeTypeIn:
			return a.Entity == b.Entity
		case ast.ScopeTypeIsIn:
			return a.Entity == b.Entity
		case ast.ScopeTypeEq:
			return a.Entity == b.Entity
		}
	case ast.ScopeTypeIsIn:
		b, ok := b.(ast.ScopeTypeIsIn)
		return ok && a == b
	case ast.ScopeTypeEq:
		b, ok := b.(ast.ScopeTypeEq)
		return ok && a.Entity == b.Entity
	}
	return false
}

// widerActions is wider for actions, whose groups are known by name.
func widerActions(a, b ast.IsActionScopeNode) bool {
	if _, all := a.(ast.ScopeTypeAll); all {
		return true
	}
	named := actionsOf(b)
	if named == nil {
		return false
	}
	mine := actionsOf(a)
	_, exact := a.(ast.ScopeTypeEq)
	return !slices.ContainsFunc(named, func(uid types.EntityUID) bool {
		return !slices.Contains(mine, uid) && (exact || !slices.Contains(mine, groupOf(uid)))
	})
}

// actionsOf are the actions that a scope names; nil when it names none.
func actionsOf(scope ast.IsActionScopeNode) []types.EntityUID {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		return s.Entities
	}
	return nil
}

// groupOf is the group that the schema puts an action in; a name that is none.
func groupOf(uid types.EntityUID) types.EntityUID {
	group := "extension"
	switch id := string(uid.ID); {
	case strings.Contains(id, "___"):
		group = "call_tool"
	case slices.Contains(pdp.Methods(), id):
		group = "mcp_method"
	case slices.Contains(pdp.Verbs(), id):
		group = "manage"
	}
	return types.NewEntityUID("Action", types.String(group))
}

// shelf finds the rules that apply whenever another does without comparing
// each with each: such a rule has no literal that the other has not, and stands
// under one of its literals, and under one of its actions.
type shelf map[shelfMark][]*rule

type shelfMark struct {
	literal string // "" for a rule without conditions
	action  types.EntityUID
}

func newShelf(rules []*rule) shelf {
	count := map[string]int{}
	for _, r := range rules {
		for _, l := range r.literals {
			count[l.text]++
		}
	}
	x := shelf{}
	for _, r := range rules {
		rarest := ""
		for _, l := range r.literals {
			if rarest == "" || count[l.text] < count[rarest] {
				rarest = l.text
			}
		}
		for _, action := range orAny(actionsOf(r.policy.Action)) {
			m := shelfMark{rarest, action}
			x[m] = append(x[m], r)
		}
	}
	return x
}

func orAny(actions []types.EntityUID) []types.EntityUID {
	if actions == nil {
		return []types.EntityUID{{}}
	}
	return actions
}

// atLeast are the other rules that apply to every request that r applies to.
func (x shelf) atLeast(r *rule) []*rule {
	first := orAny(actionsOf(r.policy.Action))[:1]
	actions := []types.EntityUID{{}}
	if first[0] != (types.EntityUID{}) {
		actions = append(actions, first[0], groupOf(first[0]))
	}
	texts := []string{""}
	for _, l := range r.literals {
		texts = append(texts, l.text)
	}
	var found []*rule
	for _, text := range texts {
		for _, action := range actions {
			for _, other := range x[shelfMark{text, action}] {
				if other != r && covers(other, r) {
					found = append(found, other)
				}
			}
		}
	}
	return found
}
