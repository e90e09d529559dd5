// Package pdp is the policy decision point: policies × entities × request →
// decision with every reason. It is pure: it reads no clock, keeps no state and
// asks nobody, so that anyone who has the policies and the recorded facts
// reaches the same decision again (ISO 42001 A.6.2.8).
//
// The language is Cedar, and decisions are those of cedar.Authorize, with two
// rules on top: a forbid that cannot be evaluated denies, and a refusal whose
// every forbid carries @hold can be released by a person.
package pdp

import (
	"iter"

	"aims/authz"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Decide decides a request. The entities are those of the request's principal
// and resource and their ancestors; actions and their groups come from the
// schema. It never short-circuits: all determining policies and all faults are
// in the decision, sorted by policy id, so that equal requests give equal bytes.
func (s *Set) Decide(req cedar.Request, entities types.EntityGetter) authz.Decision {
	store := overlay{s.model, entities}
	candidates := selection{s.rules, s.index.candidates(req, store), false}
	decision, diagnostic := cedar.Authorize(candidates, store, req)
	d := authz.Decision{Verdict: authz.Deny, Policy: s.digest}
	faultyForbid := s.faults(&d, diagnostic.Errors)
	if decision == cedar.Allow {
		if faultyForbid {
			return d // the permits did not determine this; the faults did
		}
		d.Verdict = authz.Allow
	}
	s.reasons(&d, diagnostic.Reasons)
	if !faultyForbid && held(d) {
		// A release takes the forbids away. It can only lead to an allow if
		// something permits the request: nobody is asked to release the rest.
		candidates.permitsOnly = true
		if released, _ := cedar.Authorize(candidates, store, req); released == cedar.Allow {
			d.Verdict = authz.Hold
		}
	}
	return d
}

// faults records the policies that could not be evaluated and says whether a
// forbid is among them.
func (s *Set) faults(d *authz.Decision, errors []cedar.DiagnosticError) (forbid bool) {
	for _, e := range errors {
		r := s.rules[s.byID[e.PolicyID]]
		forbid = forbid || r.forbids()
		f := authz.Fault{Policy: string(r.id), Effect: r.reason.Effect, Message: e.Message}
		if r.unordered {
			f.Message = "the conditions cannot be evaluated"
		}
		d.Faults = append(d.Faults, f)
	}
	return forbid
}

// hasRecordLiteral says that the conditions have a record of several members.
// cedar-go evaluates these in random order, and which error it reports is
// random too; a decision must be the same bytes every time.
func hasRecordLiteral(p *cedar.Policy) bool {
	found := false
	for _, c := range (*ast.Policy)(p.AST()).Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			r, ok := n.(ast.NodeTypeRecord)
			found = found || ok && len(r.Elements) > 1
			return !found
		})
	}
	return found
}

func (s *Set) reasons(d *authz.Decision, reasons []cedar.DiagnosticReason) {
	if len(reasons) == 0 {
		return
	}
	d.Reasons = make([]authz.Reason, len(reasons))
	for i, r := range reasons {
		d.Reasons[i] = s.rules[s.byID[r.PolicyID]].reason
	}
}

// held says that the decision is a refusal whose every determining policy can be released.
func held(d authz.Decision) bool {
	if d.Verdict != authz.Deny || len(d.Reasons) == 0 {
		return false
	}
	for _, r := range d.Reasons {
		if r.Hold == "" {
			return false
		}
	}
	return true
}

// selection is some of the rules, in the order of their ids.
type selection struct {
	rules       []rule
	ordinals    []uint32
	permitsOnly bool
}

// All implements cedar.PolicyIterator.
func (c selection) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, i := range c.ordinals {
			r := &c.rules[i]
			if c.permitsOnly && r.forbids() {
				continue
			}
			if !yield(r.id, r.policy) {
				return
			}
		}
	}
}

// overlay lays the schema's actions over the caller's entities, so that a
// caller can neither forget nor invent the groups of an action.
type overlay struct {
	model    *model
	entities types.EntityGetter
}

// Get implements types.EntityGetter.
func (o overlay) Get(uid types.EntityUID) (types.Entity, bool) {
	if e, ok := o.model.action(uid); ok {
		return e, true
	}
	if o.entities == nil {
		return types.Entity{}, false
	}
	return o.entities.Get(uid)
}
