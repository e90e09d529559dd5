package criteria

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Questions about the log that several criteria ask.

// during says whether a time lies in the period.
func (in *Input) during(micros int64) bool {
	return micros >= in.From.UnixMicro() && micros <= in.Until.UnixMicro()
}

// seen are the agents that called something in the period, sorted.
func (in *Input) seen() []string {
	var list []string
	for id, a := range in.Observed.Agents {
		if a.Last >= in.From.UnixMicro() {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// lately says whether something that happened last at a time happened in the
// period.
func (in *Input) lately(last int64) bool { return last > 0 && last >= in.From.UnixMicro() }

// allowedTools are the tools that an agent was allowed in the period, sorted.
func (in *Input) allowedTools(o *observed.Agent) []string {
	return slices.DeleteFunc(sorted(o.ToolLast), func(tool string) bool { return !in.lately(o.ToolLast[tool]) })
}

// declares says whether the record of an agent names a tool, or else its server.
func declares(a record.Agent, tool string) bool {
	if len(a.Tools) > 0 {
		return slices.Contains(a.Tools, tool)
	}
	return slices.Contains(a.Servers, serverOf(tool))
}

// live says whether an agent is deployed.
func (in *Input) live(agent string) bool {
	l := in.Observed.Lives[agent]
	return l != nil && l.Stage == "deployed"
}

// days are those of the period that had traffic.
func (in *Input) days() []observed.Day {
	var list []observed.Day
	for _, d := range in.Observed.Days {
		if in.on(record.Date(d.Day)) {
			list = append(list, d)
		}
	}
	return list
}

// votes are the grants of approvals in the period, with the approval, in the
// order of time.
func (in *Input) votes(each func(observed.Approval, observed.Vote)) {
	for _, id := range sorted(in.Observed.Approvals) {
		a := in.Observed.Approvals[id]
		for _, v := range a.Given {
			if v.Granted && in.during(v.At) {
				each(*a, v)
			}
		}
	}
}

// tests looks at the runs of a whole-population test in the period.
func (in *Input) tests(n *Count, test string) (runs int) {
	for _, t := range in.Observed.Tests {
		if t.Test != test || !in.during(t.At) {
			continue
		}
		runs++
		n.Saw(t.At, t.Receipt)
		n.Look(t.Exceptions == 0, "audit/"+t.Audit, "found %d exceptions among %d in test %s of %s", t.Exceptions, t.Population, t.Test, dayOf(t.At))
	}
	return runs
}

// cases are those of a kind, sorted by id.
func (in *Input) cases(kind string) []observed.Case {
	var list []observed.Case
	for _, id := range sorted(in.Observed.Cases) {
		if c := in.Observed.Cases[id]; c.Kind == kind {
			list = append(list, *c)
		}
	}
	return list
}

// answered says whether a nonconformity or an incident is about something.
func (in *Input) answered(about ...string) bool {
	for _, c := range in.Observed.Cases {
		if slices.ContainsFunc(c.About, func(a string) bool { return a != "" && slices.Contains(about, a) }) {
			return true
		}
	}
	return false
}

// changesOf is when something that an agent depends on last changed, as records
// of changes and the definitions of its tools show it, and what it was.
func (in *Input) changesOf(a record.Agent, pins bool) (last record.Date, what string) {
	for _, c := range in.Registers.Registers.Changes {
		significant := c.Significant == nil || *c.Significant
		if slices.Contains(c.Agents, a.ID) && significant && c.Made > last {
			last, what = c.Made, "change/"+c.ID
		}
	}
	if !pins {
		return last, what
	}
	for _, p := range in.Observed.Pins {
		if d := dayOf(p.At); changed(p) && in.uses(a, p.Tool) && d > last {
			last, what = d, "tool "+p.Tool
		}
	}
	return last, what
}

// changed says whether an event is about a tool that is not what it was.
func changed(p observed.PinChange) bool {
	return p.Quarantined || strings.HasSuffix(p.Event, "changed") || strings.HasSuffix(p.Event, "quarantined")
}

// uses says whether an agent may use a tool by its record, or did.
func (in *Input) uses(a record.Agent, tool string) bool {
	if o := in.Observed.Agents[a.ID]; o != nil && o.Tools[tool] > 0 {
		return true
	}
	return declares(a, tool)
}

// force is a policy in force in an environment, from and until (0: still).
type force struct {
	observed.Activation
	until int64
}

// inForceDuring are the policies that were in force at some time of the period.
func (in *Input) inForceDuring() []force {
	var list []force
	for i, a := range in.Observed.Activations {
		f := force{Activation: a}
		for _, b := range in.Observed.Activations[i+1:] {
			if b.Environment == a.Environment {
				f.until = b.At
				break
			}
		}
		if a.At <= in.Until.UnixMicro() && (f.until == 0 || f.until >= in.From.UnixMicro()) {
			list = append(list, f)
		}
	}
	return list
}

// policyApproved is when a policy set, or the bundle that it was made of, was
// approved, and whether that was by somebody other than its author.
func (in *Input) policyApproved(a observed.Activation) (at int64, fault string) {
	for _, digest := range []string{a.Bundle, a.Digest} {
		p := in.Observed.Policies[digest]
		if digest == "" || p == nil || p.Approved == 0 {
			continue
		}
		if p.Author != "" && p.Author == p.Approver {
			return p.Approved, fmt.Sprintf("was approved by its author %s", p.Author)
		}
		return p.Approved, ""
	}
	return 0, "was put in force without an approval of somebody other than its author"
}

// short is a digest that a reader can still tell from others.
func short(digest string) string {
	d := strings.TrimPrefix(digest, "sha256:")
	return d[:min(12, len(d))]
}
