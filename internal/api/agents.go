package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/inventory"
)

// Purpose is what an agent may be used for.
type Purpose struct {
	ID   string `json:"id" doc:"1 to 64 of a-z 0-9 . _ -"`
	Text string `json:"text,omitempty" doc:"a sentence that says what it means"`
}

// Agent is an agent as the installation knows it.
type Agent struct {
	ID         string     `json:"id"`
	Registered bool       `json:"registered" doc:"false: it has a key or is suspended, and nobody registered it"`
	Stage      string     `json:"stage" enum:",design,development,verification,deployed,suspended,retired" doc:"empty when it is not registered"`
	Operator   string     `json:"operator,omitempty" doc:"id of the person who runs it"`
	Owner      string     `json:"owner,omitempty" doc:"id of the person who answers for it"`
	Purposes   []Purpose  `json:"purposes"`
	Delegates  []string   `json:"delegates" doc:"agents that it may give work to"`
	Suspended  bool       `json:"suspended"`
	Suspension *Stop      `json:"suspension,omitempty"`
	Keys       int        `json:"keys" doc:"keys of it that are valid"`
	Created    *time.Time `json:"created,omitempty"`
	Changed    *time.Time `json:"changed,omitempty"`
}

// NewAgent registers an agent.
type NewAgent struct {
	ID        string    `json:"id" doc:"1 to 64 of a-z 0-9 . _ @ -"`
	Stage     string    `json:"stage" enum:"design,development,verification,deployed"`
	Operator  string    `json:"operator,omitempty" doc:"id of the person who runs it"`
	Owner     string    `json:"owner,omitempty" doc:"id of the person who answers for it"`
	Purposes  []Purpose `json:"purposes,omitempty"`
	Delegates []string  `json:"delegates,omitempty" doc:"registered agents that it may give work to"`
}

// AgentChange changes what it names and leaves the rest as it is.
type AgentChange struct {
	Stage         *string   `json:"stage,omitempty" enum:"design,development,verification,deployed,retired"`
	Operator      *string   `json:"operator,omitempty" doc:"empty: nobody"`
	Owner         *string   `json:"owner,omitempty" doc:"empty: nobody"`
	Purposes      []Purpose `json:"purposes,omitempty" doc:"to be added, or to get another sentence"`
	DropPurposes  []string  `json:"drop_purposes,omitempty"`
	Delegates     []string  `json:"delegates,omitempty" doc:"to be added"`
	DropDelegates []string  `json:"drop_delegates,omitempty"`
}

// AgentDone is an agent as it is after something was done, and the receipt of
// the decision that allowed it.
type AgentDone struct {
	Agent   Agent  `json:"agent"`
	Receipt string `json:"receipt"`
}

type agentAsOfRequest struct {
	Credentials
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was at the end of a day (2026-11-23, UTC) or at a moment (RFC 3339)"`
	ID   string `path:"agent" doc:"id of the agent"`
}

type agentRequest struct {
	Credentials
	ID string `path:"agent" doc:"id of the agent"`
}

type registerAgentRequest struct {
	Credentials
	Body NewAgent
}

type changeAgentRequest struct {
	Credentials
	ID   string `path:"agent" doc:"id of the agent"`
	Body AgentChange
}

func (a *api) agents(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/agents", Summary: "List the agents that are registered, have a key or are suspended"}, "agents/read",
		func(ctx context.Context, _ caller, in *asOfRequest) ([]Agent, error) {
			return a.listAgents(ctx, in.AsOf)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/agents/{agent}", Summary: "Show one agent"}, "agents/read",
		func(ctx context.Context, _ caller, in *agentAsOfRequest) (Agent, error) {
			return a.showAgent(ctx, in.ID, in.AsOf)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/agents", Summary: "Register an agent"}, "agents/change", a.registerAgent)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/agents/{agent}/change", Summary: "Change a registered agent, or move it to another stage"}, "agents/change", a.changeAgent)
}

// validKeys counts the keys of each agent that let it in now.
func (a *api) validKeys(ctx context.Context) (map[string]int, error) { return a.validKeysAt(ctx, "") }

// validKeysAt counts those that let it in at a moment that a caller names.
func (a *api) validKeysAt(ctx context.Context, asOf string) (map[string]int, error) {
	keys, at, err := a.keysAt(ctx, asOf)
	valid := map[string]int{}
	for _, k := range keys {
		if k.Actor.Type == aims.AgentType && k.Revoked.IsZero() && (k.Expires.IsZero() || at.Before(k.Expires)) {
			valid[k.Actor.ID]++
		}
	}
	return valid, err
}

// agentsAt are the agents at a moment that a caller names, of the registrations.
func (a *api) agentsAt(ctx context.Context, asOf string) ([]inventory.Agent, error) {
	at, err := AsOf(asOf, a.Now())
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		return a.Inventory.Agents(), nil
	}
	return a.Inventory.AgentsAt(ctx, at)
}

