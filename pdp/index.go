package pdp

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// index finds the policies whose scope can match a request without looking at
// the others.
//
// Each policy is filed under a triple of keys, one for the action, one for the
// principal and one for the resource that its scope names; where the scope
// names no entity the key is anyKey. A scope that names an entity matches only
// if that entity is the request's own or among its ancestors, so looking under
// every combination of anyKey, the request's entity and its ancestors misses
// no policy that could match. A policy that is missed would have been false
// without an error, since scopes are evaluated first and cannot err: leaving it
// out changes neither reasons nor faults.
type index struct {
	keys    map[types.EntityUID]uint32 // entities that some scope names
	buckets map[triple][]uint32        // ordinals of rules, ascending
	actions map[types.EntityUID][]uint32
	size    int
}

type triple struct{ action, principal, resource uint32 }

// anyKey stands for a scope that names no entity.
const anyKey = 0

func newIndex(rules []rule, m *model) index {
	x := index{keys: map[types.EntityUID]uint32{}, buckets: map[triple][]uint32{}, size: len(rules)}
	for i, r := range rules {
		policy := r.policy.AST()
		principal, resource := x.key(policy.Principal), x.key(policy.Resource)
		for _, action := range x.actionKeys(policy.Action) {
			t := triple{action, principal, resource}
			x.buckets[t] = append(x.buckets[t], uint32(i))
		}
	}
	x.actions = map[types.EntityUID][]uint32{}
	if m != nil {
		for uid, groups := range m.ancestors {
			x.actions[uid] = x.known([]uint32{anyKey}, append([]types.EntityUID{uid}, groups...))
		}
	}
	return x
}

func (x *index) intern(uid types.EntityUID) uint32 {
	k, ok := x.keys[uid]
	if !ok {
		k = uint32(len(x.keys)) + 1
		x.keys[uid] = k
	}
	return k
}

// key is the key of a principal or resource scope.
func (x *index) key(scope ast.IsScopeNode) uint32 {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return x.intern(s.Entity)
	case ast.ScopeTypeIn:
		return x.intern(s.Entity)
	case ast.ScopeTypeIsIn:
		return x.intern(s.Entity)
	}
	return anyKey
}

// actionKeys are the keys of an action scope: an action in a list is filed
// under each member.
func (x *index) actionKeys(scope ast.IsActionScopeNode) []uint32 {
	list, ok := scope.(ast.ScopeTypeInSet)
	if !ok {
		return []uint32{x.key(scope)}
	}
	var keys []uint32
	for _, uid := range list.Entities {
		keys = append(keys, x.intern(uid))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// known appends the keys of those entities that have one.
func (x *index) known(dst []uint32, uids []types.EntityUID) []uint32 {
	for _, uid := range uids {
		if k, ok := x.keys[uid]; ok {
			dst = append(dst, k)
		}
	}
	return dst
}

// candidates gives the ordinals, ascending, of every rule whose scope can match.
func (x *index) candidates(req types.Request, store types.EntityGetter) []uint32 {
	var principalBuffer, resourceBuffer, actionBuffer [8]uint32
	actions, ok := x.actions[req.Action]
	if !ok {
		actions = x.withAncestors(actionBuffer[:0], req.Action, store)
	}
	principals := x.withAncestors(principalBuffer[:0], req.Principal, store)
	resources := x.withAncestors(resourceBuffer[:0], req.Resource, store)
	if len(actions)*len(principals)*len(resources) > x.size+64 {
		return x.all() // looking everywhere costs less than looking everything up
	}
	found := make([]uint32, 0, 16)
	hits := 0
	for _, a := range actions {
		for _, p := range principals {
			for _, r := range resources {
				if bucket, ok := x.buckets[triple{a, p, r}]; ok {
					found = append(found, bucket...)
					hits++
				}
			}
		}
	}
	if hits > 1 {
		slices.Sort(found)
		found = slices.Compact(found) // under two members of a list of actions
	}
	return found
}

func (x *index) all() []uint32 {
	all := make([]uint32, x.size)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// withAncestors appends anyKey and the keys of an entity and its transitive
// ancestors. An ancestor without key may still have ancestors with one.
func (x *index) withAncestors(dst []uint32, uid types.EntityUID, store types.EntityGetter) []uint32 {
	dst = append(dst, anyKey)
	if k, ok := x.keys[uid]; ok {
		dst = append(dst, k)
	}
	entity, ok := store.Get(uid)
	if !ok || entity.Parents.Len() == 0 {
		return dst
	}
	var buffer [8]types.EntityUID
	seen := append(buffer[:0], uid)
	for parent := range entity.Parents.All() {
		if parent != uid {
			seen = append(seen, parent)
		}
	}
	if seen = closure(seen, store); len(seen) > 1 {
		dst = x.known(dst, seen[1:])
	}
	return dst
}

// closure completes a list that starts with an entity and its parents by their
// transitive ancestors, each once. Cycles end it like any other entity seen before.
func closure(seen []types.EntityUID, store types.EntityGetter) []types.EntityUID {
	const few = 16
	var large map[types.EntityUID]bool // scanning the list is faster while it is short
	for i := 1; i < len(seen); i++ {
		entity, ok := store.Get(seen[i])
		if !ok {
			continue
		}
		for parent := range entity.Parents.All() {
			if large == nil && len(seen) > few {
				large = make(map[types.EntityUID]bool, 4*few)
				for _, uid := range seen {
					large[uid] = true
				}
			}
			if large[parent] || large == nil && slices.Contains(seen, parent) {
				continue
			}
			seen = append(seen, parent)
			if large != nil {
				large[parent] = true
			}
		}
	}
	return seen
}
