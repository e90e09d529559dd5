package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// sortBy sorts by a text.
func sortBy[T any](list []T, key func(T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// Stage is one audit of a certification programme and its window.
type Stage struct {
	ID   string      `json:"id"`
	Date record.Date `json:"date,omitempty"` // planned or held
	// After and Before bound the window, both days included; empty for none.
	After  record.Date `json:"after,omitempty"`
	Before record.Date `json:"before,omitempty"`
	// State is open, planned, due, held or missed.
	State string `json:"state"`
	// Consequence says what a missed window means; Rule where the window is from.
	Consequence string `json:"consequence,omitempty"`
	Rule        string `json:"rule"`
	// Lacking are the requirements that do not show yet what the stage looks at.
	Lacking []Lack `json:"lacking,omitempty"`
	// Missing are other things that the stage needs.
	Missing []string `json:"missing,omitempty"`
}

// Lack is a requirement that does not show what a stage looks at.
type Lack struct {
	ID      string         `json:"id"`
	State   criteria.State `json:"state"`
	Reasons []string       `json:"reasons"`
}

// Programme is the programme with a certification body.
type Programme struct {
	Body     string          `json:"body"`
	Today    record.Date     `json:"today"`
	Stages   []Stage         `json:"stages"`
	Findings []BodyFinding   `json:"findings"`
	Since    record.Date     `json:"since,omitempty"` // the newest audit of the body
	Changed  []ContextChange `json:"changed"`         // records since then
	Policies []Activated     `json:"policies"`
	Tools    []string        `json:"tools"`  // whose definitions changed
	Agents   []string        `json:"agents"` // registered, moved or stopped
	// FromEntry is the first entry of the log after that audit, Size its length.
	FromEntry uint64 `json:"from_entry"`
	Size      uint64 `json:"size"`
}

// Activated is a policy put in force.
type Activated struct {
	Digest  string    `json:"digest"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Receipt string    `json:"receipt"`
}

// BodyFinding is a finding of the body and whether it is late.
type BodyFinding struct {
	record.BodyFinding
	State   string `json:"state,omitempty"` // of the nonconformity that answers it
	Overdue bool   `json:"overdue"`
}

// The stages of a certification cycle.
const (
	Stage1          = "stage1"
	Stage2          = "stage2"
	Surveillance1   = "surveillance1"
	Surveillance2   = "surveillance2"
	Recertification = "recertification"
)

// practical is the time after stage 1 in which stage 2 is usually held. The
// standard for bodies gives none; many repeat stage 1 after it.
const practical = 6

// Windows computes the windows of a certification cycle on a day (ISO/IEC 17021-1
// 9.1.3, 9.3.1, 9.6): stage 2 after stage 1, surveillance 1 within twelve months
// of the decision, surveillance 2 in the calendar year after that of the first,
// recertification before three years are over.
func Windows(c record.Certification, today record.Date) []Stage {
	decided, first := c.Decided, cmp.Or(c.Surveillance1, months(c.Decided, 12))
	list := []Stage{
		{ID: Stage1, Date: c.Stage1, Rule: "the first audit of a body: is the system documented and ready (ISO/IEC 17021-1 9.3.1.2)"},
		{ID: Stage2, Date: c.Stage2, After: plus(c.Stage1, 1), Before: months(c.Stage1, practical), Rule: "after stage 1, in time to close its concerns (ISO/IEC 17021-1 9.3.1.2.4; six months is common practice, not a rule)",
			Consequence: "the body may hold all or a part of stage 1 again"},
		{ID: Surveillance1, Date: c.Surveillance1, After: plus(decided, 1), Before: months(decided, 12), Rule: "no later than 12 months after the decision (ISO/IEC 17021-1 9.1.3.3)",
			Consequence: "the body has to suspend or withdraw the certificate: its conditions are no longer kept"},
		{ID: Surveillance2, Date: c.Surveillance2, After: plus(first, 1), Before: min(yearEnd(first), months(decided, 24)), Rule: "once in each calendar year, and here no later than 24 months after the decision (ISO/IEC 17021-1 9.1.3.3)",
			Consequence: "the body has to suspend or withdraw the certificate: its conditions are no longer kept"},
		{ID: Recertification, Date: c.Recertification, After: plus(cmp.Or(c.Surveillance2, months(decided, 24)), 1), Before: plus(months(decided, 36), -1), Rule: "before the certificate ends, three years after the decision (ISO/IEC 17021-1 9.6.3)",
			Consequence: "the certificate ends; within six months it can be restored if what is outstanding is done, otherwise there is a stage 2 again"},
	}
	for i := range list {
		list[i].judge(decided, today)
	}
	return list
}

// judge gives a stage its state. Only a missed one has a consequence.
func (s *Stage) judge(decided, today record.Date) {
	late := s.Before != "" && (s.Date != "" && s.Date > s.Before || s.Date == "" && today > s.Before)
	early := s.Date != "" && s.After != "" && s.Date < s.After
	switch {
	case (s.ID == Surveillance1 || s.ID == Surveillance2 || s.ID == Recertification) && decided == "":
		s.After, s.Before, s.State = "", "", "open"
	case late:
		s.State = "missed"
	case early:
		s.State, s.Consequence = "missed", fmt.Sprintf("it lies before its window opens on %s and does not count as this audit", s.After)
	case s.Date != "" && s.Date <= today:
		s.State = "held"
	case s.Date != "":
		s.State = "planned"
	case s.After != "" && today >= s.After:
		s.State = "due"
	default:
		s.State = "open"
	}
	if s.State != "missed" {
		s.Consequence = ""
	}
}

func plus(d record.Date, days int) record.Date {
	if t := moment(d); !t.IsZero() {
		return record.Date(t.AddDate(0, 0, days).Format(time.DateOnly))
	}
	return ""
}

// months is a day some months later; the last of its month where that is shorter.
func months(d record.Date, n int) record.Date {
	t := moment(d)
	if t.IsZero() {
		return ""
	}
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return record.Date(first.AddDate(0, 0, min(t.Day(), last)-1).Format(time.DateOnly))
}

// yearEnd is the last day of the calendar year after that of a day.
func yearEnd(d record.Date) record.Date {
	if t := moment(d); !t.IsZero() {
		return record.Date(fmt.Sprintf("%d-12-31", t.Year()+1))
	}
	return ""
}

// Certification is the programme with what each stage that is ahead lacks, and
// what changed since the body's newest audit. aims.NotFound when there is none.
func (a *Audits) Certification(ctx context.Context) (Programme, error) {
	s, err := a.p.Register.At(ctx, time.Time{})
	if err != nil {
		return Programme{}, err
	}
	if len(s.Registers.Certification) == 0 {
		return Programme{}, aims.Errorf(aims.NotFound, nil, "there is no record of a certification programme; apply one: `aims schema certification`")
	}
	c := s.Registers.Certification[0]
	today := record.Date(a.p.Now().UTC().Format(time.DateOnly))
	p := Programme{Body: c.Body, Today: today, Stages: Windows(c, today), Findings: []BodyFinding{}, Changed: []ContextChange{}, Policies: []Activated{}, Tools: []string{}, Agents: []string{}, Size: a.p.Ledger.Size()}
	list, err := a.p.Evidence.Status(ctx, time.Time{}, time.Time{}, time.Time{})
	if err != nil {
		return p, err
	}
	for i := range p.Stages {
		p.Stages[i].ready(list, s.Registers, today)
	}
	for _, f := range c.Findings {
		one := BodyFinding{BodyFinding: f, Overdue: f.Due != "" && f.Due < today}
		if f.Nonconformity != "" {
			n, err := a.p.Corrective.Nonconformity(ctx, f.Nonconformity, time.Time{})
			if err != nil {
				return p, err
			}
			one.State = string(n.State)
			one.Overdue = one.Overdue && one.State != "closed" && one.State != "verified"
		}
		p.Findings = append(p.Findings, one)
	}
	return p, a.changed(ctx, s, &p)
}

// ready says what a stage that is still ahead lacks: stage 1 looks at documents
// and plans, the others also at operation.
func (s *Stage) ready(list []criteria.Status, r record.Registers, today record.Date) {
	if s.State == "held" {
		return
	}
	for _, q := range list {
		lacks := q.State != criteria.Shown && q.State != criteria.Evidence && q.State != criteria.NotApplicable
		if s.ID == Stage1 { // what only operation shows comes later
			lacks = q.State == criteria.NothingToShow || q.State == criteria.Contradiction
		}
		if lacks {
			s.Lacking = append(s.Lacking, Lack{q.ID, q.State, q.Reasons})
		}
	}
	if s.ID == Stage1 {
		return
	}
	if !slices.ContainsFunc(r.Audits, func(a record.Audit) bool { return a.Held != "" && a.Held <= today && a.Conclusion != "" }) {
		s.Missing = append(s.Missing, "an internal audit that was held and concluded (9.2)")
	}
	if !slices.ContainsFunc(r.ManagementReviews, func(m record.ManagementReview) bool { return m.Held != "" && m.Held <= today }) {
		s.Missing = append(s.Missing, "a management review that was held (9.3)")
	}
}

// changed finds what changed since the body's newest audit that was held.
func (a *Audits) changed(ctx context.Context, s record.State, p *Programme) error {
	for _, stage := range p.Stages {
		if stage.Date != "" && stage.Date <= p.Today && stage.Date > p.Since {
			p.Since = stage.Date
		}
	}
	since := moment(p.Since)
	if !since.IsZero() {
		since = since.AddDate(0, 0, 1) // what the audit's own day brought was there
		size, err := a.p.Ledger.SizeAt(ctx, since.Add(-time.Microsecond))
		if err != nil {
			return err
		}
		p.FromEntry = size
	}
	for key, versions := range s.Changes {
		for _, v := range versions {
			if at := time.UnixMicro(v.At).UTC(); !at.Before(since) {
				p.Changed = append(p.Changed, ContextChange{key.Kind, key.ID, string(v.Event), v.By, at, v.Receipt})
			}
		}
	}
	sortBy(p.Changed, func(c ContextChange) string { return c.At.Format(time.RFC3339Nano) + c.Kind + c.ID })
	return a.look(ctx, func(f *observed.Facts) { p.observe(f, since.UnixMicro()) })
}

// observe takes from the log what changed since a time.
func (p *Programme) observe(f *observed.Facts, since int64) {
	for _, x := range f.Activations {
		if x.At >= since {
			p.Policies = append(p.Policies, Activated{x.Digest, x.By, time.UnixMicro(x.At).UTC(), x.Receipt})
		}
	}
	tools := map[string]bool{}
	for _, x := range f.Pins {
		if x.At >= since {
			tools[x.Tool] = true
		}
	}
	p.Tools = slices.AppendSeq(p.Tools, slices.Values(slices.Sorted(maps.Keys(tools))))
	for _, id := range slices.Sorted(maps.Keys(f.Lives)) {
		if f.Lives[id].Changed >= since {
			p.Agents = append(p.Agents, id)
		}
	}
}
