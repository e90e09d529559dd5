package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
)

// exchange is one HTTP request of an agent and its answer.
type exchange struct {
	g         *Gateway
	ep        endpoint
	principal identity.Principal
	sess      *session // nil for an agent of the stateless revision
	client    client
	msg       *envelope.Message
	method    string
	// run is the session that the request is part of, as receipts name it;
	// empty for the agent's default run.
	run    string
	header http.Header
	remote string
	out    *stream
	// holdUntil is when a held call has waited long enough; zero before it does.
	holdUntil time.Time
	// cancel cancels the request that serve serves.
	cancel context.CancelCauseFunc
	// admitted finds out again who is calling, for requests that last.
	admitted func() (identity.Principal, error)
}

// client is what an agent's program says about itself.
type client struct {
	version      string
	capabilities json.RawMessage
	info         json.RawMessage
	logLevel     string
}

func (c client) modern() bool { return c.version == upstream.Modern }

// can says whether the agent's program declared a capability.
func (c client) can(capability string) bool {
	var declared map[string]json.RawMessage
	if json.Unmarshal(c.capabilities, &declared) != nil {
		return false
	}
	v, ok := declared[capability]
	return ok && string(v) != "null"
}

// The causes of a cancelled context.
var (
	errTimeout   = errors.New("no answer in time")
	errWithdrawn = errors.New("the agent cancelled the request")
	errAgentLeft = errors.New("the agent closed the connection")
	errCallOver  = errors.New("the call ended before there was an answer")
)

// serve serves a request, counted and cancellable.
func (x *exchange) serve(ctx context.Context) error {
	if x.removed() {
		return methodNotFound(x.method)
	}
	said, err := x.said()
	if err != nil {
		return err
	}
	if err := x.joins(said); err != nil {
		return err
	}
	if !x.g.running.start(x.principal.Actor) {
		return exhausted("too many of this agent's requests are under way")
	}
	defer x.g.running.end(x.principal.Actor)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(x.g.ctx, func() { cancel(errStopping) })()
	x.cancel = cancel
	if x.sess != nil {
		defer x.sess.begin(x.msg.Bytes(envelope.ID), cancel)()
	}
	if err := x.declare(ctx, said); err != nil {
		return err
	}
	return x.dispatch(ctx)
}

// removed says whether the agent's revision does not have the method.
func (x *exchange) removed() bool {
	switch x.method {
	case "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		return x.client.modern()
	case "server/discover", "subscriptions/listen":
		return !x.client.modern()
	}
	return false
}

// isKnownMethod says whether the specification has the method for agents.
func isKnownMethod(method string) bool {
	switch method {
	case "initialize", "ping", "server/discover", "subscriptions/listen",
		"tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/templates/list",
		"resources/read", "resources/subscribe", "resources/unsubscribe", "completion/complete", "logging/setLevel":
		return true
	}
	return false
}

func (x *exchange) dispatch(ctx context.Context) error {
	switch x.method {
	case "initialize":
		return invalidParams("the session is initialized already")
	case "ping":
		return x.reply([]byte(`{}`))
	case "server/discover":
		return x.discover(ctx)
	case "subscriptions/listen":
		return x.listen(ctx)
	case "tools/list":
		return x.listTools(ctx)
	case "prompts/list", "resources/list", "resources/templates/list":
		return x.list(ctx)
	case "tools/call":
		return x.callTool(ctx)
	case "prompts/get", "resources/read", "completion/complete":
		return x.ask(ctx)
	case "resources/subscribe", "resources/unsubscribe":
		return x.subscribe(ctx)
	case "logging/setLevel":
		return x.setLevel(ctx)
	}
	if !x.g.isExtension(x.method) {
		return methodNotFound(x.method)
	}
	return x.extension(ctx)
}

// reply answers with a result.
func (x *exchange) reply(result []byte) error {
	return x.sent(x.out.finish(http.StatusOK, false, envelope.EncodeResult(x.msg.Bytes(envelope.ID), result)))
}

// sent drops the error of an answer that could not be delivered: the agent is
// gone, and what was done is recorded.
func (x *exchange) sent(err error) error {
	if err != nil {
		x.g.Log.Debug("an answer could not be delivered", "method", x.method, "error", err)
	}
	return nil
}

// call is a request of the agent in the words of enforcement.
func (x *exchange) call(s *server, input []byte) enforcement.Call {
	return enforcement.Call{
		Principal: x.principal, Session: x.run, Channel: enforcement.MCP, Protocol: x.client.version,
		Method: x.method, Server: s.name, Input: input,
	}
}

// inTime bounds a call by its server's time-out.
func (x *exchange) inTime(ctx context.Context, s *server) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errTimeout)
}

// afterwards is a context for what has to be recorded whatever became of the
// request.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordWait)
}

// recordWait bounds the recording of an outcome; a ledger that takes longer is
// down, and says so when the next decision is to be recorded.
const recordWait = 30 * time.Second
