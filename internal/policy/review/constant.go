package review

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// outcome is what a condition is whatever the request.
type outcome uint8

const (
	depends outcome = iota
	isTrue
	isFalse // or an error
	fails
)

// anything is a request of which nothing is known.
func anything() eval.Env {
	return eval.Env{
		Principal: eval.Variable("principal"), Action: eval.Variable("action"),
		Resource: eval.Variable("resource"), Context: eval.Variable("context"),
		Entities: types.EntityMap{},
	}
}

// foresee evaluates one literal as far as the environment goes.
func (l literal) foresee(env eval.Env) outcome {
	condition := ast.ConditionType{Condition: ast.Condition(!l.negated), Body: l.node}
	rest, keep := eval.PartialPolicy(env, &ast.Policy{
		Principal: ast.ScopeTypeAll{}, Action: ast.ScopeTypeAll{}, Resource: ast.ScopeTypeAll{},
		Conditions: []ast.ConditionType{condition},
	})
	switch {
	case !keep:
		return isFalse
	case len(rest.Conditions) == 0:
		return isTrue
	}
	if _, failed := eval.ToPartialError(rest.Conditions[0].Body); failed {
		return fails
	}
	return depends
}

// constants reports conditions that do not depend on the request, and rules
// whose conditions exclude each other.
func (c *checker) constants() {
	for r := range c.own {
		text, why := r.impossible()
		if r.refusesByError() {
			if l, ok := r.failing(); ok {
				c.say(Error, r, "a condition cannot be evaluated for any request, and a forbid that cannot be evaluated refuses: %s", l.text)
			}
			continue
		}
		switch {
		case why == "":
		case text == "":
			c.say(Error, r, "it never applies: %s", why)
		default:
			c.say(Error, r, "it never applies: %s: %s", why, text)
		}
	}
}

// failing is a literal that cannot be evaluated for any request, if there is one.
func (r *rule) failing() (literal, bool) {
	at := slices.IndexFunc(r.literals, func(l literal) bool { return l.foresee(anything()) == fails })
	if at < 0 {
		return literal{}, false
	}
	return r.literals[at], true
}

// refusesByError says whether the rule may refuse where its conditions are not
// true: a forbid that cannot be evaluated denies. What type checking leaves are
// sums beyond 64 bits, and values that a function does not take.
func (r *rule) refusesByError() bool {
	return r.Effect == "forbid" && r.finds(func(n ast.IsNode) bool {
		switch v := n.(type) {
		case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate, ast.NodeTypeGetTag:
			return true
		case ast.NodeTypeExtensionCall:
			switch v.Name {
			case "decimal", "ip", "datetime", "duration": // a literal was checked when it was read
				return slices.ContainsFunc(v.Args, func(arg ast.IsNode) bool { _, literal := arg.(ast.NodeValue); return !literal })
			case "offset", "durationSince":
				return true
			}
		}
		return false
	})
}

// impossible says why the conditions cannot all be true, if they cannot.
func (r *rule) impossible() (text, why string) {
	texts := map[string]bool{}
	equals := map[string]string{} // an expression and the value that it must have
	for _, l := range r.literals {
		texts[l.text] = true
	}
	for _, l := range r.literals {
		switch l.foresee(anything()) {
		case isFalse:
			return l.text, "a condition is false for every request"
		case fails:
			return l.text, "a condition cannot be evaluated for any request"
		}
		if l.negated && texts[l.bare] {
			return l.text, "a condition and its opposite are both asked for"
		}
		if e, ok := l.node.(ast.NodeTypeEquals); ok && !l.negated {
			value, of, ok := valueOf(e)
			if !ok {
				continue
			}
			if other, again := equals[of]; again && other != value {
				return of, "one thing must equal both " + other + " and " + value
			}
			equals[of] = value
		}
	}
	return "", ""
}

// valueOf splits an equality with a literal value.
func valueOf(e ast.NodeTypeEquals) (value, of string, ok bool) {
	_, left := e.Left.(ast.NodeValue)
	_, right := e.Right.(ast.NodeValue)
	switch {
	case left == right:
		return "", "", false
	case left:
		return textOf(e.Left), textOf(e.Right), true
	}
	return textOf(e.Right), textOf(e.Left), true
}

// holds reports rules that say that a person can release them and that stay in
// the way when one has: the same policies decide again, with context.approval.
func (c *checker) holds() {
	for r := range c.own {
		if r.Hold == "" {
			continue
		}
		if c.Known.Roles != nil && !slices.Contains(c.Known.Roles, r.Hold) {
			c.say(Warning, r, "nobody holds the role %q, so nobody can release what it holds", r.Hold)
		}
		released := slices.ContainsFunc(r.literals, func(l literal) bool { return l.foresee(approved(l.node, r.Hold)) == isFalse })
		const write = `write unless { context has approval && context.approval.roles.contains(%q) }`
		switch {
		case released:
		case r.finds(readsApproval):
			c.say(Warning, r, "there are calls that it holds and that an approval by %q does not release; "+write, r.Hold, r.Hold)
		default:
			c.say(Error, r, "no approval can release what it holds: it refuses again; "+write, r.Hold)
		}
	}
}

func readsApproval(n ast.IsNode) bool {
	name, ok := contextAttribute(n)
	return ok && name == "approval"
}

// approved is a request of which only is known that the role has approved it.
func approved(n ast.IsNode, role string) eval.Env {
	context := types.RecordMap{"approval": types.NewRecord(types.RecordMap{
		"id": eval.Variable("id"), "roles": types.NewSet(types.String(role)),
	})}
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		if name, ok := contextAttribute(n); ok && name != "approval" {
			context[name] = eval.Variable(name)
		}
		return true
	})
	env := anything()
	env.Context = types.NewRecord(context)
	return env
}
