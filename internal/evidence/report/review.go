package report

import (
	"fmt"
	"strings"

	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
)

// reviewed is the report of a management review: what lay before it, as it was
// frozen, and what became of its decisions (ISO 42001 9.3).
func reviewed(h Head, r audit.Review) document {
	d := document{title: "Management review: " + r.ID, head: h, facts: reviewFacts(r), parts: []part{wrong(r.Exceptions), decisions("Decisions", noDecisions(r), r.Followed)}, notes: append(reviewNotes(), states()...)}
	if r.Frozen == nil {
		return d.with(part{in: onPaper, name: "Inputs", text: "No inputs were frozen for this review. What lay before it, if it was held, is not known here."})
	}
	in := r.Frozen.Inputs
	return d.with(
		part{in: onPaper, name: "Inputs", text: fmt.Sprintf("What follows lay before the review as it was on %s, and has not changed since: its digest is %s.", instant(in.At), r.Frozen.Digest)},
		decisions("Decisions of earlier reviews", "there were none", in.Decisions), contextChanges(in.Context), nonconformities(in), overdue(in), auditsOf(in.Audits),
		objectives(in.Objectives), measuresOf(in.Measures), shownOf(in.Requirements))
}

// with is a document with more parts.
func (d document) with(parts ...part) document {
	d.parts = append(d.parts, parts...)
	return d
}

func reviewNotes() []string {
	return []string{
		"Inputs are frozen before a review is held: kept as they were, with their digest in the log, so that nobody chooses afterwards what is said to have lain before it. Everything under Inputs is of that moment; exceptions and decisions are of the moment of this report.",
		"A decision is overdue when its day has passed and its record does not say that it is done.",
	}
}

func reviewFacts(r audit.Review) []fact {
	frozen := "none"
	if f := r.Frozen; f != nil {
		frozen = fmt.Sprintf("%s, by %s on %s (%s)", f.Digest, f.Paper.By, instant(f.Paper.At), f.Paper.Receipt)
	}
	named := "none"
	if r.Inputs != "" {
		named = r.Inputs
	}
	return []fact{
		{"Review", r.ID}, {"Planned", string(r.Planned)}, {"Held", dateOr(r.Held, "not held yet")}, {"Chair", dash(r.Chair)}, {"Took part", dash(strings.Join(r.Attended, ", "))},
		{"Frozen inputs", frozen}, {"Inputs that it names", named}, {"Decisions", followedText(r.Followed)}, {"Note", dash(r.Note)},
	}
}

func followedText(list []audit.Followed) string {
	done, late := 0, 0
	for _, d := range list {
		switch {
		case d.Done != "":
			done++
		case d.Overdue:
			late++
		}
	}
	return fmt.Sprintf("%d: %d done, %d open, of which %d overdue", len(list), done, len(list)-done, late)
}

func noDecisions(r audit.Review) string {
	if r.Held == "" {
		return "none: it was not held yet"
	}
	return "none is recorded"
}

func wrong(exceptions []string) part {
	p := part{name: "What is not as it should be", empty: "nothing", columns: []column{{"What is to be said", 120}}}
	for _, e := range exceptions {
		p.rows = append(p.rows, cells(e))
	}
	return p
}

func decisions(name, empty string, list []audit.Followed) part {
	p := part{name: name, empty: empty, columns: []column{{"Review", 18}, {"Decision", 26}, {"What was decided", 80}, {"Concerns", 20}, {"Owner", 18}, {"Due", 16}, {"Done", 16}, {"State", 16}, {"Taken further", 30}}}
	for _, d := range list {
		state := "open"
		switch {
		case d.Done != "":
			state = "done"
		case d.Overdue:
			state = "overdue"
		}
		p.rows = append(p.rows, cells(d.Review, d.ID, d.Text, d.Type, d.Owner, d.Due, d.Done, state, d.Escalated))
	}
	return p
}

func contextChanges(list []audit.ContextChange) part {
	p := part{name: "Changes of the context", text: "Records of the organisation, interested parties, obligations and scope that changed since the review before.", empty: "nothing changed",
		columns: []column{{"Record", 40}, {"What happened", 24}, {"By", 20}, {"On", 24}, {"Receipt", 60}}}
	for _, c := range list {
		p.rows = append(p.rows, cells(c.Kind+" "+c.ID, c.Event, c.By, c.At, c.Receipt))
	}
	return p
}

func nonconformities(in audit.Inputs) part {
	p := part{name: "Open nonconformities", text: "With the state of their corrective actions.", columns: []column{{"Nonconformity", 46}, {"Grade", 16}, {"Requirement", 44}, {"State", 24}, {"Owner", 16}, {"Due", 16}, {"Corrective actions", 60}}}
	for _, n := range in.Nonconformities {
		var actions []string
		for _, a := range n.Actions {
			actions = append(actions, joined(", ", a.ID+" "+stateText(string(a.State)), a.Owner, labelled("due", []string{string(a.Due)})))
		}
		p.rows = append(p.rows, cells(n.ID, string(n.Grade), requirementText(n.Requirement), stateText(string(n.State)), n.Owner, record.Date(n.Due), bullets(actions)))
	}
	return p
}

func overdue(in audit.Inputs) part {
	p := part{name: "Overdue", text: "What should have been done for nonconformities, incidents and concerns.", empty: "nothing", columns: []column{{"Case", 60}, {"What is owed", 60}, {"Owner", 20}, {"Overdue since", 28}}}
	for _, d := range in.Overdue {
		p.rows = append(p.rows, cells(fmt.Sprintf("%s %s", d.Kind, d.ID), d.What, d.Owner, d.Due))
	}
	return p
}

func auditsOf(list []audit.Audit) part {
	p := part{name: "Internal audits", columns: []column{{"Audit", 36}, {"Title", 50}, {"Planned", 16}, {"Held", 16}, {"Lead", 16}, {"Tests", 12}, {"Samples", 16}, {"Findings", 16}, {"Conclusion", 90}}}
	for _, a := range list {
		p.rows = append(p.rows, cells(a.ID, a.Title, a.Planned, a.Held, a.Lead, a.Tests, a.Samples, a.Findings, strings.Join(strings.Fields(a.Conclusion), " ")))
	}
	return p
}

func objectives(list []record.Objective) part {
	p := part{name: "Objectives", columns: []column{{"Objective", 36}, {"What is to be reached", 80}, {"Measure", 30}, {"Expected", 30}, {"Owner", 16}, {"Due", 16}}}
	for _, o := range list {
		p.rows = append(p.rows, cells(o.ID, o.Text, o.Measure, boundsText(o.AtLeast, o.AtMost), o.Owner, o.Due))
	}
	return p
}

func measuresOf(list []evidence.Series) part {
	whole, _ := measureParts(list)
	return whole
}

func shownOf(list []audit.Shown) part {
	p := part{name: "What was shown", columns: []column{{"Requirement", 60}, {"What was shown", 40}, {"Why", 120}}}
	for _, s := range list {
		p.rows = append(p.rows, cells(requirementText(s.ID), soa.Words(criteria.State(s.State)), bullets(s.Reasons)))
	}
	return p
}
