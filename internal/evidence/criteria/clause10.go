package criteria

import (
	"slices"

	"aims/internal/evidence/observed"
)

// clause10 asks about improvement (ISO 42001 10.1 and 10.2).
func clause10() []Criterion {
	return []Criterion{
		ask("10.1/1", "management_review capa_record metric_series", "management_review",
			"Improvements were taken up in the period, and some were finished.", improvementsMoved),
		ask("10.2/1", "nonconformity attack_run", "change",
			"Every breach that tests of audits and rehearsals found has a nonconformity or a recorded waiver.", breachesAnswered),
		ask("10.2/2", "capa_record attack_run", "",
			"No nonconformity is closed without a review, newer than its actions, that found them effective.", closedEffective),
		ask("10.2/3", "metric_series capa_record", "",
			"Nonconformities are closed only after a time in which they could have come back.", recurrenceWatched),
	}
}

func improvementsMoved(in *Input, n *Count) {
	n.Of = "improvements taken up or finished in the period"
	finished := 0
	item := func(on string, opened, closed bool) {
		if opened || closed {
			n.Look(true, on, "")
		}
		if closed {
			finished++
		}
	}
	for _, r := range in.Registers.Registers.ManagementReviews {
		for _, d := range r.Decisions {
			if d.Type == "improvement" || d.Type == "change" {
				in.saw(n, "management_review", r.ID)
				item("management_review/"+r.ID+"/"+d.ID, in.on(r.Held), in.on(d.Done))
			}
		}
	}
	for _, c := range in.cases("nonconformity") {
		if in.during(c.Opened) || in.during(c.Closed) {
			n.Saw(c.Changed, c.Receipt)
			item("nonconformity/"+c.ID, in.during(c.Opened), in.during(c.Closed))
		}
	}
	if n.Population > 0 {
		n.Look(finished > 0, "the period", "has improvements taken up and none finished")
	}
	n.note("%d were finished. Improvements are decisions of management reviews, opportunities and nonconformities.", finished)
}

func breachesAnswered(in *Input, n *Count) {
	n.Of = "tests of audits, rehearsals and unplanned changes in the period"
	for _, t := range in.Observed.Tests {
		if in.during(t.At) {
			n.Saw(t.At, t.Receipt)
			n.Look(t.Exceptions == 0 || in.answered(t.Receipt, "audit/"+t.Audit), "audit/"+t.Audit, "found %d exceptions in test %s, and no nonconformity is about them", t.Exceptions, t.Test)
		}
	}
	for _, r := range in.Observed.Rehearsals {
		if !in.during(r.At) {
			continue
		}
		n.Saw(r.At, r.Receipt)
		ended := r.AsExpected >= r.Scenarios || in.answered(r.Receipt) || in.rehearsedSince(r)
		n.Look(ended, "rehearsal/"+r.Receipt, "had %d scenarios that did not end as expected, and no nonconformity is about them", r.Scenarios-r.AsExpected)
	}
	for _, c := range in.Registers.Registers.Changes {
		if c.Unplanned && in.on(c.Made) {
			in.look(n, "change", c.ID, c.Nonconformity != "" || in.answered("change/"+c.ID), "was unplanned, and no nonconformity is about it")
		}
	}
	n.note("A breach has a nonconformity where one names its receipt or its record.")
}

// rehearsedSince says whether a later rehearsal showed what failed in an earlier one.
func (in *Input) rehearsedSince(r observed.Rehearsal) bool {
	failed := 0
	for scenario, ok := range r.Scenario {
		if ok {
			continue
		}
		failed++
		if !slices.ContainsFunc(in.Observed.Rehearsals, func(later observed.Rehearsal) bool { return later.At > r.At && later.Scenario[scenario] }) {
			return false
		}
	}
	return failed > 0
}

// finished are the nonconformities that were closed after actions.
func (in *Input) finished() []observed.Case {
	return slices.DeleteFunc(in.cases("nonconformity"), func(c observed.Case) bool { return c.Closed == 0 || c.State != "closed" || c.Grade == "opportunity" })
}

func closedEffective(in *Input, n *Count) {
	n.Of = "nonconformities closed"
	for _, c := range in.finished() {
		n.Saw(c.Changed, c.Receipt)
		fault := ""
		if len(c.Actions) == 0 {
			fault = "was closed without an action"
		}
		for _, a := range c.Actions {
			switch {
			case a.Effective == 0:
				fault = "was closed without a review of action " + a.ID
			case a.Effective <= a.Implemented || a.Implemented == 0:
				fault = "was closed on a review that is older than action " + a.ID
			}
		}
		n.Look(fault == "", "nonconformity/"+c.ID, "%s", fault)
	}
	n.note("Nonconformities that are waived, withdrawn or merged do not count as closed here.")
}

func recurrenceWatched(in *Input, n *Count) {
	n.Of = "nonconformities closed"
	const watch = 14
	for _, c := range in.finished() {
		n.Saw(c.Changed, c.Receipt)
		var last int64
		for _, a := range c.Actions {
			last = max(last, a.Implemented)
		}
		n.Look(last > 0 && plus(dayOf(last), watch) <= dayOf(c.Closed), "nonconformity/"+c.ID, "was closed less than %d days after its last action", watch)
	}
	n.note("The shortest time of %d days is the product's own.", watch)
}
