package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
	"aims/internal/identity"
)

// session is one agent's session under a revision with a handshake. It owns
// its links: a server sees one session per session here.
type session struct {
	g *Gateway
	// id is what the agent shows; whoever has it and the agent's credentials
	// acts in the session, so it is written nowhere. name is what receipts say:
	// the run, as the agent named it when the session began, or a name made here.
	id, name string
	ep       endpoint
	actor    aims.Actor
	client   client
	ids      seenIDs
	out      outbox

	ctx  context.Context
	stop context.CancelCauseFunc
	wg   sync.WaitGroup

	mu        sync.Mutex
	principal identity.Principal // in the roles of its last request
	used      time.Time
	users     int // HTTP requests in it at the moment
	logLevel  string
	conns     map[*server]*conn
	running   map[string]context.CancelCauseFunc
	asked     map[string]*question
	lastAsk   int64
	closed    bool
}

// sessions are all sessions by their id.
type sessions struct {
	g    *Gateway
	mu   sync.Mutex
	byID map[string]*session
	of   map[aims.Actor]int
}

func (t *sessions) init(g *Gateway) {
	t.g, t.byID, t.of = g, map[string]*session{}, map[aims.Actor]int{}
}

// open starts a session.
func (t *sessions) open(ep endpoint, p identity.Principal, c client, name string) (*session, error) {
	s := &session{
		g: t.g, id: rand.Text(), name: name, ep: ep, actor: p.Actor, principal: p, client: c,
		used: t.g.Now(), users: 1, conns: map[*server]*conn{}, running: map[string]context.CancelCauseFunc{},
		asked: map[string]*question{},
	}
	s.out.init()
	s.ctx, s.stop = context.WithCancelCause(t.g.ctx)
	for !t.admit(s) {
		oldest := t.idlest(p.Actor)
		if oldest == nil {
			s.stop(nil)
			return nil, exhausted("too many sessions of this agent are open")
		}
		t.remove(oldest, errIdle)
	}
	return s, nil
}

func (t *sessions) admit(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[s.actor] >= t.g.limits.Sessions {
		return false
	}
	t.byID[s.id] = s
	t.of[s.actor]++
	return true
}

// idlest is the session of an agent that was not used for longest, nil when
// all are in use: programs that do not end their sessions make room for new ones.
func (t *sessions) idlest(a aims.Actor) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found *session
	var since time.Time
	for _, s := range t.byID {
		if s.actor != a {
			continue
		}
		if used, idle := s.lastUse(); idle && (found == nil || used.Before(since)) {
			found, since = s, used
		}
	}
	return found
}

// find returns the session of an agent at an endpoint, in use from then on.
func (t *sessions) find(id string, p identity.Principal, ep endpoint) *session {
	t.mu.Lock()
	s := t.byID[id]
	t.mu.Unlock()
	if s == nil || s.actor != p.Actor || s.ep.path != ep.path {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.users++
	s.principal = p
	return s
}

// remove ends a session and waits until nothing of it runs any more.
func (t *sessions) remove(s *session, why error) {
	t.mu.Lock()
	if t.byID[s.id] == s {
		delete(t.byID, s.id)
		if t.of[s.actor]--; t.of[s.actor] == 0 {
			delete(t.of, s.actor)
		}
	}
	t.mu.Unlock()
	s.close(why)
}

var (
	errIdle  = errors.New("the session was idle for too long")
	errEnded = errors.New("the agent ended the session")
)

func (t *sessions) sweep(now time.Time) {
	t.mu.Lock()
	var idle []*session
	for _, s := range t.byID {
		if s.idleSince(now.Add(-t.g.limits.SessionIdle)) {
			idle = append(idle, s)
		}
	}
	t.mu.Unlock()
	for _, s := range idle {
		t.remove(s, errIdle)
	}
}

func (t *sessions) close() {
	t.mu.Lock()
	all := make([]*session, 0, len(t.byID))
	for _, s := range t.byID {
		all = append(all, s)
	}
	t.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { t.remove(s, errStopping) })
	}
	wg.Wait()
}

// caller is the agent in the roles of its last request.
func (s *session) caller() identity.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.principal
}

func (s *session) idleSince(t time.Time) bool {
	used, idle := s.lastUse()
	return idle && used.Before(t)
}

// lastUse is when the session was used last; idle says that it is not in use now.
func (s *session) lastUse() (used time.Time, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.users == 0
}

