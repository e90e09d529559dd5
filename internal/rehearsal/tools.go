package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"aims/internal/inventory"
	"aims/internal/rehearsal/stage"
	"aims/internal/rehearsal/trajectory"
)

// servers is which server has which tool.
type servers struct {
	of  map[string]string   // suite → server
	has map[string][]string // tool → servers
}

// register puts the tools of each suite behind a server of its own, labelled as
// their owner says.
func (s *replaying) register(ctx context.Context, suites []trajectory.Suite) (*servers, error) {
	all := &servers{of: map[string]string{}, has: map[string][]string{}}
	said := map[string]map[string]inventory.Labelling{}
	for i, suite := range suites {
		name := fmt.Sprintf("s%d-%s", i, plain(suite.Name))
		name = name[:min(len(name), 32)]
		all.of[suite.Name], said[name] = name, map[string]inventory.Labelling{}
		tools := make([]inventory.Tool, len(suite.Tools))
		for k, t := range suite.Tools {
			tools[k] = inventory.Tool{Name: t.Name, Definition: t.Definition}
			said[name][t.Name] = labelling(t)
			all.has[t.Name] = append(all.has[t.Name], name)
		}
		if _, err := s.ObserveTools(ctx, name, tools); err != nil {
			return nil, err
		}
		for _, t := range suite.Tools {
			state, _ := s.Inventory.Tool(name, t.Name)
			if err := s.ApproveTool(ctx, stage.Director(), "", name, t.Name, state.Pin); err != nil {
				return nil, err
			}
		}
	}
	return all, s.Inventory.Declare(ctx, said)
}

// labelling is what the register is told of a tool. That its results hold
// nothing of others counts only for a tool that meets nothing from outside,
// which the register finds in the definition.
func labelling(t trajectory.Tool) inventory.Labelling {
	var l inventory.Labelling
	if slices.Contains(inventory.Effects(), t.Effect) {
		l.Effects = []string{t.Effect}
	}
	if t.Untrusted {
		l.Labels = []string{inventory.Untrusted}
	}
	return l
}

// find is the server of a tool that a run of a suite called: that of the suite,
// or, as on an endpoint that merges several, the first that has it.
func (s *servers) find(suite, tool string) string {
	has := s.has[tool]
	own := s.of[suite]
	if slices.Contains(has, own) || len(has) == 0 {
		return own
	}
	return has[0]
}

// plain is a name in the letters of a server's name.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}
