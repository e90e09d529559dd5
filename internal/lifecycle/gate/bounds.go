package gate

import (
	"maps"
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Assessment is the newest impact assessment of an agent.
func Assessment(r record.Registers, agent string) (newest record.ImpactAssessment, ok bool) {
	for _, x := range r.Impacts {
		if slices.Contains(x.Agents, agent) && (!ok || x.Assessed > newest.Assessed) {
			newest, ok = x, true
		}
	}
	return newest, ok
}

// Cause is something outside the bounds of an impact assessment: a kind of thing
// and its id, such as "tool payments___refund".
type Cause string

func cause(kind, id string) Cause { return Cause(kind + " " + id) }

// Reopened are the events that reopened this version of an impact assessment. A
// version that was reopened stays so: only a newer one closes it.
func Reopened(o *observed.Facts, x record.ImpactAssessment) []observed.Reopening {
	var list []observed.Reopening
	digest := ""
	for _, r := range o.Reopened {
		if r.On != x.ID {
			continue
		}
		if digest == "" {
			digest = record.Digest(x)
		}
		if r.Digest == digest {
			list = append(list, r)
		}
	}
	return list
}

// Tools are the tools that an agent may use by its record: those that it names,
// or all that its servers were seen to list.
func Tools(a record.Agent, o *observed.Facts) []string {
	if len(a.Tools) > 0 {
		return a.Tools
	}
	var tools []string
	for tool := range pins(o) {
		server, _, _ := strings.Cut(tool, "___")
		if slices.Contains(a.Servers, server) {
			tools = append(tools, tool)
		}
	}
	slices.Sort(tools)
	return tools
}

// Beyond is what an agent is on record with outside of what was assessed, in a
// fixed order.
func Beyond(a record.Agent, x record.ImpactAssessment, o *observed.Facts) []Cause {
	var out []Cause
	outside := func(kind string, has, assessed []string) {
		for _, id := range has {
			if !slices.Contains(assessed, id) {
				out = append(out, cause(kind, id))
			}
		}
	}
	outside("purpose", a.Purposes, x.Purposes)
	outside("jurisdiction", a.Jurisdictions, x.Jurisdictions)
	outside("model", a.Models, x.Models)
	outside("data source", a.DataSources, x.DataSources)
	outside("server", a.Servers, x.Servers)
	for _, tool := range Tools(a, o) {
		if !assessedTool(x, tool) {
			out = append(out, cause("tool", tool))
		}
	}
	return out
}

func assessedTool(x record.ImpactAssessment, tool string) bool {
	server, _, _ := strings.Cut(tool, "___")
	return slices.Contains(x.Tools, tool) || len(x.Tools) == 0 && slices.Contains(x.Servers, server)
}

// Seen is what an agent did since a time outside of what was assessed, in a fixed
// order.
func Seen(agent string, x record.ImpactAssessment, o *observed.Facts, since int64) []Cause {
	did := o.Agents[agent]
	if did == nil {
		return nil
	}
	var out []Cause
	for _, tool := range slices.Sorted(maps.Keys(did.ToolLast)) {
		if did.ToolLast[tool] >= since && !assessedTool(x, tool) {
			out = append(out, cause("tool", tool))
		}
	}
	for _, purpose := range slices.Sorted(maps.Keys(did.PurposeLast)) {
		if purpose != "" && did.PurposeLast[purpose] >= since && !slices.Contains(x.Purposes, purpose) {
			out = append(out, cause("purpose", purpose))
		}
	}
	return out
}

// pin is what the log says of a tool's definition.
type pin struct{ approved, quarantined bool }

func (p *pin) usable() bool { return p.approved && !p.quarantined }

// pins are the tools that servers were seen to list and nobody has forgotten.
func pins(o *observed.Facts) map[string]*pin {
	all := map[string]*pin{}
	for _, c := range o.Pins {
		p := all[c.Tool]
		if p == nil {
			p = &pin{}
			all[c.Tool] = p
		}
		switch c.Event {
		case "pinned", "approved":
			*p = pin{approved: true}
		case "changed", "quarantined":
			p.quarantined = true
		case "forgotten":
			delete(all, c.Tool)
		}
	}
	return all
}
