package enforcement

import (
	"context"
	"slices"
	"strings"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/ledger"
	"aims/internal/store"
)

// release looks for the approval that releases a held call, and decides again
// with it. Without one, the attempt stays what it is.
func (e *Enforcer) release(ctx context.Context, c Call, a *attempt) error {
	if e.o.Approvals == nil || c.Tool == "" || a.decision.Verdict != authz.Hold {
		return nil
	}
	binding, err := bindingOf(c, *a)
	if err != nil {
		return err
	}
	a.binding = binding
	granted, ok, err := e.o.Approvals.Granted(ctx, binding)
	if err != nil || !ok {
		return err
	}
	again, err := e.judgeWith(c, a.view, &granted, a)
	if again.binding = binding; err == nil {
		*a = again
	}
	return err
}

// bindingOf is the one call that an approval would be good for.
func bindingOf(c Call, a attempt) (approval.Binding, error) {
	input, err := approval.InputDigest(c.Input)
	if err != nil {
		_, text := aims.Public(err)
		return approval.Binding{}, aims.Errorf(aims.Invalid, err, "the call needs an approval and cannot be approved: %s", text)
	}
	agent := c.Principal.ID
	if c.Principal.Type != aims.AgentType {
		agent = c.Principal.Actor.String()
	}
	return approval.Binding{
		Agent: agent, Session: c.Session, Action: c.Action, Server: c.Server, Tool: c.Tool,
		Pin: a.tool.Pin, Input: input, Policy: a.decision.Policy,
	}, nil
}

// writes says whether recording a decision changes approvals too.
func (a *attempt) writes() bool {
	return a.binding != approval.Binding{} && (a.decision.Verdict == authz.Hold || a.releases())
}

// releases says whether an approval made the decision what it is.
func (a *attempt) releases() bool { return a.granted != nil && a.decision.Allowed() }

// approve opens the approval that a held call asks for, or uses the one that
// released it, and puts its receipt behind the decision's.
func (p *placing) approve(tx *store.Tx) error {
	if !p.a.writes() {
		return nil
	}
	if p.a.releases() {
		if err := p.o.Approvals.UseIn(tx, p.a.granted.ID, p.a.binding); err != nil {
			if code, _ := aims.Public(err); code == aims.Conflict || code == aims.NotFound {
				return errTakeAgain // somebody was faster; there is none any more
			}
			return err
		}
		used, err := approval.UsedEntry(*p.a.granted, p.a.id)
		p.entry.Then = []ledger.Entry{used}
		return err
	}
	request, err := p.o.Approvals.OpenIn(tx, p.request())
	if err != nil {
		if code, _ := aims.Public(err); code == aims.Denied || code == aims.Exhausted || code == aims.Invalid {
			p.refused = err
		}
		return err
	}
	p.a.pending = request.ID
	if p.entry, err = entryOf(p.c, p.a); err != nil || !request.Fresh {
		return err
	}
	requested, err := approval.RequestedEntry(request)
	p.entry.Then = []ledger.Entry{requested}
	return err
}

// request is what a held call asks of people.
func (p *placing) request() approval.Request {
	r := approval.Request{
		Binding: p.a.binding, Purpose: p.a.run.Purpose, Operator: p.a.agent.Operator, OnBehalfOf: p.a.run.OnBehalfOf,
		Quorums: map[string]int{}, Decision: p.a.id, Summary: p.summary(),
	}
	for _, reason := range p.a.decision.Reasons {
		if reason.Hold != "" && !slices.Contains(r.Roles, reason.Hold) {
			r.Roles = append(r.Roles, reason.Hold)
			r.Quorums[reason.Hold] = p.a.inForce.Quorum(reason.Hold)
		}
	}
	if expiry := p.a.inForce.ApprovalExpiry(0); expiry > 0 {
		r.Expires = p.o.Now().Add(expiry)
	}
	return r
}

// summary says to who approves what is asked and why.
func (p *placing) summary() string {
	facts := []string{p.c.Principal.ID + " wants to call " + p.c.Tool + " of " + p.c.Server}
	if p.a.run.Purpose != "" {
		facts[0] += " for " + p.a.run.Purpose
	}
	if len(p.a.run.Labels) > 0 {
		facts = append(facts, "has read: "+strings.Join(p.a.run.Labels, ", "))
	}
	redact := func(text string) string { return text }
	if p.o.Redactor != nil {
		redact = p.o.Redactor.Redact
	}
	return approval.Summary(facts, p.a.decision.Reasons, p.c.Input, redact)
}

// used is the id of the approval that released the call.
func (a *attempt) used() string {
	if a.releases() {
		return a.granted.ID
	}
	return ""
}
