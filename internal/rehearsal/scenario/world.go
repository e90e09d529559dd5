package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"aims/internal/aims"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/rehearsal/stage"
	"aims/internal/session"
	"aims/internal/strict"
)

// world is the organisation in which the scenarios take place.
type world struct {
	People  map[string][]string             `yaml:"people"` // roles
	Agents  map[string]worldAgent           `yaml:"agents"`
	Servers map[string]map[string]worldTool `yaml:"servers"`
	Trusted []worldTrusted                  `yaml:"trusted"`
	// Policies are Cedar: what is permitted where no guard objects.
	Policies string `yaml:"policies"`
}

type worldAgent struct {
	Stage     string   `yaml:"stage"`
	Operator  string   `yaml:"operator"`
	Purposes  []string `yaml:"purposes"`
	Roles     []string `yaml:"roles"`
	Delegates []string `yaml:"delegates"`
}

type worldTool struct {
	About       string   `yaml:"about"`
	Effects     []string `yaml:"effects"`
	Labels      []string `yaml:"labels"`
	Destructive bool     `yaml:"destructive"`
	// Closed says that it meets nothing from outside the organisation.
	Closed bool `yaml:"closed"`
	// Arguments are string, strings, number or integer.
	Arguments map[string]string `yaml:"arguments"`
}

type worldTrusted struct {
	Kind  string `yaml:"kind"`
	Value string `yaml:"value"`
}

// prefix keeps the servers of the scenarios apart from those of an installation.
const prefix = "drill-"

func readWorld() (world, error) {
	const file = "library/world.yaml"
	var w world
	text, err := library.ReadFile(file)
	if err == nil {
		_, err = strict.Decode(file, text, &w)
	}
	return w, err
}

// with is the world as a scenario changes it.
func (w world) with(c Change) world {
	w.People, w.Agents = maps.Clone(w.People), maps.Clone(w.Agents)
	for person, roles := range c.People {
		w.People[person] = slices.Concat(w.People[person], roles)
	}
	for i := 1; i <= c.Chain; i++ {
		a := worldAgent{Stage: "deployed", Operator: "ada", Purposes: []string{"pass-on"}, Roles: []string{"office"}}
		if i < c.Chain {
			a.Delegates = []string{link(i + 1)}
		}
		w.Agents[link(i)] = a
	}
	for agent, more := range c.Delegates {
		a := w.Agents[agent]
		a.Delegates = slices.Concat(a.Delegates, more)
		w.Agents[agent] = a
	}
	return w
}

func link(i int) string { return fmt.Sprintf("link-%d", i) }

// agent is an agent of the world as a caller.
func (w world) agent(id string) identity.Principal {
	return identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: id}, Roles: w.Agents[id].Roles}
}

// person is a person of the world as a caller.
func (w world) person(id string) identity.Principal {
	return identity.Principal{Actor: aims.Actor{Type: aims.PersonType, ID: id}, Roles: w.People[id]}
}

// set puts the world on a stage.
func (w world) set(ctx context.Context, s *stage.Stage) error {
	for _, id := range slices.Sorted(maps.Keys(w.Agents)) {
		if err := w.register(ctx, s, id); err != nil {
			return err
		}
	}
	// Whom an agent delegates to must be registered before.
	for id, a := range w.Agents {
		registered, _ := s.Inventory.Agent(id)
		registered.Delegates = a.Delegates
		if _, err := s.Inventory.PutAgent(ctx, stage.Director(), "", registered); err != nil {
			return err
		}
	}
	for _, server := range slices.Sorted(maps.Keys(w.Servers)) {
		if err := w.list(ctx, s, server); err != nil {
			return err
		}
	}
	for _, t := range w.Trusted {
		if err := s.Sessions.Trust(ctx, stage.Director(), "", session.Trusted{Kind: t.Kind, Value: t.Value}, "of the organisation"); err != nil {
			return err
		}
	}
	return nil
}

func (w world) register(ctx context.Context, s *stage.Stage, id string) error {
	a := w.Agents[id]
	agent := inventory.Agent{ID: id, Stage: a.Stage, Operator: a.Operator, Owner: a.Operator, Purposes: a.Purposes}
	if a.Stage == inventory.Deployed { // which gate it passed is no part of the play
		_, err := s.Inventory.DeployAgent(ctx, stage.Director(), "", agent, inventory.Gate{})
		return err
	}
	_, err := s.Inventory.PutAgent(ctx, stage.Director(), "", agent)
	return err
}

// list shows a server's tools and labels them, all approved by a person.
func (w world) list(ctx context.Context, s *stage.Stage, server string) error {
	var tools []inventory.Tool
	for _, name := range slices.Sorted(maps.Keys(w.Servers[server])) {
		tool, err := w.Servers[server][name].tool(name)
		if err != nil {
			return err
		}
		tools = append(tools, tool)
	}
	if _, err := s.ObserveTools(ctx, prefix+server, tools); err != nil {
		return err
	}
	for name, t := range w.Servers[server] {
		labels := inventory.Labelling{Effects: t.Effects, Labels: t.Labels}
		if !slices.Contains(t.Labels, inventory.Untrusted) {
			labels.Labels = append(slices.Clone(t.Labels), inventory.Trusted)
		}
		if err := s.Inventory.LabelTool(ctx, stage.Director(), "", prefix+server, name, labels); err != nil {
			return err
		}
		state, _ := s.Inventory.Tool(prefix+server, name)
		if err := s.ApproveTool(ctx, stage.Director(), "", prefix+server, name, state.Pin); err != nil {
			return err
		}
	}
	return nil
}

// tool is the definition that an MCP server would list.
func (t worldTool) tool(name string) (inventory.Tool, error) {
	properties := map[string]any{}
	for argument, kind := range t.Arguments {
		switch kind {
		case "string", "number", "integer":
			properties[argument] = map[string]any{"type": kind}
		case "strings":
			properties[argument] = map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
		default:
			return inventory.Tool{}, aims.Errorf(aims.Invalid, nil, "the argument %s of the tool %s has the type %q; expected string, strings, number or integer", argument, name, kind)
		}
	}
	definition, err := json.Marshal(map[string]any{
		"name": name, "description": t.About,
		"inputSchema": map[string]any{"type": "object", "properties": properties},
		"annotations": map[string]any{"readOnlyHint": slices.Equal(t.Effects, []string{"read"}), "destructiveHint": t.Destructive, "openWorldHint": !t.Closed},
	})
	return inventory.Tool{Name: name, Definition: definition}, err
}
