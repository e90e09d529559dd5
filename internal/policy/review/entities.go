package review

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// entities reports rules that name an agent, a person, a role or a server that
// does not exist. Actions that do not exist are errors of the compiler.
func (c *checker) entities() {
	known := map[types.EntityType]struct {
		list []string
		what string
	}{
		"McpServer": {c.Known.Servers, "server"}, "Agent": {c.Known.Agents, "agent"},
		"Person": {c.Known.People, "person"}, "Role": {c.Known.Roles, "role that anybody holds"},
	}
	for r := range c.own {
		said := map[types.EntityUID]bool{}
		for _, uid := range r.names() {
			k, ok := known[uid.Type]
			if !ok || k.list == nil || said[uid] || slices.Contains(k.list, string(uid.ID)) {
				continue
			}
			if uid.Type == "McpServer" && uid.ID == "*" {
				continue // all servers behind the merged endpoint
			}
			said[uid] = true
			c.say(Warning, r, "there is no %s %q", k.what, string(uid.ID))
		}
	}
}

// names are the entities that a rule names in its scope and its conditions.
func (r *rule) names() []types.EntityUID {
	var all []types.EntityUID
	for _, scope := range []ast.IsScopeNode{r.policy.Principal, r.policy.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			all = append(all, s.Entity)
		case ast.ScopeTypeIn:
			all = append(all, s.Entity)
		case ast.ScopeTypeIsIn:
			all = append(all, s.Entity)
		}
	}
	r.finds(func(n ast.IsNode) bool {
		if v, ok := n.(ast.NodeValue); ok {
			if uid, ok := v.Value.(types.EntityUID); ok {
				all = append(all, uid)
			}
		}
		return false
	})
	return all
}
