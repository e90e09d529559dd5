package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"
)

// The members of _meta that are this gateway's own.
const (
	metaReceipt  = "aims/receipt"  // the id of the decision's receipt
	metaReceipts = "aims/receipts" // all of them, where an answer is of several servers
	metaRefusal  = "aims/refusal"  // verdict and reasons of a refusal
	metaSession  = "aims/session"  // of a request: what it says of its run
)

// task is one decided request to one server, to be closed with an outcome.
type task struct {
	srv    *server
	method string
	// name is what the server calls the tool, prompt or resource.
	name     string
	ruling   enforcement.Ruling
	patience *patience // nil for what is not bounded by itself
}

// input is the decided input of a request that is not a tool call.
func input(name, uri string) []byte {
	b, _ := json.Marshal(struct { // strings cannot fail
		Name string `json:"name,omitempty"`
		URI  string `json:"uri,omitempty"`
	}{name, uri})
	return b
}

// decide has a request decided; the decision is durable when it returns.
func (x *exchange) decide(ctx context.Context, s *server, name string, c enforcement.Call) (*task, error) {
	r, err := x.g.decide(ctx, c)
	if err != nil {
		return nil, err
	}
	return &task{srv: s, method: c.Method, name: name, ruling: r}, nil
}

// decide has a call decided. A call that was refused without a policy, and
// recorded as that, is a ruling and no error.
func (g *Gateway) decide(ctx context.Context, c enforcement.Call) (enforcement.Ruling, error) {
	r, err := g.Enforcer.Decide(ctx, c)
	if code, _ := aims.Public(err); r.Receipt != "" && (code == aims.Denied || code == aims.Invalid) {
		return r, nil
	}
	return r, err
}

// close records what came of a task. When that fails, the agent gets the error
// in place of the answer: what is not recorded is not handed out.
func (x *exchange) close(ctx context.Context, t *task, o enforcement.Outcome) error {
	return x.g.closeRuling(ctx, t.ruling, o)
}

func (g *Gateway) closeRuling(ctx context.Context, r enforcement.Ruling, o enforcement.Outcome) error {
	if err := g.Enforcer.Close(ctx, r, o); err != nil {
		g.Log.Error("an outcome cannot be recorded", "receipt", r.Receipt, "error", err)
		return &fault{status: http.StatusOK, code: codeUnavailable, text: "the outcome cannot be recorded; the action may have happened",
			data: map[string]string{"receipt": r.Receipt}}
	}
	return nil
}

// callTool serves tools/call.
func (x *exchange) callTool(ctx context.Context) error {
	name, ok := x.msg.Text(envelope.Name)
	if !ok {
		return invalidParams("expected params to have the tool's name")
	}
	arguments := x.msg.Bytes(envelope.Arguments)
	if string(arguments) == "null" {
		arguments = nil // some clients write none this way
	}
	if arguments != nil && arguments[0] != '{' {
		return invalidParams("expected the tool's arguments to be an object")
	}
	s, tool, ok := x.resolve(name)
	if !ok {
		return unknownTool(name)
	}
	return x.carry(ctx, s, tool, func(ctx context.Context, c *conn) (enforcement.Call, error) {
		if err := c.ensureListed(ctx, tool); err != nil {
			return enforcement.Call{}, err
		}
		if err := x.checkParamHeaders(s, tool); err != nil {
			return enforcement.Call{}, err
		}
		state, ok := x.g.Inventory.Tool(s.name, tool)
		if !ok || !state.Listed {
			return enforcement.Call{}, unknownTool(name)
		}
		call := x.call(s, arguments)
		call.Tool = tool
		return call, nil
	})
}

func unknownTool(name string) error {
	return turnedAway(http.StatusBadRequest, envelope.CodeInvalidParams, "unknown tool", "unknown tool "+quote(name))
}

// prepare makes a request ready to be decided, on the connection that it will take.
type prepare func(context.Context, *conn) (enforcement.Call, error)

// done is the outcome of what the gateway itself did.
var done = enforcement.Outcome{Status: receipt.Succeeded}

// carry connects, has the request that prepare makes decided, and forwards it.
// While it is held it has no connection, and when it is released it is decided
// again.
func (x *exchange) carry(ctx context.Context, s *server, name string, ready prepare) error {
	if goesOn, err := x.comeBack(ctx, s); err != nil || !goesOn {
		return err
	}
	for {
		refused, err := x.forward(ctx, s, name, ready)
		if err != nil || refused == nil {
			return err
		}
		if goesOn, err := x.heldUp(ctx, s, *refused); err != nil || !goesOn {
			return err
		}
	}
}

