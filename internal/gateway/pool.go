package gateway

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/identity"
)

// pool keeps the connections of agents of the stateless revision. A server
// that keeps something between calls has one for each agent and for each set of
// capabilities that the agent's programs declare; one that keeps nothing has one
// for all.
type pool struct {
	g       *Gateway
	mu      sync.Mutex
	entries map[poolKey]*pooled
	closed  bool
	wg      sync.WaitGroup
}

type poolKey struct {
	srv          *server
	actor        aims.Actor
	capabilities [sha256.Size]byte
}

type pooled struct {
	conn *conn
	uses int
	used time.Time
}

const (
	// poolIdle is how long a connection is kept that nobody uses.
	poolIdle = 5 * time.Minute
	// poolPerAgent bounds the connections of one agent with one server: each may
	// be a process.
	poolPerAgent = 8
)

func (p *pool) init(g *Gateway) { p.g, p.entries = g, map[poolKey]*pooled{} }

// take returns a connection for one request; release ends its use.
func (p *pool) take(ctx context.Context, srv *server, who identity.Principal, c client) (*conn, func(), error) {
	for {
		key := poolKey{srv: srv}
		if !srv.shared.Load() {
			key.actor, key.capabilities = who.Actor, sha256.Sum256(c.capabilities)
		}
		e, err := p.enter(key)
		if err != nil {
			return nil, nil, err
		}
		release := func() { p.leave(e) }
		err = e.conn.open(ctx, c)
		if err == nil && key.actor.ID != "" && e.conn.ready() != nil && e.conn.ready().Shared() {
			p.share(key, e)
		}
		if err == nil {
			return e.conn, release, nil
		}
		release()
		if !e.conn.broken() || ctx.Err() != nil {
			return nil, nil, err
		}
		p.drop(key, e)
	}
}

// enter finds or makes the entry of a key, in use from then on.
func (p *pool) enter(key poolKey) (*pooled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errConnClosed
	}
	e := p.entries[key]
	if e == nil {
		if !p.room(key) {
			return nil, exhausted("too many connections of this agent with the server " + key.srv.name)
		}
		e = &pooled{conn: newConn(key.srv, nil)}
		p.entries[key] = e
	}
	e.uses++
	return e, nil
}

// room says whether an agent may have one more connection with a server; the
// one that was not used for longest makes room. It is called with mu held.
func (p *pool) room(key poolKey) bool {
	n := 0
	var idlest poolKey
	var since time.Time
	for other, e := range p.entries {
		if other.srv != key.srv || other.actor != key.actor {
			continue
		}
		n++
		if e.uses == 0 && (idlest.srv == nil || e.used.Before(since)) {
			idlest, since = other, e.used
		}
	}
	if n < poolPerAgent {
		return true
	}
	if idlest.srv == nil {
		return false
	}
	p.wg.Go(p.entries[idlest].conn.close)
	delete(p.entries, idlest)
	return true
}

func (p *pool) leave(e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.uses--
	e.used = p.g.Now()
}

// share makes a connection that turned out to be for all agents the one for
// all, unless there is one already.
func (p *pool) share(key poolKey, e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	common := poolKey{srv: key.srv}
	if p.entries[common] == nil && p.entries[key] == e {
		delete(p.entries, key)
		p.entries[common] = e
	}
	key.srv.shared.Store(true)
}

// drop forgets a connection that broke.
func (p *pool) drop(key poolKey, e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries[key] == e {
		delete(p.entries, key)
		key.srv.shared.Store(false) // it may come back as another
		if !p.closed {
			p.wg.Go(e.conn.close)
		}
	}
}

func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range p.entries {
		if e.uses == 0 && e.used.Before(now.Add(-poolIdle)) && !p.closed {
			delete(p.entries, key)
			p.wg.Go(e.conn.close)
		}
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, e := range p.entries {
		p.wg.Go(e.conn.close)
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// conn is the connection with a server that an exchange uses; release ends
// its use.
func (x *exchange) conn(ctx context.Context, srv *server) (c *conn, release func(), err error) {
	if x.sess != nil {
		c, err = x.sess.conn(ctx, srv)
		return c, func() {}, err
	}
	return x.g.pool.take(ctx, srv, x.principal, x.client)
}
