// Package authzen is the policy enforcement point for callers that are not
// MCP: the OpenID AuthZEN Authorization API 1.0 over HTTP, and an endpoint by
// which a caller reports what came of a decision. docs/decision-api.md defines
// how a request of AuthZEN is read in the words of the policies.
//
// A caller asks for itself. Whom a decision is for is never believed from the
// request alone: a subject other than the caller needs the role pep, and its
// roles come from the directory.
package authzen

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/identity"
)

// Role lets its holder ask, and report, on behalf of other subjects.
const Role = "pep"

// protocol is what context.session.protocol says to policies.
const protocol = "authzen/1.0"

// Options bound what callers can make this process do. Zero means the default.
type Options struct {
	// PublicURL is the address by which callers reach this installation, without a path.
	PublicURL string
	// MaxBody is the largest request in bytes. Default 4 MiB.
	MaxBody int64
	// MaxEvaluations is how many evaluations one request may hold. Default 256.
	MaxEvaluations int
	// Approvals are the held calls; nil when nothing can be released.
	Approvals *approval.Approvals
	Log       *slog.Logger
	Now       func() time.Time // for the deadline of a slow caller
}

// API serves the decision API.
type API struct {
	directory *identity.Directory
	enforcer  *enforcement.Enforcer
	o         Options
	mux       *http.ServeMux
	binding   [32]byte // the key of binding tokens
}

// New puts the API over directory and enforcer.
func New(d *identity.Directory, e *enforcement.Enforcer, o Options) *API {
	o.MaxBody = cmp.Or(o.MaxBody, 4<<20)
	o.MaxEvaluations = cmp.Or(o.MaxEvaluations, 256)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{directory: d, enforcer: e, o: o, mux: http.NewServeMux()}
	rand.Read(a.binding[:]) // never fails
	a.mux.HandleFunc("POST /access/v1/evaluation", a.serve("evaluation", http.StatusOK, a.evaluation))
	a.mux.HandleFunc("POST /access/v1/evaluations", a.serve("evaluations", http.StatusOK, a.evaluations))
	a.mux.HandleFunc("POST /access/v1/outcome", a.serve("outcome", http.StatusOK, a.outcome))
	a.mux.HandleFunc("POST /access/v1/session", a.serve("session", http.StatusOK, a.session))
	a.mux.HandleFunc("POST /access/v1/requests", a.serve("request", http.StatusAccepted, a.request))
	a.mux.HandleFunc("GET /access/v1/requests/{id}", a.requestStatus)
	a.mux.HandleFunc("GET /.well-known/authzen-configuration", a.configuration)
	return a
}

// Patterns are the patterns of http.ServeMux under which the API is served.
func Patterns() []string {
	return []string{"/access/v1/", "/.well-known/authzen-configuration"}
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id := r.Header.Get("X-Request-Id"); id != "" {
		w.Header().Set("X-Request-Id", id)
	}
	a.mux.ServeHTTP(w, r)
}

// caller is who asks, and where from.
type caller struct {
	identity.Principal
	remote string
	// method is the request's name in receipts.
	method string
}

// mayActFor says whose questions the caller may ask.
func (c caller) mayActFor(actor aims.Actor) bool {
	return c.Actor == actor || slices.Contains(c.Roles, Role)
}

// serve authenticates, reads the body and answers with what h makes of it.
func (a *API) serve(method string, success int, h func(context.Context, caller, []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := a.handle(w, r, method, h)
		if err != nil {
			a.fail(w, r, method, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(success)
		w.Write(body)
	}
}

func (a *API) handle(w http.ResponseWriter, r *http.Request, method string, h func(context.Context, caller, []byte) ([]byte, error)) ([]byte, error) {
	c, err := a.authenticate(r, method)
	if err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, a.turnAway(r.Context(), &c.Principal, c, "content type", aims.Errorf(aims.Invalid, nil, "expected Content-Type application/json"))
	}
	body, err := a.read(w, r)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, a.turnAway(r.Context(), &c.Principal, c, "too large", errTooLarge(a.o.MaxBody))
		}
		return nil, aims.Errorf(aims.Invalid, err, "the request broke off before its end")
	}
	out, err := h(r.Context(), c, body)
	var m *malformed
	var recorded *turned
	if errors.As(err, &m) && !errors.As(err, &recorded) {
		return nil, a.turnAway(r.Context(), &c.Principal, c, "malformed request", err)
	}
	return out, err
}

