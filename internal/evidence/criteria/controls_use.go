package criteria

import (
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// controlsInformation asks about information for interested parties (ISO 42001 A.8).
func controlsInformation() []Criterion {
	return []Criterion{
		ask("A.8.2/1", "system_doc notification_record", "agent document",
			"The users of each deployed agent have information in force, and it is that of its version.", userInformationCurrent),
		ask("A.8.3/1", "concern_report", "communication",
			"The plan of communication says how people outside report what troubles them.", reportingPlanned),
		ask("A.8.3/2", "concern_report", "",
			"Every concern of the period was looked at within its time limit.", concernsTriaged),
		ask("A.8.4/1", "incident_record notification_record", "",
			"Every incident of the period has a decision within three days whether people are told.", incidentsDecided),
		ask("A.8.4/2", "communication_plan", "communication",
			"The plan of communication says how incidents are told.", incidentsPlanned),
		ask("A.8.5/1", "obligation_register notification_record", "obligation",
			"No duty to inform somebody is past its day, and none was done late in the period.", dutiesMet),
	}
}

// controlsUse asks about the use of AI systems and third parties (ISO 42001 A.9, A.10).
func controlsUse() []Criterion {
	return []Criterion{
		ask("A.9.2/1", "human_approval decision_receipt override_event", "agent",
			"Each oversight point that the record of a deployed agent names held a call for people in the period.", oversightFired),
		ask("A.9.2/2", "policy_version", "document",
			"The process of responsible use is described in a document in force.", useProcess),
		ask("A.9.3/1", "objective_record metric_series", "objective",
			"Each objective of responsible use has a measure, or its record says why there is none.", useObjectives),
		ask("A.9.4/1", "decision_receipt", "agent purpose",
			"No call of the period was allowed to an agent outside the purposes and tools that its record names.", usedAsIntended),
		ask("A.9.4/2", "audit_sample", "",
			"An internal audit drew a sample of decisions in the period, and a person looked at each item.", useSampled),
		ask("A.10.2/1", "responsibility_matrix tool_inventory", "supplier model server compute",
			"Every third party that models, servers or machines come from has its responsibilities allocated.", responsibilitiesAllocated),
		ask("A.10.3/1", "supplier_record model_provider_record", "supplier agent server model",
			"Every supplier of what agents use has an assessment that is in date and did not refuse it.", suppliersAssessed),
		ask("A.10.3/2", "tool_inventory tool_drift_event", "",
			"No call of the period was allowed to a tool without a pin of its definition.", callsPinned),
		ask("A.10.4/1", "customer_record", "party applicability risk treatment document obligation objective",
			"Each commitment to a customer traces to a control, by itself or through a risk, a document, an obligation or an objective.", commitmentsTraced),
	}
}

func userInformationCurrent(in *Input, n *Count) {
	in.versionDocument(n, "information for users", func(d record.Document) bool {
		return d.Type == "user-information" || slices.Contains(d.Audience, "users")
	})
}

// communicated looks at the lines of the communication plan on some topics.
func (in *Input) communicated(n *Count, what string, topics ...string) {
	n.Of = "plans of communication"
	found := false
	for _, c := range in.Registers.Registers.Communications {
		if slices.Contains(topics, c.Topic) {
			in.saw(n, "communication", c.ID)
			found = found || in.unfilled("communication", c.ID) == ""
		}
	}
	if len(in.Registers.Registers.Communications) > 0 {
		n.Look(found, "the plan of communication", "has no line on %s", what)
	}
}

func reportingPlanned(in *Input, n *Count) { in.communicated(n, "concerns", "concerns") }
func incidentsPlanned(in *Input, n *Count) { in.communicated(n, "incidents", "incidents") }

// triageWithin is how many days a concern may wait until somebody looked at it.
const triageWithin = 14

func concernsTriaged(in *Input, n *Count) { in.concernsWithin(n, "triaged", triageWithin) }

func incidentsDecided(in *Input, n *Count) {
	n.Of = "incidents of the period that are decided or whose 3 days for that are over"
	for _, c := range in.cases("incident") {
		last := plus(dayOf(c.Opened), decideWithin)
		switch {
		case !in.during(c.Opened):
		case c.Notify == "" && in.today() <= last:
			n.Until(last)
		default:
			n.Saw(c.Changed, c.Receipt)
			n.Look(c.Notify != "", "incident/"+c.ID, "was opened on %s and has no decision whether people are told", dayOf(c.Opened))
		}
	}
	n.note("A decision cannot be recorded without a reason; the reason stands in its receipt. The limit of %d days is the product's own.", decideWithin)
}

// decideWithin is how many days there are to decide whether people are told of an
// incident.
const decideWithin = 3

func dutiesMet(in *Input, n *Count) {
	n.Of = "duties to inform"
	for _, o := range in.Registers.Registers.Obligations {
		if o.Applies != nil && !*o.Applies {
			continue
		}
		for _, d := range o.Duties {
			done := in.happened(d.Done)
			switch {
			case !d.Inform:
			case !done && d.Due != "" && d.Due < in.today():
				in.look(n, "obligation", o.ID, false, "has the duty %s, which was due on %s and is not done", d.ID, d.Due)
			case done && d.Due != "" && d.Done > d.Due && in.on(d.Done):
				in.look(n, "obligation", o.ID, false, "has the duty %s, which was due on %s and done on %s only", d.ID, d.Due, d.Done)
			default:
				in.look(n, "obligation", o.ID, true, "")
				if !done {
					n.Until(d.Due)
				}
			}
		}
	}
}

func oversightFired(in *Input, n *Count) {
	n.Of = "oversight points of deployed agents"
	for _, id := range in.deployed() {
		a, _ := in.agent(id)
		for _, rule := range a.OversightRule {
			r := in.Observed.Rules[rule]
			fired := r != nil && in.lately(r.HeldLast)
			if fired {
				n.Saw(r.HeldLast, r.Receipt)
			}
			in.look(n, "agent", id, fired, "has the oversight point %s, which held no call for people since %s", rule, day(in.From))
		}
	}
	n.note("An oversight point that never fires may be one that nothing reached; a rehearsal tells them apart.")
}

func useProcess(in *Input, n *Count) { in.described(n, "A.9.2", "process of responsible use") }

func useObjectives(in *Input, n *Count) {
	n.Of = "objectives of responsible use"
	for _, o := range in.Registers.Registers.Objectives {
		if o.Area == "responsible-use" {
			in.look(n, "objective", o.ID, o.Measure != "" || strings.TrimSpace(o.Note) != "", "has neither a measure nor a reason why there is none")
		}
	}
}

func usedAsIntended(in *Input, n *Count) {
	n.Of = "agents with allowed calls in the period"
	for _, id := range in.seen() {
		o := in.Observed.Agents[id]
		purposes := slices.DeleteFunc(sorted(o.PurposeAllowed), func(p string) bool { return !in.lately(o.PurposeAllowed[p]) })
		if len(purposes) == 0 {
			continue
		}
		n.Saw(o.Last, o.Receipt)
		a, known := in.agent(id)
		var outside []string
		for _, p := range purposes {
			if p != "" && !slices.Contains(a.Purposes, p) {
				outside = append(outside, "calls for the purpose "+p)
			}
		}
		for _, tool := range in.allowedTools(o) {
			if !declares(a, tool) {
				outside = append(outside, "the tool "+tool)
			}
		}
		switch {
		case !known:
			n.Look(false, "agent/"+id, "was allowed calls without a record that says what it is for")
		default:
			in.look(n, "agent", id, len(outside) == 0, "was allowed %s, which its record does not name", names(outside))
		}
	}
	n.note("What an agent means to do within tools that it may use is not seen.")
}

func useSampled(in *Input, n *Count) {
	n.Of = "samples of decisions that audits drew in the period"
	exceptions := 0
	for _, s := range in.Observed.Samples {
		if s.Kind != observed.OfDecisions || !in.during(s.At) {
			continue
		}
		n.Saw(s.At, s.Receipt)
		for _, conforms := range s.Judged {
			if !conforms {
				exceptions++
			}
		}
		n.Look(len(s.Judged) >= s.Items && s.Items > 0, "audit/"+s.Audit, "drew a sample on %s of which %d of %d items have a result", dayOf(s.At), len(s.Judged), s.Items)
	}
	if n.Population == 0 && len(in.days()) > 0 {
		n.Look(false, "the decisions since "+string(day(in.From)), "were sampled by no internal audit")
	}
	n.note("People found %d items that do not conform; each is a finding of its audit.", exceptions)
}

// suppliersUsed are the suppliers of what agents use, sorted, each with what it
// supplies.
func (in *Input) suppliersUsed() map[string]string {
	r, used := in.Registers.Registers, map[string]string{}
	for _, m := range r.Models {
		used[m.Provider] = "model/" + m.ID
	}
	for _, s := range r.Servers {
		if s.Supplier != "" {
			used[s.Supplier] = "server/" + s.ID
		}
	}
	for _, c := range r.Compute {
		if c.Supplier != "" {
			used[c.Supplier] = "compute/" + c.ID
		}
	}
	return used
}

func responsibilitiesAllocated(in *Input, n *Count) {
	n.Of = "third parties that models, servers or machines come from"
	used := in.suppliersUsed()
	for _, id := range sorted(used) {
		s, _ := get(in.Registers.Registers.Suppliers, id)
		in.look(n, "supplier", id, len(s.Responsibilities) > 0, "supplies %s, and it is not said who does what", used[id])
	}
}

func suppliersAssessed(in *Input, n *Count) {
	n.Of = "suppliers of what agents use"
	used := in.suppliersUsed()
	for _, id := range sorted(used) {
		s, _ := get(in.Registers.Registers.Suppliers, id)
		made := slices.DeleteFunc(slices.Clone(s.Assessments), func(a record.SupplierAssessment) bool { return !in.happened(a.On) })
		if len(made) == 0 {
			in.look(n, "supplier", id, false, "supplies %s and was never assessed", used[id])
			continue
		}
		newest := slices.MaxFunc(made, func(a, b record.SupplierAssessment) int { return strings.Compare(string(a.On), string(b.On)) })
		switch {
		case newest.Result == "refused":
			in.look(n, "supplier", id, false, "was refused on %s and supplies %s", newest.On, used[id])
		case newest.Valid < in.today():
			in.past(n, "supplier", id, "has an assessment that counted until %s", newest.Valid)
		default:
			in.look(n, "supplier", id, true, "")
			n.Until(newest.Valid)
		}
	}
}

func callsPinned(in *Input, n *Count) {
	n.Of = "tools called in the period"
	for _, id := range in.calledTools() {
		t := in.Observed.Tools[id]
		n.Saw(t.Last, t.Receipt)
		n.Look(!in.lately(t.UnpinnedLast), "tool/"+id, "was allowed on %s without a pin of its definition", dayOf(t.UnpinnedLast))
	}
}

func commitmentsTraced(in *Input, n *Count) {
	n.Of = "commitments to customers"
	for _, p := range in.Registers.Registers.Parties {
		if p.Type != "customer" {
			continue
		}
		for _, r := range p.Requirements {
			if r.Decision == "addressed" {
				in.look(n, "party", p.ID, slices.ContainsFunc(r.Through, in.leadsToControl), "was promised %s, which traces to no control", r.ID)
			}
		}
	}
}

// leadsToControl says whether a record, kind/id, is a decision on a control or
// names one, itself or by what treats it.
func (in *Input) leadsToControl(on string) bool {
	kind, id, _ := strings.Cut(on, "/")
	r := in.Registers.Registers
	switch kind {
	case "applicability":
		return true
	case "risk":
		risk, _ := get(r.Risks, id)
		return len(risk.Controls) > 0 ||
			slices.ContainsFunc(r.Treatments, func(t record.Treatment) bool { return slices.Contains(t.Risks, id) && len(t.Controls) > 0 }) ||
			slices.ContainsFunc(r.Applicability, func(a record.Applicability) bool { return slices.Contains(a.Risks, id) })
	case "obligation":
		return slices.ContainsFunc(r.Applicability, func(a record.Applicability) bool { return slices.Contains(a.Obligations, id) })
	case "document":
		d, _ := get(r.Documents, id)
		return slices.ContainsFunc(d.Requirements, func(q string) bool { return strings.HasPrefix(q, "A.") }) ||
			slices.ContainsFunc(r.Applicability, func(a record.Applicability) bool { return slices.Contains(a.Documents, id) })
	case "objective":
		o, _ := get(r.Objectives, id) // those of development and use are controls of Annex A
		return o.Area == "responsible-development" || o.Area == "responsible-use"
	}
	return false
}
