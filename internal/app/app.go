package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/approval"
	"aims/internal/content"
	"aims/internal/corrective"
	"aims/internal/enforcement"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/gateway"
	"aims/internal/gateway/hold"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/lifecycle"
	"aims/internal/notify"
	"aims/internal/policy"
	"aims/internal/register"
	"aims/internal/session"
	"aims/internal/store"
	"aims/receipt"
)

// Options are what a configuration file does not hold.
type Options struct {
	// Log is the operator's log; the values of secrets are taken out of it.
	Log slog.Handler
	Now func() time.Time
}

// App is a running installation.
type App struct {
	cfg     *Config
	log     *slog.Logger
	now     func() time.Time
	started time.Time
	version Version

	key        *logKey
	db         *store.DB
	ledger     *ledger.Ledger
	lifecycle  *lifecycle.Lifecycle
	directory  *identity.Directory
	inventory  *inventory.Inventory
	audits     *audit.Audits
	policies   *policy.Administration
	approvals  *approval.Approvals
	corrective *corrective.Corrective
	register   *register.Register
	evidence   *evidence.Service
	held       *hold.Room // where calls wait for them
	content    *content.Checker
	notifier   *notify.Notifier
	untold     untold
	sessions   *session.Sessions
	enforcer   *enforcement.Enforcer
	gateway    *gateway.Gateway
	server     *http.Server
	listener   net.Listener
	tls        *tls.Config // nil for plain HTTP

	bootstrap identity.Secret
	controls  []api.Control
	// left are the decisions that the process before left open.
	left []receipt.Decision

	mu          sync.Mutex
	unreachable map[string]string // by server: why its tools could not be listed at the start
	policyError string            // why the policy directory is not in force

	stops    []stop // in the order of the start; they run in the reverse
	failed   chan error
	stopOnce sync.Once
	// fitsMemory says that the limit of memory is fitted to the installation.
	fitsMemory bool
}

// stop undoes one step of the start.
type stop struct {
	what string
	do   func(context.Context) error
}

// Start starts an installation: the listener is taken first, so that a port in
// use is found before anything is touched, and served last, when every control
// has been fired. When it returns an error, everything is stopped again.
func Start(ctx context.Context, cfg *Config, o Options) (*App, error) {
	fits := collectLess()
	redactor := identity.NewRedactor(cfg.secrets()...)
	a := &App{
		cfg: cfg, log: slog.New(redacting(o.Log, redactor)), now: o.Now, started: o.Now().UTC(),
		version: ReadVersion(), unreachable: map[string]string{}, failed: make(chan error, 1), fitsMemory: fits,
	}
	for _, step := range []func(context.Context) error{
		a.listen,
		a.loadTLS,
		a.openStore,
		a.openLedger,
		func(ctx context.Context) error { return a.openParts(ctx, redactor) },
		a.recoverDecisions,
		func(ctx context.Context) error { return a.openGateway(redactor) },
		a.surveyTools,
		a.warnUnlisted,
		a.loadPolicies,
		a.selfCheck,
		a.makeFirstKey,
		a.serve,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.Stop())
		}
	}
	a.log.Info("started", "url", a.URL(), "version", a.version.Version, "log", a.key.Name(), "entries", a.ledger.Size())
	return a, nil
}

func (a *App) onStop(what string, do func(context.Context) error) {
	a.stops = append(a.stops, stop{what, do})
}

// Stop stops in the reverse order of the start: no new callers, the running
// calls, the loops, the log with a last checkpoint, the database. It takes at
// most limits.stop_timeout.
func (a *App) Stop() error {
	var failures []error
	a.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.cfg.Limits.StopTimeout))
		defer cancel()
		a.log.Info("stopping")
		for i := len(a.stops) - 1; i >= 0; i-- {
			if err := a.stops[i].do(ctx); err != nil {
				failures = append(failures, aims.Errorf(aims.Unavailable, err, "%s did not stop in order", a.stops[i].what))
			}
		}
		a.log.Info("stopped")
	})
	return errors.Join(failures...)
}

// URL is the address by which clients reach the installation.
func (a *App) URL() string { return a.cfg.PublicURL }

// Bootstrap is the secret of the first key, when this start made it.
func (a *App) Bootstrap() (secret string, made bool) {
	return a.bootstrap.Reveal(), !a.bootstrap.IsZero()
}

// LeftOpen are the decisions that the process before left without outcome:
// what they allowed may have happened.
func (a *App) LeftOpen() []receipt.Decision { return a.left }

// Failed gives the error for which the listener ended by itself.
func (a *App) Failed() <-chan error { return a.failed }

func (a *App) listen(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", a.cfg.Listen)
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "%s cannot be listened on", a.cfg.Listen)
	}
	a.listener = l
	if _, port, err := net.SplitHostPort(a.cfg.Listen); err == nil && port == "0" {
		// Any port was asked for: from here on it is this one.
		a.cfg.PublicURL = strings.Replace(a.cfg.PublicURL, a.cfg.Listen, l.Addr().String(), 1)
		a.cfg.Listen = l.Addr().String()
	}
	a.onStop("the listener", func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (a *App) makeFirstKey(ctx context.Context) error {
	_, secret, made, err := a.directory.Bootstrap(ctx, "admin")
	if made {
		a.bootstrap = secret
	}
	return err
}

// redacting takes secrets out of whatever is logged.
func redacting(h slog.Handler, r *identity.Redactor) slog.Handler {
	if h == nil {
		h = slog.NewTextHandler(os.Stderr, nil)
	}
	return &redactingHandler{h, r}
}