func (a *API) authenticate(r *http.Request, method string) (caller, error) {
	c := caller{method: method, remote: remote(r)}
	bearer, err := identity.FromHeader(r.Header.Get("Authorization"))
	if err == nil {
		c.Principal, err = a.directory.Authenticate(r.Context(), bearer)
	}
	if err != nil {
		return c, a.turnAway(r.Context(), nil, c, "credentials missing, unknown, expired or revoked", err)
	}
	return c, nil
}

// bodyTimeout bounds how long a caller may take to send its request.
const bodyTimeout = 30 * time.Second

func (a *API) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(a.o.Now().Add(bodyTimeout))
	defer c.SetReadDeadline(time.Time{})
	return io.ReadAll(http.MaxBytesReader(w, r.Body, a.o.MaxBody))
}

// turned is an error that a refusal receipt stands for.
type turned struct {
	error
	receipt string
}

func (t *turned) Unwrap() error { return t.error }

// turnAway records that a request was refused before it could be decided.
func (a *API) turnAway(ctx context.Context, p *identity.Principal, c caller, cause string, why error) error {
	id := a.enforcer.Refuse(context.WithoutCancel(ctx), enforcement.Refusal{
		Principal: p, Remote: c.remote, Channel: enforcement.AuthZEN, Method: c.method, Cause: cause,
	})
	return &turned{why, id}
}

// tooLarge is a body beyond Options.MaxBody.
type tooLarge struct{ error }

func (t *tooLarge) Unwrap() error { return t.error }

func errTooLarge(limit int64) error {
	return &tooLarge{aims.Errorf(aims.Invalid, nil, "expected a body of at most %d bytes", limit)}
}

// status is an error's HTTP status.
func status(err error) int {
	var large *tooLarge
	if errors.As(err, &large) {
		return http.StatusRequestEntityTooLarge
	}
	code, _ := aims.Public(err)
	switch code {
	case aims.Invalid:
		return http.StatusBadRequest
	case aims.Unauthenticated:
		return http.StatusUnauthorized
	case aims.Denied:
		return http.StatusForbidden
	case aims.NotFound:
		return http.StatusNotFound
	case aims.Conflict:
		return http.StatusConflict
	case aims.Exhausted:
		return http.StatusTooManyRequests
	case aims.Unavailable, aims.Timeout:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers with an error as JSON: {"error":{"code","message","receipt"}}.
func (a *API) fail(w http.ResponseWriter, r *http.Request, method string, err error) {
	s := status(err)
	if s >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.o.Log.Error("a request of the decision API failed", "method", method, "error", err)
	}
	h := w.Header()
	switch s {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(s)
	w.Write(appendError([]byte{}, err))
}

// remote is the caller's address without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// base is the address of this installation, without a path.
func (a *API) base() string { return strings.TrimSuffix(a.o.PublicURL, "/") }

// configuration is the metadata of this policy decision point (AuthZEN 1.0,
// Policy Decision Point Metadata). It names nothing that needs a credential.
func (a *API) configuration(w http.ResponseWriter, _ *http.Request) {
	base := a.base()
	b := []byte(`{"policy_decision_point":`)
	b = appendString(b, base)
	b = append(b, `,"access_evaluation_endpoint":`...)
	b = appendString(b, base+"/access/v1/evaluation")
	b = append(b, `,"access_evaluations_endpoint":`...)
	b = appendString(b, base+"/access/v1/evaluations")
	b = append(b, `,"aims_outcome_endpoint":`...)
	b = appendString(b, base+"/access/v1/outcome")
	b = append(b, `,"aims_session_endpoint":`...)
	b = appendString(b, base+"/access/v1/session")
	if a.o.Approvals != nil {
		b = append(b, `,"access_request_endpoint":`...)
		b = appendString(b, base+requestsPath)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Write(append(b, '}'))
}
