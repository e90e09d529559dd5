package review

import (
	"aims/pdp"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Reach is what can become of the calls of a tool, over all callers and inputs.
type Reach string

const (
	// Never: every call is denied.
	Never Reach = "never"
	// Held: a call is at best held.
	Held Reach = "held"
	// Possible: some call may be allowed, as far as can be told.
	Possible Reach = "possible"
)

// reachOf errs to one side only: Never and Held are certain.
func reachOf(rules []*rule, t pdp.Tool) Reach {
	env := anything()
	action := types.NewEntityUID("Action", types.String(t.Action()))
	env.Action = action
	env.Entities = types.EntityMap{action: {UID: action, Parents: types.NewEntityUIDSet(groupOf(action))}}
	permitted, reach := false, Possible
	for _, r := range rules {
		if !r.onTool(t) {
			continue
		}
		result := isTrue
		for _, l := range r.literals {
			if o := l.foresee(env); o == isFalse || o == fails {
				result = o
				break
			} else if o == depends {
				result = depends
			}
		}
		switch {
		case r.Effect == "permit":
			permitted = permitted || result == isTrue || result == depends
		case result == isFalse || result == depends || !r.everybody():
		case result == isTrue && r.Hold != "":
			reach = Held
		default: // it refuses, or cannot be evaluated and refuses
			return Never
		}
	}
	if !permitted {
		return Never
	}
	return reach
}

// onTool says whether the scope can match a call of the tool.
func (r *rule) onTool(t pdp.Tool) bool {
	action := ast.ScopeTypeEq{Entity: types.NewEntityUID("Action", types.String(t.Action()))}
	server := types.NewEntityUID("McpServer", types.String(t.Server))
	if !widerActions(r.policy.Action, action) {
		return false
	}
	switch s := r.policy.Resource.(type) {
	case ast.ScopeTypeIs:
		return s.Type == server.Type
	case ast.ScopeTypeEq:
		return s.Entity == server
	case ast.ScopeTypeIn:
		return s.Entity == server
	case ast.ScopeTypeIsIn:
		return s.Entity == server
	}
	return true
}

// everybody says that the scope matches every caller.
func (r *rule) everybody() bool {
	_, all := r.policy.Principal.(ast.ScopeTypeAll)
	return all
}

// uncovered reports tools that no rule can permit.
func (c *checker) uncovered() {
	for _, t := range c.Tools {
		permitted := false
		for _, r := range c.rules {
			if r.Effect == "permit" && r.onTool(t) {
				permitted = true
				break
			}
		}
		switch {
		case !permitted:
			c.sayOf(Note, "", "%s: no rule permits it, so every call is denied", t.Action())
		case reachOf(c.rules, t) == Never:
			c.sayOf(Note, "", "%s: every call is denied, although there is a permit", t.Action())
		}
	}
}
