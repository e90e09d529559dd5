package criteria

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// Impact assessments, objectives and planned changes (ISO 42001 6.1.4, 6.2, 6.3).

func impactsCurrent(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		in.saw(n, "agent", a.ID)
		if a.NoImpact != "" {
			n.Look(true, "agent/"+a.ID, "")
			continue
		}
		in.impactCurrent(n, a.ID)
	}
}

// impactCurrent judges the newest impact assessment of an agent.
func (in *Input) impactCurrent(n *Count, agent string) {
	on := "agent/" + agent
	x, ok := in.impact(agent)
	if !ok {
		n.Look(false, on, "has no approved impact assessment")
		return
	}
	in.saw(n, "impact_assessment", x.ID)
	reopened, due := in.reopened(n, x)
	switch _, approved := in.approved(n, "impact_assessment", x.ID); {
	case !approved:
		n.Look(false, on, "has no approved impact assessment")
	case due:
		n.Look(false, on, "has the impact assessment %s, which is due again since %s because of %s with %s", x.ID, dayOf(reopened.At), reopened.Agent, reopened.Cause)
	case x.Result == "stop":
		n.Look(false, on, "is to stop by its impact assessment %s", x.ID)
	case x.ReviewBy == "":
		n.Look(false, on, "has an impact assessment without a day for the next")
	case x.ReviewBy < in.today():
		n.Past(on, "has an impact assessment that ended on %s", x.ReviewBy)
	default:
		n.Look(true, on, "")
		n.Until(x.ReviewBy)
	}
}

// reopened is the newest event that made the present version of an impact
// assessment due again.
func (in *Input) reopened(n *Count, x record.ImpactAssessment) (r observed.Reopening, ok bool) {
	digest := record.Digest(x)
	for _, r := range slices.Backward(in.Observed.Reopened) {
		if r.On == x.ID && r.Digest == digest && r.At <= in.Until.UnixMicro() {
			n.Saw(r.At, r.Receipt)
			return r, true
		}
	}
	return r, false
}

func withinBounds(in *Input, n *Count) {
	n.Of = "agents in scope with an impact assessment"
	for _, a := range in.inScope() {
		x, ok := in.impact(a.ID)
		if !ok {
			continue
		}
		in.saw(n, "impact_assessment", x.ID)
		beyond := in.beyond(n, a, x)
		in.look(n, "agent", a.ID, len(beyond) == 0, "is due for another assessment, because it goes beyond its bounds with %s", names(beyond))
	}
	n.note("Compared are tools and purposes seen in the log, and the models, data, servers and jurisdictions that the record of the agent names; data that a tool reaches by itself cannot be seen.")
}

// beyond is what an agent does or is recorded with outside what was assessed.
func (in *Input) beyond(n *Count, a record.Agent, x record.ImpactAssessment) []string {
	var out []string
	outside := func(what string, has, assessed []string) {
		for _, h := range has {
			if !slices.Contains(assessed, h) {
				out = append(out, what+" "+h)
			}
		}
	}
	outside("model", a.Models, x.Models)
	outside("data source", a.DataSources, x.DataSources)
	outside("jurisdiction", a.Jurisdictions, x.Jurisdictions)
	outside("server", a.Servers, x.Servers)
	outside("purpose", a.Purposes, x.Purposes)
	o := in.Observed.Agents[a.ID]
	if o == nil || o.Last < in.From.UnixMicro() {
		return out
	}
	n.Saw(o.Last, o.Receipt)
	for _, tool := range in.allowedTools(o) {
		if !slices.Contains(x.Tools, tool) && (len(x.Tools) > 0 || !slices.Contains(x.Servers, serverOf(tool))) {
			out = append(out, "tool "+tool)
		}
	}
	for _, purpose := range sorted(o.PurposeLast) {
		if purpose != "" && in.lately(o.PurposeLast[purpose]) && !slices.Contains(x.Purposes, purpose) && !slices.Contains(a.Purposes, purpose) {
			out = append(out, "purpose "+purpose)
		}
	}
	return out
}

func impactRisks(in *Input, n *Count) {
	n.Of = "impact assessments"
	for _, x := range in.Registers.Registers.Impacts {
		missing := ""
		for _, id := range x.Risks {
			if _, ok := get(in.Registers.Registers.Risks, id); !ok {
				missing = id
			}
		}
		switch {
		case len(x.Risks) == 0:
			in.look(n, "impact_assessment", x.ID, false, "names no risk")
		default:
			in.look(n, "impact_assessment", x.ID, missing == "", "names risk %s, which is not in the register", missing)
		}
	}
}

func objectivesPlanned(in *Input, n *Count) {
	n.Of = "objectives"
	for _, o := range in.Registers.Registers.Objectives {
		var missing []string
		for _, part := range []struct {
			what string
			is   bool
		}{
			{"measure", o.Measure != ""}, {"target", o.AtLeast != nil || o.AtMost != nil}, {"owner", o.Owner != ""},
			{"due date", o.Due != ""}, {"method of evaluation", o.Method != ""},
		} {
			if !part.is {
				missing = append(missing, part.what)
			}
		}
		in.look(n, "objective", o.ID, len(missing) == 0, "has no %s", strings.Join(missing, ", no "))
	}
}

func objectivesMeasured(in *Input, n *Count) {
	n.Of = "objectives with a measure"
	reached, targets := 0, 0
	for _, o := range in.Registers.Registers.Objectives {
		if o.Measure == "" {
			continue
		}
		value, ok := in.value(n, o.Measure)
		in.look(n, "objective", o.ID, ok, "has no value of %s in the period", o.Measure)
		if ok && (o.AtLeast != nil || o.AtMost != nil) {
			targets++
			if within(value, o.AtLeast, o.AtMost) {
				reached++
			}
		}
	}
	n.note("%d of %d targets are reached.", reached, targets)
}

func policiesApproved(in *Input, n *Count) {
	n.Of = "policies in force in the period"
	for _, f := range in.inForceDuring() {
		n.Saw(f.At, f.Receipt)
		at, fault := in.policyApproved(f.Activation)
		if fault == "" && at > f.At {
			fault = fmt.Sprintf("was approved on %s, after it was put in force on %s", dayOf(at), dayOf(f.At))
		}
		n.Look(fault == "", "policy/"+short(f.Digest), "%s", fault)
	}
	n.note("Known of each policy is its newest approval.")
}

func changesPlanned(in *Input, n *Count) {
	n.Of = "changes made in the period"
	for _, c := range in.Registers.Registers.Changes {
		if !in.on(c.Made) {
			continue
		}
		_, approved := in.approved(n, "change", c.ID)
		answered := c.Nonconformity != "" || in.answered("change/"+c.ID)
		unplanned := c.Unplanned || c.Planned == "" || c.Made < c.Planned
		switch {
		case answered:
			in.look(n, "change", c.ID, true, "")
		case unplanned:
			in.look(n, "change", c.ID, false, "was made unplanned, and no nonconformity answers it")
		default:
			in.look(n, "change", c.ID, approved, "has no approval")
		}
	}
	for _, a := range in.Observed.Activations {
		if !in.during(a.At) {
			continue
		}
		n.Saw(a.At, a.Receipt)
		_, recorded := find(in.Registers.Registers.Changes, func(c record.Change) bool {
			return c.After != "" && (c.After == a.Digest || c.After == a.Bundle)
		})
		n.Look(recorded || in.answered("policy/"+a.Digest, a.Receipt), "policy/"+short(a.Digest), "was put in force on %s without a record of the change", dayOf(a.At))
	}
	n.note("A change that leaves no record and no receipt cannot be seen.")
}
