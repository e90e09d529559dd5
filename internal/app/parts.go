package app

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/torchwood"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/content"
	"aims/internal/corrective"
	"aims/internal/enforcement"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/gateway"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/lifecycle"
	"aims/internal/policy"
	"aims/internal/register"
	"aims/internal/session"
	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
)

// Schemas are the tables of an installation.
func Schemas() []store.Schema {
	return []store.Schema{ledger.Schema(), identity.Schema(), inventory.Schema(), policy.Schema(), session.Schema(), approval.Schema(), corrective.Schema(), register.Schema(), evidence.Schema(), audit.Schema(), lifecycle.Schema()}
}

func (a *App) openStore(ctx context.Context) error {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return aims.Errorf(aims.Unavailable, err, "data_dir %s cannot be used", a.cfg.DataDir)
	}
	database := a.cfg.Database
	if !a.cfg.dsn.IsZero() {
		database = a.cfg.dsn.Reveal()
	}
	var err error
	if isDSN(database) {
		a.db, err = postgres.Open(ctx, database, a.now, Schemas()...)
	} else {
		if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
			return aims.Errorf(aims.Unavailable, err, "the directory of the database %s cannot be used", database)
		}
		a.db, err = sqlite.Open(ctx, database, a.now, Schemas()...)
	}
	if err != nil {
		return err
	}
	a.onStop("the database", func(context.Context) error { return a.db.Close() })
	return nil
}

func (a *App) openLedger(ctx context.Context) error {
	fresh, err := a.empty(ctx)
	if err != nil {
		return err
	}
	if a.key, err = openKey(a.cfg.DataDir, a.cfg.Origin, fresh); err != nil {
		return aims.Errorf(aims.Invalid, err, "the log cannot be signed")
	}
	options := ledger.Options{Origin: a.key.Name(), Signer: a.key, Now: a.now, Log: a.log}
	for _, w := range a.cfg.Witnesses {
		verifier, err := torchwood.NewCosignatureVerifier(w.VKey)
		if err != nil {
			return aims.Errorf(aims.Invalid, err, "the verifier key of the witness %s cannot be read", w.URL)
		}
		options.Witnesses = append(options.Witnesses, ledger.Witness{URL: w.URL, Verifier: verifier})
	}
	if a.ledger, err = ledger.Open(ctx, a.db, options); err != nil {
		return err
	}
	a.onStop("the log", a.ledger.Close)
	return nil
}

// empty says whether the database holds no log yet: only then may a signing
// key be made, because a log cannot change its key.
func (a *App) empty(ctx context.Context) (bool, error) {
	if _, err := os.Stat(filepath.Join(a.cfg.DataDir, signingKeyFile)); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	src, err := ledger.NewSource(ctx, a.db, nil)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	contents, err := src.Contents(ctx)
	return contents.Size == 0, err
}

func (a *App) openParts(ctx context.Context, redactor *identity.Redactor) error {
	var err error
	a.directory, err = identity.Open(ctx, a.db, a.ledger, identity.Options{OAuth: a.cfg.oauth(), Now: a.now, Log: a.log})
	if err != nil {
		return err
	}
	a.inventory, err = inventory.Open(ctx, a.db, a.ledger, inventory.Options{RequireApproval: a.cfg.RequireToolApproval, Log: a.log})
	if err != nil {
		return err
	}
	if err := a.inventory.Declare(ctx, a.cfg.labels()); err != nil {
		return err
	}
	a.policies, err = policy.Open(ctx, a.db, a.ledger, policy.Options{
		Extensions: a.cfg.Extensions, Environment: a.cfg.Environment, ReviewRequired: a.cfg.PolicyReview == reviewRequired,
	})
	if err != nil {
		return err
	}
	a.sessions, err = session.Open(ctx, a.db, a.ledger, session.Options{Now: a.now, Log: a.log})
	if err != nil {
		return err
	}
	if a.content, err = content.New(content.Limits{}); err != nil {
		return err
	}
	a.openApprovals()
	a.enforcer = enforcement.New(a.ledger, a.inventory, a.policies, a.sessions, enforcement.Options{
		Now: a.now, Log: a.log, Redactor: redactor, ReportWithin: time.Duration(a.cfg.Limits.OutcomeTimeout),
		Approvals: a.approvals, Content: a.content.Labels,
	})
	a.openCorrective()
	if a.register, err = register.Open(ctx, a.db, a.ledger, register.Options{Project: []register.Projection{lifecycle.Project}, Log: a.log}); err != nil {
		return err
	}
	a.evidence = evidence.New(evidence.Parts{DB: a.db, Ledger: a.ledger, Register: a.register, Now: a.now, Log: a.log})
	a.openLifecycle()
	if err := a.openAudits(); err != nil {
		return err
	}
	a.onStop("the refusals that were only counted", a.enforcer.FlushRefusals)
	return nil
}

