package criteria

import (
	"fmt"
	"slices"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// controlsPolicy asks about policies and internal organisation (ISO 42001 A.2, A.3).
func controlsPolicy() []Criterion {
	return []Criterion{
		ask("A.2.2/1", "policy_version policy_approval", "document",
			"There is an AI policy, approved in its present version, whose review is not overdue.", policyCurrent),
		ask("A.2.2/2", "decision_receipt", "document",
			"Every statement of the AI policy that is marked enforceable names a rule that decided in the period.", statementsEnforced),
		ask("A.2.3/1", "policy_version change_record", "document",
			"Agreement with each related policy was looked at since that policy last changed.", relatedReviewed),
		ask("A.2.4/1", "policy_approval policy_version", "document",
			"The AI policy was reviewed within the interval that it names.", policyReviewed),
		ask("A.3.2/1", "role_assignment separation_check", "agent person",
			"Every deployed agent has an owner and an overseer who are with the organisation.", liveOwned),
		ask("A.3.2/2", "human_approval separation_check", "agent",
			"Nobody released a held call of an agent that they operate.", oversightApart),
		ask("A.3.3/1", "concern_report", "communication",
			"The way to report concerns works: one was received through it, or a test of it.", concernsReceived),
		ask("A.3.3/2", "concern_report", "",
			"Every concern of the period was acknowledged within its time limit.", concernsAcknowledged),
	}
}

func statementsEnforced(in *Input, n *Count) {
	n.Of = "enforceable statements of AI policies"
	for _, d := range in.policies() {
		for _, s := range d.Statements {
			if !s.Enforceable {
				continue
			}
			seen := slices.ContainsFunc(s.Rules, func(rule string) bool {
				r := in.Observed.Rules[rule]
				active := r != nil && in.lately(r.Last)
				if active {
					n.Saw(r.Last, r.Receipt)
				}
				return active
			})
			switch {
			case len(s.Rules) == 0:
				in.look(n, "document", d.ID, false, "has the statement %s, which names no rule", s.ID)
			default:
				in.look(n, "document", d.ID, seen, "has the statement %s, whose rules (%s) decided nothing since %s", s.ID, names(s.Rules), day(in.From))
			}
		}
	}
	n.note("A rule that is in force and never determined a decision cannot be seen in the log.")
}

func relatedReviewed(in *Input, n *Count) {
	n.Of = "policies that touch the AI policy"
	for _, d := range in.policies() {
		for _, r := range d.Related {
			changed := in.changedLast(r)
			switch {
			case !in.happened(r.Reviewed):
				in.look(n, "document", d.ID, false, "was never compared with %q", r.Title)
			case changed == "":
				in.look(n, "document", d.ID, false, "does not say when %q changed last", r.Title)
			default:
				in.look(n, "document", d.ID, r.Reviewed >= changed, "was last compared on %s with %q, which changed on %s", r.Reviewed, r.Title, changed)
			}
		}
	}
}

// changedLast is when a related policy changed last: by what is said of it, or,
// where it is kept here, by its newest version.
func (in *Input) changedLast(r record.Related) record.Date {
	v, kept := in.Registers.Versions[record.Key{Kind: "document", ID: r.Document}]
	if kept && (v.Number > 1 || r.Changed == "") {
		return max(r.Changed, dayOf(v.At))
	}
	return r.Changed
}

func policyReviewed(in *Input, n *Count) {
	n.Of = "AI policies"
	for _, d := range in.policies() {
		_, approved := in.approved(n, "document", d.ID)
		switch {
		case !approved && !in.happened(d.Reviewed):
			in.look(n, "document", d.ID, false, "was never reviewed")
		case d.ReviewBy == "":
			in.look(n, "document", d.ID, false, "names no day for its next review")
		case d.ReviewBy < in.today():
			in.past(n, "document", d.ID, "was to be reviewed by %s", d.ReviewBy)
		default:
			in.look(n, "document", d.ID, true, "")
			n.Until(d.ReviewBy)
		}
	}
}

// deployed are the agents that are deployed, sorted.
func (in *Input) deployed() []string {
	return slices.DeleteFunc(sorted(in.Observed.Lives), func(id string) bool { return !in.live(id) })
}

// here says whether a person is known and has not left.
func (in *Input) here(person string) bool {
	p, known := get(in.Registers.Registers.People, person)
	return known && (p.Left == "" || p.Left > in.today())
}

func liveOwned(in *Input, n *Count) {
	n.Of = "deployed agents"
	for _, id := range in.deployed() {
		n.Saw(in.Observed.Lives[id].Changed, in.Observed.Lives[id].Receipt)
		a, known := in.agent(id)
		switch {
		case !known:
			n.Look(false, "agent/"+id, "is deployed without a record in the register")
		case !in.here(a.Owner):
			in.look(n, "agent", id, false, "has no owner who is with the organisation")
		default:
			in.look(n, "agent", id, in.here(a.Overseer), "has no overseer who is with the organisation")
		}
	}
}

func oversightApart(in *Input, n *Count) {
	n.Of = "releases of held calls"
	in.votes(func(a observed.Approval, v observed.Vote) {
		n.Saw(v.At, v.Receipt)
		rec, _ := in.agent(a.Agent)
		operators := []string{rec.Operator}
		if l := in.Observed.Lives[a.Agent]; l != nil {
			operators = append(operators, l.Operator)
		}
		n.Look(!slices.Contains(operators, v.By), "approval/"+a.ID, "was released by %s, who operates %s", v.By, a.Agent)
	})
	n.note("Operators are those of today, by the register and by the registration of the agent.")
}

func concernsReceived(in *Input, n *Count) {
	n.Of = "concerns received within a year"
	for _, c := range in.cases("concern") {
		if c.Opened >= in.Until.AddDate(-1, 0, 0).UnixMicro() {
			n.Saw(c.Opened, c.Receipt)
			n.Look(true, "concern/"+c.ID, "")
		}
	}
	n.note("That nobody reports anything may mean that nothing is wrong, or that nobody knows the way; a report made as a test tells them apart.")
}

// acknowledgeWithin is how many days a concern may wait for its acknowledgement
// where it names no day of its own.
const acknowledgeWithin = 7

func concernsAcknowledged(in *Input, n *Count) {
	in.concernsWithin(n, "acknowledged", acknowledgeWithin)
}

// concernsWithin looks at the concerns of the period: whether the event came in
// the days after the report. One whose days are not over yet is not looked at.
func (in *Input) concernsWithin(n *Count, event string, days int) {
	n.Of = fmt.Sprintf("concerns of the period that were %s or whose %d days for that are over", event, days)
	waiting := 0
	for _, c := range in.cases("concern") {
		if !in.during(c.Opened) {
			continue
		}
		at, last, on := c.Events[event], plus(dayOf(c.Opened), days), "concern/"+c.ID
		n.Saw(max(c.Opened, at), c.Receipt)
		switch {
		case at == 0 && c.Closed == 0 && in.today() <= last:
			waiting++
			n.Until(last)
		case at == 0 && c.Closed == 0:
			n.Look(false, on, "was to be %s by %s and still waits", event, last)
		case at == 0:
			n.Look(dayOf(c.Closed) <= last, on, "was closed on %s without having been %s by %s", dayOf(c.Closed), event, last)
		default:
			n.Look(dayOf(at) <= last, on, "was %s on %s, after %s", event, dayOf(at), last)
		}
	}
	if waiting > 0 {
		n.note("Not looked at: %d with days left.", waiting)
	}
	n.note("The limit of %d days is the product's own.", days)
}
