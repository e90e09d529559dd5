package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"aims/internal/api"
	"aims/internal/evidence"
)

// printAgents prints agents as a table.
func printAgents(w io.Writer, agents []api.Agent) error {
	t := table{heading: []string{"AGENT", "STAGE", "KEYS", "OPERATOR", "OWNER", "PURPOSES", "STATE"}}
	for _, a := range agents {
		var purposes []string
		for _, p := range a.Purposes {
			purposes = append(purposes, p.ID)
		}
		t.add(a.ID, orDash(a.Stage), fmt.Sprint(a.Keys), orDash(a.Operator), orDash(a.Owner), orDash(strings.Join(purposes, ",")), agentState(a))
	}
	return t.print(w)
}

func agentState(a api.Agent) string {
	switch {
	case a.Suspension != nil:
		return stopText(*a.Suspension)
	case !a.Registered:
		return "not registered"
	}
	return "-"
}

type agentsListCmd struct {
	server
	asOf
	Unregistered bool `name:"unregistered" help:"Those that were seen at the enforcement points and never registered, with what they did."`
	JSON         bool `name:"json" help:"Print JSON."`
}

func (c *agentsListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Unregistered {
		var seen []evidence.Unregistered
		if err := client.Do(ctx, http.MethodGet, "/api/v1/evidence/unregistered"+asOfQuery(c.AsOf), nil, &seen); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(std.out, seen)
		}
		return printUnregistered(std.out, seen)
	}
	var agents []api.Agent
	if err := client.Do(ctx, http.MethodGet, "/api/v1/agents"+asOfQuery(c.AsOf), nil, &agents); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, agents)
	}
	return printAgents(std.out, agents)
}

type agentsShowCmd struct {
	server
	asOf
	ID   string `arg:"" name:"agent" help:"Id of the agent."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *agentsShowCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var a api.Agent
	if err := client.Do(ctx, http.MethodGet, "/api/v1/agents/"+url.PathEscape(c.ID)+asOfQuery(c.AsOf), nil, &a); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, a)
	}
	return printAgent(std.out, a)
}

// printAgent prints everything about one agent.
func printAgent(w io.Writer, a api.Agent) error {
	stage := a.Stage
	if !a.Registered {
		stage = "not registered"
	}
	lines := []string{
		"agent      " + a.ID, "stage      " + stage, fmt.Sprintf("keys       %d", a.Keys),
		"operator   " + orDash(a.Operator), "owner      " + orDash(a.Owner), "delegates  " + orDash(strings.Join(a.Delegates, ", ")),
	}
	if a.Suspension != nil {
		lines = append(lines, "suspended  "+stopText(*a.Suspension))
	}
	if a.Created != nil {
		lines = append(lines, "registered "+instant(*a.Created), "changed    "+instant(*a.Changed))
	}
	for _, p := range a.Purposes {
		lines = append(lines, strings.TrimSpace("purpose    "+p.ID+"  "+p.Text))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// purposesOf reads ID or ID=SENTENCE.
func purposesOf(given []string) []api.Purpose {
	var purposes []api.Purpose
	for _, text := range given {
		id, sentence, _ := strings.Cut(text, "=")
		purposes = append(purposes, api.Purpose{ID: id, Text: sentence})
	}
	return purposes
}

type agentsRegisterCmd struct {
	server
	ID       string   `arg:"" name:"agent" help:"Id of the agent, the one that its keys are for."`
	Stage    string   `name:"stage" required:"" help:"design, development, verification or deployed."`
	Operator string   `name:"operator" placeholder:"PERSON" help:"Id of the person who runs it."`
	Owner    string   `name:"owner" placeholder:"PERSON" help:"Id of the person who answers for it."`
	Purpose  []string `name:"purpose" sep:"none" placeholder:"ID[=SENTENCE]" help:"What it may be used for; repeat for more."`
	Delegate []string `name:"delegate" placeholder:"AGENT" help:"A registered agent that it may give work to; repeat for more."`
	JSON     bool     `name:"json" help:"Print JSON."`
}

func (c *agentsRegisterCmd) Run(ctx context.Context, std streams) error {
	ask := api.NewAgent{
		ID: c.ID, Stage: c.Stage, Operator: c.Operator, Owner: c.Owner, Purposes: purposesOf(c.Purpose), Delegates: c.Delegate,
	}
	return putAgent(ctx, std, c.server, "/api/v1/agents", ask, c.JSON, "registered")
}

// putAgent registers or changes an agent and prints what it is then.
func putAgent(ctx context.Context, std streams, s server, path string, ask any, asJSON bool, what string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	var done api.AgentDone
	if err := client.Do(ctx, http.MethodPost, path, ask, &done); err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, done)
	}
	fmt.Fprintf(std.out, "the agent %s is %s; policies see it so from the next decision on [%s]\n", done.Agent.ID, what, done.Receipt)
	return printAgent(std.out, done.Agent)
}

type agentsChangeCmd struct {
	server
	ID           string   `arg:"" name:"agent" help:"Id of the agent."`
	Stage        *string  `name:"stage" help:"Stage to move to: design, development, verification, deployed or retired, where the present one leads there."`
	Operator     *string  `name:"operator" placeholder:"PERSON" help:"Id of the person who runs it; empty for nobody."`
	Owner        *string  `name:"owner" placeholder:"PERSON" help:"Id of the person who answers for it; empty for nobody."`
	Purpose      []string `name:"purpose" sep:"none" placeholder:"ID[=SENTENCE]" help:"Purpose to add, or to say otherwise; repeat for more."`
	DropPurpose  []string `name:"drop-purpose" placeholder:"ID" help:"Purpose to take away; runs that declared it are refused from then on."`
	Delegate     []string `name:"delegate" placeholder:"AGENT" help:"Agent to which it may give work from now on."`
	DropDelegate []string `name:"drop-delegate" placeholder:"AGENT" help:"Agent to which it may no longer give work."`
	JSON         bool     `name:"json" help:"Print JSON."`
}

func (c *agentsChangeCmd) Run(ctx context.Context, std streams) error {
	ask := api.AgentChange{
		Stage: c.Stage, Operator: c.Operator, Owner: c.Owner, Purposes: purposesOf(c.Purpose), DropPurposes: c.DropPurpose,
		Delegates: c.Delegate, DropDelegates: c.DropDelegate,
	}
	if c.Stage == nil && c.Operator == nil && c.Owner == nil && len(c.Purpose)+len(c.DropPurpose)+len(c.Delegate)+len(c.DropDelegate) == 0 {
		return failf(exitUsage, "nothing to change; give --stage, --operator, --owner, --purpose, --delegate or their --drop-…")
	}
	return putAgent(ctx, std, c.server, "/api/v1/agents/"+url.PathEscape(c.ID)+"/change", ask, c.JSON, "changed")
}

type agentsSuspendCmd struct {
	server
	ID     string `arg:"" name:"agent" help:"Id of the agent."`
	Reason string `name:"reason" required:"" help:"Why; it stands in the receipt and in the status."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *agentsSuspendCmd) Run(ctx context.Context, std streams) error {
	return pull(ctx, std, c.server, stopping{agent: c.ID}, c.Reason, c.JSON)
}

type agentsResumeCmd struct {
	server
	ID     string `arg:"" name:"agent" help:"Id of the agent."`
	Reason string `name:"reason" required:"" help:"Why; it stands in the receipt."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *agentsResumeCmd) Run(ctx context.Context, std streams) error {
	return putBack(ctx, std, c.server, stopping{agent: c.ID}, c.Reason, c.JSON)
}
