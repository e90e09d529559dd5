package api

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/evidence/observed"
	"aims/internal/inventory"
)

// The states of a Tool.
const (
	ToolApproved    = "approved"
	ToolQuarantined = "quarantined" // refused until its present definition is approved
	ToolUnlisted    = "unlisted"    // its server does not list it now
)

type approveToolRequest struct {
	Credentials
	Body Approval
}

type labelToolRequest struct {
	Credentials
	Body Labelling
}

type forgetToolRequest struct {
	Credentials
	Body Forgetting
}

func (a *api) tools(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/tools", Summary: "List the tools, and what changed in those under quarantine"}, "inventory/read",
		func(ctx context.Context, _ caller, in *asOfRequest) ([]Tool, error) { return a.listTools(ctx, in.AsOf) })
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/tools/approve", Summary: "Put the present definition of a tool in force"}, "tools/approve",
		func(ctx context.Context, c caller, in *approveToolRequest) (ToolDone, error) {
			err := a.Enforcer.ApproveTool(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Tool, in.Body.Pin)
			return a.toolDone(c, in.Body.Server, in.Body.Tool, err)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/tools/label", Summary: "Say what a tool does, what its results carry and which arguments are sinks"}, "tools/label", a.labelTool)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/tools/forget", Summary: "Drop a tool that its server no longer lists"}, "tools/forget",
		func(ctx context.Context, c caller, in *forgetToolRequest) (Done, error) {
			return Done{c.Receipt}, a.Enforcer.ForgetTool(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Tool)
		})
}

func (a *api) listTools(ctx context.Context, asOf string) ([]Tool, error) {
	at, err := AsOf(asOf, a.Now())
	if err != nil {
		return nil, err
	}
	tools := []Tool{}
	if !at.IsZero() {
		past, err := a.Inventory.ToolsAt(ctx, at)
		for _, p := range past {
			if p.Server != observed.SelfCheckServer {
				t := toolIn(p.State, p.Difference)
				t.Unknown = !p.Known
				tools = append(tools, t)
			}
		}
		return tools, err
	}
	for _, s := range a.Inventory.Tools("") {
		if s.Server == observed.SelfCheckServer {
			continue
		}
		t, err := a.toolOf(s)
		if err != nil {
			return nil, err
		}
		tools = append(tools, t)
	}
	return tools, nil
}

func (a *api) toolOf(s inventory.State) (Tool, error) {
	if !s.Quarantined && s.Approved != "" {
		return toolIn(s, nil), nil
	}
	changes, err := a.Inventory.Difference(s.Server, s.Name)
	t := toolIn(s, changes)
	will := a.Inventory.AsApproved(s)
	t.Effects, t.Labels, t.Sinks = will.Effects, will.Labels, will.Sinks
	return t, err
}

// toolIn is a tool in a state, with what differs from the approved definition.
func toolIn(s inventory.State, changes []inventory.Difference) Tool {
	t := Tool{
		Server: s.Server, Name: s.Name, Action: s.Server + "___" + s.Name, State: ToolApproved, Explicit: s.Explicit,
		Pin: s.Approved, ReadOnly: s.ReadOnly, Destructive: s.Destructive, Changed: s.Changed,
		Effects: s.Effects, Labels: s.Labels, Sinks: s.Sinks,
	}
	if s.Pin != s.Approved {
		t.Found = s.Pin
	}
	switch {
	case s.Quarantined || s.Approved == "":
		t.State, t.Why = ToolQuarantined, why(s)
		for _, d := range changes {
			t.Difference = append(t.Difference, DefinitionChange(d))
		}
	case !s.Listed:
		t.State, t.Why = ToolUnlisted, "the server does not list it now"
	}
	if s.Said != nil {
		t.Said = &Said{s.Said.Effects, s.Said.Labels, s.Said.Sinks, string(s.Said.Source), s.Said.Changed}
	}
	return t
}

// toolDone is the answer to what was done to a tool.
func (a *api) toolDone(c caller, server, name string, err error) (ToolDone, error) {
	if err != nil {
		return ToolDone{}, err
	}
	s, known := a.Inventory.Tool(server, name)
	if !known {
		return ToolDone{Tool{Server: server, Name: name, State: ToolUnlisted}, c.Receipt}, nil
	}
	t, err := a.toolOf(s)
	return ToolDone{t, c.Receipt}, err
}

func (a *api) labelTool(ctx context.Context, c caller, in *labelToolRequest) (ToolDone, error) {
	ask := in.Body
	l := inventory.Labelling{Sinks: map[string]string{}}
	if said := a.Inventory.Said(ask.Server, ask.Tool); said != nil {
		l.Changed = said.Changed
		if !ask.Clear {
			l.Effects, l.Labels, l.Sinks = said.Effects, said.Labels, maps.Clone(said.Sinks)
		}
	}
	if len(ask.Effects) > 0 {
		l.Effects = ask.Effects
	}
	if len(ask.Labels) > 0 {
		l.Labels = ask.Labels
	}
	for path, kind := range ask.Sinks {
		if l.Sinks == nil {
			l.Sinks = map[string]string{}
		}
		l.Sinks[path] = kind
	}
	err := a.Inventory.LabelTool(ctx, c.Actor, c.Receipt, ask.Server, ask.Tool, l)
	return a.toolDone(c, ask.Server, ask.Tool, err)
}

func why(s inventory.State) string {
	text := "its definition is not the approved one"
	if s.Approved == "" {
		text = "nobody has approved it yet"
	}
	var flags []string
	for _, f := range s.Flags {
		flags = append(flags, f.Field+": "+f.Text)
	}
	if len(flags) > 0 {
		text += " (" + strings.Join(flags, "; ") + ")"
	}
	return text
}
