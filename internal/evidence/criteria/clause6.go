package criteria

import (
	"slices"
	"strings"

	"aims/internal/register/record"
	"aims/iso42001"
)

// clause6 asks about planning (ISO 42001 6.1.1 to 6.3).
func clause6() []Criterion {
	return slices.Concat(riskPlanning(), treatmentPlanning(), []Criterion{
		ask("6.1.4/1", "impact_assessment deployment_gate", "agent impact_assessment",
			"Each agent in scope has a current approved impact assessment, or a recorded reason why it needs none.", impactsCurrent),
		ask("6.1.4/2", "tool_inventory provenance_event", "agent impact_assessment",
			"What each agent calls and is recorded with lies within the bounds that its assessment looked at.", withinBounds),
		ask("6.1.4/3", "impact_assessment", "impact_assessment risk",
			"The risks that each impact assessment found are in the register of risks.", impactRisks),
		ask("6.2/1", "objective_record", "objective",
			"Each objective has a measure, a target, an owner, a day by which it is due and a method of evaluation.", objectivesPlanned),
		ask("6.2/2", "metric_series", "objective monitoring",
			"The measure of each objective has a value in the period.", objectivesMeasured),
		ask("6.3/1", "policy_version", "",
			"Every policy that was in force in the period had been approved, not by its author alone, before it was put in force.", policiesApproved),
		ask("6.3/2", "change_record policy_version", "change",
			"Every change of the period was planned and approved, also of policies, or a nonconformity answers that it was not.", changesPlanned),
	})
}

func riskPlanning() []Criterion {
	return []Criterion{
		ask("6.1.1/1", "risk_method", "risk_criteria risk",
			"The risk criteria were approved before the first assessment that used them, and are approved as they read now.", criteriaFirst),
		ask("6.1.1/2", "risk_register treatment_plan", "risk",
			"Every risk has an owner and a decision.", risksDecided),
		ask("6.1.1/3", "risk_register", "risk",
			"Opportunities are recorded beside risks.", opportunities),
		ask("6.1.2/1", "risk_register threat_model", "agent risk change",
			"Each agent in scope has a risk assessment no older than its last significant change.", assessedSinceChange),
		ask("6.1.2/2", "risk_register", "risk",
			"Each risk says what would happen to the organisation, to individuals and to societies.", consequencesSplit),
		ask("6.1.2/3", "risk_method risk_register", "risk risk_criteria treatment",
			"Levels can be computed again: each risk lies on the scales of its criteria, and what is accepted is within them.", levelsRecomputed),
	}
}

func treatmentPlanning() []Criterion {
	return []Criterion{
		ask("6.1.3/1", "soa_version", "applicability",
			"It is decided of all 38 controls of Annex A, with a reason, whether they are kept.", controlsDecided),
		ask("6.1.3/2", "soa_version treatment_plan", "applicability risk treatment party",
			"Each control that is kept traces to a risk, an obligation or a party's requirement, and each risk left untreated is accepted.", controlsTraced),
		ask("6.1.3/3", "soa_version", "applicability risk",
			"The decisions on controls were approved after the latest risk assessment.", approvedAfterRisks),
		ask("6.1.3/4", "decision_receipt policy_version offline_verification", "applicability document",
			"Each control that is said to be implemented has evidence that is not out of date.", implementedShown).joins(),
	}
}

func criteriaFirst(in *Input, n *Count) {
	n.Of = "sets of risk criteria"
	for _, c := range in.Registers.Registers.RiskCriteria {
		var first record.Date
		for _, r := range in.Registers.Registers.Risks {
			if r.Criteria == c.ID && r.Assessed != "" && (first == "" || r.Assessed < first) {
				first = r.Assessed
			}
		}
		var approved record.Date
		for _, m := range in.Registers.Marks {
			if m.Kind == record.Approve && m.On == "risk_criteria" && m.ID == c.ID && approved == "" {
				approved = dayOf(m.At)
			}
		}
		switch _, now := in.approved(n, "risk_criteria", c.ID); {
		case !now:
			in.look(n, "risk_criteria", c.ID, false, "has no approval of its present version")
		default:
			in.look(n, "risk_criteria", c.ID, first == "" || approved <= first, "was first approved on %s, after the assessment of %s that used it", approved, first)
		}
	}
	n.note("Known is the day of the newest assessment of each risk, not of those before.")
}

