package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/inventory"
	"aims/internal/lifecycle"
	"aims/pdp"
)

// AgentGate is what is known of an agent that is to go into operation, and what
// policy would say if the caller asked for it now.
type AgentGate struct {
	lifecycle.Evaluation
	Stage   string         `json:"stage" doc:"where the agent is now; empty when it is not registered"`
	Verdict string         `json:"verdict" enum:",allow,deny,hold" doc:"what policy would decide now; empty as of an earlier moment"`
	Reasons []authz.Reason `json:"reasons" doc:"the rules that would decide"`
}

type gateRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339); policy is not asked then"`
	ID   string `path:"agent" doc:"id of the agent"`
	To   string `query:"to" enum:"deployed" default:"deployed" doc:"stage that it is to go to"`
}

func (a *api) lifecycle(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/agents/{agent}/gate", Summary: "What is known of an agent before it goes into operation; nothing moves"}, "agents/read", a.showGate)
	huma.Register(h, huma.Operation{
		OperationID: "post-agents-agent-deploy", Method: http.MethodPost, Path: "/api/v1/agents/{agent}/deploy",
		Summary: "Put an agent into operation", Description: "Decided as the action " + pdp.DeployVerb + ", with what is known of the agent in context.gate.",
	}, func(ctx context.Context, in *agentRequest) (*answer[AgentDone], error) {
		next, _ := a.Inventory.Agent(in.ID)
		var missing error
		if !next.Registered() {
			missing = aims.Errorf(aims.NotFound, nil, "no agent %q is registered", in.ID)
		}
		next.Stage = inventory.Deployed
		done, err := a.deploy(ctx, in.Authorization, next, missing)
		if err != nil {
			return nil, err
		}
		return &answer[AgentDone]{done}, nil
	})
}

// gateMatter is what policy sees of an agent at the gate. Whoever answers for it
// or runs it has a part in it.
func gateMatter(next inventory.Agent, e lifecycle.Evaluation) enforcement.Matter {
	m := enforcement.Matter{Kind: "agent", Gate: e.Facts()}
	for _, id := range []string{next.Owner, next.Operator} {
		if id != "" {
			m.Authors = append(m.Authors, aims.Actor{Type: aims.PersonType, ID: id})
		}
	}
	return m
}

func (a *api) showGate(ctx context.Context, c caller, in *gateRequest) (AgentGate, error) {
	if in.AsOf != "" {
		return a.pastGate(ctx, in)
	}
	known, _ := a.Inventory.Agent(in.ID)
	e, err := a.Lifecycle.Evaluate(ctx, known)
	if err != nil {
		return AgentGate{}, err
	}
	d, err := a.Enforcer.Preview(ctx, enforcement.Call{
		Principal: c.Principal, Channel: enforcement.Management, Method: pdp.DeployVerb, Action: pdp.DeployVerb, Matter: gateMatter(known, e),
	})
	return AgentGate{Evaluation: e, Stage: known.Stage, Verdict: string(d.Verdict), Reasons: append([]authz.Reason{}, d.Reasons...)}, err
}

// pastGate is what was known of an agent at an earlier moment. What policy would
// have said to the caller then is not made up: receipts have what it did say.
func (a *api) pastGate(ctx context.Context, in *gateRequest) (AgentGate, error) {
	v, err := a.view(Judged{AsOf: in.AsOf})
	if err != nil {
		return AgentGate{}, err
	}
	at := v.At
	if at.IsZero() { // the end of a day that is not over
		at = a.Now()
	}
	known := inventory.Agent{ID: in.ID}
	agents, err := a.Inventory.AgentsAt(ctx, at)
	for _, one := range agents {
		if one.ID == in.ID {
			known = one
		}
	}
	if err != nil {
		return AgentGate{}, err
	}
	set, err := a.Policies.DigestAt(ctx, at)
	if err != nil {
		return AgentGate{}, err
	}
	e, err := a.Lifecycle.EvaluateAt(ctx, known, set, at)
	return AgentGate{Evaluation: e, Stage: known.Stage, Reasons: []authz.Reason{}}, err
}

// deploy puts an agent into operation as next says: evaluate, decide, and record
// both whether or not policy lets it. Every way into operation leads here.
// missing is told to whoever may deploy. Its error is a *Problem.
func (a *api) deploy(ctx context.Context, authorization string, next inventory.Agent, missing error) (AgentDone, error) {
	var e lifecycle.Evaluation
	c, err := a.permitOf(ctx, authorization, pdp.DeployVerb, func() (enforcement.Matter, error) {
		var err error
		if e, err = a.Lifecycle.Evaluate(ctx, next); err == nil {
			err = missing
		}
		return gateMatter(next, e), err
	})
	if err != nil {
		if c.Receipt != "" && missing == nil {
			if err := a.Lifecycle.Refused(context.WithoutCancel(ctx), c.Actor, c.Receipt, e); err != nil {
				return AgentDone{}, a.failed(pdp.DeployVerb, err)
			}
		}
		return AgentDone{}, err
	}
	known, err := a.Lifecycle.Deploy(ctx, c.Actor, c.Receipt, next, e)
	a.close(ctx, c, err)
	if err != nil {
		return AgentDone{}, a.failed(pdp.DeployVerb, err)
	}
	keys, err := a.validKeys(ctx)
	if err != nil {
		return AgentDone{}, a.failed(pdp.DeployVerb, err)
	}
	return AgentDone{agentOf(known, keys[known.ID]), c.Receipt}, nil
}

// documented refuses to change by hand what the record of an agent says.
func (a *api) documented(ctx context.Context, id string, ask AgentChange) error {
	if ask.Owner == nil && ask.Operator == nil && len(ask.Purposes)+len(ask.DropPurposes)+len(ask.Delegates)+len(ask.DropDelegates) == 0 {
		return nil
	}
	s, err := a.Register.At(ctx, time.Time{})
	if err != nil {
		return err
	}
	if _, ok := s.Registers.Get("agent", id); ok {
		return aims.Errorf(aims.Conflict, nil, "%s has a record, which says who answers for it and what it is for; change the record and apply it", id)
	}
	return nil
}

// followRecords takes up what records that were applied changed of agents. What
// fails here is done by the housekeeping a moment later.
func (a *api) followRecords(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	if err := a.Inventory.Refresh(ctx); err != nil {
		a.Log.Warn("the agents were not read again after their records changed; they will be", "error", err)
	}
	if err := a.Lifecycle.Reopen(ctx); err != nil {
		a.Log.Warn("the bounds of the impact assessments were not looked at after records changed; they will be", "error", err)
	}
}
