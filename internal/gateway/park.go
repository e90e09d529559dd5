package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"
)

// pending is a call of an agent of the stateless revision to a server with
// sessions. It runs by itself, because it outlives the agent's request when the
// server asks for input: then the agent gets an input_required result and comes
// back with the answers, while the server waits (2026-07-28, multi round-trip
// requests).
type pending struct {
	g    *Gateway
	task *task
	conn *conn
	// release ends the use of conn; again makes a new one for a request that
	// the server did not execute.
	release func()
	again   func(context.Context) (upstream.Link, upstream.Call, error)
	who     client
	ask     enforcement.Call // a template for what the server asks
	bound   [32]byte
	cancel  context.CancelCauseFunc

	wake chan struct{} // has room for one

	mu       sync.Mutex
	messages []envelope.Message // for the agent that is attached
	bytes    int
	asks     []*parkedAsk // not yet answered
	lastAsk  int
	answer   *upstream.Answer
	err      error
	ended    bool
	taken    bool // somebody has got the result, or nobody will
}

// parkedAsk is one request of the server that the agent has to answer.
type parkedAsk struct {
	key, method string
	params      json.RawMessage
	id          []byte
	ruling      enforcement.Ruling
}

// maxPending and maxPendingBytes bound the messages that wait while no agent is
// attached; what does not fit is dropped.
const (
	maxPending      = 256
	maxPendingBytes = 1 << 20
)

// parked are the calls that wait for their agents to come back.
type parked struct {
	g     *Gateway
	seal  seal
	mu    sync.Mutex
	calls map[[16]byte]parkedCall
	wg    sync.WaitGroup
	// stopping says that no agent comes back any more, closed that nothing new
	// is begun either.
	stopping, closed bool
}

type parkedCall struct {
	call    *pending
	expires time.Time
}

func (p *parked) init(g *Gateway) (err error) {
	p.g, p.calls = g, map[[16]byte]parkedCall{}
	p.seal, err = newSeal(parkedPrefix)
	return err
}

// goes runs f, unless the gateway is closed.
func (p *parked) goes(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.wg.Go(f)
	return true
}

func (p *parked) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wg.Wait()
}

// detach forwards a request so that it can outlive the exchange.
func (x *exchange) detach(ctx context.Context, t *task, c *conn, release func()) error {
	bound, err := x.bound()
	if err != nil {
		release()
		return err
	}
	x.fitLevel(ctx, c)
	callCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := &pending{
		g: x.g, task: t, conn: c, release: release, who: x.client, ask: x.call(t.srv, nil),
		bound: bound, cancel: cancel, wake: make(chan struct{}, 1),
	}
	t.patience = newPatience(t.srv.timeout, cancel)
	link := c.ready()
	var call upstream.Call
	if link == nil {
		err = errConnClosed
	} else {
		call, err = x.outbound(t, link, nil)
	}
	p.again = func(ctx context.Context) (upstream.Link, upstream.Call, error) { return x.repeat(ctx, p) }
	if err == nil {
		if !x.g.detached.start(x.principal.Actor) {
			err = exhausted("too many of this agent's requests are under way")
		} else if actor := x.principal.Actor; !x.g.parked.goes(func() { p.run(callCtx, link, call); x.g.detached.end(actor) }) {
			x.g.detached.end(actor)
			err = errStopping
		}
	}
	if err != nil {
		t.patience.end()
		cancel(nil)
		release()
		return x.failed(ctx, t, err)
	}
	return x.attend(ctx, p)
}

// run makes the call and records its outcome, whether or not an agent is there
// to hear it.
func (p *pending) run(ctx context.Context, link upstream.Link, call upstream.Call) {
	defer func() { p.release() }()
	defer p.cancel(nil)
	defer p.task.patience.end()
	defer context.AfterFunc(p.g.ctx, func() { p.cancel(errStopping) })()
	call.On = func(m *envelope.Message) error { return p.during(ctx, link, m) }
	a, err := link.Call(ctx, call)
	if errors.Is(err, upstream.ErrGone) {
		if link, call, err = p.again(ctx); err == nil {
			call.On = func(m *envelope.Message) error { return p.during(ctx, link, m) }
			a, err = link.Call(ctx, call)
		}
	}
	o := outcomeOf(&a.Message)
	if text, _ := a.Message.Text(envelope.ResultType); err == nil && text == "input_required" {
		// Its revision has no such result: what it asks for was never decided.
		err = p.task.srv.unusable(nil, "a result that its revision does not have")
	}
	if err != nil {
		var f *fault
		o, f = explain(ctx, p.task.srv, err)
		f.data = map[string]string{"receipt": p.task.ruling.Receipt}
		err = f
	}
	if recordErr := p.g.closeRuling(ctx, p.task.ruling, o); recordErr != nil {
		err = recordErr
	}
	p.mu.Lock()
	p.ended, p.err = true, err
	if err == nil {
		p.answer = &a
	}
	asks := p.asks
	p.asks = nil
	abandoned := p.taken
	p.mu.Unlock()
	if err != nil || abandoned {
		a.Release()
	}
	for _, q := range asks {
		_ = p.g.closeRuling(ctx, q.ruling, enforcement.Outcome{Status: receipt.Cancelled, Detail: errCallOver.Error()})
	}
	p.signal()
}

