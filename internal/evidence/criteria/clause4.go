package criteria

import (
	"slices"

	"aims/iso42001"
)

// clause4 asks about the context of the organisation (ISO 42001 4.1 to 4.4).
func clause4() []Criterion {
	return []Criterion{
		ask("4.1/1", "context_register", "organisation",
			"The context was reviewed, and the day set for its next review is not past.", contextReviewed),
		ask("4.1/2", "context_register", "organisation",
			"It is decided, with a reason, whether climate change is a relevant issue.", climateDecided),
		ask("4.1/3", "agent_register agent_discovery", "agent ai_system",
			"Every agent in scope, and every agent seen at work, is recorded with the organisation's role and an intended purpose.", agentsHavePurpose),
		ask("4.2/1", "stakeholder_register concern_report", "party",
			"Each interested party has requirements, and it is decided of each whether the management system addresses it.", partiesDecided),
		ask("4.2/2", "stakeholder_register obligation_register", "party obligation",
			"Each requirement that is addressed names what addresses it, and each obligation that applies names whom it is owed to.", requirementsTraced),
		ask("4.3/1", "scope_statement", "scope",
			"The scope is written down, approved in its present version, and its review is not overdue.", scopeCurrent),
		ask("4.3/2", "agent_register", "agent",
			"Every registered agent is in scope or out of it, with a reason.", scopeDecided),
		ask("4.3/3", "agent_discovery receipt_completeness", "agent",
			"No agent acted that is neither in scope nor left out by an approved decision with a reason.", actedInScope),
		ask("4.4/1", "document_control metric_series", "requirement_owner",
			"Each clause requirement has an owner and at least one current piece of evidence.", requirementsLooked).joins(),
	}
}

func contextReviewed(in *Input, n *Count) {
	n.Of = "records of the context"
	for _, o := range in.Registers.Registers.Organisation {
		switch {
		case o.Reviewed == "":
			in.look(n, "organisation", o.ID, false, "was never reviewed")
		case o.ReviewBy == "":
			in.look(n, "organisation", o.ID, false, "sets no day for its next review")
		case o.ReviewBy < in.today():
			in.past(n, "organisation", o.ID, "was last reviewed on %s and to be reviewed by %s", o.Reviewed, o.ReviewBy)
		default:
			in.look(n, "organisation", o.ID, true, "")
			n.Until(o.ReviewBy)
		}
	}
}

func climateDecided(in *Input, n *Count) {
	n.Of = "records of the context"
	for _, o := range in.Registers.Registers.Organisation {
		in.look(n, "organisation", o.ID, o.ClimateRelevant != nil && o.ClimateReason != "", "has no decision with a reason on climate change")
	}
}

func agentsHavePurpose(in *Input, n *Count) {
	n.Of = "agents in scope or seen at work"
	for _, a := range in.inScope() {
		role := a.Role
		if s, ok := get(in.Registers.Registers.Systems, a.System); ok && role == "" {
			role = s.Role
		}
		switch {
		case role == "":
			in.look(n, "agent", a.ID, false, "has no role of the organisation")
		default:
			in.look(n, "agent", a.ID, len(a.Purposes) > 0, "has no intended purpose")
		}
	}
	for _, id := range in.seen() {
		if _, known := in.agent(id); !known {
			o := in.Observed.Agents[id]
			n.Look(false, "agent/"+id, "is seen at work and has no record")
			n.Saw(o.Last, o.Receipt)
		}
	}
	n.note("Agents that do not pass an enforcement point cannot be seen.")
}

func partiesDecided(in *Input, n *Count) {
	n.Of = "interested parties"
	for _, p := range in.Registers.Registers.Parties {
		undecided := ""
		for _, r := range p.Requirements {
			if r.Decision == "" || (r.Decision == "not_addressed" && r.Reason == "") {
				undecided = r.ID
			}
		}
		switch {
		case len(p.Requirements) == 0:
			in.look(n, "party", p.ID, false, "has no requirement")
		default:
			in.look(n, "party", p.ID, undecided == "", "has no decision, or none with a reason, on requirement %s", undecided)
		}
	}
	reported := 0
	for _, c := range in.cases("concern") {
		if in.during(c.Opened) {
			reported++
		}
	}
	n.note("In the period %d concerns were reported.", reported)
}

func requirementsTraced(in *Input, n *Count) {
	n.Of = "requirements that are addressed and obligations that apply"
	for _, p := range in.Registers.Registers.Parties {
		for _, r := range p.Requirements {
			if r.Decision == "addressed" {
				in.saw(n, "party", p.ID)
				n.Look(len(r.Through) > 0, "party/"+p.ID+"/"+r.ID, "is addressed by no objective, control, risk or document")
			}
		}
	}
	for _, o := range in.Registers.Registers.Obligations {
		switch {
		case o.Applies == nil:
			in.look(n, "obligation", o.ID, false, "has no decision whether it applies")
		case *o.Applies:
			in.look(n, "obligation", o.ID, len(o.Parties) > 0 || o.Source == "voluntary", "names nobody to whom it is owed")
		}
	}
}

func scopeCurrent(in *Input, n *Count) {
	n.Of = "statements of the scope"
	for _, s := range in.Registers.Registers.Scope {
		in.inForce(n, "scope", s.Base)
	}
}

func scopeDecided(in *Input, n *Count) {
	n.Of = "registered agents"
	for _, a := range in.Registers.Registers.Agents {
		switch {
		case a.InScope == nil:
			in.look(n, "agent", a.ID, false, "is neither in scope nor out of it")
		default:
			in.look(n, "agent", a.ID, a.ScopeReason != "", "has no reason for being in scope or out of it")
		}
	}
	for _, id := range sorted(in.Observed.Lives) {
		if _, known := in.agent(id); !known {
			l := in.Observed.Lives[id]
			n.Look(false, "agent/"+id, "is registered with the gateway and has no record")
			n.Saw(l.Changed, l.Receipt)
		}
	}
}

func actedInScope(in *Input, n *Count) {
	n.Of = "agents that acted in the period"
	inside := 0
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		n.Saw(o.Last, o.Receipt)
		a, known := in.agent(id)
		switch {
		case !known:
			n.Look(false, "agent/"+id, "has no record, in scope or out of it")
		case a.InScope != nil && *a.InScope:
			inside++
			n.Look(true, "agent/"+id, "")
		default:
			_, approved := in.approved(n, "agent", id)
			in.look(n, "agent", id, a.InScope != nil && a.ScopeReason != "" && approved, "acted and is out of scope without an approved reason")
		}
	}
	n.note("Of %d agents in scope %d passed an enforcement point in the period; what goes around it cannot be seen.", len(in.inScope()), inside)
}

func requirementsLooked(in *Input, n *Count) {
	n.Of = "clause requirements"
	owners := in.Registers.Registers.Owners
	if len(owners) == 0 {
		return
	}
	for _, r := range iso42001.Clauses() {
		o, known := get(owners, r.ID)
		if known {
			in.saw(n, "requirement_owner", o.ID)
		}
		// This requirement's own evidence would be itself.
		shown := r.ID == "4.4" || in.shows(r.ID)
		switch {
		case !known || o.Owner == "":
			n.Look(false, r.ID, "has no owner")
		default:
			n.Look(shown, r.ID, "has no current evidence")
		}
	}
	n.flows = true
	if docs := in.documents("process"); !slices.ContainsFunc(docs, covering("4.4")) {
		n.note("No document of the type process describes how the processes fit together.")
	}
}
