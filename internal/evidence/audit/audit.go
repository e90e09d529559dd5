// Package audit runs what an internal audit tests on whole populations, draws
// samples for people that anybody draws again, keeps the work papers, freezes
// the inputs of management reviews and computes the windows of a certification
// programme (ISO 42001 9.2, 9.3; ISO/IEC 42006).
//
// Whoever audits owns nothing that is audited; nothing here concludes that a
// requirement is met. docs/audit.md says how the tests come about.
package audit

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/corrective"
	"aims/internal/evidence"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the migrations of the table of this package.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		// The path is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return store.Schema{Name: "audit", Migrations: files}
}

// Parts are what audits are made of.
type Parts struct {
	DB         *store.DB
	Ledger     *ledger.Ledger
	Register   *register.Register
	Evidence   *evidence.Service
	Corrective *corrective.Corrective
	// Source is the log as it is now with every policy set that was in force.
	Source func(context.Context) (receipt.Source, error)
	// Compile is the decision point that decisions are made again with.
	Compile receipt.Compiler
	// Trust is whose signatures count.
	Trust receipt.Trust
	// State puts what this process counted into the log, so that it can be
	// compared; nil when nothing counts.
	State func(context.Context) error
	Now   func() time.Time
}

// Audits are the internal audits, reviews and certification of an installation.
type Audits struct{ p Parts }

// New is audits over the table of Schema.
func New(p Parts) *Audits { return &Audits{p} }

// By is who does something, and the receipt of the decision that let them.
type By struct {
	aims.Actor
	Decision string
	// Roles are those that the actor holds.
	Roles []string
}

// Progress is told how much of something is done; nil for nobody.
type Progress func(done, of uint64)

func (p Progress) at(done, of uint64) {
	if p != nil {
		p(done, of)
	}
}

// Audit is an audit with what is known of it before its papers are read.
type Audit struct {
	record.Audit
	// Conflicts name what each auditor owns of what the audit covers.
	Conflicts []Conflict `json:"conflicts"`
	// Planned is when the programme has it, and Why then and so deep.
	Planned record.Date `json:"planned,omitempty"`
	Why     string      `json:"why,omitempty"`
	// Tests, Samples and Findings count its papers.
	Tests    int `json:"tests"`
	Samples  int `json:"samples"`
	Findings int `json:"findings"`
}

// List is the audits of the registers in their order, with those that a
// programme plans and no record describes yet.
func (a *Audits) List(ctx context.Context, at time.Time) ([]Audit, error) {
	s, err := a.p.Register.At(ctx, at)
	if err != nil {
		return nil, err
	}
	list := []Audit{}
	for _, x := range s.Registers.Audits {
		one, err := a.counted(ctx, s, x, at)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	for _, p := range s.Registers.AuditProgrammes {
		for _, planned := range p.Audits {
			if _, there := s.Registers.Get("audit", planned.Audit); !there {
				x := record.Audit{Base: record.Base{ID: planned.Audit}, Programme: p.ID, Title: "(planned, no record yet)", Requirements: planned.Requirements}
				list = append(list, Audit{Audit: x, Conflicts: []Conflict{}, Planned: planned.Planned, Why: planned.Why})
			}
		}
	}
	return list, nil
}

func (a *Audits) counted(ctx context.Context, s record.State, x record.Audit, at time.Time) (Audit, error) {
	out := Audit{Audit: x, Conflicts: Conflicts(s.Registers, x)}
	for _, p := range s.Registers.AuditProgrammes {
		for _, planned := range p.Audits {
			if planned.Audit == x.ID {
				out.Planned, out.Why = planned.Planned, planned.Why
			}
		}
	}
	papers, err := a.papers(ctx, x.ID, at)
	for _, p := range papers {
		switch p.Kind {
		case testedPaper:
			out.Tests++
		case sampledPaper:
			out.Samples++
		case foundPaper:
			out.Findings++
		}
	}
	return out, err
}

// find is the record of an audit, with the registers.
func (a *Audits) find(ctx context.Context, id string, at time.Time) (record.State, record.Audit, error) {
	s, err := a.p.Register.At(ctx, at)
	if err != nil {
		return s, record.Audit{}, err
	}
	rec, ok := s.Registers.Get("audit", id)
	if !ok {
		return s, record.Audit{}, aims.Errorf(aims.NotFound, nil, "there is no audit %.80q; apply a record of it first", id)
	}
	return s, rec.(record.Audit), nil
}

// permitted is the record of an audit that somebody is about to work on: one of
// its auditors, none of whom owns what it covers.
func (a *Audits) permitted(ctx context.Context, by By, id string) (record.State, record.Audit, error) {
	s, x, err := a.find(ctx, id, time.Time{})
	if err != nil {
		return s, x, err
	}
	auditors := Auditors(x)
	switch {
	case by.Type != aims.PersonType || by.ID == "" || by.Decision == "":
		return s, x, aims.Errorf(aims.Denied, nil, "only a person whose decision is recorded works on an audit")
	case !slices.Contains(auditors, by.ID):
		return s, x, aims.Errorf(aims.Denied, nil, "%s is none of the auditors of %s (%s)", by.ID, id, strings.Join(auditors, ", "))
	}
	if conflicts := Conflicts(s.Registers, x); len(conflicts) > 0 {
		var texts []string
		for _, c := range conflicts {
			texts = append(texts, c.String())
		}
		return s, x, aims.Errorf(aims.Denied, nil, "the auditors of %s are not independent of what it covers: %s", id, strings.Join(texts, "; "))
	}
	return s, x, nil
}

// Bounds are the first moment of the audit's period and the first after it.
func Bounds(x record.Audit) (from, until time.Time, err error) {
	from, err = time.Parse(time.DateOnly, string(x.From))
	if err == nil {
		until, err = time.Parse(time.DateOnly, string(x.Until))
	}
	if err != nil || until.Before(from) {
		return from, until, aims.Errorf(aims.Invalid, err, "the audit %s has the period %q to %q; expected two days in order", x.ID, x.From, x.Until)
	}
	return from, until.AddDate(0, 0, 1), nil
}

func failed(err error, text string) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s", text)
}