// repeat puts a call on a new connection.
func (x *exchange) repeat(ctx context.Context, p *pending) (upstream.Link, upstream.Call, error) {
	c, release, err := x.reconnect(ctx, p.task)
	if err != nil {
		return nil, upstream.Call{}, err
	}
	p.release()
	p.mu.Lock()
	p.conn, p.release = c, release
	p.mu.Unlock()
	link := c.ready()
	if link == nil {
		return nil, upstream.Call{}, errConnClosed
	}
	call, err := x.outbound(p.task, link, nil)
	return link, call, err
}

// on is the connection that the call runs on.
func (p *pending) on() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn
}

func (p *pending) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// during takes in what the server sends in the course of the call.
func (p *pending) during(ctx context.Context, link upstream.Link, m *envelope.Message) error {
	p.on().note(m)
	if m.Kind == envelope.Request {
		return p.asked(ctx, link, m)
	}
	if m.MethodName() == "notifications/cancelled" {
		p.withdraw(ctx, m.Bytes(envelope.RequestID))
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if size := len(m.Raw()); len(p.messages) < maxPending && p.bytes+size <= maxPendingBytes {
		p.messages = append(p.messages, *m)
		p.bytes += size
		p.signal()
	}
	return nil
}

// asked has a server's request decided and keeps it for the agent.
func (p *pending) asked(ctx context.Context, link upstream.Link, m *envelope.Message) error {
	p.mu.Lock()
	full := len(p.asks) >= maxInputs
	p.mu.Unlock()
	refusal := &fault{code: codeExhausted, text: "too many requests wait for the client"}
	call := p.ask
	call.Method = m.MethodName()
	q := &parkedAsk{method: call.Method, params: bytes.Clone(m.Bytes(envelope.Params)), id: bytes.Clone(m.Bytes(envelope.ID))}
	if !full {
		var err error
		if q.ruling, refusal, err = p.g.mayBeAsked(ctx, p.who, call); err != nil {
			return err
		}
	}
	if refusal != nil {
		return link.Send(ctx, envelope.EncodeError(q.id, refusal.code, refusal.text, nil))
	}
	if len(q.params) == 0 {
		q.params = json.RawMessage(`{}`)
	}
	p.task.patience.wait(p.g.limits.InputWait, errNoInput)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastAsk++
	q.key = "input-" + strconv.Itoa(p.lastAsk)
	p.asks = append(p.asks, q)
	p.signal()
	return nil
}

func (p *pending) withdraw(ctx context.Context, id []byte) {
	p.mu.Lock()
	var found *parkedAsk
	for i, q := range p.asks {
		if bytes.Equal(q.id, id) {
			found = q
			p.asks = append(p.asks[:i:i], p.asks[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	if found != nil {
		_ = p.g.closeRuling(ctx, found.ruling, enforcement.Outcome{Status: receipt.Cancelled, Detail: "the server withdrew it"})
	}
}

// settleTime is how long a first request for input waits for others that the
// server makes at the same time, so that the agent gets them in one round.
const settleTime = 10 * time.Millisecond

// attend serves an agent while its call runs: until the result is there, or
// the server asks for input.
func (x *exchange) attend(ctx context.Context, p *pending) error {
	settled := false
	for {
		p.mu.Lock()
		messages, asks, ended, answer, err := p.messages, p.asks, p.ended, p.answer, p.err
		p.messages, p.bytes = nil, 0
		if ended {
			p.taken = true
		}
		p.mu.Unlock()
		for i := range messages {
			out, bad := x.inbound(p.on(), &messages[i])
			if bad == nil && out != nil && x.out.send(out) != nil {
				p.cancel(errAgentLeft)
			}
		}
		switch {
		case ended && err != nil:
			return err
		case ended:
			defer answer.Release()
			return x.deliver(p.task, *answer)
		case len(asks) > 0 && settled:
			return x.park(p, asks)
		case len(asks) > 0 && ctx.Err() == nil:
			settled = pause(ctx, settleTime) == nil
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			cause := context.Cause(ctx)
			p.cancel(cause)
			return x.abandon(p, cause)
		}
	}
}

// abandon waits for the end of a call that was cancelled because its agent
// left or withdrew it, so that its outcome is recorded when the exchange ends.
func (x *exchange) abandon(p *pending, cause error) error {
	for {
		p.mu.Lock()
		ended, answer, err := p.ended, p.answer, p.err
		p.taken = true
		p.mu.Unlock()
		if ended {
			if answer != nil {
				answer.Release()
			}
			if err == nil {
				err = cause
			}
			return err
		}
		<-p.wake
	}
}

// lateAgents is for how long a call that ended for want of input is kept, so
// that an agent which comes too late learns that and which receipt says so.
const lateAgents = time.Minute

// park answers with what the server asks for, and keeps the call for the agent
// to come back to.
func (x *exchange) park(p *pending, asks []*parkedAsk) error {
	t := ticket{expires: x.g.Now().Add(x.g.limits.InputWait + lateAgents)}
	rand.Read(t.call[:]) // never fails
	requests := map[string]any{}
	for _, q := range asks {
		requests[q.key] = map[string]any{"method": q.method, "params": q.params}
	}
	result, err := json.Marshal(map[string]any{
		"resultType": "input_required", "inputRequests": requests,
		"requestState": x.g.parked.seal.close(t, p.bound),
		"_meta":        map[string]string{metaReceipt: p.task.ruling.Receipt},
	})
	if err != nil {
		p.cancel(err)
		return err
	}
	if !x.g.parked.put(t, p) {
		p.cancel(errStopping)
		return x.abandon(p, errStopping)
	}
	return x.reply(result)
}

// put keeps a call for its agent to come back to; false says that the gateway
// is stopping, so that no agent can.
func (p *parked) put(t ticket, c *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false
	}
	p.calls[t.call] = parkedCall{c, t.expires}
	return true
}

// stop gives up the calls whose agents could not come back any more.
func (p *parked) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	for _, c := range p.calls {
		c.call.cancel(errStopping)
	}
}

// sweep forgets the calls whose agents did not come back in time. The calls
// themselves have ended by then, out of patience.
func (p *parked) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, c := range p.calls {
		if now.Before(c.expires) {
			continue
		}
		delete(p.calls, id)
		c.call.mu.Lock()
		if c.call.taken = true; c.call.answer != nil {
			c.call.answer.Release()
		}
		c.call.mu.Unlock()
	}
}

// take opens a state and returns its call, once.
func (p *parked) take(state string, bound [32]byte) (*pending, error) {
	t, err := p.seal.open(state, bound, p.g.Now())
	if err != nil {
		return nil, invalidState()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.calls[t.call]
	if !ok {
		return nil, invalidState()
	}
	delete(p.calls, t.call)
	return c.call, nil
}

// resume goes on with a call that waits for its agent's answers. It makes no
// new decision, because it asks for nothing new of the server: the call runs
// under the one it has, and each request for input had its own.
func (x *exchange) resume(ctx context.Context) error {
	bound, err := x.bound()
	if err != nil {
		return invalidParams("the arguments cannot be read")
	}
	var responses map[string]json.RawMessage
	if raw := x.msg.Bytes(envelope.InputResponses); raw != nil {
		if json.Unmarshal(raw, &responses) != nil {
			return invalidParams("expected inputResponses to be an object")
		}
	}
	state, _ := x.msg.Text(envelope.RequestState)
	p, err := x.g.parked.take(state, bound)
	if err != nil {
		return err
	}
	if err := p.respond(ctx, responses); err != nil {
		p.cancel(err)
		return x.abandon(p, err)
	}
	return x.attend(ctx, p)
}

// respond hands the agent's answers to the server. What was asked and not
// answered is asked again.
func (p *pending) respond(ctx context.Context, responses map[string]json.RawMessage) error {
	link := p.on().ready()
	if link == nil {
		return errConnClosed
	}
	p.mu.Lock()
	var answered, open []*parkedAsk
	for _, q := range p.asks {
		if r := responses[q.key]; len(r) > 0 && r[0] == '{' {
			answered = append(answered, q)
		} else {
			open = append(open, q)
		}
	}
	p.asks = open
	p.mu.Unlock()
	if len(open) == 0 {
		p.task.patience.wait(p.task.srv.timeout, errTimeout)
	}
	for _, q := range answered {
		o := enforcement.Outcome{Status: receipt.Succeeded, Result: responses[q.key]}
		if err := p.g.closeRuling(ctx, q.ruling, o); err != nil {
			return err
		}
		if err := link.Send(ctx, envelope.EncodeResult(q.id, responses[q.key])); err != nil {
			return err
		}
	}
	return nil
}

// fitLevel brings a server's level of logging to what the request asks for;
// messages of lower levels are kept from the agent in any case.
func (x *exchange) fitLevel(ctx context.Context, c *conn) {
	link := c.ready()
	if x.client.logLevel == "" || link == nil || !(client{capabilities: link.Peer().Capabilities}).can("logging") {
		return
	}
	c.mu.Lock()
	same := c.level == x.client.logLevel
	c.level = x.client.logLevel
	c.mu.Unlock()
	if same {
		return
	}
	call := x.call(c.srv, nil)
	call.Method = "logging/setLevel"
	t, err := x.decide(ctx, c.srv, "", call)
	if err != nil || !t.ruling.Allowed() {
		return // without it the server sends what it sends
	}
	id := link.NextID()
	body := upstream.Request(id, "logging/setLevel", objectOf("level", envelope.AppendString(nil, x.client.logLevel)))
	a, err := link.Call(ctx, upstream.Call{ID: id, Method: "logging/setLevel", Body: body})
	o := outcomeOf(&a.Message)
	if err != nil {
		o, _ = explain(ctx, c.srv, err)
	}
	_ = x.close(ctx, t, o)
	a.Release()
}
