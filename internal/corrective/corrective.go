// Package corrective keeps incidents, nonconformities with their corrective
// actions, opportunities and concerns: each is what its events amount to, and
// nothing else can change it (ISO 42001 10.2, A.3.3, A.8.3, A.8.4).
//
// All state is read from the database in the transaction that changes it, so
// that any number of processes may serve one installation. docs/corrective.md
// says what a case is and who may do what.
package corrective

import (
	"cmp"
	"context"
	"embed"
	"io/fs"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the migrations of the tables of this package.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		// The path is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return store.Schema{Name: "corrective", Migrations: files}
}

// Kind is what a case is about. It is the type of the object of its receipts.
type Kind string

// The kinds of case. An opportunity is a nonconformity by its grade.
const (
	NonconformityKind Kind = "nonconformity"
	IncidentKind      Kind = "incident"
	ConcernKind       Kind = "concern"
)

// prefix is that of the ids of a kind.
func (k Kind) prefix() string {
	switch k {
	case NonconformityKind:
		return "nc"
	case IncidentKind:
		return "inc"
	}
	return "con"
}

// Options tune Corrective. The zero value of a bound means its default.
type Options struct {
	// Known is an error for an id that is none of the requirements. It is needed.
	Known func(requirement string) error
	// Prove shows what an action that changes policy has changed; without it no
	// such action can be implemented.
	Prove Prover
	// Policy is the digest of the policy set in force, empty for none.
	Policy func() string
	// Observed counts what was recorded since a time of what a nonconformity is
	// about. Nil counts nothing: a review then needs evidence of its own.
	Observed func(context.Context, Nonconformity, time.Time) (Observed, error)
	// Recurrence is how long after a nonconformity was verified or closed the
	// same cause reopens it; 0 for 365 days.
	Recurrence time.Duration
	// PlanWithin is how long a nonconformity may be without a plan; 0 for 30 days.
	PlanWithin time.Duration
	// AcknowledgeWithin and AnswerWithin are the time limits of a concern; 0 for
	// 7 and 90 days.
	AcknowledgeWithin, AnswerWithin time.Duration
	// DecideWithin is how long it may take to decide whether anybody is told of
	// an incident; 0 for 72 hours.
	DecideWithin time.Duration
	// Anonymous lets people report concerns without saying who they are, at most
	// AnonymousPerHour in this process; 0 for 30.
	Anonymous        bool
	AnonymousPerHour int
	Now              func() time.Time
}

// Observed is what was recorded since corrective action was taken.
type Observed struct {
	// Population is how many records there are, Receipt the newest of them.
	Population uint64 `json:"population" doc:"records of what it is about since the action was implemented"`
	Receipt    string `json:"receipt,omitempty" doc:"the newest of them"`
}

const day = 24 * time.Hour

// Corrective are the cases of an installation.
type Corrective struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options
	door   door
}

// New puts corrective action over the tables of Schema.
func New(db *store.DB, log *ledger.Ledger, o Options) *Corrective {
	o.Recurrence = cmp.Or(o.Recurrence, 365*day)
	o.PlanWithin = cmp.Or(o.PlanWithin, 30*day)
	o.AcknowledgeWithin = cmp.Or(o.AcknowledgeWithin, 7*day)
	o.AnswerWithin = cmp.Or(o.AnswerWithin, 90*day)
	o.DecideWithin = cmp.Or(o.DecideWithin, 3*day)
	o.AnonymousPerHour = cmp.Or(o.AnonymousPerHour, 30)
	return &Corrective{db: db, ledger: log, o: o}
}

// By is who does something, and the receipt of the decision that let them.
type By struct {
	aims.Actor
	Decision string
	// Roles are those that the actor holds.
	Roles []string
}

// Date is a day, UTC, such as 2026-11-23.
type Date string

// Begin is when a day begins; the zero time for no day.
func (d Date) Begin() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// End is when a day is over.
func (d Date) End() time.Time {
	if d == "" {
		return time.Time{}
	}
	return d.Begin().Add(day)
}

func dateOf(t time.Time) Date {
	if t.IsZero() {
		return ""
	}
	return Date(t.UTC().Format(time.DateOnly))
}
