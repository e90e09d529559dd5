// Package lifecycle leads agents into operation through a gate: what is known of
// them goes into a decision by policy, the evaluation is a receipt, and what
// leaves the bounds that were assessed makes the assessment due again
// (ISO 42001 A.6.1.3, A.6.2.5, 6.1.4, 8.4). docs/lifecycle.md says how.
package lifecycle

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/lifecycle/gate"
	"aims/internal/register"
	"aims/internal/register/record"
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
	return store.Schema{Name: "lifecycle", Migrations: files}
}

// Parts are what the life cycle is made of.
type Parts struct {
	Ledger    *ledger.Ledger
	Inventory *inventory.Inventory
	Register  *register.Register
	// Look hands the registers and what the log shows to fn, both as they were at a
	// time, the zero time being now; they are valid within fn only.
	Look func(ctx context.Context, at time.Time, fn func(record.State, *observed.Facts) error) error
	// Policy is the digest of the policy set in force, empty for none.
	Policy func() string
	Now    func() time.Time
	Log    *slog.Logger
}

// Lifecycle is the life cycle of the agents of an installation.
type Lifecycle struct {
	p Parts

	mu     sync.Mutex
	looked uint64 // size of the log up to which nothing is left to be reopened
}

// New is a life cycle over the table of Schema.
func New(p Parts) *Lifecycle { return &Lifecycle{p: p} }

// Evaluation is what is known of an agent before it goes into operation.
type Evaluation struct {
	Agent   string `json:"agent"`
	To      string `json:"to"`
	Version string `json:"version,omitempty"`
	// Policy is the digest of the policy set in force.
	Policy        string              `json:"policy,omitempty"`
	Preconditions []gate.Precondition `json:"preconditions"`

	register  uint64 // the newest receipt of the registers that it was made from
	inventory int64  // the version of the inventory, which has the tools
	reopened  int    // how many causes had reopened assessments
}

// Facts says of each precondition whether it holds.
func (e Evaluation) Facts() map[string]bool {
	facts := map[string]bool{}
	for _, p := range e.Preconditions {
		facts[p.Name] = p.Holds
	}
	return facts
}

// Failed are the preconditions that do not hold, whether policy asks for them or not.
func (e Evaluation) Failed() []string {
	var failed []string
	for _, p := range e.Preconditions {
		if !p.Holds {
			failed = append(failed, p.Name)
		}
	}
	return failed
}

// Evaluate says what is known of an agent that is to go into operation. Nothing
// moves. What is beyond the bounds of an assessment reopens that first.
func (l *Lifecycle) Evaluate(ctx context.Context, a inventory.Agent) (Evaluation, error) {
	if err := l.Reopen(ctx); err != nil {
		return Evaluation{}, err
	}
	e := Evaluation{Agent: a.ID, To: inventory.Deployed, Policy: l.p.Policy()}
	var err error
	// Versions are read before what they are of: a change in between is then
	// noticed, at worst without need.
	if e.register, err = l.p.Register.Version(ctx); err != nil {
		return e, err
	}
	if e.inventory, err = l.p.Inventory.StoredVersion(ctx); err != nil {
		return e, err
	}
	err = l.look(ctx, &e, a, time.Time{}, l.p.Now())
	return e, err
}

// EvaluateAt is Evaluate as of an earlier time: of the agent as it was, with the
// digest of the policy set in force then. It reopens nothing.
func (l *Lifecycle) EvaluateAt(ctx context.Context, a inventory.Agent, policy string, at time.Time) (Evaluation, error) {
	e := Evaluation{Agent: a.ID, To: inventory.Deployed, Policy: policy}
	err := l.look(ctx, &e, a, at, at)
	return e, err
}

func (l *Lifecycle) look(ctx context.Context, e *Evaluation, a inventory.Agent, at, today time.Time) error {
	return l.p.Look(ctx, at, func(s record.State, o *observed.Facts) error {
		e.reopened = len(o.Reopened)
		if documented, ok := s.Registers.Get("agent", a.ID); ok {
			e.Version = documented.(record.Agent).Version
		}
		e.Preconditions = gate.Evaluate(gate.Input{
			Registers: s, Observed: o, Agent: gate.Agent{ID: a.ID, Owner: a.Owner}, Policy: e.Policy,
			Today: record.Date(today.UTC().Format(time.DateOnly)),
		})
		return nil
	})
}

// Deploy puts an agent into operation as next says, after policy has let it: one
// transaction with the receipt of the evaluation. It fails with aims.Conflict
// when something changed since that the evaluation could depend on: registers,
// policies, tools, or an assessment that was reopened.
func (l *Lifecycle) Deploy(ctx context.Context, by aims.Actor, decision string, next inventory.Agent, e Evaluation) (inventory.Agent, error) {
	next.Stage = inventory.Deployed
	g := e.gate()
	g.Still = func(ctx context.Context, tx *store.Tx, inventory int64) error {
		version, err := register.VersionIn(tx)
		if err != nil {
			return err
		}
		reopened, err := countReopened(ctx, tx)
		if err != nil {
			return err
		}
		if version != e.register || l.p.Policy() != e.Policy || inventory != e.inventory || reopened != e.reopened {
			return aims.Errorf(aims.Conflict, nil, "registers, policies or tools changed while %s was at the gate; look at it again", e.Agent)
		}
		return nil
	}
	return l.p.Inventory.DeployAgent(ctx, by, decision, next, g)
}

// Refused records the evaluation of an agent that policy did not let into
// operation; decision is the receipt of that.
func (l *Lifecycle) Refused(ctx context.Context, by aims.Actor, decision string, e Evaluation) error {
	entry, err := e.gate().Entry(by, decision, e.Agent, false)
	if err == nil {
		_, err = l.p.Ledger.Append(ctx, entry)
	}
	return err
}

func (e Evaluation) gate() inventory.Gate {
	return inventory.Gate{Version: e.Version, Policy: e.Policy, Facts: e.Facts(), Failed: e.Failed()}
}
