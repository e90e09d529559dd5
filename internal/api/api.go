// Package api is the management API over HTTP: every verb that a person has,
// decided by the same decision point as the calls of agents, and recorded the
// same way (ISO 42001 5.3, 7.5, A.3.2).
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/corrective"
	"aims/internal/enforcement"
	"aims/internal/evidence"
	"aims/internal/evidence/audit"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/lifecycle"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
	"aims/internal/register"
	"aims/internal/session"
	"aims/receipt"
)

// Parts are the parts of the installation that the API speaks for.
type Parts struct {
	Enforcer   *enforcement.Enforcer
	Directory  *identity.Directory
	Inventory  *inventory.Inventory
	Policies   *policy.Administration
	Ledger     *ledger.Ledger
	Approvals  *approval.Approvals
	Corrective *corrective.Corrective
	Register   *register.Register
	Lifecycle  *lifecycle.Lifecycle
	Evidence   *evidence.Service
	Audits     *audit.Audits
	Sessions   *session.Sessions
	// PolicyDir reads the server's own policy directory; nil when it has none.
	PolicyDir func() (*bundle.Bundle, error)
	// Activate puts a bundle in force, that of the server's own policy directory
	// for nil.
	Activate func(ctx context.Context, by aims.Actor, decision string, b *bundle.Bundle) (policy.Activation, error)
	// Released is an error where another bundle than this may not be put in force.
	Released func(environment, digest string) error
	// Known are the entities that there are, for the review of policies.
	Known func(context.Context) review.Known
	// Servers are the names of the servers behind the gateway.
	Servers []string
	// Content labels what results hold; nil for nothing.
	Content func([]byte) []string
	// Status is the state of the installation.
	Status func(context.Context) (Status, error)
	// Source is the log as it is now.
	Source func(context.Context) (receipt.Source, error)
	// Origin is the name of the log.
	Origin string
	// Version is the program's.
	Version string
	Log     *slog.Logger
	Now     func() time.Time
}

// api holds the parts for the handlers.
type api struct{ Parts }

// maxPolicyBytes bounds a set of policies in a request.
const maxPolicyBytes = 40 << 20

// Handler serves the API under /api/.
func Handler(p Parts) http.Handler {
	a := &api{p}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("aims management API", p.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", ""
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.CreateHooks = nil // they add links to schemas that are not served
	config.Transformers = append(config.Transformers, reword)
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "a key of this installation, or an access token of its authorization server"},
	}
	config.Security = []map[string][]string{{"key": {}}}
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[aims.Actor](), reflect.TypeFor[Actor]()) // what records hold is described the same
	h := humago.New(mux, config)
	a.keys(h)
	a.tools(h)
	a.approvals(h)
	a.nonconformities(h)
	a.incidents(h)
	a.concerns(h)
	a.registers(h)
	a.evidenceView(h)
	a.reports(h)
	a.applicability(h)
	a.audits(h)
	a.reviews(h)
	a.trust(h)
	a.agents(h)
	a.lifecycle(h)
	a.stops(h)
	a.policies(h)
	a.hindsight(h)
	a.rehearsal(h)
	a.receipts(h)
	a.logView(h)
	a.packs(h)
	a.state(h)
	return mux
}

// schemaName names a type in the description of the API, where names have no
// package: one of another package has that in its name, because two packages
// may have a word in common.
func schemaName(t reflect.Type, hint string) string {
	of := t
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if home := path.Base(of.PkgPath()); of.Name() != "" && of.PkgPath() != "" && home != "api" {
		return strings.ToUpper(home[:1]) + home[1:] + name
	}
	return name
}

// Credentials are the part that every request has.
type Credentials struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

func (c *Credentials) authorization() string { return c.Authorization }

// caller is who asks and the decision that lets them.
type caller struct {
	identity.Principal
	enforcement.Ruling
}

// permit authenticates a caller and decides whether it may do the action. The
// decision is recorded; the error is what the caller is told.
func (a *api) permit(ctx context.Context, authorization, action string) (caller, error) {
	return a.permitOf(ctx, authorization, action, func() (enforcement.Matter, error) { return enforcement.Matter{}, nil })
}

// permitOf is permit for an action about a matter, which is looked up only for
// a caller who is known. Beside the error of a decision that does not allow, the
// caller is who asked, with that decision.
func (a *api) permitOf(ctx context.Context, authorization, action string, matter func() (enforcement.Matter, error)) (caller, error) {
	bearer, err := identity.FromHeader(authorization)
	if err != nil {
		return caller{}, problem(err)
	}
	principal, err := a.Directory.Authenticate(ctx, bearer)
	if err != nil {
		a.Enforcer.Refuse(context.WithoutCancel(ctx), enforcement.Refusal{Channel: enforcement.Management, Method: action, Cause: "no valid credentials"})
		return caller{}, problem(err)
	}
	// What is not there is refused like anything else to whoever may not do this;
	// nobody learns by asking what there is.
	about, missing := matter()
	if code, _ := aims.Public(missing); missing != nil && code != aims.NotFound {
		return caller{}, a.failed(action, missing)
	}
	ruling, err := a.Enforcer.ManagementOf(ctx, principal, action, about)
	if err != nil {
		p := a.failed(action, err)
		p.Receipt, p.Reasons = ruling.Receipt, ruling.Reasons
		return caller{principal, ruling}, p
	}
	c := caller{principal, ruling}
	if missing != nil { // it was decided without its authors, should it come about now
		a.close(ctx, c, missing)
		return caller{}, a.failed(action, missing)
	}
	return c, nil
}

