package criteria

import (
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
	"aims/iso42001"
)

// clause7 asks about support (ISO 42001 7.1 to 7.5.3).
func clause7() []Criterion {
	return []Criterion{
		ask("7.1/1", "resource_plan people_record", "resource_plan",
			"A plan of resources covers today and is approved.", resourcesPlanned),
		ask("7.1/2", "metric_series", "treatment management_review",
			"What shows too much work is inside its limits: no request for approval open for over 7 days, nothing overdue for over 30.", workInLimits),
		ask("7.2/1", "training_record", "role assignment person competence training",
			"Each role says what its holders must be able to do, and each holder has a current record of it.", rolesCompetent),
		ask("7.2/2", "human_approval attack_run", "role assignment person competence training",
			"Nobody released a held call in the period without the competence that the role asks for on that day.", approversCompetent),
		ask("7.3/1", "policy_acknowledgement training_record", "document person role assignment",
			"Everybody who must know the AI policy acknowledged its present version, or it is recorded why not.", awareness),
		ask("7.4/1", "communication_plan notification_record", "communication notification",
			"It is planned who is told of incidents, policy, changes and matters of interested parties, and notifications went out on time.", communicationPlanned),
		ask("7.5.1/1", "document_control", "document scope risk_criteria risk applicability treatment impact_assessment objective training monitoring audit_programme audit management_review",
			"Each item of documented information that the standard asks for by name is there, current and approved.", documentedInformation),
		ask("7.5.2/1", "document_control policy_approval separation_check", "document",
			"Every document has an owner and the approval of its present version by somebody other than its author.", documentsApproved),
		ask("7.5.3/1", "offline_verification receipt_completeness", "",
			"The log's signatures, tree and checkpoints were verified for the period.", logVerified).fresh(quarter),
		ask("7.5.3/2", "retention_proof", "retention_rule",
			"Nothing was erased before the time that its retention rule gives it.", retentionKept),
		ask("7.5.3/3", "receipt_completeness retention_proof", "",
			"The log has no gap, and every erasure names its rule.", logWithoutGap),
	}
}

func resourcesPlanned(in *Input, n *Count) {
	n.Of = "plans of resources for today"
	plans := in.Registers.Registers.ResourcePlans
	var newest record.ResourcePlan
	found := false
	for _, p := range plans {
		if p.From <= in.today() && p.Until >= in.today() {
			found = true
			_, ok := in.approved(n, "resource_plan", p.ID)
			in.look(n, "resource_plan", p.ID, ok && len(p.Items) > 0, "has no approval or names no resources")
			n.Until(p.Until)
		}
		if p.From <= in.today() && p.Until >= newest.Until {
			newest = p
		}
	}
	if !found && newest.ID != "" {
		in.past(n, "resource_plan", newest.ID, "ended on %s and none follows it", newest.Until)
	}
}

func workInLimits(in *Input, n *Count) {
	n.Of = "things due and requests for approval"
	limit := plus(in.today(), -30)
	for _, t := range in.Registers.Registers.Treatments {
		if t.Done == "" && t.Due != "" {
			in.look(n, "treatment", t.ID, due(t) >= limit, "was due on %s", due(t))
		}
	}
	for _, r := range in.Registers.Registers.ManagementReviews {
		for _, d := range r.Decisions {
			if d.Done == "" && d.Due != "" {
				in.look(n, "management_review", r.ID+"/"+d.ID, d.Due >= limit, "was due on %s", d.Due)
			}
		}
	}
	for _, id := range sorted(in.Observed.Cases) {
		if c := in.Observed.Cases[id]; c.Closed == 0 && c.Due != "" {
			n.Saw(c.Changed, c.Receipt)
			n.Look(record.Date(c.Due) >= limit, c.Kind+"/"+c.ID, "was due on %s", c.Due)
		}
	}
	for _, id := range sorted(in.Observed.Approvals) {
		a := in.Observed.Approvals[id]
		if a.Ended != 0 && !in.during(a.Ended) {
			continue
		}
		n.Saw(a.Requested, a.Receipt)
		waiting := a.Ended == 0 && plus(dayOf(a.Requested), 7) < in.today()
		n.Look(!waiting, "approval/"+id, "waits for people since %s", dayOf(a.Requested))
	}
	n.note("The limits are the product's own.")
}

// due is when a treatment is due, by its extension where there is one with a reason.
func due(t record.Treatment) record.Date {
	if t.Extended != nil && strings.TrimSpace(t.Extended.Reason) != "" {
		return t.Extended.Until
	}
	return t.Due
}

func rolesCompetent(in *Input, n *Count) {
	n.Of = "roles"
	for _, r := range in.Registers.Registers.Roles {
		fault := ""
		if len(r.Competences) == 0 {
			fault = "says nothing of what its holders must be able to do"
		}
		for _, p := range in.holders(r.ID, in.today()) {
			if what := in.lacks(p, r, in.today()); what != "" && fault == "" {
				fault = "is held by " + p + " without a current record of " + what
			}
		}
		in.look(n, "role", r.ID, fault == "", "%s", fault)
	}
	for _, t := range in.Registers.Registers.Training {
		in.saw(n, "training", t.ID)
	}
}

