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
	schemaast "github.com/cedar-policy/cedar-go/x/exp/schema/ast"
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
	// unknown are the attributes that depend on the input, besides it.
	unknown []types.String
}

const actionType = types.EntityType("Action")

// parseModel reads a Cedar schema.
func parseModel(text []byte) (*model, *Problem) {
	for _, st := range cutText(text, "([{<", ")]}>") {
		if st.brackets > maxBrackets {
			return nil, &Problem{File: schemaFile, Line: st.line, Column: st.column, Message: fmt.Sprintf("types nested more than %d deep", maxBrackets)}
		}
	}
	var s schema.Schema
	s.SetFilename(schemaFile)
	if err := s.UnmarshalCedar(text); err != nil {
		return nil, schemaProblem(err)
	}
	if len(s.AST().Namespaces) > 0 {
		return nil, &Problem{File: schemaFile, Message: "the schema has a namespace"}
	}
	if countTypes(s.AST()) > maxTypes {
		return nil, &Problem{File: schemaFile, Message: fmt.Sprintf("the schema has more than %d types once its definitions are put in place", maxTypes)}
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
		if uid.Type == actionType && action.AppliesTo != nil && !isGroup(string(uid.ID)) {
			m.requests[string(uid.ID)] = requestOf(action.AppliesTo.Context)
		}
	}
	for _, below := range m.descendants {
		slices.SortFunc(below, compareUIDs)
	}
	return m, nil
}

// maxTypes bounds how many types a schema has once the definitions that it
// refers to are put in place, which cedar-go does: two dozen lines, each of
// which names the one before twice, would otherwise fill the memory.
const maxTypes = 1 << 22

