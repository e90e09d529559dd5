package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
)

// conn is a link with a server and what the gateway keeps beside it: whether
// its tools were listed, who listens, what it is asked. It belongs to one
// session, or to the pool for agents of the stateless revision.
type conn struct {
	srv  *server
	sess *session // nil in the pool

	opening gate // one at a time opens
	listing gate // one at a time lists

	// freshUntil is when the list of tools has to be read again, in Unix
	// nanoseconds; 0 when it was not read, or has changed since. changes counts
	// what made it 0, so that a list that was under way then does not undo it.
	freshUntil atomic.Int64
	listedAt   atomic.Int64
	changes    atomic.Int64
	relisting  atomic.Bool

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	link   upstream.Link
	closed bool
	// level is the logging level that the server was told last.
	level     string
	listeners map[*listener]struct{}
	// watching are the resources that the server was asked to watch, and for
	// how many listeners.
	watching map[string]int
	// relay is what a session hears of a server of the stateless revision.
	relay *relay
}

func newConn(srv *server, sess *session) *conn {
	c := &conn{srv: srv, sess: sess, opening: newGate(), listing: newGate(), listeners: map[*listener]struct{}{}, watching: map[string]int{}}
	parent := srv.g.ctx
	if sess != nil {
		parent = sess.ctx
	}
	c.ctx, c.stop = context.WithCancel(parent)
	return c
}

// errConnClosed says that a connection was closed while it was to be used.
var errConnClosed = aims.Errorf(aims.Unavailable, nil, "the connection with the server was closed")

// open makes sure that there is a link.
func (c *conn) open(ctx context.Context, who client) error {
	if link, err := c.state(); link != nil || err != nil {
		return err
	}
	if err := c.opening.enter(ctx); err != nil {
		return err
	}
	defer c.opening.leave()
	if link, err := c.state(); link != nil || err != nil {
		return err
	}
	link, err := c.srv.up.Open(ctx, upstream.Opening{
		Capabilities: serverSide(who.capabilities), ClientInfo: who.info, Events: c.event, Standalone: true,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		link.Close()
		return errConnClosed
	}
	c.link = link
	c.mu.Unlock()
	if c.sess != nil && link.Peer().Modern() {
		c.follow()
	}
	return nil
}

// state is the usable link, or the reason why there never will be one.
func (c *conn) state() (upstream.Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errConnClosed
	}
	if c.link == nil {
		return nil, nil
	}
	select {
	case <-c.link.Done():
		return nil, errLinkEnded
	default:
		return c.link, nil
	}
}

var errLinkEnded = errors.New("gateway: the link has ended")

// broken says that this connection will not come back and another is needed.
func (c *conn) broken() bool {
	_, err := c.state()
	return errors.Is(err, errLinkEnded)
}

// ready is the link, nil when there is none to be used.
func (c *conn) ready() upstream.Link {
	link, _ := c.state()
	return link
}

func (c *conn) modern() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link != nil && c.link.Peer().Modern()
}

// goes runs f beside the connection's calls, unless it was closed.
func (c *conn) goes(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(f)
	return true
}

func (c *conn) close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	link := c.link
	for l := range c.listeners {
		l.cancel()
	}
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	if link != nil {
		link.Close()
	}
}

// stale makes the next call read the list of tools again.
func (c *conn) stale() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes.Add(1)
	c.freshUntil.Store(0)
}

// fresh takes note that the list was read, unless it has changed since.
func (c *conn) fresh(changes int64) {
	now := c.srv.g.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listedAt.Store(now.UnixNano())
	if c.changes.Load() == changes {
		c.freshUntil.Store(now.Add(c.srv.g.limits.PinAge).UnixNano())
	}
}

// event handles what a server sends outside of calls. It must not block.
func (c *conn) event(link upstream.Link, m *envelope.Message) {
	if m.Kind == envelope.Request {
		c.unasked(link, m)
		return
	}
	c.note(m)
	switch m.MethodName() {
	case "notifications/progress":
		return // of a call that is over
	case "notifications/cancelled":
		if c.sess != nil {
			c.sess.withdraw(c, m.Bytes(envelope.RequestID))
		}
		return
	}
	if c.sess != nil {
		c.sess.out.put(c.outward(m))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.listeners {
		l.offer(m)
	}
}

// note draws conclusions from a notification, wherever it came.
func (c *conn) note(m *envelope.Message) {
	switch m.MethodName() {
	case "notifications/tools/list_changed":
		c.stale()
		if c.relisting.CompareAndSwap(false, true) && !c.goes(c.relist) {
			c.relisting.Store(false)
		}
	case "notifications/resources/list_changed":
		c.srv.forgetRoutes()
	}
}

// relist reads a changed list at once, so that people see a changed tool
// before anybody calls it.
func (c *conn) relist() {
	c.relisting.Store(false) // a change from here on needs another look
	ctx, cancel := context.WithTimeout(c.ctx, c.srv.timeout)
	defer cancel()
	if err := c.ensureListed(ctx, ""); err != nil {
		c.srv.g.Log.Warn("the changed list of tools cannot be read", "server", c.srv.name, "error", err)
	}
}

// serverSide is what a server is told of an agent's capabilities: those that
// pass through the gateway.
func serverSide(capabilities json.RawMessage) json.RawMessage {
	if len(capabilities) == 0 || capabilities[0] != '{' {
		return json.RawMessage(`{}`)
	}
	return capabilities
}

// gate lets one in at a time, and whoever waits may give up.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g gate) leave() { <-g }