func approversCompetent(in *Input, n *Count) {
	n.Of = "approvals of the period"
	in.votes(func(a observed.Approval, v observed.Vote) {
		n.Saw(v.At, v.Receipt)
		on, competent, what := dayOf(v.At), false, "no role that grants it"
		for _, r := range in.roles(v.By, on) {
			if !slices.Contains(v.Roles, r.Grants) {
				continue
			}
			if missing := in.lacks(v.By, r, on); missing != "" {
				what = "no valid record of " + missing
				continue
			}
			competent = true
		}
		n.Look(competent, "approval/"+a.ID, "was released by %s, who had %s on %s", v.By, what, on)
	})
	n.note("Drills of approvers are not told from work.")
}

func awareness(in *Input, n *Count) {
	n.Of = "people who must know the AI policy"
	excused := 0
	for _, d := range in.policies() {
		if _, ok := in.approved(n, "document", d.ID); !ok {
			continue
		}
		for _, p := range in.readers(d) {
			m, knows := in.acknowledged(d.ID, p.ID)
			if knows {
				n.mark(m)
			} else if p.Excused != "" {
				excused++
			}
			in.look(n, "person", p.ID, knows || p.Excused != "", "has not acknowledged %s", d.ID)
		}
	}
	n.note("For %d of them it is recorded why they have not.", excused)
}

func communicationPlanned(in *Input, n *Count) {
	n.Of = "topics to plan for and notifications due"
	if len(in.Registers.Registers.Communications) > 0 {
		for _, topic := range []string{"incidents", "policy", "changes", "interested-parties"} {
			c, ok := find(in.Registers.Registers.Communications, func(c record.Communication) bool { return c.Topic == topic })
			if ok {
				in.look(n, "communication", c.ID, true, "")
				continue
			}
			n.Look(false, "topic/"+topic, "is not in the plan of communication")
		}
	}
	for _, m := range in.Registers.Registers.Notifications {
		if m.Due == "" || !in.on(m.Due) && !in.on(m.Sent) && m.Sent != "" {
			continue
		}
		switch {
		case m.Sent == "":
			in.look(n, "notification", m.ID, m.Due >= in.today(), "was due on %s and is not sent", m.Due)
		default:
			in.look(n, "notification", m.ID, m.Sent <= m.Due, "was due on %s and sent on %s", m.Due, m.Sent)
		}
	}
}

func documentedInformation(in *Input, n *Count) {
	n.Of = "items of documented information"
	items := iso42001.DocumentedInformation()
	holds := map[string]bool{}
	any := false
	for _, item := range items {
		key := item.Clause + " " + item.Item
		holds[key] = in.documented(n, item)
		any = any || holds[key]
	}
	if !any {
		return
	}
	for _, item := range items {
		n.Look(holds[item.Clause+" "+item.Item], item.Clause+"/"+item.Item, "has no current approved record")
	}
	n.note("Which further documents the organisation needs is its own decision.")
}

func documentsApproved(in *Input, n *Count) {
	n.Of = "documents"
	for _, d := range in.Registers.Registers.Documents {
		if d.Owner == "" {
			in.look(n, "document", d.ID, false, "has no owner")
			continue
		}
		in.inForce(n, "document", d.Base)
	}
}

func logVerified(in *Input, n *Count) {
	n.Of = "verifications of the log in the period"
	in.tests(n, observed.TestIntegrity)
	n.note("Counted are verifications recorded by an audit; anybody can repeat them without the installation.")
}

func retentionKept(in *Input, n *Count) {
	n.Of = "retention rules"
	for _, r := range in.Registers.Registers.Retention {
		fault := ""
		for _, e := range in.Observed.Erasures {
			// Only payloads can be erased; receipts stay in the tree.
			if newest := in.writtenBy(e.To); r.Records == "payloads" && newest != "" && plus(newest, r.Days) > dayOf(e.At) {
				fault = "keeps payloads for " + days(r.Days) + ", and some of " + string(newest) + " were erased on " + string(dayOf(e.At)) + " under rule " + e.Rule
			}
			n.Saw(e.At, e.Receipt)
		}
		in.look(n, "retention_rule", r.ID, fault == "", "%s", fault)
	}
	n.note("When an erased entry was written is known to the day; copies outside the installation cannot be seen.")
}

// writtenBy is a day on or before which an entry was written; "" if not known.
func (in *Input) writtenBy(index uint64) record.Date {
	var last record.Date
	for _, d := range in.Observed.Days {
		if d.Index <= index {
			last = record.Date(d.Day)
		}
	}
	return last
}

func logWithoutGap(in *Input, n *Count) {
	n.Of = "readings of the log and erasures"
	if in.Observed.Size == 0 {
		return
	}
	n.Saw(in.Observed.Last, "")
	n.Look(true, "log", "")
	in.tests(n, observed.TestCompleteness)
	for _, e := range in.Observed.Erasures {
		n.Saw(e.At, e.Receipt)
		n.Look(e.Rule != "", "receipt/"+e.Receipt, "erased the payloads of entries %d to %d under no rule", e.From, e.To)
	}
	n.note("The log was read from its first entry to entry %d without a missing index.", in.Observed.Size-1)
}