func (a *api) listAgents(ctx context.Context, asOf string) ([]Agent, error) {
	registered, err := a.agentsAt(ctx, asOf)
	if err != nil {
		return nil, err
	}
	keys, err := a.validKeysAt(ctx, asOf)
	list := []Agent{}
	for _, known := range registered {
		list = append(list, agentOf(known, keys[known.ID]))
		delete(keys, known.ID)
	}
	for id, n := range keys {
		list = append(list, agentOf(inventory.Agent{ID: id}, n))
	}
	slices.SortFunc(list, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
}

func (a *api) showAgent(ctx context.Context, id, asOf string) (Agent, error) {
	list, err := a.listAgents(ctx, asOf)
	if err != nil {
		return Agent{}, err
	}
	i := slices.IndexFunc(list, func(known Agent) bool { return known.ID == id })
	if i < 0 {
		return Agent{}, aims.Errorf(aims.NotFound, nil, "no agent %q is registered or has a key%s", id, then(asOf))
	}
	return list[i], nil
}

// then says that a sentence is about an earlier moment.
func then(asOf string) string {
	if asOf == "" {
		return ""
	}
	return ", as of " + asOf
}

func agentOf(known inventory.Agent, keys int) Agent {
	a := Agent{
		ID: known.ID, Registered: known.Registered(), Stage: known.Stage, Operator: known.Operator, Owner: known.Owner,
		Purposes: make([]Purpose, len(known.Purposes)), Delegates: known.Delegates, Suspended: known.Suspended, Keys: keys,
	}
	for i, id := range known.Purposes {
		a.Purposes[i] = Purpose{id, known.PurposeTexts[id]}
	}
	if a.Delegates == nil {
		a.Delegates = []string{}
	}
	if known.Suspension != nil {
		s := stopOf(*known.Suspension)
		a.Suspension = &s
	}
	if a.Registered {
		a.Created, a.Changed = &known.Created, &known.Changed
	}
	return a
}

func (a *api) registerAgent(ctx context.Context, c caller, in *registerAgentRequest) (AgentDone, error) {
	next := inventory.Agent{
		ID: in.Body.ID, Stage: in.Body.Stage, Operator: in.Body.Operator, Owner: in.Body.Owner,
		Delegates: in.Body.Delegates, PurposeTexts: map[string]string{},
	}
	addPurposes(&next, in.Body.Purposes)
	return a.putAgent(ctx, c, in.Authorization, next)
}

// putAgent registers or changes an agent. One that goes into operation by it
// passes the gate, which is decided by itself.
func (a *api) putAgent(ctx context.Context, c caller, authorization string, next inventory.Agent) (AgentDone, error) {
	if before, _ := a.Inventory.Agent(next.ID); next.Stage == inventory.Deployed && before.Stage != inventory.Deployed {
		return a.deploy(ctx, authorization, next, nil)
	}
	known, err := a.Inventory.PutAgent(ctx, c.Actor, c.Receipt, next)
	if err != nil {
		return AgentDone{}, err
	}
	keys, err := a.validKeys(ctx)
	return AgentDone{agentOf(known, keys[known.ID]), c.Receipt}, err
}

func addPurposes(a *inventory.Agent, purposes []Purpose) {
	for _, p := range purposes {
		a.Purposes = append(a.Purposes, p.ID)
		if p.Text != "" {
			a.PurposeTexts[p.ID] = p.Text
		}
	}
}

func (a *api) changeAgent(ctx context.Context, c caller, in *changeAgentRequest) (AgentDone, error) {
	known, _ := a.Inventory.Agent(in.ID)
	if !known.Registered() {
		return AgentDone{}, aims.Errorf(aims.NotFound, nil, "no agent %q is registered", in.ID)
	}
	if err := a.documented(ctx, in.ID, in.Body); err != nil {
		return AgentDone{}, err
	}
	return a.putAgent(ctx, c, in.Authorization, changed(known, in.Body))
}

// changed is an agent with a change; the lists of the one before stay as they are.
func changed(known inventory.Agent, ask AgentChange) inventory.Agent {
	next := known
	for field, value := range map[*string]*string{&next.Stage: ask.Stage, &next.Operator: ask.Operator, &next.Owner: ask.Owner} {
		if value != nil {
			*field = *value
		}
	}
	next.PurposeTexts = map[string]string{}
	for id, text := range known.PurposeTexts {
		if !slices.Contains(ask.DropPurposes, id) {
			next.PurposeTexts[id] = text
		}
	}
	next.Purposes = without(known.Purposes, ask.DropPurposes)
	addPurposes(&next, ask.Purposes)
	next.Delegates = append(without(known.Delegates, ask.DropDelegates), ask.Delegates...)
	return next
}

func without(list, dropped []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(dropped, s) })
}