// recoverDecisions closes what the process before left open, before anything
// new is decided.
func (a *App) recoverDecisions(ctx context.Context) error {
	var err error
	a.left, err = a.enforcer.Recover(ctx)
	return err
}

func (c *Config) oauth() *identity.OAuth {
	if c.OAuth == nil {
		return nil
	}
	audiences := []string{c.OAuth.Audience}
	if c.OAuth.Audience == "" {
		audiences = []string{c.PublicURL + "/mcp"}
		for _, s := range c.Servers {
			audiences = append(audiences, c.PublicURL+"/mcp/"+s.Name)
		}
	}
	return &identity.OAuth{
		Issuer: c.OAuth.Issuer, JWKS: c.OAuth.JWKSURL, Audiences: audiences, Algorithms: c.OAuth.Algorithms,
		Claim: c.OAuth.AgentClaim, Subjects: c.OAuth.Subjects, RolesClaim: c.OAuth.RolesClaim, Roles: c.OAuth.Roles,
	}
}

// secrets are the secrets of the configuration.
func (c *Config) secrets() []identity.Secret {
	var all []identity.Secret
	if !c.dsn.IsZero() {
		all = append(all, c.dsn)
	}
	for _, s := range c.Servers {
		for _, credential := range s.Credentials {
			all = append(all, credential.secret)
		}
		for _, secret := range s.secrets {
			all = append(all, secret)
		}
	}
	for _, n := range c.Notifications {
		all = append(all, n.secrets()...)
	}
	return all
}

func (a *App) openGateway(redactor *identity.Redactor) error {
	cfg := gateway.Config{
		Extensions: a.cfg.Extensions, Anonymous: a.cfg.AnonymousAgent, Origins: a.cfg.Origins,
		PublicURL: a.cfg.PublicURL, Version: a.version.Version,
		Limits: gateway.Limits{
			RequestBytes: a.cfg.Limits.RequestBytes, StopGrace: time.Duration(a.cfg.Limits.StopTimeout) / 2,
			HoldWait: time.Duration(a.cfg.Approvals.Wait),
		},
	}
	if host := a.cfg.publicHost(); host != "" {
		cfg.Hosts = []string{host}
	}
	if a.cfg.OAuth != nil {
		cfg.MetadataURL = a.cfg.PublicURL + metadataPath + "/mcp"
	}
	for _, s := range a.cfg.Servers {
		if s.Command != "" || s.URL != "" {
			cfg.Servers = append(cfg.Servers, gateway.Server{Config: a.upstream(s, redactor), Timeout: time.Duration(s.Timeout)})
		}
	}
	var err error
	a.gateway, err = gateway.New(cfg, gateway.Parts{
		Directory: a.directory, Enforcer: a.enforcer, Inventory: a.inventory, Held: a.held, Log: a.log, Now: a.now,
	})
	if err != nil {
		return err
	}
	a.onStop("the gateway", func(ctx context.Context) error {
		a.gateway.Close(ctx)
		return nil
	})
	return nil
}

func (a *App) upstream(s Server, redactor *identity.Redactor) upstream.Config {
	cfg := upstream.Config{
		Name: s.Name, Command: s.Command, Args: slices.Clone(s.Args), Dir: s.Dir, Env: s.Env, SecretEnv: s.secrets,
		URL: s.URL, Redact: redactor.Redact, ConnectTimeout: time.Duration(a.cfg.Limits.ConnectTimeout),
		Limits: upstream.Limits{MessageBytes: a.cfg.Limits.ResultBytes, Depth: maxResultDepth, MessagesPerCall: maxMessagesPerCall},
	}
	for _, c := range s.Credentials {
		cfg.Credentials = append(cfg.Credentials, upstream.Credential{Header: c.Header, Prefix: c.Prefix, Secret: c.secret})
	}
	return cfg
}

// Bounds of what an upstream sends that nobody has needed to set yet.
const (
	maxResultDepth     = 256
	maxMessagesPerCall = 10_000
)