// forward has a request decided and forwards it. A ruling against it is
// returned and not yet answered.
func (x *exchange) forward(ctx context.Context, s *server, name string, ready prepare) (refused *enforcement.Ruling, err error) {
	waits := newPatience(s.timeout, x.cancel)
	defer waits.end()
	c, release, err := x.conn(ctx, s)
	if err != nil {
		return nil, x.early(ctx, s, err)
	}
	held := true
	defer func() {
		if held {
			release()
		}
	}()
	if x.client.modern() && !c.modern() && x.msg.Has(envelope.RequestState) {
		waits.end() // the call has a patience of its own
		return nil, x.resume(ctx)
	}
	call, err := ready(ctx, c)
	if errors.Is(err, upstream.ErrGone) {
		release()
		if c, release, err = x.conn(ctx, s); err == nil {
			call, err = ready(ctx, c)
		} else {
			held = false
		}
	}
	if err != nil {
		return nil, x.early(ctx, s, err)
	}
	t, err := x.decide(ctx, s, name, call)
	if err != nil {
		return nil, x.early(ctx, s, err)
	}
	if !t.ruling.Allowed() {
		return &t.ruling, nil
	}
	waits.wait(s.timeout, errTimeout) // the server's time begins now
	t.patience = waits
	switch {
	case x.client.modern() && !c.modern() && mayAsk(x.method):
		held = false
		waits.end()
		return nil, x.detach(ctx, t, c, release)
	case !x.client.modern() && c.modern() && mayAsk(x.method):
		return nil, x.rounds(ctx, t, c)
	}
	return nil, x.direct(ctx, t, c)
}

// mayAsk says whether a server may ask for input in the course of a method
// (2026-07-28, multi round-trip requests).
func mayAsk(method string) bool {
	return method == "tools/call" || method == "prompts/get" || method == "resources/read"
}

// direct forwards a request whose two sides need no more than splices.
func (x *exchange) direct(ctx context.Context, t *task, c *conn) error {
	a, err := x.send(ctx, t, c, nil)
	if errors.Is(err, upstream.ErrGone) {
		var release func()
		if c, release, err = x.reconnect(ctx, t); err == nil {
			a, err = x.send(ctx, t, c, nil)
			release()
		}
	}
	if err != nil {
		return x.failed(ctx, t, err)
	}
	defer a.Release()
	return x.relay(ctx, t, a)
}

// reconnect is a new connection for a request that a server did not execute,
// because it had forgotten the session. A tool must still be the one that was
// decided about.
func (x *exchange) reconnect(ctx context.Context, t *task) (*conn, func(), error) {
	c, release, err := x.conn(ctx, t.srv)
	if err != nil || t.method != "tools/call" {
		return c, release, err
	}
	if err = c.ensureListed(ctx, t.name); err == nil {
		if state, ok := x.g.Inventory.Tool(t.srv.name, t.name); ok && state.Callable() && state.Pin == t.ruling.Pin {
			return c, release, nil
		}
		err = aims.Errorf(aims.Unavailable, nil, "the server %s was restarted and shows another definition of the tool", t.srv.name)
	}
	release()
	return nil, nil, err
}

// send sends the agent's request to the server. More are edits of the message
// beside those that every forwarded request needs.
func (x *exchange) send(ctx context.Context, t *task, c *conn, more []envelope.Edit) (upstream.Answer, error) {
	link := c.ready()
	if link == nil {
		return upstream.Answer{}, errConnClosed
	}
	call, err := x.outbound(t, link, more)
	if err != nil {
		return upstream.Answer{}, err
	}
	if x.sess != nil {
		defer x.sess.dropQuestions(x, errCallOver)
	}
	call.On = func(m *envelope.Message) error { return x.during(ctx, t, c, m) }
	if x.sess != nil {
		call.Retry = x.out.retry
	}
	return link.Call(ctx, call)
}

// during passes on what the server sends in the course of a call.
func (x *exchange) during(ctx context.Context, t *task, c *conn, m *envelope.Message) error {
	c.note(m)
	if m.Kind == envelope.Request {
		return x.asked(ctx, t, c, m)
	}
	if m.MethodName() == "notifications/cancelled" && x.sess != nil {
		x.sess.withdraw(c, m.Bytes(envelope.RequestID))
		return nil
	}
	out, err := x.inbound(c, m)
	if err != nil || out == nil {
		return err
	}
	if x.out.send(out) != nil {
		return errAgentLeft
	}
	return nil
}

// relay records a server's answer and hands it to the agent.
func (x *exchange) relay(ctx context.Context, t *task, a upstream.Answer) error {
	if text, _ := a.Message.Text(envelope.ResultType); text == "input_required" {
		if refused, err := x.vet(ctx, t, &a.Message); err != nil || refused {
			return err
		}
	}
	if err := x.conclude(ctx, t, &a.Message); err != nil {
		return err
	}
	return x.deliver(t, a)
}

