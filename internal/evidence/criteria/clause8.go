package criteria

import (
	"slices"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// clause8 asks about operation (ISO 42001 8.1 to 8.4).
func clause8() []Criterion {
	return []Criterion{
		ask("8.1/1", "receipt_completeness decision_receipt", "",
			"No governed action escaped the log: no outcome without a decision that allowed it, and counts agree with those of the gateway.", nothingEscaped).fresh(quarter),
		ask("8.1/2", "decision_receipt", "",
			"Every policy that decided in the period was approved, and decided only while it was in force.", decidedByApproved),
		ask("8.1/3", "tool_drift_event", "",
			"Every tool whose definition changed was looked at by a person within seven days.", driftDisposed),
		ask("8.1/4", "reperformance", "",
			"An audit recomputed the decisions of the period from their recorded policies and facts, and all came out the same.", decisionsRecomputed),
		ask("8.2/1", "risk_register", "agent risk risk_criteria",
			"No agent in scope is past the interval at which its risks are to be assessed.", risksInInterval),
		ask("8.2/2", "change_record tool_drift_event risk_register", "agent risk change",
			"Every significant change of an agent in scope, also of its tools, is followed by a risk assessment.", risksAfterChange),
		ask("8.3/1", "treatment_plan", "treatment",
			"No treatment is overdue without an extension that says why.", treatmentsInTime),
		ask("8.3/2", "treatment_plan attack_run metric_series", "treatment",
			"Each treatment that is done has evidence that it works, newer than its end.", treatmentsWork),
		ask("8.4/1", "impact_assessment deployment_gate", "agent impact_assessment",
			"No agent is deployed without a current approved impact assessment.", liveAssessed),
		ask("8.4/2", "change_record impact_assessment", "agent change impact_assessment",
			"Every change of a deployed agent, also of its tools, was screened for whether its impact is to be assessed again.", triggersScreened),
	}
}

func nothingEscaped(in *Input, n *Count) {
	n.Of = "days with traffic"
	var allowed, outcomes uint64
	for _, d := range in.Observed.Days {
		// A call may end on the day after its decision, so the sums count.
		allowed, outcomes = allowed+d.Allowed+d.Managed, outcomes+d.Outcomes
		if in.on(record.Date(d.Day)) {
			n.Look(outcomes <= allowed, "day/"+d.Day, "has more outcomes than decisions that allowed something")
		}
	}
	if n.Population > 0 {
		n.Saw(min(in.Observed.Last, in.Until.UnixMicro()), "")
		if in.tests(n, observed.TestCompleteness) == 0 {
			n.note("No audit of the period compared the log with the counts of the gateway.")
		}
	}
	n.note("Actions that never pass an enforcement point cannot be seen.")
}

func decidedByApproved(in *Input, n *Count) {
	n.Of = "policies that decided in the period"
	for _, digest := range sorted(in.Observed.Policies) {
		p := in.Observed.Policies[digest]
		if p.Decisions == 0 || p.Last < in.From.UnixMicro() {
			continue
		}
		n.Saw(p.Last, p.Receipt)
		n.Look(in.decided(digest, p) == "", "policy/"+short(digest), "%s", in.decided(digest, p))
	}
	n.note("Compared are the first and the last decision of each policy with the times at which it was in force.")
}

// decided says what is wrong with the time in which a policy decided; "" for nothing.
func (in *Input) decided(digest string, p *observed.Policy) string {
	// A decision that was under way when the policy changed may end after it.
	const grace = 60_000_000
	var first, last int64
	open := false
	for i, a := range in.Observed.Activations {
		if a.Digest != digest {
			continue
		}
		if _, fault := in.policyApproved(a); fault != "" {
			return fault
		}
		if first == 0 {
			first = a.At
		}
		next := slices.IndexFunc(in.Observed.Activations[i+1:], func(b observed.Activation) bool { return b.Environment == a.Environment })
		if next < 0 {
			open = true
			continue
		}
		last = max(last, in.Observed.Activations[i+1+next].At)
	}
	switch {
	case first == 0:
		return "decided and was never put in force"
	case p.First+grace < first:
		return "decided before it was put in force on " + string(dayOf(first))
	case !open && p.Last > last+grace:
		return "decided after it was replaced on " + string(dayOf(last))
	}
	return ""
}

func driftDisposed(in *Input, n *Count) {
	n.Of = "tools with a pinned definition"
	const limit = 7
	type drift struct {
		open, worst int64 // since when; the longest that it took
		receipt     string
		at          int64
	}
	tools := map[string]*drift{}
	for _, p := range in.Observed.Pins {
		if p.Tool == "" {
			continue
		}
		d := tools[p.Tool]
		if d == nil {
			d = &drift{}
			tools[p.Tool] = d
		}
		d.at, d.receipt = p.At, p.Receipt
		switch {
		case changed(p) && d.open == 0:
			d.open = p.At
		case d.open != 0 && (p.Event == "approved" || p.Event == "forgotten"):
			if in.during(p.At) {
				d.worst = max(d.worst, p.At-d.open)
			}
			d.open = 0
		}
	}
	for _, id := range sorted(tools) {
		d := tools[id]
		n.Saw(d.at, d.receipt)
		switch {
		case d.open != 0:
			n.Look(plus(dayOf(d.open), limit) >= in.today(), "tool/"+id, "changed on %s and nobody has looked at it", dayOf(d.open))
		default:
			n.Look(d.worst <= limit*24*3600*1_000_000, "tool/"+id, "was looked at only after more than %d days", limit)
		}
	}
	n.note("A tool that its server takes away still waits for a person, since it may come back; the limit of %d days is the product's own.", limit)
}

func decisionsRecomputed(in *Input, n *Count) {
	n.Of = "audits that recomputed decisions in the period"
	if in.tests(n, observed.TestDecisions) > 0 {
		return
	}
	for _, e := range in.Observed.Erasures {
		if slices.ContainsFunc(in.days(), func(d observed.Day) bool { return d.Index <= e.To }) {
			n.Lost = "The payloads of decisions of the period were erased under rule \"" + e.Rule + "\" on " + string(dayOf(e.At)) + ", so that those decisions cannot be recomputed any more."
			return
		}
	}
}

func risksInInterval(in *Input, n *Count) {
	n.Of = "agents in scope"
	interval := 0
	for _, c := range in.Registers.Registers.RiskCriteria {
		if c.AssessEveryDays > 0 && (interval == 0 || c.AssessEveryDays < interval) {
			interval = c.AssessEveryDays
		}
	}
	for _, a := range in.inScope() {
		assessed := in.newestRisk(n, a.ID)
		switch {
		case assessed == "":
			in.look(n, "agent", a.ID, false, "has no risk assessment")
		case interval == 0:
			in.look(n, "agent", a.ID, false, "has no interval, because no risk criteria set one")
		case plus(assessed, interval) < in.today():
			in.past(n, "agent", a.ID, "was last assessed on %s, over %d days ago", assessed, interval)
		default:
			in.look(n, "agent", a.ID, true, "")
			n.Until(plus(assessed, interval))
		}
	}
	n.note("Where there are several risk criteria, the shortest interval counts.")
}

func risksAfterChange(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		last, what := in.changesOf(a, true)
		assessed := in.newestRisk(n, a.ID)
		in.look(n, "agent", a.ID, assessed != "" && assessed >= last, "has no risk assessment after %s changed on %s", what, last)
	}
	n.note("Seen are recorded changes, changed definitions of tools and new tools that were quarantined; a model that its provider changes under the same name cannot be seen.")
}

