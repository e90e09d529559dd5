package report

import (
	"fmt"
	"slices"
	"strings"

	"aims/internal/register/record"
)

// risks is the register of risks with computed levels, treatments, what is left,
// and who took it (ISO 42001 6.1.2, 6.1.3, 8.2, 8.3).
func risks(h Head, s record.State) document {
	r := s.Registers
	above := 0
	for _, one := range r.Risks {
		if limit := acceptUpTo(r, one); limit > 0 && one.Level() > limit {
			above++
		}
	}
	return document{title: "Risks and their treatment", head: h,
		facts: []fact{{"Risks", fmt.Sprintf("%d, of which %d lie above the level that needs no treatment; %d treatments", len(r.Risks), above, len(r.Treatments))}},
		parts: []part{risksOnPaper(s), risksOnSheet(s), treatments(s)}}
}

// acceptUpTo is the highest level that needs no treatment by a risk's criteria,
// or by the only ones; 0 when that is not said.
func acceptUpTo(r record.Registers, one record.Risk) int {
	for _, c := range r.RiskCriteria {
		if c.ID == one.Criteria || one.Criteria == "" && len(r.RiskCriteria) == 1 {
			return c.AcceptUpTo
		}
	}
	return 0
}

func risksOnPaper(s record.State) part {
	p := part{in: onPaper, name: "Risks", text: "A level is likelihood × the highest severity of the consequences, computed from the record.",
		columns: []column{{"Risk", 44}, {"Consequences for the organisation, for individuals, for societies", 62}, {"Level", 22}, {"Decision", 18}, {"Treatments, level that is left", 60}, {"Accepted", 28}}}
	for _, r := range s.Registers.Risks {
		title := r.ID + "\n" + r.Title
		if r.Opportunity {
			title += "\n(opportunity)"
		}
		if r.Owner != "" {
			title += "\nowner " + r.Owner
		}
		c := r.Consequences
		p.rows = append(p.rows, cells(title, joined("\n", consequenceText("organisation", c.Organisation), consequenceText("individuals", c.Individuals), consequenceText("societies", c.Society)),
			levelText(s.Registers, r), joined("\n", dash(r.Decision), labelled("controls", r.Controls)), dash(treatedText(s, r.ID)), dash(acceptedText(s, "risk", r.ID))))
	}
	return p
}

func consequenceText(who string, c record.Consequence) string {
	if c.Text == "" && c.Severity == 0 {
		return ""
	}
	return fmt.Sprintf("%s (severity %d): %s", who, c.Severity, dash(c.Text))
}

func levelText(registers record.Registers, r record.Risk) string {
	if r.Level() == 0 {
		return "not assessed"
	}
	text := fmt.Sprintf("%d", r.Level())
	if limit := acceptUpTo(registers, r); limit > 0 {
		text += "\n" + aboveText(r.Level(), limit)
	}
	return text
}

func aboveText(level, limit int) string {
	if level > limit {
		return fmt.Sprintf("above %d", limit)
	}
	return fmt.Sprintf("within %d", limit)
}

func treatedText(s record.State, risk string) string {
	var out []string
	for _, t := range s.Registers.Treatments {
		if !slices.Contains(t.Risks, risk) {
			continue
		}
		text := t.ID + ": " + strings.TrimSuffix(t.Text, ".")
		switch {
		case t.Done != "":
			text += "; done " + string(t.Done)
		case dueOf(t) != "":
			text += "; due " + string(dueOf(t))
		}
		if t.Residual() > 0 {
			text += fmt.Sprintf("; level left %d", t.Residual())
		}
		out = append(out, joined("; ", text, acceptedText(s, "treatment", t.ID)))
	}
	return bullets(out)
}

// dueOf is when a treatment is due, as it was extended.
func dueOf(t record.Treatment) record.Date {
	if t.Extended != nil {
		return t.Extended.Until
	}
	return t.Due
}

func acceptedText(s record.State, kind, id string) string {
	m, ok := s.Accepted(kind, id)
	if !ok {
		return ""
	}
	return fmt.Sprintf("accepted by %s on %s", m.By, dayOf(m.At))
}

func accepted(s record.State, kind, id string) (by string, on record.Date, receipt string) {
	if m, ok := s.Accepted(kind, id); ok {
		return m.By, dayOf(m.At), m.Receipt
	}
	return "", "", ""
}

func risksOnSheet(s record.State) part {
	p := part{in: onSheet, name: "Risks", columns: []column{{"Risk", 16}, {"Title", 34}, {"Kind", 12}, {"Owner", 14}, {"Cause", 34}, {"Agents", 20}, {"Threats", 20},
		{"For the organisation", 34}, {"Severity", 10}, {"For individuals", 34}, {"Severity", 10}, {"For societies", 34}, {"Severity", 10}, {"Likelihood", 11}, {"Level", 8},
		{"Needs no treatment up to", 14}, {"Assessed", 12}, {"Decision", 10}, {"Controls", 20}, {"Treatments and level left", 44}, {"Accepted by", 14}, {"Accepted on", 12}, {"Receipt of the acceptance", 24}, {"Review by", 12}}}
	for _, r := range s.Registers.Risks {
		kind := "risk"
		if r.Opportunity {
			kind = "opportunity"
		}
		by, on, receipt := accepted(s, "risk", r.ID)
		c := r.Consequences
		p.rows = append(p.rows, cells(r.ID, r.Title, kind, r.Owner, r.Cause, strings.Join(r.Agents, "\n"), strings.Join(r.Threats, "\n"),
			c.Organisation.Text, number(c.Organisation.Severity), c.Individuals.Text, number(c.Individuals.Severity), c.Society.Text, number(c.Society.Severity), number(r.Likelihood), number(r.Level()),
			number(acceptUpTo(s.Registers, r)), r.Assessed, r.Decision, strings.Join(r.Controls, "\n"), treatedText(s, r.ID), by, on, receipt, r.ReviewBy))
	}
	return p
}

// number is a level, or nothing where none was given.
func number(n int) any {
	if n == 0 {
		return ""
	}
	return n
}

func treatments(s record.State) part {
	p := part{in: onSheet, name: "Treatments", columns: []column{{"Treatment", 16}, {"Risks", 18}, {"What is done", 44}, {"Owner", 14}, {"Controls", 16}, {"Rules", 28}, {"Due", 12}, {"Extended, why", 30}, {"Done", 12},
		{"What showed that it works", 40}, {"Looked at on", 12}, {"Likelihood left", 11}, {"Severity left", 11}, {"Level left", 11}, {"Accepted by", 14}, {"Accepted on", 12}, {"Receipt of the acceptance", 24}}}
	for _, t := range s.Registers.Treatments {
		var extended, works string
		var seen record.Date
		if t.Extended != nil {
			extended = t.Extended.Reason
		}
		if t.Effective != nil {
			works, seen = t.Effective.Text, t.Effective.On
		}
		by, on, receipt := accepted(s, "treatment", t.ID)
		p.rows = append(p.rows, cells(t.ID, strings.Join(t.Risks, "\n"), t.Text, t.Owner, strings.Join(t.Controls, "\n"), strings.Join(t.Rules, "\n"), dueOf(t), extended, t.Done,
			works, seen, number(t.Likelihood), number(t.Severity), number(t.Residual()), by, on, receipt))
	}
	return p
}