// conclude records a server's answer.
func (x *exchange) conclude(ctx context.Context, t *task, m *envelope.Message) error {
	return x.close(ctx, t, outcomeOf(m))
}

// outcomeOf is what a server's answer says about the request.
func outcomeOf(m *envelope.Message) enforcement.Outcome {
	if m.Has(envelope.Error) {
		return enforcement.Outcome{
			Status: receipt.Failed, Detail: "the answer is JSON-RPC error " + string(m.Bytes(envelope.ErrorCode)), Result: m.Bytes(envelope.Error),
		}
	}
	o := enforcement.Outcome{Status: receipt.Succeeded, Result: m.Bytes(envelope.Result)}
	if m.IsTrue(envelope.ResultIsError) {
		o.Status, o.Detail = receipt.Failed, "the result says that the tool failed"
	}
	if text, _ := m.Text(envelope.ResultType); text == "input_required" {
		o.Detail = "the server asks for input"
	}
	return o
}

// deliver hands a server's answer to the agent, with the receipt's id in it.
func (x *exchange) deliver(t *task, a upstream.Answer) error {
	msg, err := x.translate(&a.Message, t)
	if err != nil {
		return err
	}
	return x.sent(x.out.finish(x.httpStatus(&a.Message), a.Streamed, msg...))
}

// httpStatus is the status that the stateless revision gives an error.
func (x *exchange) httpStatus(m *envelope.Message) int {
	if !x.client.modern() || !m.Has(envelope.Error) {
		return http.StatusOK
	}
	var code int
	if json.Unmarshal(m.Bytes(envelope.ErrorCode), &code) != nil {
		return http.StatusOK
	}
	switch code {
	case envelope.CodeMethodNotFound:
		return http.StatusNotFound
	case envelope.CodeInvalidParams, codeUnsupportedVersion, codeMissingCapability, codeHeaderMismatch:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// early is the fault for a request that failed before it was decided.
func (x *exchange) early(ctx context.Context, s *server, err error) error {
	var known *fault
	if errors.As(err, &known) {
		return err
	}
	_, f := explain(ctx, s, err)
	x.g.Log.Warn("a request could not be forwarded", "server", s.name, "method", x.method, "error", err)
	return f
}

// failed records that a decided request came to nothing, and is the fault that
// says so.
func (x *exchange) failed(ctx context.Context, t *task, err error) error {
	o, f := explain(ctx, t.srv, err)
	if o.Status == receipt.Undelivered {
		x.g.Log.Warn("a request was not answered", "server", t.srv.name, "method", t.method, "error", err)
	}
	f.data = map[string]string{"receipt": t.ruling.Receipt}
	if err := x.close(ctx, t, o); err != nil {
		return err
	}
	return f
}

// explain turns the failure of a request into its outcome and its fault.
func explain(ctx context.Context, s *server, err error) (enforcement.Outcome, *fault) {
	if cause := context.Cause(ctx); ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	gone := func(text string) (enforcement.Outcome, *fault) {
		return enforcement.Outcome{Status: receipt.Cancelled, Detail: text}, &fault{status: http.StatusOK, code: codeCancelled, text: text}
	}
	switch {
	case errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded):
		text := "the server " + s.name + " did not answer within " + s.timeout.String()
		return enforcement.Outcome{Status: receipt.TimedOut, Detail: text}, &fault{status: http.StatusOK, code: codeTimeout, text: text}
	case errors.Is(err, errNoInput):
		return enforcement.Outcome{Status: receipt.TimedOut, Detail: errNoInput.Error()}, &fault{status: http.StatusOK, code: codeTimeout, text: errNoInput.Error()}
	case errors.Is(err, errStopping):
		return gone("the gateway stopped while the request was under way")
	case errors.Is(err, errWithdrawn):
		return gone("the agent cancelled the request")
	case errors.Is(err, errCallOver):
		return gone(errCallOver.Error())
	case errors.Is(err, errIdle), errors.Is(err, errEnded):
		return gone("the session ended while the request was under way")
	case errors.Is(err, errAgentLeft), errors.Is(err, context.Canceled):
		return gone("the agent closed the connection")
	}
	f := fromError(err)
	text := f.text
	if errors.Is(err, upstream.ErrGone) {
		text = "the server " + s.name + " forgets its sessions"
		f = &fault{status: http.StatusOK, code: codeUnavailable, text: text}
	}
	return enforcement.Outcome{Status: receipt.Undelivered, Detail: text}, &fault{status: http.StatusOK, code: f.code, text: text}
}
