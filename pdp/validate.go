package pdp

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// This file is the only one that knows cedar-go's schemas and type checker,
// which carry no promise of compatibility.

// model is a Cedar schema as the rest of the package needs it.
type model struct {
	schema *resolved.Schema
	// ancestors and descendants are the transitive groups and members of each
	// action, sorted.
	ancestors, descendants map[types.EntityUID][]types.EntityUID
	requests               map[string]requestShape
}

// requestShape is what Input needs of an action.
type requestShape struct {
	input shape
	// takesUndeclared says that the context has the set of undeclared names.
	takesUndeclared bool
}

const actionType = types.EntityType("Action")

// parseModel reads a Cedar schema.
func parseModel(text []byte) (*model, *Problem) {
	var s schema.Schema
	s.SetFilename(schemaFile)
	if err := s.UnmarshalCedar(text); err != nil {
		return nil, schemaProblem(err)
	}
	r, err := s.Resolve()
	if err != nil {
		return nil, schemaProblem(err)
	}
	m := &model{
		schema:      r,
		ancestors:   map[types.EntityUID][]types.EntityUID{},
		descendants: map[types.EntityUID][]types.EntityUID{},
		requests:    map[string]requestShape{},
	}
	for uid, action := range r.Actions {
		above := m.above(uid)
		m.ancestors[uid] = above
		for _, a := range above {
			m.descendants[a] = append(m.descendants[a], uid)
		}
		if uid.Type == actionType && action.AppliesTo != nil {
			m.requests[string(uid.ID)] = requestOf(action.AppliesTo.Context)
		}
	}
	for _, below := range m.descendants {
		slices.SortFunc(below, compareUIDs)
	}
	return m, nil
}

func schemaProblem(err error) *Problem {
	place := regexp.MustCompile(`^` + schemaFile + `:(\d+):(\d+): `)
	p := Problem{File: schemaFile, Message: err.Error()}
	if m := place.FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1]) // digits, of a text that is in memory
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = p.Message[len(m[0]):]
	}
	return &p
}

func compareUIDs(a, b types.EntityUID) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

// above is the transitive groups of an action.
func (m *model) above(uid types.EntityUID) []types.EntityUID {
	seen := map[types.EntityUID]bool{uid: true}
	todo := []types.EntityUID{uid}
	var found []types.EntityUID
	for len(todo) > 0 {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for parent := range m.schema.Actions[last].Entity.Parents.All() {
			if !seen[parent] {
				seen[parent] = true
				todo = append(todo, parent)
				found = append(found, parent)
			}
		}
	}
	slices.SortFunc(found, compareUIDs)
	return found
}

// action gives the entity of an action with its groups, which come from the
// schema and not from whoever makes a request.
func (m *model) action(uid types.EntityUID) (types.Entity, bool) {
	if m == nil {
		return types.Entity{}, false
	}
	a, ok := m.schema.Actions[uid]
	return a.Entity, ok
}

func requestOf(context resolved.RecordType) requestShape {
	r := requestShape{input: shape{kind: recordShape}}
	if a, ok := context[inputAttribute]; ok {
		if s := shapeOf(a); s.kind == recordShape {
			r.input = s
		}
	}
	_, r.takesUndeclared = context[undeclaredAttribute]
	return r
}

// shapeOf reads an attribute of a schema back into a shape.
func shapeOf(a resolved.Attribute) shape {
	switch t := a.Type.(type) {
	case resolved.StringType:
		return shape{kind: stringShape}
	case resolved.LongType:
		return shape{kind: longShape}
	case resolved.BoolType:
		return shape{kind: boolShape}
	case resolved.ExtensionType:
		for kind := decimalShape; kind <= ipaddrShape; kind++ {
			if cedarNames[kind] == string(t) {
				return shape{kind: kind}
			}
		}
	case resolved.SetType:
		elem := shapeOf(resolved.Attribute{Type: t.Element})
		return shape{kind: setShape, elem: &elem}
	case resolved.RecordType:
		s := shape{kind: recordShape, fields: make(map[string]field, len(t))}
		if _, ok := a.Annotations[unionAnnotation]; ok {
			s.kind = unionShape
		}
		for name, member := range t {
			s.fields[string(name)] = field{shape: shapeOf(member), optional: member.Optional}
		}
		return s
	}
	return shape{kind: foreignShape}
}