// risks are the risks, without opportunities.
func (in *Input) risks() []record.Risk {
	return slices.DeleteFunc(slices.Clone(in.Registers.Registers.Risks), func(r record.Risk) bool { return r.Opportunity })
}

func risksDecided(in *Input, n *Count) {
	n.Of = "risks and opportunities"
	for _, r := range in.Registers.Registers.Risks {
		switch {
		case r.Owner == "":
			in.look(n, "risk", r.ID, false, "has no owner")
		default:
			in.look(n, "risk", r.ID, r.Decision != "", "has no decision")
		}
	}
}

func opportunities(in *Input, n *Count) {
	n.Of = "registers of risks and opportunities"
	found := false
	for _, r := range in.Registers.Registers.Risks {
		if r.Opportunity {
			in.saw(n, "risk", r.ID)
			found = true
		}
	}
	if len(in.Registers.Registers.Risks) > 0 {
		n.Look(found, "the register of risks", "has no opportunity among %d entries", len(in.Registers.Registers.Risks))
	}
}

func assessedSinceChange(in *Input, n *Count) {
	n.Of = "agents in scope"
	for _, a := range in.inScope() {
		last, what := in.changesOf(a, false)
		switch assessed := in.newestRisk(n, a.ID); {
		case assessed == "":
			in.look(n, "agent", a.ID, false, "has no risk assessment")
		default:
			in.look(n, "agent", a.ID, assessed >= last, "was last assessed on %s, before %s of %s", assessed, what, last)
		}
	}
}

func consequencesSplit(in *Input, n *Count) {
	n.Of = "risks"
	for _, r := range in.risks() {
		c := r.Consequences
		var missing []string
		for _, part := range []struct{ who, text string }{{"the organisation", c.Organisation.Text}, {"individuals", c.Individuals.Text}, {"societies", c.Society.Text}} {
			if strings.TrimSpace(part.text) == "" {
				missing = append(missing, part.who)
			}
		}
		in.look(n, "risk", r.ID, len(missing) == 0, "has no consequences for %s", strings.Join(missing, " and "))
	}
}

func levelsRecomputed(in *Input, n *Count) {
	n.Of = "risks"
	for _, r := range in.risks() {
		c, ok := get(in.Registers.Registers.RiskCriteria, r.Criteria)
		s := r.Consequences
		highest := max(s.Organisation.Severity, s.Individuals.Severity, s.Society.Severity)
		switch {
		case !ok:
			in.look(n, "risk", r.ID, false, "names no risk criteria")
		case !onScale(c.Likelihood, r.Likelihood) || !onScale(c.Severity, highest):
			in.look(n, "risk", r.ID, false, "has likelihood %d and severity %d, which are not on the scales of %s", r.Likelihood, highest, c.ID)
		case r.Decision == "accept" && r.Level() > c.AcceptUpTo:
			_, accepted := in.Registers.Accepted("risk", r.ID)
			in.look(n, "risk", r.ID, accepted, "is at level %d, above %d, and left as it is without a person's acceptance", r.Level(), c.AcceptUpTo)
		default:
			in.look(n, "risk", r.ID, true, "")
		}
	}
	n.note("A level is likelihood times the highest severity.")
}

func onScale(scale []record.Scale, level int) bool {
	return slices.ContainsFunc(scale, func(s record.Scale) bool { return s.Level == level })
}

