// Package evidence joins registers and log to what is shown of the 70
// requirements: at any time, for any period, and what is to be done first
// (ISO 42001 9.1, A.6.2.8). It shows evidence towards requirements; nothing here
// concludes that one is met.
//
// The log is folded once: what is new since is added, and the fold is kept for
// the next start. docs/evidence.md says how results come about.
package evidence

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/criteria"
	"aims/internal/evidence/observed"
	"aims/internal/evidence/own"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/store"
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
	return store.Schema{Name: "evidence", Migrations: files}
}

// Parts are what evidence is made of.
type Parts struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Register *register.Register
	Now      func() time.Time
	Log      *slog.Logger
}

// Service answers what is shown.
type Service struct {
	p Parts

	mu     sync.RWMutex
	newest *observed.Facts // nil until the first question
	kept   uint64          // entries that the kept fold has

	pastMu sync.Mutex
	past   *observed.Facts // what was last asked for of the past
}

// New is a service over the tables of Schema. It reads nothing yet.
func New(p Parts) *Service { return &Service{p: p} }

// View says which evidence is asked for.
type View struct {
	// At is the moment of log and registers; zero is now.
	At time.Time
	// From and Until bound the period that is judged; zero is the Usual length
	// of time before Until, and At.
	From, Until time.Time
	// Progress is told how many entries of the log are folded; nil for nobody.
	Progress func(done, of uint64)
}

// Usual is the length of the period that is judged when none is named: that of a
// certification cycle's year.
const Usual = 365 * 24 * time.Hour

// settle fills what the view leaves open. What lies after now is refused.
func (s *Service) settle(v View) (View, error) {
	now := s.p.Now()
	if v.At.After(now) {
		return v, aims.Errorf(aims.Invalid, nil, "%s lies in the future; expected a time up to now", v.At.UTC().Format(time.RFC3339))
	}
	if v.Until.IsZero() {
		if v.Until = v.At; v.At.IsZero() {
			v.Until = now
		}
	}
	if v.From.IsZero() {
		v.From = v.Until.Add(-Usual)
	}
	if !v.From.Before(v.Until) {
		return v, aims.Errorf(aims.Invalid, nil, "the period ends at %s, before it begins at %s", v.Until.UTC().Format(time.RFC3339), v.From.UTC().Format(time.RFC3339))
	}
	return v, nil
}

// Look hands what the criteria look at to fn. The input and everything in it is
// only valid within fn, which must not change it and must not call the service.
func (s *Service) Look(ctx context.Context, v View, fn func(*criteria.Input) error) error {
	v, err := s.settle(v)
	if err != nil {
		return err
	}
	registers, err := s.p.Register.At(ctx, v.At)
	if err != nil {
		return err
	}
	return s.facts(ctx, v, func(f *observed.Facts) error {
		in := &criteria.Input{Registers: registers, Observed: f, From: v.From, Until: v.Until}
		in.Own = own.Evaluate(registers, v.From, v.Until)
		return fn(in)
	})
}

// Status is what is shown of each of the 70 requirements, in the order of the
// standard.
func (s *Service) Status(ctx context.Context, at, from, until time.Time) (list []criteria.Status, err error) {
	err = s.Look(ctx, View{At: at, From: from, Until: until}, func(in *criteria.Input) error {
		list, err = evaluate(in)
		return err
	})
	return list, err
}

// evaluate words what stands in the way of a status: a record that names what
// is none of the 70.
func evaluate(in *criteria.Input) ([]criteria.Status, error) {
	list, err := criteria.Evaluate(in)
	if err != nil {
		return nil, aims.Errorf(aims.Conflict, nil, "the records cannot be judged: %s", err.Error())
	}
	return list, nil
}