// leave ends one HTTP request's use of the session.
func (s *session) leave() {
	s.mu.Lock()
	s.users--
	s.used = s.g.Now()
	s.mu.Unlock()
}

func (s *session) close(why error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	for _, cancel := range s.running {
		cancel(why)
	}
	conns := s.conns
	s.conns = map[*server]*conn{}
	s.mu.Unlock()
	s.stop(why)
	s.dropQuestions(nil, why)
	s.wg.Wait()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(c.close)
	}
	wg.Wait()
}

// begin registers a running request under the agent's id, so that the agent
// can cancel it; what it returns ends the registration.
func (s *session) begin(id []byte, cancel context.CancelCauseFunc) func() {
	key := string(id)
	s.mu.Lock()
	s.running[key] = cancel
	closed := s.closed
	s.mu.Unlock()
	if closed {
		cancel(errEnded)
	}
	return func() {
		s.mu.Lock()
		delete(s.running, key)
		s.mu.Unlock()
	}
}

// cancel ends the running request with the agent's id.
func (s *session) cancel(id []byte) {
	s.mu.Lock()
	cancel := s.running[string(id)]
	s.mu.Unlock()
	if cancel != nil {
		cancel(errWithdrawn)
	}
}

// conn is the session's connection with a server, opened at first use and
// again when it broke.
func (s *session) conn(ctx context.Context, srv *server) (*conn, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, &fault{status: http.StatusNotFound, code: envelope.CodeInvalidRequest, text: "the session has ended"}
		}
		c := s.conns[srv]
		if c == nil {
			c = newConn(srv, s)
			s.conns[srv] = c
		}
		s.mu.Unlock()
		if err := c.open(ctx, s.client); err == nil || ctx.Err() != nil {
			return c, err
		} else if !c.broken() {
			return nil, err
		}
		s.mu.Lock()
		if s.conns[srv] == c {
			delete(s.conns, srv)
			s.wg.Go(c.close) // not after closed is set, so not beside Wait
		}
		s.mu.Unlock()
	}
}

// goes runs f beside the session's requests, unless the session has ended.
func (s *session) goes(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// attach finds the session that a message belongs to.
func (x *exchange) attach() error {
	id := x.header.Get(headerSession)
	if id == "" {
		return turnedAway(http.StatusBadRequest, envelope.CodeInvalidRequest, "no session", "expected the header Mcp-Session-Id; a session begins with initialize")
	}
	s := x.g.sessions.find(id, x.principal, x.ep)
	if s == nil {
		return turnedAway(http.StatusNotFound, envelope.CodeInvalidRequest, "unknown session", "there is no such session; a new one begins with initialize")
	}
	x.sess, x.client, x.run = s, s.client, s.name
	s.mu.Lock()
	x.client.logLevel = s.logLevel
	s.mu.Unlock()
	return nil
}

// delete ends a session at the agent's wish.
func (x *exchange) delete(r *http.Request) error {
	if err := x.admit(r); err != nil {
		return err
	}
	if err := x.attach(); err != nil {
		return err
	}
	x.sess.leave()
	x.g.sessions.remove(x.sess, errEnded)
	x.out.status(http.StatusNoContent)
	return nil
}

// notified handles a notification of the agent.
func (x *exchange) notified(ctx context.Context) error {
	switch x.method {
	case "notifications/cancelled":
		x.sess.cancel(x.msg.Bytes(envelope.RequestID))
	case "notifications/progress":
		x.sess.progress(ctx, x.msg)
	case "notifications/roots/list_changed":
		x.sess.broadcast(ctx, x.msg)
	case "notifications/initialized":
	default:
		if x.g.isExtension(x.method) {
			x.sess.broadcast(ctx, x.msg)
		}
	}
	return nil
}

// broadcast passes a notification to the servers that the session is connected with.
func (s *session) broadcast(ctx context.Context, m *envelope.Message) {
	s.mu.Lock()
	var to []*conn
	for _, c := range s.conns {
		to = append(to, c)
	}
	s.mu.Unlock()
	for _, c := range to {
		if link := c.ready(); link != nil && !link.Peer().Modern() {
			b, err := m.Splice(m.Remove(envelope.Meta, metaSession))
			if err == nil {
				err = link.Send(ctx, b)
			}
			if err != nil {
				s.g.Log.Debug("a notification could not be passed on", "server", c.srv.name, "error", err)
			}
		}
	}
}