// close records what came of an action. The action is done whatever this
// returns, so that a failure is for the operator.
func (a *api) close(ctx context.Context, c caller, err error) {
	outcome := enforcement.Outcome{Status: receipt.Succeeded}
	if errors.Is(err, context.Canceled) {
		outcome = enforcement.Outcome{Status: receipt.Cancelled, Detail: "the caller left"}
	} else if err != nil {
		outcome = enforcement.Outcome{Status: receipt.Failed, Detail: problem(err).Code}
	}
	if err := a.Enforcer.Close(context.WithoutCancel(ctx), c.Ruling, outcome); err != nil {
		a.Log.Error("the outcome of a management action was not recorded", "receipt", c.Receipt, "error", err)
	}
}

// failed is what the caller is told of an error; the operator's log has the cause.
func (a *api) failed(action string, err error) *Problem {
	p := problem(err)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		a.Log.Error("a management action failed", "action", action, "error", err)
	}
	return p
}

// answer is a response with a body.
type answer[T any] struct{ Body T }

// verb registers an operation: authenticate, decide, do, record. do gets the
// caller with the ruling that lets it.
func verb[In interface {
	*T
	authorization() string
}, T, Out any](a *api, h huma.API, op huma.Operation, action string, do func(context.Context, caller, In) (Out, error)) {
	verbOf(a, h, op, action, func(context.Context, In) (enforcement.Matter, error) { return enforcement.Matter{}, nil }, do)
}

// verbOf is verb for an action on something that people had a part in, so that
// policy can keep duties apart.
func verbOf[In interface {
	*T
	authorization() string
}, T, Out any](a *api, h huma.API, op huma.Operation, action string, matter func(context.Context, In) (enforcement.Matter, error),
	do func(context.Context, caller, In) (Out, error)) {
	op.Path = "/api/v1" + op.Path
	op.OperationID = operationID(op)
	op.Description = strings.TrimSpace(op.Description + " Decided as the action " + action + ".")
	huma.Register(h, op, func(ctx context.Context, in *T) (*answer[Out], error) {
		c, err := a.permitOf(ctx, In(in).authorization(), action, func() (enforcement.Matter, error) { return matter(ctx, in) })
		if err != nil {
			return nil, err
		}
		out, err := do(ctx, c, in)
		a.close(ctx, c, err)
		if err != nil {
			return nil, a.failed(action, err)
		}
		return &answer[Out]{out}, nil
	})
}

func operationID(op huma.Operation) string {
	parts := strings.FieldsFunc(op.Path, func(r rune) bool { return strings.ContainsRune("/{}", r) })
	return strings.ToLower(op.Method) + "-" + strings.Join(parts[2:], "-")
}

// answerProblem is the answer of a stream that failed before its first piece.
func (a *api) answerProblem(hc huma.Context, p *Problem) {
	hc.SetHeader("Content-Type", p.ContentType(""))
	hc.SetStatus(p.Status)
	if err := json.NewEncoder(hc.BodyWriter()).Encode(p); err != nil {
		a.Log.Debug("an answer could not be written", "error", err)
	}
}

// stream registers an operation whose answer is written piece by piece. When
// it fails half-way, the connection is broken off, so that the reader notices.
func stream[In interface {
	*T
	authorization() string
}, T any](a *api, h huma.API, op huma.Operation, action, contentType string, do func(context.Context, caller, In, io.Writer) error) {
	op.Path = "/api/v1" + op.Path
	op.OperationID = operationID(op)
	op.Description = strings.TrimSpace(op.Description + " Decided as the action " + action + ".")
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{contentType: {}}}}
	huma.Register(h, op, func(ctx context.Context, in *T) (*huma.StreamResponse, error) {
		c, err := a.permit(ctx, In(in).authorization(), action)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			hc.SetHeader("Content-Type", contentType)
			w := &pieces{Writer: hc.BodyWriter()}
			err := do(ctx, c, in, w)
			if w.left != nil {
				err = w.left
			}
			a.close(ctx, c, err)
			if err == nil {
				return
			}
			if p := a.failed(action, err); !w.begun {
				a.answerProblem(hc, p)
				return
			}
			panic(http.ErrAbortHandler)
		}}, nil
	})
}

// pieces notices when the reader takes no more.
type pieces struct {
	io.Writer
	begun bool
	left  error
}

func (p *pieces) Write(b []byte) (int, error) {
	p.begun = true
	n, err := p.Writer.Write(b)
	if err != nil {
		p.left = errLeft
	}
	return n, err
}

// errLeft says that the reader of a stream broke it off, which is no failure of ours.
var errLeft = fmt.Errorf("the reader left: %w", context.Canceled)
