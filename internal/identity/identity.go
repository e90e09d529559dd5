// Package identity knows who is calling: agents and people with their keys,
// OAuth access tokens, and the roles that they hold (ISO 42001 5.3, A.3.2). It
// also keeps the secrets that the installation itself presents to others.
package identity

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	return store.Schema{Name: "identity", Migrations: files}
}

// The roles that the installation itself gives meaning to. Any other role
// means what the policies say.
const (
	AdminRole   = "admin"
	AuditorRole = "auditor"
)

// Principal is an authenticated caller.
type Principal struct {
	aims.Actor
	// Roles are sorted and without repetition; they must not be changed.
	Roles []string
	// KeyID names the key that was presented; empty for an access token.
	KeyID string
	// Expires is when the credential ends; zero for never.
	Expires time.Time
}

// Options are what a Directory needs beside its database and ledger.
type Options struct {
	// OAuth names the authorization server whose access tokens are accepted;
	// nil for none.
	OAuth *OAuth
	Now   func() time.Time
	// Log is told of changes; nil for no log.
	Log *slog.Logger
}

// Directory is the agents and people of the installation. What authenticates
// them is in memory: a call costs no query.
type Directory struct {
	db     *store.DB
	ledger *ledger.Ledger
	now    func() time.Time
	log    *slog.Logger
	tokens *verifier // nil without OAuth

	// change is held by whoever alters the directory, so that memory follows
	// the database in the order of the commits.
	change sync.Mutex
	known  int64 // the version of the tables that memory holds; inDoubt

	mu sync.RWMutex
	contents
}

// Open reads the directory from its tables.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Directory, error) {
	d := &Directory{db: db, ledger: log, now: o.Now, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	if o.OAuth != nil {
		v, err := newVerifier(*o.OAuth, o.Now)
		if err != nil {
			return nil, err
		}
		d.tokens = v
	}
	if err := d.reload(ctx); err != nil {
		return nil, fmt.Errorf("identity: read the directory: %w", err)
	}
	return d, nil
}

// refused is what every caller with bad credentials is told. It does not say
// which of the ways to be wrong was met, so that nobody can learn from the
// answer whether a key ever existed; the cause, for the log, does.
func refused(cause error) error {
	return aims.Errorf(aims.Unauthenticated, cause, "the credentials are missing, unknown, expired or revoked")
}

// maxBearer bounds a credential before anything is computed from it. Access
// tokens of large organisations come to 8 KiB.
const maxBearer = 16 << 10

// FromHeader takes the bearer credential out of an Authorization header
// (RFC 6750 §2.1). It fails with aims.Unauthenticated.
func FromHeader(authorization string) (string, error) {
	scheme, bearer, ok := strings.Cut(authorization, " ")
	bearer = strings.Trim(bearer, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return "", refused(errors.New("no bearer credential in the Authorization header"))
	}
	return bearer, nil
}

// Authenticate says who presents a bearer credential: a key of this directory
// or an access token of the configured authorization server. It fails with
// aims.Unauthenticated, or with aims.Unavailable when the authorization
// server's keys are needed and cannot be had.
func (d *Directory) Authenticate(ctx context.Context, bearer string) (Principal, error) {
	switch {
	case bearer == "":
		return Principal{}, refused(errors.New("no credential"))
	case len(bearer) > maxBearer:
		return Principal{}, refused(fmt.Errorf("a credential of %d bytes", len(bearer)))
	case strings.HasPrefix(bearer, keyPrefix):
		return d.authenticateKey(bearer)
	case d.tokens != nil:
		return d.authenticateToken(ctx, bearer)
	}
	return Principal{}, refused(errors.New("neither a key, nor is an authorization server configured"))
}

func (d *Directory) authenticateKey(bearer string) (Principal, error) {
	hash := hashKey(bearer)
	d.mu.RLock()
	defer d.mu.RUnlock()
	c, ok := d.keys[hash.lookup()]
	if !ok || !c.matches(hash) {
		return Principal{}, refused(errors.New("unknown key"))
	}
	if !c.Revoked.IsZero() {
		return Principal{}, refused(fmt.Errorf("%s was revoked at %s", c.ID, c.Revoked.Format(time.RFC3339)))
	}
	if !c.Expires.IsZero() && !d.now().Before(c.Expires) {
		return Principal{}, refused(fmt.Errorf("%s expired at %s", c.ID, c.Expires.Format(time.RFC3339)))
	}
	return Principal{Actor: c.Actor, Roles: d.actors[c.Actor], KeyID: c.ID, Expires: c.Expires}, nil
}

func (d *Directory) authenticateToken(ctx context.Context, bearer string) (Principal, error) {
	p, err := d.tokens.verify(ctx, bearer)
	if err != nil {
		return Principal{}, err
	}
	d.mu.RLock()
	own := d.actors[p.Actor]
	d.mu.RUnlock()
	p.Roles = normalRoles(slices.Concat(own, p.Roles))
	return p, nil
}

// Lookup returns a registered actor with its roles, for an enforcement point
// that asks on behalf of another.
func (d *Directory) Lookup(actor aims.Actor) (Principal, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	roles, ok := d.actors[actor]
	return Principal{Actor: actor, Roles: roles}, ok
}

// Holds says whether an actor that showed a role once could show it now: it
// holds the role and has a key that lets it in. Where access tokens are accepted,
// no key is needed; where they bring roles, nobody can tell, and it is true.
func (d *Directory) Holds(actor aims.Actor, role string) bool {
	if d.tokens != nil && d.tokens.RolesClaim != "" {
		return true
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !slices.Contains(d.actors[actor], role) {
		return false
	}
	if d.tokens != nil {
		return true
	}
	for _, c := range d.byID {
		if c.Actor == actor && c.valid(d.now()) {
			return true
		}
	}
	return false
}

var (
	actorID  = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
	roleName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
)

// maxRoles bounds the roles of an actor: each costs at every decision.
const maxRoles = 32

func checkActor(a aims.Actor) error {
	if a.Type != aims.AgentType && a.Type != aims.PersonType {
		return aims.Errorf(aims.Invalid, nil, "an actor is of type %q or %q, not %q", aims.AgentType, aims.PersonType, a.Type)
	}
	if !actorID.MatchString(a.ID) {
		return aims.Errorf(aims.Invalid, nil, "%q is no id: 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", a.ID)
	}
	return nil
}

func checkRoles(roles []string) error {
	if len(roles) > maxRoles {
		return aims.Errorf(aims.Invalid, nil, "%d roles, at most %d", len(roles), maxRoles)
	}
	for _, r := range roles {
		if !roleName.MatchString(r) {
			return aims.Errorf(aims.Invalid, nil, "%q is no role: 1 to 32 of a-z 0-9 _ -, beginning with a letter", r)
		}
	}
	return nil
}

func normalRoles(roles []string) []string {
	sorted := slices.Clone(roles)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
