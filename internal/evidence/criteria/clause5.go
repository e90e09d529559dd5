package criteria

import (
	"slices"
	"strings"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// clause5 asks about leadership (ISO 42001 5.1 to 5.3).
func clause5() []Criterion {
	return []Criterion{
		ask("5.1/1", "policy_approval", "document role assignment person",
			"The AI policy is approved by somebody who belonged to top management on that day.", policyByTop),
		ask("5.1/2", "management_review", "management_review role assignment person",
			"The latest management review was chaired by somebody of top management.", reviewByTop),
		ask("5.2/1", "policy_version policy_approval", "document",
			"There is an AI policy, approved in its present version, whose review is not overdue.", policyCurrent),
		ask("5.2/2", "policy_acknowledgement", "document person role assignment",
			"Whoever must know the AI policy acknowledged its present version; for that there are 31 days after its approval, or after the person came.", policyKnown),
		ask("5.2/3", "decision_receipt policy_version", "document",
			"Every rule that decided on agents in the period serves a statement of an approved policy.", rulesServePolicy),
		ask("5.3/1", "role_assignment", "role assignment person",
			"No role of the management system is vacant: somebody holds it today and has accepted it.", rolesFilled),
		ask("5.3/2", "human_approval separation_check", "role assignment person",
			"Each approval of the period was given by somebody who held an entitled role on that day, and no record by its own author.", approvalsEntitled),
		ask("5.3/3", "access_review", "access_review",
			"Who may do what was reviewed within a year, and what was to be revoked is revoked.", accessReviewed),
	}
}

// policies are the AI policies: documents of that type.
func (in *Input) policies() []record.Document { return in.documents("ai-policy") }

func policyByTop(in *Input, n *Count) {
	n.Of = "AI policies"
	for _, d := range in.policies() {
		m, ok := in.approved(n, "document", d.ID)
		switch {
		case !ok:
			in.look(n, "document", d.ID, false, "has no approval of its present version")
		default:
			in.look(n, "document", d.ID, in.leads(m.By, dayOf(m.At)), "is approved by %s, who held no role of top management on %s", m.By, dayOf(m.At))
		}
	}
}

// latestReview is the newest management review that was held.
func (in *Input) latestReview() (latest record.ManagementReview, ok bool) {
	for _, r := range in.Registers.Registers.ManagementReviews {
		if r.Held != "" && r.Held <= in.today() && (!ok || r.Held > latest.Held) {
			latest, ok = r, true
		}
	}
	return latest, ok
}

func reviewByTop(in *Input, n *Count) {
	n.Of = "management reviews held"
	r, ok := in.latestReview()
	if !ok {
		return
	}
	switch {
	case r.Chair == "":
		in.look(n, "management_review", r.ID, false, "names nobody who chaired it")
	default:
		in.look(n, "management_review", r.ID, in.leads(r.Chair, r.Held), "was chaired by %s, who held no role of top management on %s", r.Chair, r.Held)
	}
}

func policyCurrent(in *Input, n *Count) {
	n.Of = "AI policies"
	for _, d := range in.policies() {
		in.inForce(n, "document", d.Base)
	}
}

// knowWithin is how many days people have to acknowledge a policy.
const knowWithin = 31

func policyKnown(in *Input, n *Count) {
	n.Of = "people who acknowledged the AI policy or whose 31 days for that are over"
	waiting, excused := 0, 0
	for _, d := range in.policies() {
		approval, ok := in.approved(n, "document", d.ID)
		if !ok {
			continue
		}
		for _, p := range in.readers(d) {
			m, knows := in.acknowledged(d.ID, p.ID)
			due := plus(max(dayOf(approval.At), in.entered("person", p.ID)), knowWithin)
			switch {
			case knows:
				n.mark(m)
				in.look(n, "person", p.ID, true, "")
			case p.Excused != "":
				excused++
			case due >= in.today():
				waiting++
				n.Until(due)
			default:
				in.look(n, "person", p.ID, false, "has not acknowledged %s, approved on %s, by %s", d.ID, dayOf(approval.At), due)
			}
		}
	}
	if waiting+excused > 0 {
		n.note("Not looked at: %d with days left, %d with a recorded reason why they acknowledge nothing for now.", waiting, excused)
	}
}

func rulesServePolicy(in *Input, n *Count) {
	n.Of = "rules that decided on agents in the period"
	served := map[string]bool{}
	for _, d := range in.documents("ai-policy", "policy") {
		if _, ok := in.approved(n, "document", d.ID); !ok {
			continue
		}
		for _, s := range d.Statements {
			for _, rule := range s.Rules {
				served[rule] = true
			}
		}
	}
	for _, id := range sorted(in.Observed.Rules) {
		if r := in.Observed.Rules[id]; in.lately(r.Called) {
			n.Saw(r.Called, r.Receipt)
			n.Look(served[id], "rule/"+id, "serves no statement of an approved policy")
		}
	}
	n.note("Rules by which people manage the installation are not asked for; rules that decided nothing in the period cannot be seen in the log.")
}

func rolesFilled(in *Input, n *Count) {
	n.Of = "roles"
	for _, r := range in.Registers.Registers.Roles {
		held, accepted := false, false
		for _, a := range in.Registers.Registers.Assignments {
			if a.Role == r.ID && in.holding(a, in.today()) {
				in.saw(n, "assignment", a.ID)
				held, accepted = true, accepted || a.Accepted != ""
			}
		}
		switch {
		case !held:
			in.look(n, "role", r.ID, false, "is held by nobody")
		default:
			in.look(n, "role", r.ID, accepted, "is accepted by nobody who holds it")
		}
	}
}

func approvalsEntitled(in *Input, n *Count) {
	n.Of = "approvals of the period"
	in.votes(func(a observed.Approval, v observed.Vote) {
		n.Saw(v.At, v.Receipt)
		entitled := slices.ContainsFunc(in.roles(v.By, dayOf(v.At)), func(r record.Role) bool { return slices.Contains(v.Roles, r.Grants) })
		n.Look(entitled, "approval/"+a.ID, "was released by %s as %s, who held no role that grants this on %s", v.By, strings.Join(v.Roles, ", "), dayOf(v.At))
	})
	for _, m := range in.Registers.Marks {
		if (m.Kind != record.Approve && m.Kind != record.Accept) || !in.during(m.At) {
			continue
		}
		n.mark(m)
		v := in.Registers.Versions[record.Key{Kind: m.On, ID: m.ID}]
		switch {
		case m.Kind == record.Approve && m.Digest == v.Digest && m.By == v.By:
			n.Look(false, m.On+"/"+m.ID, "was approved by its author %s", m.By)
		default:
			n.Look(len(in.roles(m.By, dayOf(m.At))) > 0, m.On+"/"+m.ID, "was marked by %s, who held no role on %s", m.By, dayOf(m.At))
		}
	}
	n.note("Roles are those that the registers give today for the day of the approval.")
}

func accessReviewed(in *Input, n *Count) {
	n.Of = "reviews of access"
	reviews := in.Registers.Registers.AccessReviews
	if len(reviews) == 0 {
		return
	}
	newest := slices.MaxFunc(reviews, func(a, b record.AccessReview) int { return strings.Compare(string(a.On), string(b.On)) })
	for _, r := range reviews {
		open := ""
		for _, d := range r.Decisions {
			if d.Decision == "revoke" && d.Done == "" {
				open = d.Grant + " of " + d.Subject
			}
		}
		switch {
		case open != "":
			in.look(n, "access_review", r.ID, false, "has yet to see %s revoked", open)
		case r.ID == newest.ID && plus(r.On, 366) < in.today():
			in.past(n, "access_review", r.ID, "is the newest and of %s", r.On)
		default:
			in.look(n, "access_review", r.ID, true, "")
		}
	}
	n.Until(plus(newest.On, 366))
}
