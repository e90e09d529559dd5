package report

import (
	"fmt"
	"strings"

	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
	"aims/iso42001"
)

// missing is what is shown of the requirements, what is missing, and what is to
// be done first.
func missing(h Head, g evidence.Gap, statuses []criteria.Status) document {
	return document{title: "What is shown and what is missing", head: h, notes: states(), facts: []fact{{"Requirements", countsText(statuses)}},
		parts: []part{steps(g.Steps), unregistered(g.Unregistered), requirementsOnPaper(statuses), notShown(statuses), requirementsOnSheet(statuses), results(statuses), exceptions(statuses)}}
}

// stateOrder is the order in which states are counted.
var stateOrder = []criteria.State{criteria.Shown, criteria.Evidence, criteria.Partial, criteria.Exceptions, criteria.Contradiction, criteria.Stale, criteria.NothingToShow, criteria.NotApplicable}

// states say what each state of a requirement means.
func states() []string {
	return []string{
		"Evidence towards it, not attested: all that records can show is shown; what they cannot show, a person has yet to state. Evidence towards it, attested: a person stated it, and the statement still counts.",
		"Part of it shown: some criteria hold, others have nothing to look at yet. Exceptions: at least one criterion does not hold. Out of date: evidence or attestation was there and counts no longer.",
		"Attested against the records: a person states what the records do not show. Left out by decision: a control that the approved statement of applicability leaves out.",
	}
}

func countsText(statuses []criteria.Status) string {
	count := map[criteria.State]int{}
	for _, s := range statuses {
		count[s.State]++
	}
	var parts []string
	for _, s := range stateOrder {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], soa.Words(s)))
		}
	}
	return fmt.Sprintf("%d: %s", len(statuses), strings.Join(parts, "; "))
}

func steps(list []evidence.Step) part {
	p := part{name: "What to do first", text: "In the order in which one thing needs another.",
		columns: []column{{"No.", 6}, {"Step", 18}, {"What is to be done", 70}, {"Who", 28}, {"Open", 12}, {"Requirements", 40}, {"Then", 24}}}
	for _, s := range list {
		who := strings.Join(s.Owners, ", ")
		if who == "" {
			who = "nobody is named; usually the " + s.Usually
		}
		p.rows = append(p.rows, cells(s.Number, s.Name, s.Do, who, fmt.Sprintf("%d of %d", len(s.Open), s.Of), strings.Join(s.Open, ", "), strings.Join(s.Unblocks, ", ")))
	}
	return p
}

func unregistered(list []evidence.Unregistered) part {
	p := part{name: "Agents never registered", text: "Agents that were seen at the enforcement points and stand in no register.",
		columns: []column{{"Agent", 40}, {"First seen", 28}, {"Last seen", 28}, {"Decisions", 12}, {"Newest receipt", 48}}}
	for _, u := range list {
		p.rows = append(p.rows, cells(u.Agent, u.First, u.Last, int(u.Decisions), u.Receipt))
	}
	return p
}

func requirementsOnPaper(statuses []criteria.Status) part {
	p := part{in: onPaper, name: "The requirements",
		columns: []column{{"Requirement", 40}, {"What is shown", 30}, {"Looked at", 15}, {"Exceptions", 18}, {"Owner, due", 24}, {"Why", 110}}}
	area := ""
	for _, s := range statuses {
		if s.Area != area {
			area = s.Area
			p.rows = append(p.rows, row{section: area + " " + areaTitle(area)})
		}
		population, n := counted(s)
		p.rows = append(p.rows, cells(s.ID+"\n"+s.Title, soa.Words(s.State)+attestedText(s.Attestation), population, n, dash(joined("\n", s.Owner, s.Due)), dash(bullets(s.Reasons))))
	}
	return p
}

func attestedText(m *record.Mark) string {
	if m == nil {
		return ""
	}
	text := fmt.Sprintf("\nattested by %s on %s", m.By, dayOf(m.At))
	if m.Until != "" {
		text += ", until " + string(m.Until)
	}
	return text
}