// countTypes counts the types of a schema without namespaces, up to maxTypes+1.
func countTypes(s *schemaast.Schema) int {
	sizes := map[schemaast.Ident]int{}
	var size func(t schemaast.IsType) int
	size = func(t schemaast.IsType) int {
		switch t := t.(type) {
		case schemaast.SetType:
			return 1 + size(t.Element)
		case schemaast.RecordType:
			n := 1
			for _, a := range t {
				n = min(n+size(a.Type), maxTypes+1)
			}
			return n
		case schemaast.TypeRef:
			name := schemaast.Ident(t)
			if n, known := sizes[name]; known {
				return n
			}
			sizes[name] = 1 // while it is being measured; a cycle is reported by Resolve
			if definition, ok := s.CommonTypes[name]; ok {
				sizes[name] = size(definition.Type)
			}
			return sizes[name]
		}
		return 1
	}
	total := 0
	add := func(t schemaast.IsType) { total = min(total+size(t), maxTypes+1) }
	for _, d := range s.CommonTypes {
		add(d.Type)
	}
	for _, e := range s.Entities {
		add(e.Shape)
		add(e.Tags)
	}
	for _, a := range s.Actions {
		if a.AppliesTo != nil {
			add(a.AppliesTo.Context)
		}
	}
	return total
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

// Fits says whether a request is one that the schema describes: an action and
// entities that there are, and a context with every attribute, typed, and no other.
func (s *Set) Fits(req cedar.Request) bool {
	return s.model != nil && validate.New(s.model.schema).Request(req) == nil
}

func requestOf(context resolved.RecordType) requestShape {
	r := requestShape{input: shape{kind: recordShape}}
	if a, ok := context[inputAttribute]; ok {
		if s := shapeOf(a); s.kind == recordShape {
			r.input = s
		}
	}
	_, r.takesUndeclared = context[undeclaredAttribute]
	for _, name := range []types.String{undeclaredAttribute, provenanceAttribute, sinksAttribute, budgetAttribute} {
		if _, ok := context[name]; ok {
			r.unknown = append(r.unknown, name)
		}
	}
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

// checker type-checks the policies of one set.
//
// cedar-go's type checker takes every action of its schema into account for
// every policy, which for thousands of policies and actions takes minutes. It is
// therefore given a copy of the schema that holds the actions that the policy can
// apply to and no others, and of actions that look alike to the policy only one.
type checker struct {
	*model
	scopes map[string][]types.EntityUID // of an action scope, the actions it lets through
	alike  map[string][]types.EntityUID // of a scope and what conditions use, one of each class
}

func newChecker(m *model) *checker {
	return &checker{model: m, scopes: map[string][]types.EntityUID{}, alike: map[string][]types.EntityUID{}}
}

// maxMessages bounds what is said about one policy.
const maxMessages = 10

// check type-checks a policy, strictly, and gives what is wrong with it.
func (c *checker) check(p *cedar.Policy) []string {
	policy := (*ast.Policy)(p.AST())
	uses := usesOf(policy)
	if s, ok := policy.Action.(ast.ScopeTypeEq); ok && group(s.Entity) {
		uses.groups = append(uses.groups, s.Entity)
	}
	if len(uses.groups) > 0 {
		return []string{fmt.Sprintf("no request has the action %s, which is a group: write action in %s", uses.groups[0], uses.groups[0])}
	}
	alike := c.representatives(policy, uses)
	subject := policy
	if scoped, _ := c.scoped(policy); len(alike) < len(scoped) {
		if wrong := c.checkScope(policy); len(wrong) > 0 {
			return wrong
		}
		subject = narrowed(policy, alike)
	}
	part := c.part(slices.Concat(alike, named(policy), uses.actions), true)
	if wrong := run(part, subject); len(wrong) > 0 {
		if more := len(wrong) - maxMessages; more > 0 {
			wrong = append(wrong[:maxMessages], fmt.Sprintf("%d more of this kind", more))
		}
		return c.attribute(wrong, policy, alike, uses)
	}
	if len(policy.Conditions) == 0 {
		return nil
	}
	if possible := run(part, probe(narrowed(policy, askable(alike)))); len(possible) == 0 {
		return []string{"the policy can never match: its conditions are false for every request"}
	}
	return nil
}

func group(uid types.EntityUID) bool { return uid.Type == actionType && isGroup(string(uid.ID)) }

// askable leaves out the groups, of which there is no request, unless nothing
// else is there yet.
func askable(actions []types.EntityUID) []types.EntityUID {
	if out := slices.DeleteFunc(slices.Clone(actions), group); len(out) > 0 {
		return out
	}
	return actions
}

// checkScope checks the scope alone, for which the contexts do not matter.
func (c *checker) checkScope(policy *ast.Policy) []string {
	scope := *policy
	scope.Conditions = nil
	some := c.representatives(&scope, uses{})
	return run(c.part(slices.Concat(some, named(policy)), false), &scope)
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

// scoped are the actions that the scope lets through, sorted, with the groups
// last so that a group speaks for others only where there are none. The key
// names the scope.
func (c *checker) scoped(policy *ast.Policy) (actions []types.EntityUID, key string) {
	key = fmt.Sprintf("%T%v", policy.Action, named(policy))
	if known, ok := c.scopes[key]; ok {
		return known, key
	}
	switch s := policy.Action.(type) {
	case ast.ScopeTypeAll:
		actions = slices.Collect(maps.Keys(c.schema.Actions))
	case ast.ScopeTypeEq:
		actions = []types.EntityUID{s.Entity}
	default:
		for _, uid := range named(policy) {
			actions = append(append(actions, uid), c.descendants[uid]...)
		}
	}
	actions = slices.DeleteFunc(actions, func(uid types.EntityUID) bool {
		return c.schema.Actions[uid].AppliesTo == nil
	})
	slices.SortFunc(actions, compareUIDs)
	actions = slices.Compact(actions)
	actions = slices.Concat(slices.DeleteFunc(slices.Clone(actions), group),
		slices.DeleteFunc(actions, func(uid types.EntityUID) bool { return !group(uid) }))
	c.scopes[key] = actions
	return actions, key
}

// representatives are, of the actions that the scope lets through, one of each
// class that the type checker cannot tell apart by what the conditions use.
func (c *checker) representatives(policy *ast.Policy, u uses) []types.EntityUID {
	scoped, key := c.scoped(policy)
	if len(scoped) < 2 || u.action {
		return scoped
	}
	key = fmt.Sprintf("%s %q", key, u.paths)
	if known, ok := c.alike[key]; ok {
		return known
	}
	seen := map[string]bool{}
	var out []types.EntityUID
	for _, uid := range scoped {
		to := c.schema.Actions[uid].AppliesTo
		var class strings.Builder
		fmt.Fprint(&class, to.Principals, to.Resources)
		for _, path := range u.paths {
			class.WriteByte('\n')
			writeTypeAt(&class, to.Context, path)
		}
		if !seen[class.String()] {
			seen[class.String()] = true
			out = append(out, uid)
		}
	}
	c.alike[key] = out
	return out
}

// part copies the schema with the given actions and their groups only.
func (c *checker) part(actions []types.EntityUID, contexts bool) *resolved.Schema {
	part := *c.schema
	part.Actions = make(map[types.EntityUID]resolved.Action, 2*len(actions))
	add := func(uid types.EntityUID) {
		a, ok := c.schema.Actions[uid]
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
		for _, above := range c.ancestors[uid] {
			add(above)
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

// attribute says of each message for which action it arises, where there is a
// choice and the message does not say it itself.
func (c *checker) attribute(messages []string, policy *ast.Policy, actions []types.EntityUID, uses uses) []string {
	if len(actions) < 2 {
		return messages
	}
	out := slices.Clone(messages)
	for i, message := range messages {
		if slices.ContainsFunc(actions, func(uid types.EntityUID) bool { return strings.Contains(message, uid.String()) }) {
			continue
		}
		for _, uid := range actions {
			one := []types.EntityUID{uid}
			part := c.part(append(slices.Clone(one), uses.actions...), true)
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
	// actions are the actions that the conditions name; groups are those among
	// them that they take for the action of a request.
	actions, groups []types.EntityUID
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
			case ast.NodeTypeEquals:
				u.equates(v.BinaryNode)
			case ast.NodeTypeNotEquals:
				u.equates(v.BinaryNode)
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

// equates notes a group that is compared with the action of the request.
func (u *uses) equates(n ast.BinaryNode) {
	for _, pair := range [][2]ast.IsNode{{n.Left, n.Right}, {n.Right, n.Left}} {
		variable, isVariable := pair[0].(ast.NodeTypeVariable)
		value, isValue := pair[1].(ast.NodeValue)
		if !isVariable || !isValue || variable.Name != "action" {
			continue
		}
		if uid, ok := value.Value.(types.EntityUID); ok && group(uid) {
			u.groups = append(u.groups, uid)
		}
	}
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
