package pdp

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// Possible says whether some input could make the request allowed or held. The
// request's context holds what is known of the tool and the run. The input and
// what follows from it (undeclared, provenance, sinks, budget) and whether there
// is an approval are unknown; what it has under these names is ignored.
//
// It errs to one side only: false means that every input is denied, true may
// be too hopeful. Whoever hides what is not possible hides nothing that would work.
func (s *Set) Possible(req cedar.Request, entities types.EntityGetter) bool {
	return s.possible(req, entities, s.unknown(req.Action))
}

func (s *Set) possible(req cedar.Request, entities types.EntityGetter, unknown []types.String) bool {
	store := overlay{s.model, entities}
	context := req.Context.Map()
	if context == nil {
		context = types.RecordMap{}
	}
	for _, name := range []types.String{undeclaredAttribute, provenanceAttribute, sinksAttribute, budgetAttribute, approvalAttribute} {
		delete(context, name)
	}
	context[inputAttribute] = eval.Variable(inputAttribute)
	for _, name := range unknown {
		context[name] = eval.Variable(name)
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
	if r.wholeContext || r.approvable {
		// Partial evaluation would take the stand-ins of the unknown attributes for
		// values then, and find for example that context == {…} is false, or that
		// an approval, which may or may not be there, is.
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

// usesApproval says that the conditions ask for an approval.
func usesApproval(p *cedar.Policy) bool {
	return slices.ContainsFunc(usesOf((*ast.Policy)(p.AST())).paths, func(path []types.String) bool {
		return len(path) > 0 && path[0] == approvalAttribute
	})
}

func usesWholeContext(p *cedar.Policy) bool {
	return slices.ContainsFunc(usesOf((*ast.Policy)(p.AST())).paths, func(path []types.String) bool { return len(path) == 0 })
}