func treatmentsInTime(in *Input, n *Count) {
	n.Of = "treatments"
	for _, t := range in.Registers.Registers.Treatments {
		switch {
		case t.Done == "" && t.Due == "":
			in.look(n, "treatment", t.ID, false, "has no day by which it is due")
		default:
			in.look(n, "treatment", t.ID, t.Done != "" || due(t) >= in.today(), "was due on %s", due(t))
		}
	}
}

func treatmentsWork(in *Input, n *Count) {
	n.Of = "treatments that are done"
	for _, t := range in.Registers.Registers.Treatments {
		if t.Done == "" {
			continue
		}
		switch {
		case t.Effective == nil:
			in.look(n, "treatment", t.ID, false, "has no evidence that it works")
		case t.Effective.On < t.Done:
			in.look(n, "treatment", t.ID, false, "has evidence of %s only, before it was done on %s", t.Effective.On, t.Done)
		default:
			scenario := in.failing(n, t.Effective.Scenarios)
			in.look(n, "treatment", t.ID, scenario == "", "rests on scenario %s, which did not end as expected in the newest rehearsal", scenario)
		}
	}
}

// failing is one of some scenarios that did not end as expected when it was last
// rehearsed.
func (in *Input) failing(n *Count, scenarios []string) string {
	for _, s := range scenarios {
		for i := len(in.Observed.Rehearsals) - 1; i >= 0; i-- {
			r := in.Observed.Rehearsals[i]
			if ok, run := r.Scenario[s]; run {
				n.Saw(r.At, r.Receipt)
				if !ok {
					return s
				}
				break
			}
		}
	}
	return ""
}

func liveAssessed(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		l := in.Observed.Lives[id]
		n.Saw(l.Changed, l.Receipt)
		a, known := in.agent(id)
		if known && (a.NoImpact != "" || a.InScope != nil && !*a.InScope && a.ScopeReason != "") {
			n.Look(true, "agent/"+id, "")
			continue
		}
		in.impactCurrent(n, id)
	}
}

func triggersScreened(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		fault := ""
		for _, c := range in.Registers.Registers.Changes {
			if slices.Contains(c.Agents, id) && in.on(c.Made) && (c.Significant == nil || c.Screening == "") {
				fault = "was changed by " + c.ID + " without a screening that says why"
			}
			if slices.Contains(c.Agents, id) {
				in.saw(n, "change", c.ID)
			}
		}
		if a, known := in.agent(id); known && fault == "" {
			fault = in.unscreenedTool(n, a)
		}
		n.Saw(in.Observed.Lives[id].Changed, in.Observed.Lives[id].Receipt)
		n.Look(fault == "", "agent/"+id, "%s", fault)
	}
	n.note("A changed tool counts as screened where a screened change names its new pin, or an impact assessment is no older.")
}

// unscreenedTool says which change of a tool in the period nobody screened.
func (in *Input) unscreenedTool(n *Count, a record.Agent) string {
	x, _ := in.impact(a.ID)
	for _, p := range in.Observed.Pins {
		if !changed(p) || !in.during(p.At) || !in.uses(a, p.Tool) || x.Assessed >= dayOf(p.At) {
			continue
		}
		n.Saw(p.At, p.Receipt)
		if !slices.ContainsFunc(in.Registers.Registers.Changes, func(c record.Change) bool {
			return c.Significant != nil && c.Screening != "" && p.Pin != "" && c.After == p.Pin
		}) {
			return "uses tool " + p.Tool + ", which changed on " + string(dayOf(p.At)) + " and was not screened"
		}
	}
	return ""
}
