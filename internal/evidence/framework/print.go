package framework

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"aims/iso42001"
)

// Print writes the view for a terminal. Reasons of states are left to the JSON
// form and to the derivation of each requirement.
func (v *View) Print(out io.Writer) error {
	p := &printer{out: out}
	p.line("%s", v.Title)
	p.line("Evidence that is likely useful, as of %s; facts of %s.", v.At, v.AsOf)
	for _, rule := range v.Reading {
		p.line("- %s", rule)
	}
	p.line("")
	if v.Timetable == nil {
		p.rows(v.Rows)
	}
	for _, s := range v.Systems {
		p.system(v.At, s)
	}
	p.uncovered("No counterpart among the 70 requirements", v.NotMapped)
	p.uncovered("Not looked at", v.NotJudged)
	if v.Timetable != nil {
		p.timetable(v.At, *v.Timetable)
	}
	p.line("Confidence of all pairs of this framework:")
	p.table(func(w io.Writer) {
		for _, c := range v.Confidences {
			fmt.Fprintf(w, "  %s\t%d\t%s\n", c.Confidence, c.Pairs, c.Meaning)
		}
	})
	p.line("Sources:")
	p.table(func(w io.Writer) {
		for _, s := range v.Sources {
			fmt.Fprintf(w, "  %s\t%s\n", s.ID, cell(s.Title))
		}
	})
	return p.err
}

// printer keeps the first error of writing.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *printer) table(fill func(io.Writer)) {
	if p.err != nil {
		return
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fill(w)
	if p.err = w.Flush(); p.err == nil {
		p.line("")
	}
}

// pairFormat is reference within the row, requirement, state, confidence,
// sources, and whatever length the rest has.
const pairFormat = "    %-*s%-8s %-17s %-22s %-10s %s"

func (p *printer) rows(rows []Row) {
	p.line(pairFormat, 0, "", "ID", "STATE", "CONFIDENCE", "SOURCES", "EVIDENCE TOWARDS")
	for _, r := range rows {
		p.line("%s", cell(strings.TrimSpace(r.Ref+" "+r.Title)))
		p.pairs(r.Pairs)
	}
	p.line("")
}

func (p *printer) pairs(pairs []Pair) {
	width := 0
	for _, q := range pairs {
		if q.Ref != "" {
			width = max(width, len(q.Ref)+1)
		}
	}
	for _, q := range pairs {
		p.line(pairFormat, width, q.Ref, q.Requirement, cell(q.State), q.Confidence, strings.Join(q.Sources, " "), cell(q.Title+prefixed("; ", q.Note)))
	}
	if len(pairs) == 0 {
		p.line("    nothing near it")
	}
}

func (p *printer) system(at string, s System) {
	p.line("AI system %s", cell(cmp.Or(s.System, "(none registered)")))
	for _, warning := range s.Warnings {
		p.line("  ! %s", warning)
	}
	if len(s.Questions) > 0 {
		p.line("  What applies is not known yet. Answer first:")
		for _, q := range s.Questions {
			p.line("  %s (%s; %s)\n      %s", q.ID, strings.Join(q.Values, ", "), strings.Join(q.Refs, ", "), q.Text)
		}
		p.line("")
		return
	}
	for _, part := range []struct {
		applies Applies
		title   string
	}{{AppliesNow, "Applies on " + at}, {AppliesOpen, "In application, but open whether anything attaches to it yet"}, {AppliesLater, "Applies later"}} {
		p.duties(part.title, part.applies, s.Duties)
	}
	if len(s.Duties) == 0 {
		p.line("  No duty of the facts applies by these answers.")
	}
	p.line("  %d further articles of the facts do not apply by these answers and are not shown.\n", s.NotShown)
}

func (p *printer) duties(title string, applies Applies, duties []Duty) {
	first := true
	for _, d := range duties {
		if d.Applies != applies {
			continue
		}
		if first {
			p.line("%s\n", title)
			first = false
		}
		p.line("  %s %s [%s; %s]", d.Ref, d.Topic, d.Kind, d.Addressee)
		p.line("    from %s%s%s", d.From, prefixed("; attaches to a classification that applies from ", d.AttachesFrom), prefixed("; before the Omnibus: ", d.Superseded))
		if d.Condition != "" {
			p.line("    condition: %s", d.Condition)
		}
		if d.Note != "" {
			p.line("    note: %s", d.Note)
		}
		p.pairs(d.Pairs)
		p.line("")
	}
}

func (p *printer) uncovered(title string, list []Uncovered) {
	for _, u := range list {
		if len(u.Refs) == 0 {
			p.line("%s: %s.\n", title, u.Note)
			continue
		}
		p.line("%s: %s\n  %s.\n", title, strings.Join(u.Refs, ", "), strings.TrimSuffix(u.Note, "."))
	}
}

func (p *printer) timetable(at string, t iso42001.Schedule) {
	p.line("Timetable. %s", t.Note)
	p.table(func(w io.Writer) {
		for _, m := range t.Milestones {
			when := "past"
			if m.Date > at {
				when = "to come"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", m.Date, when, cell(m.What))
		}
		for _, s := range t.Superseded {
			fmt.Fprintf(w, "  %s\tno longer\t%s, now %s\n", s.Old, cell(s.Was), s.Now)
		}
	})
	p.line("Standards:")
	p.table(func(w io.Writer) {
		for _, s := range t.Standards {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", s.ID, cell(s.Topic), cell(s.State))
		}
	})
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// cell keeps what was written elsewhere from moving the cursor or the columns.
func cell(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
