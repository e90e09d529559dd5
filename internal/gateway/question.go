package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"
)

// errNoInput is the cause of giving up what a server asked of an agent.
var errNoInput = errors.New("the agent did not give the input that the server asked for in time")

// question is a request that a server makes of an agent in a session:
// sampling/createMessage, elicitation/create, roots/list. It was decided, and
// is closed with an outcome when it is answered, withdrawn or given up.
type question struct {
	key    string    // the id under which the agent sees it
	of     *exchange // the request in whose course it came; nil for none
	task   *task     // the call, with of
	conn   *conn     // nil for a question of the gateway itself, which is not decided
	id     []byte    // the server's id
	token  []byte    // the server's progress token
	ruling enforcement.Ruling
	// answer receives the agent's response, once.
	answer func(context.Context, *envelope.Message)
	tell   func([]byte) error // sends to the agent
	// lapse ends a question that belongs to no call; nil for one that ends with
	// its call.
	lapse *time.Timer
}

// maxQuestions bounds the questions that wait in one session.
const maxQuestions = 64

// capabilityOf is what an agent's program has to declare to be asked.
func capabilityOf(method string) (string, bool) {
	switch method {
	case "sampling/createMessage":
		return "sampling", true
	case "elicitation/create":
		return "elicitation", true
	case "roots/list":
		return "roots", true
	}
	return "", false
}

// mayBeAsked decides whether a server may ask something of an agent. It
// returns what the server is told when it may not.
func (g *Gateway) mayBeAsked(ctx context.Context, who client, c enforcement.Call) (enforcement.Ruling, *fault, error) {
	capability, known := capabilityOf(c.Method)
	if known && !who.can(capability) || !known && !g.isExtension(c.Method) {
		return enforcement.Ruling{}, &fault{code: envelope.CodeMethodNotFound, text: "the client does not support this"}, nil
	}
	r, err := g.decide(ctx, c)
	if err != nil {
		return r, nil, err
	}
	if !r.Allowed() {
		// The server learns that it may not ask, and not which policy says so.
		return r, &fault{code: codeRefused, text: "refused by policy"}, nil
	}
	return r, nil, nil
}

// askedCall is what a server asks of an agent, in the words of enforcement.
func (x *exchange) askedCall(s *server, method string) enforcement.Call {
	c := x.call(s, nil)
	c.Method = method
	return c
}

// asked handles a server's request in the course of a call.
func (x *exchange) asked(ctx context.Context, t *task, c *conn, m *envelope.Message) error {
	link := c.ready()
	if link == nil {
		return errConnClosed
	}
	if x.sess == nil {
		// The stateless revision has no such requests, and where they are
		// translated, this is a method in whose course nothing may be asked.
		return link.Send(ctx, envelope.EncodeError(m.Bytes(envelope.ID), envelope.CodeMethodNotFound, "the client cannot be asked in the course of this request", nil))
	}
	q := &question{of: x, task: t, conn: c, tell: x.out.send}
	return x.sess.pose(ctx, x.askedCall(t.srv, m.MethodName()), q, link, m)
}

// unasked handles a server's request outside of any call. Only a connection that
// belongs to one session has somebody to ask; the question waits until the agent
// listens, because servers ask as soon as they are initialized.
func (c *conn) unasked(link upstream.Link, m *envelope.Message) {
	refuse := func() {
		answer := envelope.EncodeError(m.Bytes(envelope.ID), envelope.CodeMethodNotFound, "the client cannot be asked outside of a call", nil)
		if err := link.Send(c.ctx, answer); err != nil {
			c.srv.g.Log.Debug("a server's request could not be answered", "server", c.srv.name, "error", err)
		}
	}
	if c.sess == nil || c.sess.waiting() >= maxQuestions {
		c.goes(refuse)
		return
	}
	copied := *m
	c.goes(func() {
		x := &exchange{g: c.srv.g, ep: c.sess.ep, sess: c.sess, principal: c.sess.caller(), client: c.sess.client, run: c.sess.name}
		q := &question{conn: c, tell: func(b []byte) error { c.sess.out.put(b); return nil }}
		if err := c.sess.pose(c.ctx, x.askedCall(c.srv, copied.MethodName()), q, link, &copied); err != nil {
			c.srv.g.Log.Warn("a server's request could not be passed on", "server", c.srv.name, "error", err)
		}
	})
}

// pose has a server's request decided and passes it on to the agent; the
// agent's response goes back to the server.
func (s *session) pose(ctx context.Context, call enforcement.Call, q *question, link upstream.Link, m *envelope.Message) error {
	refusal := &fault{code: codeExhausted, text: "too many requests wait for the client"}
	if s.waiting() < maxQuestions {
		var err error
		if q.ruling, refusal, err = s.g.mayBeAsked(ctx, s.client, call); err != nil {
			return err
		}
	}
	if refusal != nil {
		return link.Send(ctx, envelope.EncodeError(m.Bytes(envelope.ID), refusal.code, refusal.text, nil))
	}
	q.id, q.token = bytes.Clone(m.Bytes(envelope.ID)), bytes.Clone(m.Bytes(envelope.MetaProgressToken))
	q.answer = func(ctx context.Context, a *envelope.Message) { s.passAnswer(ctx, q, link, a) }
	return s.ask(ctx, q, m)
}

