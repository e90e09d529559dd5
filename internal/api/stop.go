package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/inventory"
)

// Stop is a pulled kill switch.
type Stop struct {
	Type   string    `json:"type" enum:"agent,server"`
	ID     string    `json:"id" doc:"* for all servers"`
	Reason string    `json:"reason"`
	By     Actor     `json:"by"`
	Since  time.Time `json:"since"`
}

func stopOf(s inventory.Stop) Stop {
	return Stop{Type: s.Type, ID: s.ID, Reason: s.Reason, By: Actor(s.By), Since: s.Since}
}

// Why says why something is stopped or resumed.
type Why struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

// ServerSwitch names a server to be stopped or resumed.
type ServerSwitch struct {
	Server string `json:"server" doc:"name of the server, * for all of them"`
	Why
}

// Switched says what is stopped after a switch was pulled or put back.
type Switched struct {
	Receipt string `json:"receipt" doc:"the receipt of the decision that allowed it"`
	// Known is false for an agent that has no key and is not registered.
	Known bool   `json:"known" doc:"false for an agent that has no key and is not registered: is the name right?"`
	Stops []Stop `json:"stops" doc:"all that is stopped now"`
}

type listStopsRequest struct{ Credentials }

type switchAgentRequest struct {
	Credentials
	ID   string `path:"agent" doc:"id of the agent"`
	Body Why
}

type switchServerRequest struct {
	Credentials
	Body ServerSwitch
}

// stoppedBy makes whoever stopped something an author of the matter when it is
// resumed.
func (a *api) stoppedBy(kind, id string) (enforcement.Matter, error) {
	var m enforcement.Matter
	for _, s := range a.Inventory.Stops() {
		if s.Type == kind && s.ID == id {
			m.Authors = append(m.Authors, s.By)
		}
	}
	return m, nil
}

func (a *api) stops(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/stops", Summary: "List what is stopped"}, "inventory/read",
		func(context.Context, caller, *listStopsRequest) ([]Stop, error) { return a.listStops(), nil })
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/agents/{agent}/suspend", Summary: "Refuse whatever an agent asks from now on"}, "agents/suspend",
		func(ctx context.Context, c caller, in *switchAgentRequest) (Switched, error) {
			return a.switched(ctx, c, in.ID, a.Inventory.SuspendAgent(ctx, c.Actor, c.Receipt, in.ID, in.Body.Reason))
		})
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/agents/{agent}/resume", Summary: "End the suspension of an agent"}, "agents/resume",
		func(_ context.Context, in *switchAgentRequest) (enforcement.Matter, error) {
			return a.stoppedBy(inventory.AgentTarget, in.ID)
		},
		func(ctx context.Context, c caller, in *switchAgentRequest) (Switched, error) {
			return a.switched(ctx, c, in.ID, a.Inventory.ResumeAgent(ctx, c.Actor, c.Receipt, in.ID, in.Body.Reason))
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/servers/stop", Summary: "Refuse every call to a server from now on"}, "servers/stop",
		func(ctx context.Context, c caller, in *switchServerRequest) (Switched, error) {
			if err := a.isServer(in.Body.Server); err != nil {
				return Switched{}, err
			}
			return a.switched(ctx, c, "", a.Inventory.StopServer(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Reason))
		})
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/servers/resume", Summary: "End the stop of a server"}, "servers/resume",
		func(_ context.Context, in *switchServerRequest) (enforcement.Matter, error) {
			return a.stoppedBy(inventory.ServerTarget, in.Body.Server)
		},
		func(ctx context.Context, c caller, in *switchServerRequest) (Switched, error) {
			return a.switched(ctx, c, "", a.Inventory.ResumeServer(ctx, c.Actor, c.Receipt, in.Body.Server, in.Body.Reason))
		})
}

func (a *api) listStops() []Stop {
	stops := []Stop{}
	for _, s := range a.Inventory.Stops() {
		stops = append(stops, stopOf(s))
	}
	return stops
}

// isServer refuses to stop a server that there is not: whoever misspells a name
// in a hurry must not believe that something is stopped.
func (a *api) isServer(name string) error {
	if name == inventory.AllServers || slices.Contains(a.Servers, name) || len(a.Inventory.Tools(name)) > 0 && name != "" {
		return nil
	}
	return aims.Errorf(aims.NotFound, nil, "there is no server %q; there are %s, and %s for all of them", name, strings.Join(a.Servers, ", "), inventory.AllServers)
}

// switched is the answer to a switch; agent is the one that it was about, if any.
func (a *api) switched(ctx context.Context, c caller, agent string, err error) (Switched, error) {
	if err != nil {
		return Switched{}, err
	}
	done := Switched{Receipt: c.Receipt, Known: true, Stops: a.listStops()}
	if agent != "" {
		keys, err := a.validKeys(ctx)
		if err != nil {
			return done, err
		}
		known, _ := a.Inventory.Agent(agent)
		done.Known = known.Registered() || keys[agent] > 0
	}
	return done, nil
}
