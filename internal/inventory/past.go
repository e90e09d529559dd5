package inventory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
)

// PastTool is a tool as it was at an earlier time.
type PastTool struct {
	State
	// Difference is what differed from the approved definition, for one in quarantine.
	Difference []Difference
	// Known says whether the definition of that time is still kept: receipts hold
	// its digest only. Without it, what follows from it is not known.
	Known bool
}

// AgentsAt are the agents as they were at a time, made from the receipts up to it.
func (i *Inventory) AgentsAt(ctx context.Context, at time.Time) ([]Agent, error) {
	c := newContents()
	for h, err := range i.ledger.Happened(ctx, at, "agent.") {
		if err == nil {
			err = c.agentThen(h)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.list(), nil
}

func (c *contents) agentThen(h ledger.Happening) error {
	id, e := h.Event.Object.ID, h.Event
	a := Agent{ID: id}
	if known := c.agents[id]; known != nil {
		a = *known
	}
	t := target{AgentTarget, id}
	switch e.Name {
	case "agent.registered", "agent.changed":
		var d agentDetail
		if err := json.Unmarshal(e.Detail, &d); err != nil || d.After == nil {
			return unfit(h, err)
		}
		s := d.After
		a.Stage, a.Operator, a.Owner, a.Purposes, a.PurposeTexts, a.Delegates = s.Stage, s.Operator, s.Owner, s.Purposes, s.PurposeTexts, s.Delegates
		if a.Changed = h.Time; a.Created.IsZero() {
			a.Created = h.Time
		}
		c.agents[id] = &a
		return nil
	case stopNames[AgentTarget].stopped, stopNames[AgentTarget].resumed:
	default:
		return nil
	}
	var d stopDetail
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return unfit(h, err)
	}
	if delete(c.stops, t); e.Name == stopNames[AgentTarget].stopped {
		c.stops[t] = &Stop{Type: t.kind, ID: id, Reason: d.Reason, By: aims.Actor(e.Actor), Since: h.Time}
	}
	if d.Stage != "" && a.Registered() {
		a.Stage, a.Changed = d.Stage, h.Time
		c.agents[id] = &a
	}
	return nil
}

func unfit(h ledger.Happening, cause error) error {
	return aims.Errorf(aims.Internal, cause, "the receipt %d says nothing that an earlier state could be made from", h.Index)
}

// ToolsAt are the tools as they were at a time, made from the receipts up to it,
// in the order of their servers and names. Whether a server listed a tool is as
// it was last recorded.
func (i *Inventory) ToolsAt(ctx context.Context, at time.Time) ([]PastTool, error) {
	past := pastTools{contents: newContents(), difference: map[toolName][]Difference{}}
	for h, err := range i.ledger.Happened(ctx, at, "tool.") {
		if err == nil {
			err = past.add(h)
		}
		if err != nil {
			return nil, err
		}
	}
	kept := i.definitions()
	tools := []PastTool{}
	for _, s := range past.servers {
		for _, r := range s.tools {
			name := toolName{r.Server, r.Name}
			r.Definition, r.Observed = kept[r.Approved], kept[r.Pin]
			r.classify(past.labels[name])
			tools = append(tools, PastTool{State: r.State, Difference: past.difference[name], Known: len(r.judged()) > 0 && (r.Approved == "" || len(r.Definition) > 0)})
		}
	}
	slices.SortFunc(tools, func(a, b PastTool) int { return toolName{a.Server, a.Name}.compare(toolName{b.Server, b.Name}) })
	return tools, nil
}

// definitions are those that are kept, by their digests.
func (i *Inventory) definitions() map[string]json.RawMessage {
	i.mu.RLock()
	defer i.mu.RUnlock()
	kept := map[string]json.RawMessage{}
	for _, s := range i.servers {
		for _, r := range s.tools {
			if kept[r.Pin] = r.Observed; r.Approved != "" {
				kept[r.Approved] = r.Definition
			}
		}
	}
	return kept
}

// pastTools makes tools from receipts.
type pastTools struct {
	*contents
	difference map[toolName][]Difference
}

func (p *pastTools) add(h ledger.Happening) error {
	var d toolDetail
	if err := json.Unmarshal(h.Event.Detail, &d); err != nil {
		return unfit(h, err)
	}
	server, tool, _ := strings.Cut(h.Event.Object.ID, "___")
	name := toolName{server, tool}
	if h.Event.Name == "tool.labelled" {
		if delete(p.labels, name); d.Said != nil && !d.Said.empty() {
			p.labels[name] = d.Said
		}
		return nil
	}
	r := p.record(server, tool)
	if r == nil {
		r = &record{State: State{Server: server, Name: tool, FirstSeen: h.Time}}
	}
	r.Changed = h.Time
	switch h.Event.Name {
	case "tool.pinned":
		r.Pin, r.Approved, r.Listed, r.Quarantined = d.Pin, d.Pin, true, false
	case "tool.quarantined", "tool.changed":
		r.Pin, r.Flags, r.Listed, r.Quarantined = d.Pin, d.Flags, true, true
		p.difference[name] = d.Difference
	case "tool.approved":
		r.Pin, r.Approved, r.Quarantined, r.Explicit = d.Pin, d.Pin, false, h.Event.Actor.Type == aims.PersonType
		delete(p.difference, name)
	case "tool.removed":
		r.Listed = false
	case "tool.returned":
		r.Listed = true
	case "tool.forgotten":
		delete(p.servers[server].tools, tool)
		return nil
	default:
		return nil
	}
	p.place(r)
	return nil
}