func counted(s criteria.Status) (population, exceptions int) {
	for _, r := range s.Results {
		population += r.Population
		exceptions += len(r.Exceptions)
	}
	return population, exceptions
}

// notShown is what no record of a machine can show.
func notShown(statuses []criteria.Status) part {
	p := part{in: onPaper, name: "What records cannot show", text: "For these, people look and state what they saw.",
		columns: []column{{"Requirement", 50}, {"Most that records give", 30}, {"What they cannot show", 130}}}
	for _, s := range statuses {
		if s.NotShown != "" {
			p.rows = append(p.rows, cells(s.ID+" "+s.Title, ceilingText(s.Ceiling), s.NotShown))
		}
	}
	return p
}

// ceilingText is the most that records give of a requirement.
func ceilingText(mode string) string {
	switch iso42001.Mode(mode) {
	case iso42001.Automatic:
		return "all of it"
	case iso42001.Assisted:
		return "a part; people add to it"
	}
	return "support for what people state"
}

func requirementsOnSheet(statuses []criteria.Status) part {
	p := part{in: onSheet, name: "Requirements", columns: []column{{"Requirement", 13}, {"Title", 34}, {"Area", 26}, {"What is shown", 26}, {"Owner", 14}, {"Due", 12},
		{"Looked at", 11}, {"Exceptions", 11}, {"Why", 60}, {"Attested by", 14}, {"Attested on", 12}, {"Attested until", 14}, {"Most that records give", 24}, {"What records cannot show", 50}}}
	for _, s := range statuses {
		var by string
		var on, until record.Date
		if m := s.Attestation; m != nil {
			by, on, until = m.By, dayOf(m.At), m.Until
		}
		population, n := counted(s)
		p.rows = append(p.rows, cells(s.ID, s.Title, s.Area+" "+areaTitle(s.Area), soa.Words(s.State), s.Owner, record.Date(s.Due), population, n, bullets(s.Reasons), by, on, until, ceilingText(s.Ceiling), s.NotShown))
	}
	return p
}

// outcomeText is how a criterion ended, in words.
func outcomeText(o criteria.Outcome) string {
	switch o {
	case criteria.Met:
		return "holds"
	case criteria.NotMet:
		return "does not hold"
	case criteria.OutOfDate:
		return "out of date"
	case criteria.Unavailable:
		return "cannot be read any more"
	}
	return "nothing to show yet"
}

func results(statuses []criteria.Status) part {
	p := part{in: onSheet, name: "Criteria", columns: []column{{"Criterion", 22}, {"Requirement", 13}, {"What must hold", 60}, {"Outcome", 20}, {"Looked at", 11}, {"Of what", 30}, {"Exceptions", 11},
		{"Newest evidence", 21}, {"Counts until", 13}, {"Note", 40}, {"Receipts", 48}}}
	for _, s := range statuses {
		for _, r := range s.Results {
			p.rows = append(p.rows, cells(r.Criterion, s.ID, r.Text, outcomeText(r.Outcome), r.Population, r.Of, len(r.Exceptions), moment(r.Newest), record.Date(r.FreshUntil), r.Note, strings.Join(r.Receipts, "\n")))
		}
	}
	return p
}

func exceptions(statuses []criteria.Status) part {
	p := part{in: onSheet, name: "Exceptions", columns: []column{{"Criterion", 22}, {"Requirement", 13}, {"On what", 44}, {"What is to be said", 70}, {"Out of date", 12}, {"Owner", 14}, {"Due", 12}}}
	for _, s := range statuses {
		for _, r := range s.Results {
			for _, e := range r.Exceptions {
				past := "no"
				if e.OutOfDate {
					past = "yes"
				}
				p.rows = append(p.rows, cells(r.Criterion, s.ID, e.On, e.Text, past, s.Owner, record.Date(s.Due)))
			}
		}
	}
	return p
}
