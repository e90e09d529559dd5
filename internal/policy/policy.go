// Package policy administers the policies that decide: load, check, activate
// (ISO 42001 5.2, 8.1). A set is stored under its digest and never changed, so
// that every receipt can be held against the text that decided.
package policy

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/pdp"
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
	return store.Schema{Name: "policy", Migrations: files}
}

// Options tune an Administration.
type Options struct {
	// Extensions are the protocol methods beyond MCP that the configuration lets through.
	Extensions []string
	// Log is told of activations; nil for no log.
	Log *slog.Logger
}

// Administration holds the active policy set and the history of all sets.
type Administration struct {
	db         *store.DB
	ledger     *ledger.Ledger
	extensions []string
	log        *slog.Logger

	// change is held by whoever activates, so that the pointer follows the
	// database in the order of the commits.
	change sync.Mutex
	active atomic.Pointer[pdp.Set]
}

// Open restores the set that was activated last, exactly as it was. The caller
// follows with Recompile, because the catalog, the configuration or the house
// policies of this version may be others by now.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Administration, error) {
	if err := checkExtensions(o.Extensions); err != nil {
		return nil, err
	}
	extensions := slices.Compact(slices.Sorted(slices.Values(o.Extensions)))
	a := &Administration{db: db, ledger: log, extensions: extensions, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	digest, err := a.activated(ctx)
	if err != nil {
		return nil, fmt.Errorf("policy: read the active set: %w", err)
	}
	if digest == "" {
		return a, nil
	}
	stored, err := a.Stored(ctx, digest)
	if err != nil {
		return nil, err
	}
	set, err := pdp.Compile(stored.Sources, stored.Schema)
	if err != nil {
		return nil, compileFailed(err)
	}
	if set.Digest() != digest {
		return nil, aims.Errorf(aims.Internal, nil, "the stored policy set %s is not what it was: it has digest %s", digest, set.Digest())
	}
	a.active.Store(set)
	return a, nil
}

// Active is the set that decides now, nil before the first activation. It never blocks.
func (a *Administration) Active() *pdp.Set { return a.active.Load() }

// Check compiles the sources against the catalog, with the policies of the
// house and the extensions of the configuration, and changes nothing. It fails
// with aims.Invalid; Problems has the places.
func (a *Administration) Check(sources []pdp.Source, catalog pdp.Catalog) (*pdp.Set, []pdp.Loss, error) {
	if err := checkSources(sources); err != nil {
		return nil, nil, err
	}
	catalog.Extensions = a.extensions
	schema, losses, err := pdp.GenerateSchema(catalog)
	if err != nil {
		return nil, nil, aims.Errorf(aims.Invalid, err, "the tools cannot be described to policies")
	}
	all := append(House(), generated(a.extensions)...)
	set, err := pdp.Compile(append(all, sources...), schema)
	if err != nil {
		return nil, losses, compileFailed(err)
	}
	return set, losses, nil
}

// Activation says what an activation did.
type Activation struct {
	Digest string     `json:"digest"`
	Before string     `json:"before,omitempty"`
	Losses []pdp.Loss `json:"losses,omitempty"`
	// Changed is false when the set was the active one already.
	Changed bool `json:"changed"`
}

// Activate puts the sources in force from the next decision on. by is who
// does it, decision the id of the receipt that let them. When it fails, the
// active set stays: with aims.Invalid when the sources do not compile, with
// aims.Unavailable when the activation could not be recorded.
func (a *Administration) Activate(ctx context.Context, by aims.Actor, decision string, sources []pdp.Source, catalog pdp.Catalog) (Activation, error) {
	a.change.Lock()
	defer a.change.Unlock()
	return a.activate(ctx, by, decision, "", sources, catalog)
}

// Recompile puts the active sources in force against another catalog, as its
// own set with its own receipt. Without an active set it does nothing.
func (a *Administration) Recompile(ctx context.Context, catalog pdp.Catalog) (Activation, error) {
	a.change.Lock()
	defer a.change.Unlock()
	sources := a.Sources()
	if sources == nil {
		return Activation{}, nil
	}
	return a.activate(ctx, aims.System, "", "the tools, the configuration or the program changed", sources, catalog)
}

// Sources are the active set's own files, without those of the house; nil
// before the first activation.
func (a *Administration) Sources() []pdp.Source {
	set := a.Active()
	if set == nil {
		return nil
	}
	return own(set.Sources())
}

func (a *Administration) activate(ctx context.Context, by aims.Actor, decision, cause string, sources []pdp.Source, catalog pdp.Catalog) (Activation, error) {
	set, losses, err := a.Check(sources, catalog)
	if err != nil {
		return Activation{Losses: losses}, err
	}
	done := Activation{Digest: set.Digest(), Losses: losses}
	if active := a.Active(); active != nil {
		if done.Before = active.Digest(); done.Before == done.Digest {
			return done, nil
		}
	}
	_, err = a.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if err := saveSet(ctx, tx, set); err != nil {
			return ledger.Entry{}, err
		}
		if err := saveActive(ctx, tx, done.Digest); err != nil {
			return ledger.Entry{}, err
		}
		return activated(by, decision, cause, done, set)
	})
	if err != nil {
		return Activation{}, aims.Errorf(aims.Unavailable, err, "the policy set was not activated: it could not be recorded")
	}
	a.active.Store(set)
	done.Changed = true
	a.log.Info("a policy set is active", "digest", done.Digest, "before", done.Before, "by", by.String())
	return done, nil
}

// Problems are the places at which policies do not compile, when err says that they do not.
func Problems(err error) []pdp.Problem {
	var c *pdp.CompileError
	if errors.As(err, &c) {
		return c.Problems
	}
	return nil
}

// compileFailed words a compile error. Its places are the operator's own text, and safe to show.
func compileFailed(err error) error {
	problems := Problems(err)
	if len(problems) == 0 {
		return aims.Errorf(aims.Invalid, err, "the policies do not compile")
	}
	more := ""
	if len(problems) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(problems)-1)
	}
	return aims.Errorf(aims.Invalid, err, "the policies do not compile: %s%s", problems[0], more)
}
