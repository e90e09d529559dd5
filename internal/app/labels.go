package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"aims/internal/aims"
	"aims/internal/inventory"
)

// labels are what the configuration says about the tools of a server, by their names.
func (s *Server) labels() map[string]inventory.Labelling {
	said := map[string]inventory.Labelling{}
	for _, t := range s.Tools {
		if len(t.Effects)+len(t.Labels)+len(t.Sinks) > 0 {
			said[t.Name] = inventory.Labelling{Effects: t.Effects, Labels: t.Labels, Sinks: t.Sinks}
		}
	}
	for name, l := range s.ToolLabels {
		said[name] = inventory.Labelling{Effects: l.Effects, Labels: l.Labels, Sinks: l.Sinks}
	}
	return said
}

// labels are what the configuration says about tools, by server and name.
func (c *Config) labels() map[string]map[string]inventory.Labelling {
	said := map[string]map[string]inventory.Labelling{}
	for i := range c.Servers {
		said[c.Servers[i].Name] = c.Servers[i].labels()
	}
	return said
}

func (r *reader) validateLabels(key string, s *Server) {
	check := func(at string, l inventory.Labelling) {
		if err := l.Check(); err != nil {
			_, text := aims.Public(err)
			r.at(at, "%s", text)
		}
	}
	declared := map[string]bool{}
	for i, t := range s.Tools {
		declared[t.Name] = len(t.Effects)+len(t.Labels)+len(t.Sinks) > 0
		check(fmt.Sprintf("%s.tools[%d]", key, i), inventory.Labelling{Effects: t.Effects, Labels: t.Labels, Sinks: t.Sinks})
	}
	for name, l := range s.ToolLabels {
		at := key + ".tool_labels." + name
		check(at, inventory.Labelling{Effects: l.Effects, Labels: l.Labels, Sinks: l.Sinks})
		if declared[name] {
			r.at(at, "the tool is labelled under tools too; keep one of the two")
		}
	}
}

// unlisted are the tools that the configuration labels and that the server has
// never listed: they may come, or their names are wrong.
func (a *App) unlisted(s Server) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.labels())) {
		if _, known := a.inventory.Tool(s.Name, name); !known {
			names = append(names, name)
		}
	}
	return names
}

// warnUnlisted says once at the start what may be a misspelt name.
func (a *App) warnUnlisted(context.Context) error {
	for _, s := range a.cfg.Servers {
		if names := a.unlisted(s); len(names) > 0 {
			a.log.Warn("the configuration labels tools that the server has never listed", "server", s.Name, "tools", names)
		}
	}
	return nil
}

func (c *Config) serverNames() []string {
	names := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		names[i] = s.Name
	}
	return names
}