// ask sends a question to the agent and remembers it.
func (s *session) ask(ctx context.Context, q *question, m *envelope.Message) error {
	s.mu.Lock()
	s.lastAsk++
	q.key = "aims-" + strconv.FormatInt(s.lastAsk, 10)
	s.asked[q.key] = q
	if q.task != nil {
		q.task.patience.wait(s.g.limits.InputWait, errNoInput)
	} else {
		q.lapse = time.AfterFunc(s.g.limits.InputWait, func() { s.goes(func() { s.lapsed(q) }) })
	}
	s.mu.Unlock()
	key := envelope.AppendString(nil, q.key)
	edits := []envelope.Edit{m.Replace(envelope.ID, key)}
	if q.token != nil {
		edits = append(edits, m.Replace(envelope.MetaProgressToken, key))
	}
	b, err := m.Splice(edits...)
	if err == nil {
		err = q.tell(b)
	}
	if err == nil {
		return nil
	}
	if s.takeQuestion(q.key) != nil {
		s.g.closeQuestion(ctx, q, enforcement.Outcome{Status: receipt.Undelivered, Detail: "it could not be sent to the agent"})
	}
	return errAgentLeft
}

// poseOwn remembers a question of the gateway itself and returns its id.
func (s *session) poseOwn(q *question) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastAsk++
	q.key = "aims-" + strconv.FormatInt(s.lastAsk, 10)
	s.asked[q.key] = q
	return q.key
}

// closeQuestion records what came of a question; that it could not be recorded
// is logged, because nobody is left to be told.
func (g *Gateway) closeQuestion(ctx context.Context, q *question, o enforcement.Outcome) {
	_ = g.closeRuling(ctx, q.ruling, o)
}

// passAnswer hands an agent's response to the server that asked.
func (s *session) passAnswer(ctx context.Context, q *question, link upstream.Link, a *envelope.Message) {
	o := outcomeOf(a)
	b, err := a.Splice(a.Replace(envelope.ID, q.id))
	if err == nil {
		// Recorded before the server can act on it.
		if err = s.g.closeRuling(ctx, q.ruling, o); err != nil {
			b = envelope.EncodeError(q.id, envelope.CodeInternal, "the answer cannot be recorded", nil)
		}
		err = link.Send(ctx, b)
	}
	if err != nil {
		s.g.Log.Warn("an agent's answer could not be passed on", "server", q.conn.srv.name, "error", err)
	}
}

func (s *session) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// takeQuestion removes a question, so that it is answered once.
func (s *session) takeQuestion(key string) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.asked[key]
	delete(s.asked, key)
	if q == nil || q.task == nil {
		q.stopLapse()
		return q
	}
	for _, other := range s.asked {
		if other.task == q.task {
			return q
		}
	}
	q.task.patience.wait(q.task.srv.timeout, errTimeout) // its turn again
	return q
}

func (q *question) stopLapse() {
	if q != nil && q.lapse != nil {
		q.lapse.Stop()
	}
}

// lapsed gives up a question outside of calls that nobody answered.
func (s *session) lapsed(q *question) {
	if s.takeQuestion(q.key) == nil {
		return
	}
	s.g.closeQuestion(s.ctx, q, enforcement.Outcome{Status: receipt.TimedOut, Detail: errNoInput.Error()})
	if link := q.conn.ready(); link != nil {
		if err := link.Send(s.ctx, envelope.EncodeError(q.id, codeTimeout, errNoInput.Error(), nil)); err != nil {
			s.g.Log.Debug("a server could not be told that nobody answers", "server", q.conn.srv.name, "error", err)
		}
	}
}

// answered handles a response of the agent.
func (x *exchange) answered(ctx context.Context) error {
	key, _ := x.msg.Text(envelope.ID)
	q := x.sess.takeQuestion(key)
	x.out.status(http.StatusAccepted)
	if q == nil {
		// It came too late, or twice: in either case it answers nothing.
		x.turnAway(ctx, "response to nothing")
		return nil
	}
	q.answer(ctx, x.msg)
	return nil
}

// dropQuestions gives up the questions of an exchange, or all of them.
func (s *session) dropQuestions(of *exchange, why error) {
	s.mu.Lock()
	var dropped []*question
	for key, q := range s.asked {
		if of == nil || q.of == of {
			dropped = append(dropped, q)
			delete(s.asked, key)
			q.stopLapse()
		}
	}
	s.mu.Unlock()
	for _, q := range dropped {
		if q.conn == nil {
			continue
		}
		o, _ := explain(context.Background(), q.conn.srv, why)
		s.g.closeQuestion(context.Background(), q, o)
	}
}

// withdraw takes back a question at the server's wish.
func (s *session) withdraw(c *conn, id []byte) {
	s.mu.Lock()
	var found *question
	for key, q := range s.asked {
		if q.conn == c && bytes.Equal(q.id, id) {
			found = q
			delete(s.asked, key)
			q.stopLapse()
		}
	}
	s.mu.Unlock()
	if found == nil {
		return
	}
	s.goes(func() {
		s.g.closeQuestion(s.ctx, found, enforcement.Outcome{Status: receipt.Cancelled, Detail: "the server withdrew it"})
		params := objectOf("requestId", envelope.AppendString(nil, found.key))
		if err := found.tell(upstream.Notification("notifications/cancelled", params)); err != nil {
			s.g.Log.Debug("the agent could not be told of a withdrawal", "error", err)
		}
	})
}

// progress passes on how far the agent is with a question.
func (s *session) progress(ctx context.Context, m *envelope.Message) {
	key, _ := m.Text(envelope.ProgressToken)
	s.mu.Lock()
	q := s.asked[key]
	s.mu.Unlock()
	if q == nil || q.token == nil {
		return
	}
	link := q.conn.ready()
	b, err := m.Splice(m.Replace(envelope.ProgressToken, q.token), m.Remove(envelope.Meta, metaSession))
	if err == nil && link != nil {
		err = link.Send(ctx, b)
	}
	if err != nil {
		s.g.Log.Debug("progress could not be passed on", "server", q.conn.srv.name, "error", err)
	}
}
