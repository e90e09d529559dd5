package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"aims/internal/gateway/envelope"
)

// call is a request of the client that is not yet answered.
type call struct {
	id        []byte
	method    string
	modern    bool // 2026-07-28: ends with its HTTP exchange, listens may last
	cancel    context.CancelFunc
	mu        sync.Mutex
	abandoned bool // the client no longer wants an answer
}

func (c *call) abandon() {
	c.mu.Lock()
	c.abandoned = true
	c.mu.Unlock()
}

func (c *call) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.abandoned
}

// listens says that the call has no end of its own.
func (c *call) listens() bool { return c.method == "subscriptions/listen" }

// calls are the requests in flight by their id.
type calls struct {
	mu   sync.Mutex
	open map[string]*call
	// none is closed when the last call that has an end is gone; nil while nobody waits.
	none chan struct{}
}

// idKey tells ids apart as JSON values: "1" is not 1, but "\u0061" is "a".
func idKey(m *envelope.Message, f envelope.Field) string {
	if s, ok := m.Text(f); ok {
		return "s" + s
	}
	return "n" + string(m.Bytes(f))
}

func (cs *calls) add(key string, c *call) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if _, ok := cs.open[key]; ok {
		return errors.New("the id is in use by a request that is not yet answered")
	}
	if len(cs.open) >= maxInFlight {
		return fmt.Errorf("%d requests are in flight, which is the limit", maxInFlight)
	}
	cs.open[key] = c
	return nil
}

func (cs *calls) find(key string) *call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.open[key]
}

// remove forgets a call, before its answer is written: the client may use the
// id again as soon as it has read that.
func (cs *calls) remove(key string, c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open[key] == c {
		delete(cs.open, key)
		cs.signal()
	}
}

// idle is closed when no call that has an end is left.
func (cs *calls) idle() <-chan struct{} {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	none := make(chan struct{})
	cs.none = none
	cs.signal()
	return none
}

func (cs *calls) signal() {
	if cs.none == nil {
		return
	}
	for _, c := range cs.open {
		if !c.listens() {
			return
		}
	}
	close(cs.none)
	cs.none = nil
}

// request sends a request and sees to its answer in the background. It returns
// when the request is on the wire; with initialize, when it is answered, because
// what follows needs the session.
func (b *bridge) request(ctx context.Context, m *envelope.Message) {
	ctx, cancel := context.WithCancel(ctx)
	c := &call{id: m.Bytes(envelope.ID), method: m.MethodName(), modern: modern(m), cancel: cancel}
	key := idKey(m, envelope.ID)
	if err := b.calls.add(key, c); err != nil {
		cancel()
		b.reply(envelope.EncodeError(c.id, envelope.CodeInvalidRequest, err.Error(), nil))
		return
	}
	sent := newSignal()
	wire := sent
	if c.method == "initialize" {
		wire = newSignal() // nobody waits for it
	}
	b.running.Go(func() {
		defer sent.set()
		defer cancel()
		err := b.exchange(ctx, m, c, key, wire)
		b.calls.remove(key, c)
		if err != nil && c.wanted() && ctx.Err() == nil {
			b.config.Log.Error("a request failed", "method", c.method, "cause", err)
			b.reply(envelope.EncodeError(c.id, envelope.CodeInternal, public(err), nil))
		}
	})
	select {
	case <-sent.done:
	case <-ctx.Done():
	}
}

// failure is an error whose sentence the client may see.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.text
	}
	return f.text + ": " + f.cause.Error()
}

func (f *failure) Unwrap() error { return f.cause }

func public(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.text
	}
	return "the gateway could not be used; the bridge's log has the cause"
}

