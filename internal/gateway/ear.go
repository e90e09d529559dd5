package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"
)

// ear is one server that the gateway listens to on an agent's behalf.
type ear struct {
	task    *task
	conn    *conn
	release func()
	honored filter // in the agent's names
	stop    func()
}

// openEar has the request to one server decided and begins to listen to it.
func (x *exchange) openEar(ctx context.Context, s *server, want filter, out *outbox, cancel context.CancelFunc) (*ear, error) {
	c, release, err := x.conn(ctx, s)
	if err != nil {
		return nil, x.early(ctx, s, err)
	}
	t, err := x.decide(ctx, s, "", x.call(s, nil))
	if err == nil && !t.ruling.Allowed() {
		err = x.refused(t.ruling)
	}
	if err != nil {
		release()
		return nil, err
	}
	link := c.ready()
	if link == nil {
		release()
		return nil, x.failed(ctx, t, errConnClosed)
	}
	e := &ear{task: t, conn: c, release: release, stop: func() {}}
	own := want
	own.URIs = nil
	var theirs []string
	for _, uri := range want.URIs {
		name, mine := "", uri
		if of, err := x.owner(ctx, &name, &mine); err == nil && of == s {
			own.URIs, theirs = append(own.URIs, mine), append(theirs, uri)
		}
	}
	own = own.offered(link.Peer().Capabilities)
	e.honored = own
	if len(own.URIs) > 0 {
		e.honored.URIs = theirs
	}
	if own.empty() {
		return e, nil
	}
	l := &listener{filter: own, out: out, cancel: cancel, tag: func(m *envelope.Message) []byte { return x.tagged(c, m) }}
	if link.Peer().Modern() {
		e.stop = c.hearModern(ctx, link, own, l.offer, cancel)
	} else {
		e.stop = x.hearLegacy(ctx, c, link, l)
	}
	return e, nil
}

// close ends the listening and records that it was done.
func (e *ear) close(ctx context.Context, x *exchange) {
	e.stop()
	_ = x.close(ctx, e.task, enforcement.Outcome{Status: receipt.Succeeded, Detail: "the agent listened until one side ended it"})
	e.release()
}

// tagged is a notification that carries the id of the request that it belongs to.
func (x *exchange) tagged(c *conn, m *envelope.Message) []byte {
	id := x.msg.Bytes(envelope.ID)
	raw := x.renamed(c, m)
	n, err := envelope.Parse(raw, anySize)
	if err != nil {
		return nil
	}
	var edit envelope.Edit
	switch {
	case n.IsObject(envelope.Meta):
		edit = n.Set(envelope.Meta, upstream.SubscriptionID, id)
	case n.Has(envelope.Meta):
		edit = n.Replace(envelope.Meta, objectOf(upstream.SubscriptionID, id))
	case n.Has(envelope.Params):
		edit = n.Insert(envelope.Params, "_meta", objectOf(upstream.SubscriptionID, id))
	default:
		edit = n.InsertTop("params", objectOf("_meta", objectOf(upstream.SubscriptionID, id)))
	}
	b, err := n.Splice(edit)
	if err != nil {
		return nil
	}
	return b
}