// check type-checks a policy, strictly, and gives what is wrong with it.
//
// The type checker takes every action of its schema into account for every
// policy, which is quadratic in all but name. It is therefore given a copy of
// the schema that holds the actions that the policy can apply to and no others,
// and of actions that look alike to the policy only one.
func (m *model) check(p *cedar.Policy) []string {
	policy := (*ast.Policy)(p.AST())
	uses := usesOf(policy)
	if wrong := m.checkScope(policy); len(wrong) > 0 {
		return wrong
	}
	if len(policy.Conditions) == 0 {
		return nil
	}
	alike := m.representatives(policy, uses)
	part := m.part(append(slices.Clone(alike), uses.actions...), true)
	if wrong := run(part, narrowed(policy, alike)); len(wrong) > 0 {
		return m.attribute(wrong, policy, alike, uses)
	}
	if never := run(part, probe(narrowed(policy, alike))); len(never) == 0 {
		return []string{"the policy can never match: its conditions are false for every request"}
	}
	return nil
}

// checkScope checks the scope alone, for which the contexts do not matter.
func (m *model) checkScope(policy *ast.Policy) []string {
	scope := *policy
	scope.Conditions = nil
	seen := map[string]bool{}
	var some []types.EntityUID
	for _, uid := range m.scoped(policy) {
		if applies := m.applies(uid); !seen[applies] {
			seen[applies] = true
			some = append(some, uid)
		}
	}
	return run(m.part(append(some, named(policy)...), false), &scope)
}

// named are the actions that the scope names.
func named(policy *ast.Policy) []types.EntityUID {
	switch s := policy.Action.(type) {
	case ast.ScopeTypeEq:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		return s.Entities
	}
	return nil
}

// scoped are the actions that the scope lets through and that can be asked for.
func (m *model) scoped(policy *ast.Policy) []types.EntityUID {
	var all []types.EntityUID
	switch s := policy.Action.(type) {
	case ast.ScopeTypeAll:
		all = slices.SortedFunc(maps.Keys(m.schema.Actions), compareUIDs)
	case ast.ScopeTypeEq:
		all = []types.EntityUID{s.Entity}
	default:
		for _, uid := range named(policy) {
			all = append(append(all, uid), m.descendants[uid]...)
		}
		slices.SortFunc(all, compareUIDs)
		all = slices.Compact(all)
	}
	return slices.DeleteFunc(all, func(uid types.EntityUID) bool {
		return m.schema.Actions[uid].AppliesTo == nil
	})
}

// applies names the principal and resource types of an action.
func (m *model) applies(uid types.EntityUID) string {
	to := m.schema.Actions[uid].AppliesTo
	return fmt.Sprint(to.Principals, to.Resources)
}

// part copies the schema with the given actions and their groups only.
func (m *model) part(actions []types.EntityUID, contexts bool) *resolved.Schema {
	part := *m.schema
	part.Actions = make(map[types.EntityUID]resolved.Action, 2*len(actions))
	add := func(uid types.EntityUID) {
		a, ok := m.schema.Actions[uid]
		if !ok {
			return
		}
		if !contexts && a.AppliesTo != nil {
			a.AppliesTo = &resolved.AppliesTo{Principals: a.AppliesTo.Principals, Resources: a.AppliesTo.Resources}
		}
		part.Actions[uid] = a
	}
	for _, uid := range actions {
		add(uid)
		for _, group := range m.ancestors[uid] {
			add(group)
		}
	}
	return &part
}

// run validates and gives the messages, sorted: the checker's order is random.
func run(s *resolved.Schema, policy *ast.Policy) []string {
	err := validate.New(s, validate.WithStrict()).Policy("", policy)
	if err == nil {
		return nil
	}
	messages := strings.Split(err.Error(), "\n")
	slices.Sort(messages)
	return slices.Compact(messages)
}

// narrowed is the policy for just these actions.
func narrowed(policy *ast.Policy, actions []types.EntityUID) *ast.Policy {
	n := *policy
	n.Action = ast.ScopeTypeInSet{Entities: actions}
	return &n
}

