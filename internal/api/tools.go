package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/inventory"
)

// The states of a Tool.
const (
	ToolApproved    = "approved"
	ToolQuarantined = "quarantined" // refused until its present definition is approved
	ToolUnlisted    = "unlisted"    // its server does not list it now
)

// SelfCheckServer is the server of the tool that the start-up's self-check
// calls. It is in the inventory and runs nowhere; lists leave it out.
const SelfCheckServer = "aims-self-check"

type listToolsRequest struct{ Credentials }

type approveToolRequest struct {
	Credentials
	Body Approval
}

type forgetToolRequest struct {
	Credentials
	Body Forgetting
}

func (a *api) tools(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/tools", Summary: "List the tools, and what changed in those under quarantine"}, "inventory/read",
		func(context.Context, caller, *listToolsRequest) ([]Tool, error) { return a.listTools() })
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/tools/approve", Summary: "Put the present definition of a tool in force"}, "tools/approve",
		func(ctx context.Context, c caller, in *approveToolRequest) (Done, error) {
			return Done{c.Receipt}, a.Enforcer.ApproveTool(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Tool, in.Body.Pin)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/tools/forget", Summary: "Drop a tool that its server no longer lists"}, "tools/forget",
		func(ctx context.Context, c caller, in *forgetToolRequest) (Done, error) {
			return Done{c.Receipt}, a.Enforcer.ForgetTool(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Tool)
		})
}

func (a *api) listTools() ([]Tool, error) {
	tools := []Tool{}
	for _, s := range a.Inventory.Tools("") {
		if s.Server == SelfCheckServer {
			continue
		}
		t := Tool{
			Server: s.Server, Name: s.Name, Action: s.Server + "___" + s.Name, State: ToolApproved,
			Pin: s.Approved, ReadOnly: s.ReadOnly, Destructive: s.Destructive, Changed: s.Changed,
		}
		if s.Pin != s.Approved {
			t.Found = s.Pin
		}
		switch {
		case s.Quarantined || s.Approved == "":
			t.State = ToolQuarantined
			t.Why = why(s)
			changes, err := a.Inventory.Difference(s.Server, s.Name)
			if err != nil {
				return nil, err
			}
			for _, d := range changes {
				t.Difference = append(t.Difference, Change(d))
			}
		case !s.Listed:
			t.State = ToolUnlisted
			t.Why = "the server does not list it now"
		}
		tools = append(tools, t)
	}
	return tools, nil
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
