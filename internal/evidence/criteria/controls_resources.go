package criteria

import (
	"slices"
	"strings"

	"aims/internal/register/record"
)

// controlsResources asks about resources for AI systems (ISO 42001 A.4).
func controlsResources() []Criterion {
	return []Criterion{
		ask("A.4.2/1", "agent_register agent_discovery", "agent",
			"What each agent was seen to use, its record declares.", declaredCoversSeen),
		ask("A.4.3/1", "dataset_record provenance_event", "agent data_source server",
			"Every server through which agents read something stands behind a data source that its agents declare.", readsDeclared),
		ask("A.4.4/1", "tool_inventory decision_receipt", "tool server",
			"Every tool that was called, its server or itself, stands in the register.", toolsRegistered),
		ask("A.4.4/2", "tool_inventory tool_drift_event", "tool server",
			"Every tool that was called has a review that is not overdue, and is what was reviewed.", toolsReviewed),
		ask("A.4.5/1", "compute_record", "agent compute",
			"Each agent in scope names where it runs.", computeNamed),
		ask("A.4.6/1", "people_record training_record", "role assignment person training competence",
			"For each stage of the life cycle somebody holds a role with the competence that the role asks for.", stagesStaffed),
	}
}

// serverOf is the server of a tool's name.
func serverOf(tool string) string {
	server, _, _ := strings.Cut(tool, "___")
	return server
}

// calledTools are the tools that were allowed in the period, sorted.
func (in *Input) calledTools() []string {
	return slices.DeleteFunc(sorted(in.Observed.Tools), func(id string) bool {
		t := in.Observed.Tools[id]
		return t.Allowed == 0 || t.Last < in.From.UnixMicro()
	})
}

func declaredCoversSeen(in *Input, n *Count) {
	n.Of = "agents with calls in the period"
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		n.Saw(o.Last, o.Receipt)
		a, known := in.agent(id)
		if !known {
			n.Look(false, "agent/"+id, "is seen at the gateway and stands in no register")
			continue
		}
		var extra []string
		for _, tool := range sorted(o.Tools) {
			declared := slices.Contains(a.Tools, tool) || len(a.Tools) == 0 && slices.Contains(a.Servers, serverOf(tool))
			if o.Tools[tool] > 0 && !declared {
				extra = append(extra, tool)
			}
		}
		in.look(n, "agent", id, len(extra) == 0, "uses %s, which its record does not declare", names(extra))
	}
	n.note("Models, data and machines that are used past the gateway are not seen.")
}

func readsDeclared(in *Input, n *Count) {
	n.Of = "pairs of an agent and a server that it used in the period"
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		a, _ := in.agent(id)
		for _, server := range sorted(o.Servers) {
			declared := slices.ContainsFunc(a.DataSources, func(source string) bool {
				d, ok := get(in.Registers.Registers.DataSources, source)
				return ok && slices.Contains(d.Servers, server)
			})
			n.Saw(o.Last, o.Receipt)
			n.Look(declared, "agent/"+id, "uses %s, which stands behind none of its data sources", server)
		}
	}
	n.note("The server through which something is read is seen, not each source behind it, and not the data that models of third parties were trained on.")
}

func toolsRegistered(in *Input, n *Count) {
	n.Of = "tools called in the period"
	for _, id := range in.calledTools() {
		t := in.Observed.Tools[id]
		n.Saw(t.Last, t.Receipt)
		_, tool := get(in.Registers.Registers.Tools, id)
		_, server := get(in.Registers.Registers.Servers, serverOf(id))
		n.Look(tool || server, "tool/"+id, "stands in no register, nor does its server")
	}
}

func toolsReviewed(in *Input, n *Count) {
	n.Of = "tools called in the period"
	for _, id := range in.calledTools() {
		by, reviewed := in.reviewOf(id)
		n.Saw(in.Observed.Tools[id].Last, in.Observed.Tools[id].Receipt)
		switch {
		case in.Observed.Tools[id].Unpinned > 0:
			n.Look(false, "tool/"+id, "was called without a pin of its definition")
		case reviewed == "":
			n.Look(false, "tool/"+id, "was never reviewed, nor was its server")
		case by != "" && by < in.today():
			n.Past("tool/"+id, "was to be reviewed by %s", by)
		default:
			n.Look(true, "tool/"+id, "")
			n.Until(by)
		}
	}
}

// reviewOf is when a tool, or else its server, was reviewed and is to be again.
func (in *Input) reviewOf(tool string) (by, reviewed record.Date) {
	if t, ok := get(in.Registers.Registers.Tools, tool); ok && t.Reviewed != "" {
		return t.ReviewBy, t.Reviewed
	}
	s, _ := get(in.Registers.Registers.Servers, serverOf(tool))
	return s.ReviewBy, s.Reviewed
}

func computeNamed(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		in.look(n, "agent", a.ID, len(a.Compute) > 0, "does not say where it runs")
	}
	n.note("What machines of providers do is not seen.")
}

// stages are those in which people work on an agent.
func stages() []string {
	return []string{"design", "development", "verification", "deployed", "retired"}
}

func stagesStaffed(in *Input, n *Count) {
	n.Of = "stages of the life cycle"
	if len(in.Registers.Registers.Roles) == 0 {
		return
	}
	for _, stage := range stages() {
		staffed, able := false, false
		for _, r := range in.Registers.Registers.Roles {
			if !slices.Contains(r.Stages, stage) {
				continue
			}
			in.saw(n, "role", r.ID)
			for _, p := range in.holders(r.ID, in.today()) {
				staffed = true
				able = able || in.lacks(p, r, in.today()) == ""
			}
		}
		switch {
		case !staffed:
			n.Look(false, "stage "+stage, "is nobody's: no role that somebody holds names it")
		default:
			n.Look(able, "stage "+stage, "has nobody with the competences that their role asks for")
		}
	}
}
