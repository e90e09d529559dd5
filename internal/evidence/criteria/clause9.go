package criteria

import (
	"slices"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

// clause9 asks about the evaluation of performance (ISO 42001 9.1 to 9.3.3).
func clause9() []Criterion {
	return []Criterion{
		ask("9.1/1", "monitoring_plan metric_series", "monitoring",
			"Each planned measure has a value that is no older than its interval.", measuresHaveValues),
		ask("9.1/2", "metric_series", "monitoring",
			"Each planned measure is computed from named records, or the values that people measured say what they rest on.", measuresDerivable),
		ask("9.1/3", "alert alert_disposition", "monitoring",
			"What the measures and incidents raised was answered by a person in time.", alertsAnswered),
		ask("9.2.1/1", "audit_report audit_sample", "audit_programme audit applicability",
			"Every clause requirement and every control that is kept was audited within the length of the audit cycle.", allAudited),
		ask("9.2.1/2", "audit_report", "audit certification",
			"An internal audit with a conclusion was held, and before stage 2 of a certification.", auditedBeforeStage2),
		ask("9.2.2/1", "separation_check audit_programme", "audit requirement_owner applicability agent",
			"No auditor answers for what the audit covers.", auditorsIndependent),
		ask("9.2.2/2", "audit_report audit_sample", "audit certification",
			"Each finding of an audit has an owner and a day by which it is due.", findingsOwned),
		ask("9.3.1/1", "management_review", "management_review certification",
			"Top management reviewed the management system within a year, no planned review is overdue, and one came before stage 2.", reviewHeld),
		ask("9.3.2/1", "metric_series nonconformity audit_report context_register capa_record", "management_review",
			"The inputs of each review of the period were frozen, with a digest, before it was held.", inputsFrozen),
		ask("9.3.3/1", "management_review capa_record", "management_review",
			"Each decision of a review has an owner and a due date, and what is overdue went to somebody above.", decisionsFollowed),
	}
}

func measuresHaveValues(in *Input, n *Count) {
	n.Of = "planned measures"
	for _, m := range in.Registers.Registers.Monitoring {
		if m.EveryDays < 1 {
			in.look(n, "monitoring", m.ID, false, "has no interval")
			continue
		}
		recent := *in
		recent.From = in.Until.AddDate(0, 0, -m.EveryDays)
		_, now := recent.value(n, m.Measure)
		_, before := in.value(n, m.Measure)
		switch {
		case now:
			in.look(n, "monitoring", m.ID, true, "")
		case before:
			in.past(n, "monitoring", m.ID, "has no value of %s of the last %d days", m.Measure, m.EveryDays)
		default:
			in.look(n, "monitoring", m.ID, false, "has no value of %s", m.Measure)
		}
	}
	n.note("Looked at is the newest interval; of those before it the series of measures tells.")
}

func measuresDerivable(in *Input, n *Count) {
	n.Of = "planned measures with a value"
	for _, m := range in.Registers.Registers.Monitoring {
		if _, computed := find(Measures(), func(c Measure) bool { return c.ID == m.Measure }); computed {
			in.look(n, "monitoring", m.ID, true, "")
			continue
		}
		if len(m.Recorded) == 0 {
			continue
		}
		unexplained := slices.IndexFunc(m.Recorded, func(v record.Value) bool { return v.Text == "" })
		var on record.Date
		if unexplained >= 0 {
			on = m.Recorded[unexplained].On
		}
		in.look(n, "monitoring", m.ID, unexplained < 0 || len(m.Attachments) > 0, "has a value of %s that says nothing of the records behind it", on)
	}
}

func alertsAnswered(in *Input, n *Count) {
	n.Of = "expectations of measures and incidents"
	for _, m := range in.Registers.Registers.Monitoring {
		if m.AtLeast == nil && m.AtMost == nil {
			continue
		}
		v, ok := in.value(n, m.Measure)
		if !ok {
			continue
		}
		answered := within(v, m.AtLeast, m.AtMost) || in.raised("9.1")
		in.look(n, "monitoring", m.ID, answered, "is at %.4g, not as expected, and no nonconformity of the period is about 9.1", v)
	}
	const limit = 3
	for _, c := range in.cases("incident") {
		if !in.during(c.Opened) {
			continue
		}
		n.Saw(c.Changed, c.Receipt)
		first := int64(0)
		for event, at := range c.Events {
			if event != "reported" && (first == 0 || at < first) {
				first = at
			}
		}
		late := plus(dayOf(c.Opened), limit)
		waits := first == 0 && late < in.today()
		n.Look(!waits && (first == 0 || dayOf(first) <= late), "incident/"+c.ID, "was reported on %s and not answered within %d days", dayOf(c.Opened), limit)
	}
	n.note("Alerts are measures outside their expectation and incidents; which measure a nonconformity about 9.1 means cannot be seen. The limit of %d days is the product's own.", limit)
}

// raised says whether a nonconformity or an opportunity about a requirement was
// raised in the period.
func (in *Input) raised(requirement string) bool {
	return slices.ContainsFunc(in.cases("nonconformity"), func(c observed.Case) bool {
		return c.Requirement == requirement && in.during(c.Opened)
	})
}

// kept are the clause requirements and the controls that are not left out.
func (in *Input) kept() []string {
	var list []string
	for _, r := range iso42001.Requirements() {
		_, applies, decided := in.applicability(r.ID)
		if r.Kind == iso42001.Clause || applies || !decided {
			list = append(list, r.ID)
		}
	}
	return list
}

// programme is the audit programme whose cycle has today in it, or else the
// newest that began.
func (in *Input) programme() (p record.AuditProgramme, ok bool) {
	for _, x := range in.Registers.Registers.AuditProgrammes {
		if x.From <= in.today() && (!ok || x.Until > p.Until) {
			p, ok = x, true
		}
	}
	return p, ok
}

// held are the audits that took place up to today.
func (in *Input) held() []record.Audit {
	return slices.DeleteFunc(slices.Clone(in.Registers.Registers.Audits), func(a record.Audit) bool {
		return a.Held == "" || a.Held > in.today()
	})
}

func allAudited(in *Input, n *Count) {
	n.Of = "clause requirements and controls kept"
	p, ok := in.programme()
	if !ok {
		return
	}
	in.saw(n, "audit_programme", p.ID)
	since := plus(in.today(), -cycleDays(p))
	for _, id := range in.kept() {
		audited := false
		for _, a := range in.held() {
			if a.Held >= since && covers(a.Requirements, id) {
				audited = true
				in.saw(n, "audit", a.ID)
			}
		}
		next := record.Date("")
		for _, a := range p.Audits {
			if covers(a.Requirements, id) && a.Planned >= in.today() && (next == "" || a.Planned < next) {
				next = a.Planned
			}
		}
		switch {
		case audited:
			n.Look(true, id, "")
		case next != "":
			n.Look(false, id, "is not audited yet, and planned for %s", next)
		default:
			n.Look(false, id, "is not audited and not planned")
		}
	}
	n.note("The cycle of %s has %d days; audits of the last %d days count.", p.ID, cycleDays(p), cycleDays(p))
}

func cycleDays(p record.AuditProgramme) int {
	days := 0
	for d := p.From; d != "" && d < p.Until && days < 3*366; d = plus(d, 1) {
		days++
	}
	return days + 1
}

// certification is the programme with a certification body, if there is one.
func (in *Input) certification() record.Certification {
	for _, c := range in.Registers.Registers.Certification {
		return c
	}
	return record.Certification{}
}

func auditedBeforeStage2(in *Input, n *Count) {
	n.Of = "internal audits and stages 2"
	var first record.Date
	for _, a := range in.held() {
		in.look(n, "audit", a.ID, a.Conclusion != "", "has no conclusion")
		if a.Conclusion != "" && (first == "" || a.Held < first) {
			first = a.Held
		}
	}
	c := in.certification()
	if c.Stage2 == "" {
		n.note("No stage 2 is planned.")
		return
	}
	in.look(n, "certification", c.ID, first != "" && first < c.Stage2, "has stage 2 on %s, and no internal audit was concluded before it", c.Stage2)
}

func auditorsIndependent(in *Input, n *Count) {
	n.Of = "auditors of audits"
	for _, a := range in.Registers.Registers.Audits {
		for _, p := range slices.Concat([]string{a.Lead}, a.Auditors) {
			if p == "" {
				continue
			}
			owned := in.owns(p, a)
			in.saw(n, "audit", a.ID)
			n.Look(owned == "", "audit/"+a.ID+"/"+p, "answers for %s, which the audit covers", owned)
		}
	}
	n.note("Looked at is who owns requirements and decisions on controls; work done for another owner cannot be seen.")
}

// owns is something that a person answers for and an audit covers; "" for nothing.
func (in *Input) owns(person string, a record.Audit) string {
	for _, o := range in.Registers.Registers.Owners {
		if o.Owner == person && covers(a.Requirements, o.ID) {
			return o.ID
		}
	}
	for _, x := range in.Registers.Registers.Applicability {
		if x.Owner == person && covers(a.Requirements, x.ID) {
			return x.ID
		}
	}
	return ""
}

func findingsOwned(in *Input, n *Count) {
	n.Of = "audits held and their findings"
	for _, a := range in.held() {
		in.look(n, "audit", a.ID, true, "")
	}
	for _, c := range in.cases("nonconformity") {
		if c.Closed != 0 {
			continue
		}
		n.Saw(c.Changed, c.Receipt)
		switch {
		case c.Owner == "":
			n.Look(false, "nonconformity/"+c.ID, "has no owner")
		default:
			n.Look(c.Due != "", "nonconformity/"+c.ID, "has no day by which something is due")
		}
	}
	c := in.certification()
	for _, f := range c.Findings {
		in.saw(n, "certification", c.ID)
		n.Look(f.Due != "", "certification/"+c.ID+"/"+f.ID, "has no day by which it is to be answered")
	}
	n.note("Looked at are all open nonconformities, those of audits among them.")
}

func reviewHeld(in *Input, n *Count) {
	n.Of = "management reviews"
	latest, held := in.latestReview()
	var first record.Date
	for _, r := range in.Registers.Registers.ManagementReviews {
		if r.Held != "" && r.Held <= in.today() && (first == "" || r.Held < first) {
			first = r.Held
		}
		switch end := plus(latest.Held, 366); {
		case r.Held == "" && r.Planned < in.today():
			in.look(n, "management_review", r.ID, false, "was planned for %s and is not held", r.Planned)
		case r.Held == "":
			// What is planned ahead shows nothing yet.
		case held && r.ID == latest.ID && end < in.today():
			in.past(n, "management_review", r.ID, "is the newest and of %s", r.Held)
		case len(r.Attended) == 0:
			in.look(n, "management_review", r.ID, false, "names nobody who took part")
		default:
			in.look(n, "management_review", r.ID, true, "")
		}
	}
	if held {
		n.Until(plus(latest.Held, 366))
	}
	if c := in.certification(); c.Stage2 != "" {
		in.look(n, "certification", c.ID, first != "" && first < c.Stage2, "has stage 2 on %s, and no management review was held before it", c.Stage2)
	}
}

func inputsFrozen(in *Input, n *Count) {
	n.Of = "management reviews held in the period"
	for _, r := range in.Registers.Registers.ManagementReviews {
		if !in.on(r.Held) {
			continue
		}
		f := in.Observed.Frozen[r.ID]
		if f != nil {
			n.Saw(f.At, f.Receipt)
		}
		switch {
		case f == nil:
			in.look(n, "management_review", r.ID, false, "has no frozen inputs")
		case r.Inputs != "" && f.Digest != r.Inputs:
			in.look(n, "management_review", r.ID, false, "names other inputs than were frozen")
		default:
			in.look(n, "management_review", r.ID, dayOf(f.At) <= r.Held, "had its inputs frozen on %s, after it was held", dayOf(f.At))
		}
	}
	n.note("The five groups of inputs are put together by the product when they are frozen; the facts keep their digest only.")
}

func decisionsFollowed(in *Input, n *Count) {
	n.Of = "decisions of management reviews"
	for _, r := range in.Registers.Registers.ManagementReviews {
		for _, d := range r.Decisions {
			on := "management_review/" + r.ID + "/" + d.ID
			in.saw(n, "management_review", r.ID)
			switch {
			case d.Owner == "":
				n.Look(false, on, "has no owner")
			case d.Due == "":
				n.Look(false, on, "has no due date")
			default:
				n.Look(d.Done != "" || d.Due >= in.today() || d.Escalated != "", on, "was due on %s and went to nobody above", d.Due)
			}
		}
	}
}
