package pdp

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// Possible says whether some input could make the request allowed or held. The
// request's context holds everything but input and undeclared, which are
// unknown; what it has under these names is ignored.
//
// It errs to one side only: false means that every input is denied, true may
// be too hopeful. Whoever hides what is not possible hides nothing that would work.
func (s *Set) Possible(req cedar.Request, entities types.EntityGetter) bool {
	return s.possible(req, entities, s.takesUndeclared(req.Action))
}

func (s *Set) possible(req cedar.Request, entities types.EntityGetter, undeclared bool) bool {
	store := overlay{s.model, entities}
	context := req.Context.Map()
	if context == nil {
		context = types.RecordMap{}
	}
	context[inputAttribute] = eval.Variable(inputAttribute)
	delete(context, undeclaredAttribute)
	if undeclared {
		context[undeclaredAttribute] = eval.Variable(undeclaredAttribute)
	}
	env := eval.Env{
		Entities: store, Principal: req.Principal, Action: req.Action,
		Resource: req.Resource, Context: types.NewRecord(context),
	}
	possible := false
	for _, i := range s.index.candidates(req, store) {
		r := &s.rules[i]
		outcome := foresee(env, r)
		if !r.forbids() {
			possible = possible || outcome == always || outcome == sometimes
			continue
		}
		if outcome == fails || outcome == always && r.reason.Hold == "" {
			return false
		}
	}
	return possible
}

// outcome is what a policy does over all inputs.
type outcome uint8

const (
	never     outcome = iota // false for every input, or false or an error
	sometimes                // unknown
	always                   // true for every input
	fails                    // an error for every input
)

// foresee evaluates a policy as far as its input does not matter.
func foresee(env eval.Env, r *rule) outcome {
	if r.wholeContext {
		// Partial evaluation would take the stand-ins of the unknown attributes for
		// values then, and find for example that context == {…} is false.
		return sometimes
	}
	rest, keep := eval.PartialPolicy(env, (*ast.Policy)(r.policy.AST()))
	if !keep {
		return never
	}
	if len(rest.Conditions) == 0 {
		return always
	}
	last := rest.Conditions[len(rest.Conditions)-1]
	if _, failed := eval.ToPartialError(last.Body); failed {
		if len(rest.Conditions) == 1 {
			return fails
		}
		return never // an earlier condition is false, or this one errs
	}
	return sometimes
}

func usesWholeContext(p *cedar.Policy) bool {
	return slices.ContainsFunc(usesOf((*ast.Policy)(p.AST())).paths, func(path []types.String) bool { return len(path) == 0 })
}
