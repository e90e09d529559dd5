// Package policy administers the policies that decide: check, publish,
// approve, activate, roll back (ISO 42001 5.2, 8.1). Bundles and the sets that
// are compiled from them are stored under their digests and never changed, so
// that every receipt can be held against the text that decided.
package policy

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/policy/bundle"
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

// DefaultEnvironment is the environment of an installation that names none.
const DefaultEnvironment = "production"

// Options tune an Administration.
type Options struct {
	// Extensions are the protocol methods beyond MCP that the configuration lets through.
	Extensions []string
	// Environment is the one whose policies this process enforces; empty for
	// DefaultEnvironment.
	Environment string
	// ReviewRequired lets only approved bundles be activated.
	ReviewRequired bool
	// Log is told of activations; nil for no log.
	Log *slog.Logger
}

// Budget is a counter that a bundle declares.
type Budget = bundle.Budget

// InForce is what decides, with what its bundle says beside its policies. It
// is never changed.
type InForce struct {
	Set *pdp.Set
	// Bundle is the digest of the bundle that the set was compiled from.
	Bundle string
	Meta   bundle.Meta

	source *bundle.Bundle
}

// Administration holds what is in force in one environment and the history of all.
type Administration struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options
	log    *slog.Logger

	// change is held by whoever activates, so that the pointers follow the
	// database in the order of the commits.
	change    sync.Mutex
	active    atomic.Pointer[InForce]
	candidate atomic.Pointer[InForce]
	// tools are those of the last compilation, once there was one, for a candidate
	// that another process has set; unfit is one that does not compile with them.
	tools        []pdp.Tool
	compiledOnce bool
	unfit        string
}

var environmentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// CheckEnvironment says whether a name is one of an environment.
func CheckEnvironment(name string) error {
	if !environmentName.MatchString(name) {
		return aims.Errorf(aims.Invalid, nil, "%.100q is no name of an environment; expected a lower-case letter, then at most 31 of a-z, 0-9 and -", name)
	}
	return nil
}

// Open restores the set that was activated last, exactly as it was. The caller
// follows with Recompile, because the tools, the configuration or the house
// policies of this version may be others by now.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Administration, error) {
	o.Extensions = slices.Compact(slices.Sorted(slices.Values(o.Extensions)))
	if err := checkExtensions(o.Extensions); err != nil {
		return nil, err
	}
	o.Environment = cmp.Or(o.Environment, DefaultEnvironment)
	if err := CheckEnvironment(o.Environment); err != nil {
		return nil, err
	}
	a := &Administration{db: db, ledger: log, o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	row, err := a.environment(ctx, o.Environment)
	if err != nil {
		return nil, fmt.Errorf("policy: read what is in force: %w", err)
	}
	if row.set == "" {
		return a, nil
	}
	in, err := a.restore(ctx, row)
	if err != nil {
		return nil, err
	}
	a.active.Store(in)
	return a, nil
}

// restore compiles what is stored as in force.
func (a *Administration) restore(ctx context.Context, row environmentRow) (*InForce, error) {
	stored, err := a.Stored(ctx, row.set)
	if err != nil {
		return nil, err
	}
	set, err := pdp.Compile(stored.Sources, stored.Schema)
	if err != nil {
		return nil, bundle.Failed("the stored policies do not compile", Problems(err))
	}
	if set.Digest() != row.set {
		return nil, aims.Errorf(aims.Internal, nil, "the stored policy set %s is not what it was: it has digest %s", row.set, set.Digest())
	}
	var b *bundle.Bundle
	if row.bundle != "" {
		b, err = a.Bundle(ctx, row.bundle)
	} else { // it was activated before there were bundles
		b, err = bundle.FromSources(own(stored.Sources))
	}
	if err != nil {
		return nil, err
	}
	return inForce(set, b), nil
}

func inForce(set *pdp.Set, b *bundle.Bundle) *InForce {
	return &InForce{Set: set, Bundle: b.Digest, Meta: b.Meta, source: b}
}

// InForce is what decides now, nil before the first activation. It never blocks.
func (a *Administration) InForce() *InForce { return a.active.Load() }

// Active is the set that decides now, nil before the first activation. It never blocks.
func (a *Administration) Active() *pdp.Set {
	if in := a.InForce(); in != nil {
		return in.Set
	}
	return nil
}

// Budgets are those of the bundle in force. Whoever also needs its set takes
// both from one InForce.
func (a *Administration) Budgets() []Budget {
	if in := a.InForce(); in != nil {
		return in.Meta.Budgets
	}
	return nil
}

// Quorum is how many people of a role must release a held call; at least 1.
func (in *InForce) Quorum(role string) int { return max(in.Meta.Quorum[role], 1) }

// ApprovalExpiry is how long a request for approval stays open; otherwise
// where the bundle does not say.
func (in *InForce) ApprovalExpiry(otherwise time.Duration) time.Duration {
	return cmp.Or(in.Meta.ApprovalExpiry, otherwise)
}

// Candidate is the set that is tried beside the active one, nil for none. It
// never blocks.
func (a *Administration) Candidate() *pdp.Set {
	if in := a.candidate.Load(); in != nil {
		return in.Set
	}
	return nil
}

// Environment is the environment whose policies this process enforces.
func (a *Administration) Environment() string { return a.o.Environment }

// Own is the bundle in force, without the policies of the house; nil before the
// first activation.
func (a *Administration) Own() *bundle.Bundle {
	if in := a.InForce(); in != nil {
		return in.source
	}
	return nil
}

// Circumstances are those of this installation with the given tools.
func (a *Administration) Circumstances(tools []pdp.Tool) Circumstances {
	return Circumstances{Tools: tools, Extensions: a.o.Extensions}
}

// Compile compiles a bundle for tools, with the policies of the house and the
// extensions of the configuration, and changes nothing.
func (a *Administration) Compile(b *bundle.Bundle, tools []pdp.Tool) (*pdp.Set, []pdp.Loss, error) {
	return Compile(b, a.Circumstances(tools))
}

// Problems are the places at which a bundle is wrong, when err says that it is.
func Problems(err error) []pdp.Problem { return bundle.Problems(err) }
