package review

import (
	"slices"
	"strings"

	"aims/pdp"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// rule is a policy in the form in which two are compared.
//
// A rule applies when its scope matches and all its conditions are true. The
// conditions are taken apart into literals, so that `when { a && b }` and
// `when { b } unless { !a }` are the same two. A rule whose literals are among those
// of another applies whenever the other does, if its scope is as wide: each
// literal that it needs was then found true, and Cedar finds the same again.
type rule struct {
	pdp.Rule
	// own says that the rule is the bundle's, not the house's.
	own      bool
	policy   *ast.Policy
	literals []literal // sorted by text, each once
}

// literal is a part of the conditions that must be true.
type literal struct {
	text string
	node ast.IsNode
	bare string // the text of node
	// negated says that node must be false.
	negated bool
}

func rulesOf(s Subject) []*rule {
	files := map[string]bool{}
	for _, source := range s.Bundle.Sources {
		files[source.Name] = true
	}
	var rules []*rule
	for _, r := range s.Set.Rules() {
		policy := (*ast.Policy)(r.Cedar.AST())
		rules = append(rules, &rule{Rule: r, own: files[r.File], policy: policy, literals: literalsOf(policy)})
	}
	return rules
}

func literalsOf(p *ast.Policy) []literal {
	var all []literal
	for _, c := range p.Conditions {
		all = appendLiterals(all, c.Body, c.Condition == ast.ConditionUnless)
	}
	slices.SortFunc(all, func(a, b literal) int { return strings.Compare(a.text, b.text) })
	return slices.CompactFunc(all, func(a, b literal) bool { return a.text == b.text })
}

// appendLiterals takes a condition apart at && and, where it is negated, at ||.
func appendLiterals(dst []literal, n ast.IsNode, negated bool) []literal {
	switch v := n.(type) {
	case ast.NodeTypeNot:
		return appendLiterals(dst, v.Arg, !negated)
	case ast.NodeTypeAnd:
		if !negated {
			return appendLiterals(appendLiterals(dst, v.Left, false), v.Right, false)
		}
	case ast.NodeTypeOr:
		if negated {
			return appendLiterals(appendLiterals(dst, v.Left, true), v.Right, true)
		}
	case ast.NodeValue:
		if b, ok := v.Value.(types.Boolean); ok && bool(b) != negated {
			return dst // it is true, and says nothing
		}
	}
	return append(dst, canonical(n, negated))
}

// canonical writes a condition in one of the forms that it may have.
func canonical(n ast.IsNode, negated bool) literal {
	switch v := n.(type) {
	case ast.NodeTypeEquals:
		return equality(v.BinaryNode, negated)
	case ast.NodeTypeNotEquals:
		return equality(v.BinaryNode, !negated)
	case ast.NodeTypeLessThan:
		return less(v.Left, v.Right, negated)
	case ast.NodeTypeGreaterThan:
		return less(v.Right, v.Left, negated)
	case ast.NodeTypeGreaterThanOrEqual:
		return less(v.Left, v.Right, !negated)
	case ast.NodeTypeLessThanOrEqual:
		return less(v.Right, v.Left, !negated)
	}
	return newLiteral(n, negated)
}

func newLiteral(n ast.IsNode, negated bool) literal {
	bare := textOf(n)
	text := bare
	if negated {
		text = "!(" + bare + ")"
	}
	return literal{text, n, bare, negated}
}

func less(left, right ast.IsNode, negated bool) literal {
	return newLiteral(ast.NodeTypeLessThan{BinaryNode: ast.BinaryNode{Left: left, Right: right}}, negated)
}

func equality(v ast.BinaryNode, negated bool) literal {
	if textOf(v.Right) < textOf(v.Left) {
		v.Left, v.Right = v.Right, v.Left
	}
	return newLiteral(ast.NodeTypeEquals{BinaryNode: v}, negated)
}

// textOf writes an expression as Cedar.
func textOf(n ast.IsNode) string {
	p := ast.Policy{
		Effect: ast.EffectPermit, Principal: ast.ScopeTypeAll{}, Action: ast.ScopeTypeAll{}, Resource: ast.ScopeTypeAll{},
		Conditions: []ast.ConditionType{{Condition: ast.ConditionWhen, Body: n}},
	}
	text := string(cedar.NewPolicyFromAST((*cedarast.Policy)(&p)).MarshalCedar())
	_, text, _ = strings.Cut(text, "when { ")
	return strings.TrimSuffix(text, " };")
}

// reads says whether the conditions look at context.<attribute>.<name>.
func (r *rule) reads(attribute, name string) bool {
	return r.finds(func(n ast.IsNode) bool {
		s, ok := attributeOf(n)
		if !ok || string(s.Value) != name {
			return false
		}
		got, ok := contextAttribute(s.Arg)
		return ok && string(got) == attribute
	})
}

// attributeOf gives the parts of x.name and x has name.
func attributeOf(n ast.IsNode) (ast.StrOpNode, bool) {
	switch v := n.(type) {
	case ast.NodeTypeAccess:
		return v.StrOpNode, true
	case ast.NodeTypeHas:
		return v.StrOpNode, true
	}
	return ast.StrOpNode{}, false
}

// contextAttribute is the name in context.<name> and context has <name>.
func contextAttribute(n ast.IsNode) (types.String, bool) {
	s, ok := attributeOf(n)
	if !ok {
		return "", false
	}
	v, ok := s.Arg.(ast.NodeTypeVariable)
	return s.Value, ok && v.Name == "context"
}

// finds says whether some part of the conditions has a property.
func (r *rule) finds(has func(ast.IsNode) bool) bool {
	found := false
	for _, c := range r.policy.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			found = found || has(n)
			return !found
		})
	}
	return found
}
