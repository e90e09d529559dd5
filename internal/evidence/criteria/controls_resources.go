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
			"Every tool whose definition is pinned, and every tool that was called, has a review that is not overdue, and was allowed only with its pin.", toolsReviewed),
		ask("A.4.5/1", "compute_record", "agent compute",
			"Each agent in scope names where it runs, as a record of the register.", computeNamed),
		ask("A.4.6/1", "people_record training_record", "role assignment person training competence",
			"For each stage of the life cycle a role names the competences that it takes, and somebody who has them holds it.", stagesStaffed),
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
		return t.Allowed == 0 || !in.lately(t.Last)
	})
}

func declaredCoversSeen(in *Input, n *Count) {
	n.Of = "agents with calls in the period"
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		n.Saw(o.Last, o.Receipt)
		a, known := in.agent(id)
		if !known {
			n.Look(false, "agent/"+id, "was seen at the gateway without a record in the register")
			continue
		}
		extra := slices.DeleteFunc(in.allowedTools(o), func(tool string) bool { return declares(a, tool) })
		in.look(n, "agent", id, len(extra) == 0, "uses %s, which its record does not declare", names(extra))
	}
	n.note("Models, data and machines that are used past the gateway are not seen.")
}

func readsDeclared(in *Input, n *Count) {
	n.Of = "pairs of an agent and a server whose tools it was allowed in the period"
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		a, _ := in.agent(id)
		for _, server := range servers(in.allowedTools(o)) {
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
		n.Look(tool || server, "tool/"+id, "was called and stands in no register, nor does its server")
	}
}

func toolsReviewed(in *Input, n *Count) {
	n.Of = "tools that are pinned or were called in the period"
	inUse := append(in.pinnedTools(n), in.calledTools()...)
	slices.Sort(inUse)
	for _, id := range slices.Compact(inUse) {
		by, reviewed := in.reviewOf(id)
		t := in.Observed.Tools[id]
		if t != nil {
			n.Saw(t.Last, t.Receipt)
		}
		switch {
		case t != nil && in.lately(t.UnpinnedLast):
			n.Look(false, "tool/"+id, "was allowed on %s without a pin of its definition", dayOf(t.UnpinnedLast))
		case !in.happened(reviewed):
			n.Look(false, "tool/"+id, "was never reviewed, nor was its server")
		case by != "" && by < in.today():
			n.Past("tool/"+id, "was to be reviewed by %s", by)
		default:
			n.Look(true, "tool/"+id, "")
			n.Until(by)
		}
	}
}

// pinnedTools are the tools whose definition is pinned and may be called: not
// taken away, and not in quarantine.
func (in *Input) pinnedTools(n *Count) []string {
	pinned := map[string]bool{}
	for _, p := range in.Observed.Pins {
		pinned[p.Tool] = !changed(p) && p.Event != "removed" && p.Event != "forgotten"
		if pinned[p.Tool] {
			n.Saw(p.At, p.Receipt)
		}
	}
	return slices.DeleteFunc(sorted(pinned), func(tool string) bool { return tool == "" || !pinned[tool] })
}

// servers are those of some tools, sorted.
func servers(tools []string) []string {
	var list []string
	for _, tool := range tools {
		list = append(list, serverOf(tool))
	}
	slices.Sort(list)
	return slices.Compact(list)
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
		missing := slices.IndexFunc(a.Compute, func(id string) bool {
			_, known := get(in.Registers.Registers.Compute, id)
			return !known
		})
		switch {
		case len(a.Compute) == 0:
			in.look(n, "agent", a.ID, false, "does not say where it runs")
		default:
			in.look(n, "agent", a.ID, missing < 0, "runs on %s, which is not in the register", a.Compute[max(missing, 0)])
		}
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
		staffed, named, able := false, false, false
		for _, r := range in.Registers.Registers.Roles {
			if !slices.Contains(r.Stages, stage) {
				continue
			}
			in.saw(n, "role", r.ID)
			for _, p := range in.holders(r.ID, in.today()) {
				staffed = true
				named = named || len(r.Competences) > 0
				able = able || len(r.Competences) > 0 && in.lacks(p, r, in.today()) == ""
			}
		}
		switch {
		case !staffed:
			n.Look(false, "stage "+stage, "is nobody's: no role that somebody holds names it")
		case !named:
			n.Look(false, "stage "+stage, "has no role that says which competences it takes")
		default:
			n.Look(able, "stage "+stage, "has nobody with the competences that their role asks for")
		}
	}
}