// probe is a policy that type-checks exactly if the conditions of the given
// one are false by their types for every request: the checker skips what
// follows a false operand of &&, and what follows here is no boolean.
func probe(policy *ast.Policy) *ast.Policy {
	all := ast.True()
	for _, c := range policy.Conditions {
		body := ast.NewNode(c.Body)
		if c.Condition == ast.ConditionUnless {
			body = ast.Not(body)
		}
		all = all.And(body)
	}
	p := *policy
	p.Conditions = []ast.ConditionType{{Condition: ast.ConditionWhen, Body: all.And(ast.String("")).AsIsNode()}}
	return &p
}

// attribute says of each message for which action it arises, where there is a choice.
func (m *model) attribute(messages []string, policy *ast.Policy, actions []types.EntityUID, uses uses) []string {
	if len(actions) < 2 {
		return messages
	}
	out := slices.Clone(messages)
	for i, message := range messages {
		for _, uid := range actions {
			if strings.Contains(message, uid.String()) {
				break // the checker names it itself
			}
			one := []types.EntityUID{uid}
			part := m.part(append(slices.Clone(one), uses.actions...), true)
			if slices.Contains(run(part, narrowed(policy, one)), message) {
				out[i] = message + "; this is so for " + uid.String()
				break
			}
		}
	}
	return out
}

// uses is what the conditions of a policy look at.
type uses struct {
	// paths are the maximal chains of attributes of context, such as
	// input, amount; an empty one is the context as a whole.
	paths [][]types.String
	// action says that the conditions look at the action itself.
	action bool
	// actions are the actions that the conditions name.
	actions []types.EntityUID
}

func usesOf(policy *ast.Policy) uses {
	var u uses
	for _, c := range policy.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if path, ok := contextPath(n); ok {
				u.paths = append(u.paths, path)
				return false
			}
			switch v := n.(type) {
			case ast.NodeTypeVariable:
				u.action = u.action || v.Name == "action"
			case ast.NodeValue:
				if uid, ok := v.Value.(types.EntityUID); ok && uid.Type == actionType {
					u.actions = append(u.actions, uid)
				}
			}
			return true
		})
	}
	return u
}

// contextPath gives the attributes of a chain such as context.input.amount or
// context.input has amount.
func contextPath(n ast.IsNode) ([]types.String, bool) {
	switch v := n.(type) {
	case ast.NodeTypeVariable:
		return nil, v.Name == "context"
	case ast.NodeTypeAccess:
		path, ok := contextPath(v.Arg)
		return append(path, v.Value), ok
	case ast.NodeTypeHas:
		path, ok := contextPath(v.Arg)
		return append(path, v.Value), ok
	}
	return nil, false
}

// representatives are, of the actions that the scope lets through, one of each
// class that the type checker cannot tell apart by what the conditions use.
func (m *model) representatives(policy *ast.Policy, u uses) []types.EntityUID {
	scoped := m.scoped(policy)
	if len(scoped) < 2 || u.action {
		return scoped
	}
	seen := map[string]bool{}
	var out []types.EntityUID
	for _, uid := range scoped {
		var class strings.Builder
		class.WriteString(m.applies(uid))
		for _, path := range u.paths {
			class.WriteByte('\n')
			writeTypeAt(&class, m.schema.Actions[uid].AppliesTo.Context, path)
		}
		if !seen[class.String()] {
			seen[class.String()] = true
			out = append(out, uid)
		}
	}
	return out
}

// writeTypeAt writes what a chain of attributes meets on its way into a type.
func writeTypeAt(b *strings.Builder, t resolved.IsType, path []types.String) {
	for _, name := range path {
		record, ok := t.(resolved.RecordType)
		if !ok {
			break
		}
		a, ok := record[name]
		if !ok {
			b.WriteString("/-")
			return
		}
		if b.WriteByte('/'); a.Optional {
			b.WriteByte('?')
		}
		t = a.Type
	}
	writeType(b, t)
}

func writeType(b *strings.Builder, t resolved.IsType) {
	switch t := t.(type) {
	case resolved.SetType:
		b.WriteString("Set<")
		writeType(b, t.Element)
		b.WriteByte('>')
	case resolved.RecordType:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(t)) {
			fmt.Fprintf(b, "%q", name)
			if t[name].Optional {
				b.WriteByte('?')
			}
			b.WriteByte(':')
			writeType(b, t[name].Type)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "%T%v", t, t)
	}
}
