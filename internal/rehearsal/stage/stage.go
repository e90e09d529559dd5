// Package stage is an installation that is thrown away: the enforcement function
// of live traffic over its own log, registers, policies, runs and approvals, with
// a clock that only moves when it is told to.
package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/internal/session"
	"aims/internal/store"
	"aims/internal/store/sqlite"
	"aims/pdp"
	"aims/receipt"
)

// Stage is a thrown-away installation.
type Stage struct {
	*enforcement.Enforcer
	Inventory *inventory.Inventory
	Policies  *policy.Administration
	Sessions  *session.Sessions
	Approvals *approval.Approvals

	dir    string
	db     *store.DB
	ledger *ledger.Ledger
	clock  clock
}

// Director is who sets the stage: registers agents, labels tools, activates policies.
func Director() aims.Actor { return aims.Actor{Type: aims.PersonType, ID: "director"} }

// origin names the log of a Stage, which nobody publishes.
const origin = "stage.invalid/log"

// memoryFiles is where Linux keeps files in memory: what is thrown away need
// not reach a disk.
const memoryFiles = "/dev/shm"

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Open makes a Stage with nothing on it. Of the options, those that a stage
// has of its own are ignored.
func Open(ctx context.Context, o enforcement.Options) (*Stage, error) {
	dir, err := os.MkdirTemp(memoryFiles, "aims-stage-")
	if err != nil {
		if dir, err = os.MkdirTemp("", "aims-stage-"); err != nil {
			return nil, aims.Errorf(aims.Unavailable, err, "there is no directory for temporary files")
		}
	}
	s := &Stage{dir: dir, clock: clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.Discard(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Stage) open(ctx context.Context, o enforcement.Options) (err error) {
	o.Now, o.Log = s.clock.now, cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	const all = 1e12 // every refusal is recorded here
	o.Limits = enforcement.Limits{Burst: all, PerSecond: all, TotalBurst: all, TotalPerSecond: all}
	s.db, err = sqlite.Open(ctx, filepath.Join(s.dir, "aims.db"), s.clock.now,
		ledger.Schema(), inventory.Schema(), policy.Schema(), session.Schema(), approval.Schema())
	if err != nil {
		return err
	}
	private, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	// Nobody reads its checkpoints.
	s.ledger, err = ledger.Open(ctx, s.db, ledger.Options{Origin: origin, Signer: signer, Now: s.clock.now, Log: o.Log, SignEvery: time.Hour})
	if err != nil {
		return err
	}
	if s.Inventory, err = inventory.Open(ctx, s.db, s.ledger, inventory.Options{}); err != nil {
		return err
	}
	if s.Policies, err = policy.Open(ctx, s.db, s.ledger, policy.Options{}); err != nil {
		return err
	}
	if s.Sessions, err = session.Open(ctx, s.db, s.ledger, session.Options{Now: s.clock.now}); err != nil {
		return err
	}
	if o.Recorded == nil { // nobody is asked about what was done elsewhere
		s.Approvals = approval.New(s.db, s.ledger, approval.Options{Now: s.clock.now, Policy: s.policyDigest, Log: o.Log})
		o.Approvals = s.Approvals
	}
	s.Enforcer = enforcement.New(s.ledger, s.Inventory, s.Policies, s.Sessions, o)
	return nil
}

func (s *Stage) policyDigest() string {
	if set := s.Policies.Active(); set != nil {
		return set.Digest()
	}
	return ""
}

// Activate puts a bundle in force.
func (s *Stage) Activate(ctx context.Context, b *bundle.Bundle) error {
	_, err := s.PutInForce(func(c pdp.Catalog) (policy.Activation, error) {
		return s.Policies.Activate(ctx, Director(), "", b, c)
	})
	return err
}

// Record changes what is known of runs, beside an event about something.
func (s *Stage) Record(ctx context.Context, name string, about receipt.Object, change func(*session.Tx) error) error {
	_, err := s.ledger.Beside(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if err := change(s.Sessions.Within(tx)); err != nil {
			return ledger.Entry{}, err
		}
		body, err := receipt.Encode(&receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(Director()), Name: name, Object: about})
		return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
	})
	return err
}

// Advance moves the clock.
func (s *Stage) Advance(d time.Duration) {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.at = s.clock.at.Add(d)
}

// Discard throws the Stage away.
func (s *Stage) Discard(ctx context.Context) error {
	var failures []error
	if s.ledger != nil {
		failures = append(failures, s.ledger.Close(ctx))
	}
	if s.db != nil {
		failures = append(failures, s.db.Close())
	}
	return errors.Join(append(failures, os.RemoveAll(s.dir))...)
}