// hearModern listens to a server of the stateless revision. ended is called
// when the server ends it.
func (c *conn) hearModern(ctx context.Context, link upstream.Link, f filter, hear func(*envelope.Message), ended func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer ended()
		params, err := json.Marshal(map[string]any{"notifications": f})
		if err != nil {
			return
		}
		id := link.NextID()
		body, err := c.ownRequest(link, id, "subscriptions/listen", params)
		if err != nil {
			return
		}
		a, err := link.Call(ctx, upstream.Call{ID: id, Method: "subscriptions/listen", Body: body, On: func(m *envelope.Message) error {
			c.note(m)
			hear(m)
			return nil
		}})
		a.Release()
		if err != nil && ctx.Err() == nil {
			c.srv.g.Log.Debug("listening to a server ended", "server", c.srv.name, "error", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// hearLegacy listens to a server with sessions: it asks for the resources, and
// takes what the server says outside of calls.
func (x *exchange) hearLegacy(ctx context.Context, c *conn, link upstream.Link, l *listener) (stop func()) {
	l.filter.URIs = slices.DeleteFunc(slices.Clone(l.filter.URIs), func(uri string) bool {
		return !x.watchLegacy(ctx, c, link, uri, true)
	})
	c.mu.Lock()
	c.listeners[l] = struct{}{}
	c.mu.Unlock()
	return func() {
		c.mu.Lock()
		delete(c.listeners, l)
		c.mu.Unlock()
		ctx, cancel := afterwards(ctx)
		defer cancel()
		for _, uri := range l.filter.URIs {
			x.watchLegacy(ctx, c, link, uri, false)
		}
	}
}

// watchLegacy asks a server with sessions to watch a resource for one listener
// more, or less.
func (x *exchange) watchLegacy(ctx context.Context, c *conn, link upstream.Link, uri string, on bool) bool {
	c.mu.Lock()
	before := c.watching[uri]
	if on {
		c.watching[uri]++
	} else if c.watching[uri]--; c.watching[uri] <= 0 {
		delete(c.watching, uri)
	}
	after := c.watching[uri]
	c.mu.Unlock()
	if before > 0 && after > 0 {
		return true
	}
	method := "resources/subscribe"
	if !on {
		method = "resources/unsubscribe"
	}
	call := x.call(c.srv, input("", uri))
	call.Method = method
	ok := x.onBehalf(ctx, c, link, call, objectOf("uri", envelope.AppendString(nil, uri)))
	if !ok && on {
		c.mu.Lock()
		if c.watching[uri]--; c.watching[uri] <= 0 {
			delete(c.watching, uri)
		}
		c.mu.Unlock()
	}
	return ok
}

// onBehalf makes a request of a server that an agent's request needs, decided
// and recorded like the agent's own.
func (x *exchange) onBehalf(ctx context.Context, c *conn, link upstream.Link, call enforcement.Call, params []byte) bool {
	ctx, cancel := x.inTime(ctx, c.srv)
	defer cancel()
	t, err := x.decide(ctx, c.srv, "", call)
	if err != nil || !t.ruling.Allowed() {
		return false
	}
	id := link.NextID()
	a, err := link.Call(ctx, upstream.Call{ID: id, Method: call.Method, Body: upstream.Request(id, call.Method, params)})
	o := outcomeOf(&a.Message)
	if err != nil {
		o, _ = explain(ctx, c.srv, err)
	}
	a.Release()
	return x.close(ctx, t, o) == nil && o.Status == receipt.Succeeded
}

// relay is how a session hears of a server of the stateless revision: a
// subscriptions/listen of the gateway's own, made anew when the agent subscribes
// to other resources.
type relay struct {
	changed chan struct{} // has room for one
}

// relayPause is the least time between two listens, so that a server that ends
// them is not asked without pause.
const relayPause = 2 * time.Second

// endPause is how long a server on pipes gets for ending one listen before the
// next: servers that keep subscriptions by their one session drop those of the
// new listen with those of the old.
const endPause = 200 * time.Millisecond

// follow starts to hear of the server for the session.
func (c *conn) follow() {
	r := &relay{changed: make(chan struct{}, 1)}
	c.mu.Lock()
	c.relay = r
	c.mu.Unlock()
	c.goes(func() { c.relayLoop(r) })
}

func (c *conn) relayLoop(r *relay) {
	for c.ctx.Err() == nil {
		link := c.ready()
		if link == nil {
			return
		}
		c.mu.Lock()
		want := filter{Tools: true, Prompts: true, Resources: true}
		for uri := range c.watching {
			want.URIs = append(want.URIs, uri)
		}
		c.mu.Unlock()
		slices.Sort(want.URIs)
		if want = want.offered(link.Peer().Capabilities); want.empty() {
			select {
			case <-r.changed:
				continue
			case <-c.ctx.Done():
				return
			}
		}
		over := make(chan struct{})
		stop := c.hearModern(c.ctx, link, want, func(m *envelope.Message) {
			if want.wants(m) {
				c.sess.out.put(c.outward(m))
			}
		}, func() { close(over) })
		select {
		case <-r.changed:
			stop()
			if !link.Shared() && pause(c.ctx, endPause) != nil {
				return
			}
			continue
		case <-over:
		case <-c.ctx.Done():
		}
		stop()
		if pause(c.ctx, relayPause) != nil {
			return
		}
	}
}

// watch adds a resource to what the session hears of, or takes it out.
func (c *conn) watch(uri string, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on && len(c.watching) < maxWatched {
		c.watching[uri] = 1
	} else if !on {
		delete(c.watching, uri)
	}
	if c.relay != nil {
		select {
		case c.relay.changed <- struct{}{}:
		default:
		}
	}
}
