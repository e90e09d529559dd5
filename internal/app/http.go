package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/gateway/authzen"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/hook"
	"aims/internal/identity"
	"aims/internal/policy"
	"aims/receipt"
)

// metadataPath is where the metadata of protected resources is (RFC 9728 §3).
const metadataPath = "/.well-known/oauth-protected-resource"

// Bounds of a connection. Answers have no bound of their own: a stream may
// last. Whoever writes one sets a deadline for each piece.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// publicHost is the host of the public address, where it is not the listener's.
func (c *Config) publicHost() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == c.Listen {
		return ""
	}
	return u.Host
}

// loadTLS reads the listener's certificate, before anything is made that a
// start that fails later would have shown to nobody.
func (a *App) loadTLS(context.Context) error {
	if a.cfg.TLS == nil {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(a.cfg.TLS.Cert, a.cfg.TLS.Key)
	if err != nil {
		return aims.Errorf(aims.Invalid, err, "the TLS certificate or key cannot be used")
	}
	a.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	return nil
}

func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/mcp", a.gateway)
	mux.Handle("/mcp/", a.gateway)
	decisions := authzen.New(a.directory, a.enforcer, authzen.Options{
		PublicURL: a.cfg.PublicURL, MaxBody: a.cfg.Limits.RequestBytes, Approvals: a.approvals, Log: a.log,
	})
	for _, pattern := range authzen.Patterns() {
		mux.Handle(pattern, timed(decisions))
	}
	mux.Handle(hook.Pattern, hook.New(a.directory, a.enforcer, hook.Options{Inventory: a.inventory, Held: a.held, Log: a.log, Now: a.now}))
	mux.HandleFunc("GET "+hold.Path, hold.Page)
	if a.cfg.OAuth != nil {
		mux.HandleFunc("GET "+metadataPath+"/mcp", a.resourceMetadata)
		mux.HandleFunc("GET "+metadataPath+"/mcp/{server}", a.resourceMetadata)
	}
	mux.Handle("/log/", timed(a.ledger.Handler(a.mayReadEntries)))
	mux.Handle("/api/", timed(a.api()))
	mux.HandleFunc("GET /healthz", a.health)
	return mux
}

// pieceTimeout is how long a reader may take for one piece of an answer.
const pieceTimeout = 30 * time.Second

// timed gives each piece of an answer its own deadline: an answer may be long,
// a reader that takes nothing is not waited for.
func timed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(timedWriter{w}, r) })
}

type timedWriter struct{ http.ResponseWriter }

func (t timedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t timedWriter) Write(b []byte) (int, error) {
	// Best effort: a writer without deadlines is one of a test.
	_ = http.NewResponseController(t.ResponseWriter).SetWriteDeadline(time.Now().Add(pieceTimeout))
	return t.ResponseWriter.Write(b)
}

func (a *App) serve(context.Context) error {
	a.server = &http.Server{
		Handler: a.routes(), TLSConfig: a.tls, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	l := a.listener
	if a.tls != nil {
		l = tls.NewListener(l, a.tls)
	}
	a.startLoops()
	go func() {
		if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- aims.Errorf(aims.Unavailable, err, "the listener ended")
		}
	}()
	a.onStop("the HTTP server", a.stopServing)
	return nil
}

// stopServing takes no new connections, and ends the streams that agents hold
// open by closing the gateway, which would otherwise never become idle.
func (a *App) stopServing(ctx context.Context) error {
	idle := make(chan error, 1)
	go func() { idle <- a.server.Shutdown(ctx) }()
	a.gateway.Close(ctx)
	if err := <-idle; err != nil {
		return errors.Join(err, a.server.Close())
	}
	return nil
}

// mayReadEntries lets in who may read the entries of the log.
func (a *App) mayReadEntries(r *http.Request) error {
	bearer, err := identity.FromHeader(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	principal, err := a.directory.Authenticate(r.Context(), bearer)
	if err != nil {
		return err
	}
	ruling, err := a.enforcer.Management(r.Context(), principal, "log/entries")
	if err != nil {
		return err
	}
	return a.enforcer.Close(context.WithoutCancel(r.Context()), ruling, readOutcome())
}

func (a *App) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	resource := a.cfg.PublicURL + strings.TrimPrefix(r.URL.Path, metadataPath)
	document, err := a.directory.ResourceMetadata(resource, "aims")
	if err != nil {
		a.log.Error("the resource metadata cannot be written", "error", err)
		http.Error(w, "an internal error; the operator's log has the cause", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*") // it is public, and clients in pages need it
	w.Write(document)
}

// health says whether calls can be decided: it needs no key, so it tells nothing else.
func (a *App) health(w http.ResponseWriter, _ *http.Request) {
	if a.policies.Active() == nil {
		http.Error(w, "no policy is active", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n"))
}

func (a *App) api() http.Handler {
	return api.Handler(a.apiParts())
}

// apiParts are the parts that the management API speaks for.
func (a *App) apiParts() api.Parts {
	return api.Parts{
		Corrective: a.corrective, Register: a.register, Evidence: a.evidence, Audits: a.audits, Lifecycle: a.lifecycle, Origin: a.key.Name(), Enforcer: a.enforcer, Directory: a.directory, Inventory: a.inventory, Policies: a.policies, Ledger: a.ledger, Approvals: a.approvals, Sessions: a.sessions,
		PolicyDir: a.directoryBundle, Activate: a.activate, Released: a.released, Known: a.known, Status: a.status, Source: a.Source,
		Version: a.version.Version, Log: a.log, Now: a.now, Servers: a.cfg.serverNames(), Content: a.content.Labels,
	}
}

// Source is the log as it is now, with every policy set that was ever in force.
func (a *App) Source(ctx context.Context) (receipt.Source, error) {
	sets, err := PolicySets(ctx, a.policies)
	if err != nil {
		return nil, err
	}
	return a.ledger.Source(ctx, sets)
}

// PolicySets are all sets that were ever in force, as receipts name them.
func PolicySets(ctx context.Context, policies *policy.Administration) ([]receipt.PolicySet, error) {
	digests, err := policies.Digests(ctx)
	if err != nil {
		return nil, err
	}
	sets := make([]receipt.PolicySet, 0, len(digests))
	for _, d := range digests {
		stored, err := policies.Stored(ctx, d)
		if err != nil {
			return nil, err
		}
		set := receipt.PolicySet{Digest: d, Schema: stored.Schema}
		for _, s := range stored.Sources {
			set.Sources = append(set.Sources, receipt.PolicySource(s))
		}
		sets = append(sets, set)
	}
	return sets, nil
}