// exchange posts a request and passes on all that comes back for it.
func (b *bridge) exchange(ctx context.Context, m *envelope.Message, c *call, key string, sent *signal) error {
	resp, session, err := b.post(ctx, m, sent)
	if err != nil {
		return &failure{"the gateway cannot be reached; nothing is known of the request's effect", err}
	}
	if resp.StatusCode == http.StatusNotFound && session != "" && c.method != "initialize" {
		discard(resp)
		if err := b.renew(ctx, session); err != nil {
			return &failure{"the gateway has ended the session and a new one could not be begun", err}
		}
		// The gateway knew no such session, so it has not forwarded the request.
		if resp, _, err = b.post(ctx, m, sent); err != nil {
			return &failure{"the gateway cannot be reached; nothing is known of the request's effect", err}
		}
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusOK {
		return b.refused(resp, c, key)
	}
	return b.answer(ctx, resp, key, !c.modern, func(answer *envelope.Message) {
		b.learn(m, resp, answer)
		b.calls.remove(key, c)
		if c.wanted() {
			b.reply(answer.Raw())
		}
	})
}

// answer reads a response body, passes on what else it carries and calls done
// with the response whose id has the key.
// A stream that breaks off is resumed where resumable.
func (b *bridge) answer(ctx context.Context, resp *http.Response, key string, resumable bool, done func(*envelope.Message)) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		body, err := b.readBody(resp)
		if err != nil {
			return err
		}
		m, err := envelope.Parse(body, b.limits())
		if err != nil || m.Kind != envelope.Response || idKey(&m, envelope.ID) != key {
			return &failure{"the gateway's answer is not the response to the request", err}
		}
		done(&m)
		return nil
	case "text/event-stream":
		return b.follow(ctx, resp, key, resumable, done)
	}
	return &failure{fmt.Sprintf("the gateway answered with content type %q", kind), nil}
}

func (b *bridge) readBody(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(b.config.MaxMessage)+1))
	if err != nil {
		return nil, &failure{"the gateway broke off before its answer was complete; the request may have had its effect", err}
	}
	if len(body) > b.config.MaxMessage {
		return nil, &failure{fmt.Sprintf("the gateway's answer is larger than %d bytes", b.config.MaxMessage), nil}
	}
	return body, nil
}

// isMessage says that a refusal carries a JSON-RPC message of its own.
func isMessage(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "application/json"
}

// refused passes on the gateway's JSON-RPC error, under the request's id, or
// words one for the status.
func (b *bridge) refused(resp *http.Response, c *call, key string) error {
	if isMessage(resp) {
		body, err := b.readBody(resp)
		if err != nil {
			return err
		}
		m, err := envelope.Parse(body, b.limits())
		if err == nil && m.Kind == envelope.Response && m.Has(envelope.Error) {
			b.calls.remove(key, c)
			if c.wanted() {
				b.reply(withID(&m, c.id))
			}
			return nil
		}
	}
	return &failure{statusText(resp.StatusCode), nil}
}

// withID is a response under another id: that of the request it refuses.
func withID(m *envelope.Message, id []byte) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	b = append(b, `,"error":`...)
	b = append(b, m.Bytes(envelope.Error)...)
	return append(b, '}')
}

func statusText(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the gateway refused the key: it is missing, unknown, expired or revoked"
	case http.StatusForbidden:
		return "the gateway refused the caller"
	case http.StatusNotFound:
		return "the gateway has no such endpoint or session"
	case http.StatusTooManyRequests:
		return "the gateway is at a limit; try later"
	case http.StatusAccepted, http.StatusNoContent:
		return "the gateway accepted the request without answering it"
	}
	return fmt.Sprintf("the gateway answered with HTTP status %d", status)
}

// cancelled ends a request that the client no longer wants. On 2026-07-28 the
// end of the HTTP exchange is the cancellation; before, it is the notification.
func (b *bridge) cancelled(ctx context.Context, m *envelope.Message) {
	c := b.calls.find(idKey(m, envelope.RequestID))
	if c != nil {
		c.abandon()
		if c.modern {
			c.cancel()
			return
		}
		// A server need not answer what was cancelled.
		time.AfterFunc(shortExchange, c.cancel)
	}
	b.tell(ctx, m)
}

// tell posts a notification or a response and waits for its acceptance.
func (b *bridge) tell(ctx context.Context, m *envelope.Message) {
	short, cancel := context.WithTimeout(ctx, shortExchange)
	defer cancel()
	resp, _, err := b.post(short, m, newSignal())
	if err != nil {
		b.config.Log.Error("a message of the client did not reach the gateway", "method", m.MethodName(), "cause", err)
		return
	}
	defer discard(resp)
	if resp.StatusCode >= 300 {
		b.config.Log.Error("the gateway did not accept a message of the client", "method", m.MethodName(), "status", resp.StatusCode)
		return
	}
	if m.MethodName() == "notifications/initialized" {
		b.session.confirm(m)
		b.listen()
	}
}