func controlsDecided(in *Input, n *Count) {
	n.Of = "controls of Annex A"
	if len(in.Registers.Registers.Applicability) == 0 {
		return
	}
	for _, c := range iso42001.Controls() {
		a, _, decided := in.applicability(c.ID)
		switch {
		case !decided:
			n.Look(false, c.ID, "is not decided")
		default:
			in.look(n, "applicability", c.ID, strings.TrimSpace(a.Justification) != "", "has no reason")
		}
	}
}

func controlsTraced(in *Input, n *Count) {
	n.Of = "controls kept and risks left untreated"
	for _, a := range in.Registers.Registers.Applicability {
		if a.Applicable != nil && *a.Applicable {
			in.look(n, "applicability", a.ID, in.traced(a), "traces to no risk, obligation or requirement")
		}
	}
	for _, r := range in.risks() {
		if in.treated(r) {
			continue
		}
		m, ok := in.Registers.Accepted("risk", r.ID)
		if ok {
			n.mark(m)
		}
		in.look(n, "risk", r.ID, ok, "is left untreated at level %d and accepted by nobody", r.Level())
	}
}

// traced says whether something asks for a control.
func (in *Input) traced(a record.Applicability) bool {
	r := in.Registers.Registers
	return len(a.Risks) > 0 || len(a.Obligations) > 0 ||
		slices.ContainsFunc(r.Risks, func(x record.Risk) bool { return slices.Contains(x.Controls, a.ID) }) ||
		slices.ContainsFunc(r.Treatments, func(t record.Treatment) bool { return slices.Contains(t.Controls, a.ID) }) ||
		slices.ContainsFunc(r.Parties, func(p record.Party) bool {
			return slices.ContainsFunc(p.Requirements, func(q record.PartyRequirement) bool {
				return slices.Contains(q.Through, "applicability/"+a.ID)
			})
		})
}

// treated says whether something is done about a risk, or its level asks for nothing.
func (in *Input) treated(r record.Risk) bool {
	if slices.ContainsFunc(in.Registers.Registers.Treatments, func(t record.Treatment) bool { return slices.Contains(t.Risks, r.ID) }) {
		return true
	}
	c, ok := get(in.Registers.Registers.RiskCriteria, r.Criteria)
	return ok && r.Level() > 0 && r.Level() <= c.AcceptUpTo
}

func approvedAfterRisks(in *Input, n *Count) {
	n.Of = "decisions on controls"
	var latest record.Date
	for _, r := range in.Registers.Registers.Risks {
		latest = max(latest, r.Assessed)
	}
	for _, a := range in.Registers.Registers.Applicability {
		m, ok := in.approved(n, "applicability", a.ID)
		switch {
		case !ok:
			in.look(n, "applicability", a.ID, false, "has no approval")
		default:
			in.look(n, "applicability", a.ID, dayOf(m.At) >= latest, "was approved on %s, before the latest risk assessment of %s", dayOf(m.At), latest)
		}
	}
}

func implementedShown(in *Input, n *Count) {
	n.Of = "controls said to be implemented"
	for _, a := range in.Registers.Registers.Applicability {
		if a.Implementation != "implemented" || a.Applicable == nil || !*a.Applicable {
			continue
		}
		shown := in.ruleSeen(n, a) || in.shows(a.ID) || slices.ContainsFunc(a.Documents, func(id string) bool {
			d, ok := get(in.Registers.Registers.Documents, id)
			return ok && in.isInForce("document", d.Base)
		})
		in.look(n, "applicability", a.ID, shown, "has neither a rule that decided in the last 92 days nor a current document or record")
	}
}

// ruleSeen says whether a rule that serves a control decided a call lately.
func (in *Input) ruleSeen(n *Count, a record.Applicability) bool {
	seen := false
	for _, id := range sorted(in.Observed.Rules) {
		r := in.Observed.Rules[id]
		serves := slices.Contains(a.Rules, id) || r.Controls[a.ID] > 0
		if serves && r.Last >= in.Until.Add(-quarter).UnixMicro() {
			n.Saw(r.Last, r.Receipt)
			seen = true
		}
	}
	return seen
}
