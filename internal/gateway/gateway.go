// Package gateway is the policy enforcement point for the Model Context
// Protocol (ISO 42001 8.1, A.9): a proxy of messages between agents and MCP
// servers, both revisions of the protocol on either side.
//
// A message's envelope is decoded once and its bytes travel on with small
// splices: an id, a progress token, a tool's name, the receipt's id. Every
// request that goes on, in either direction, was decided before and its
// outcome is recorded after.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
	"aims/internal/inventory"
)

// Config is what an operator decides.
type Config struct {
	// Servers are the upstream servers. Their order decides whose resource it
	// is when two of them list the same URI.
	Servers []Server
	// Extensions are methods beyond the specification that may pass when policy
	// permits them. On the merged endpoint they go to the first server.
	Extensions []string
	// Anonymous is the agent that a caller without credentials is taken for,
	// when it comes over loopback; empty refuses such callers.
	Anonymous string
	// Hosts are the names by which clients may address a listener on loopback,
	// beside loopback's own; Origins the web origins that may call.
	Hosts   []string
	Origins []string
	// MetadataURL is the URL of the protected-resource metadata (RFC 9728) of
	// the merged endpoint; a server's is found below it by its path.
	MetadataURL string
	Limits      Limits
	// PublicURL is the address of this installation as people reach it, where the
	// pages of approvals are; empty when agents are not sent there.
	PublicURL string
	// Version is the program's, told to agents of the merged endpoint.
	Version string
}

// Server is one upstream server.
type Server struct {
	upstream.Config
	// Timeout bounds one call; 0 for a minute.
	Timeout time.Duration
}

const defaultTimeout = time.Minute

// Limits bound what agents and servers can make this process do. A zero field
// takes the value of DefaultLimits.
type Limits struct {
	// RequestBytes is the size of one message from an agent, RequestDepth how
	// deep it may nest.
	RequestBytes int64
	RequestDepth int
	// LargeBytes is what large messages from servers may occupy at a time, all
	// together; LargeWait how long one waits for others to be handed on.
	LargeBytes int64
	LargeWait  time.Duration
	// Running is how many requests one agent may have under way.
	Running int
	// Sessions is how many sessions one agent may have, SessionIdle how long
	// one may be unused.
	Sessions    int
	SessionIdle time.Duration
	// PinAge is how old a server's list of tools may be when a call is decided.
	PinAge time.Duration
	// InputWait is how long a server may wait for what it asked of an agent, and
	// a held call of an agent in a session for people.
	InputWait time.Duration
	// HoldWait is how long a held call of an agent of the stateless revision waits
	// for people each time that the agent comes back with it.
	HoldWait time.Duration
	// WriteWait is how long an agent may take to read a piece of an answer.
	WriteWait time.Duration
	// StopGrace is how long running calls may go on when the gateway stops.
	StopGrace time.Duration
}

// DefaultLimits are the limits of an installation that sets none.
func DefaultLimits() Limits {
	return Limits{
		RequestBytes: 4 << 20,
		RequestDepth: 64,
		LargeBytes:   96 << 20,
		LargeWait:    45 * time.Second,
		Running:      64,
		Sessions:     64,
		SessionIdle:  30 * time.Minute,
		PinAge:       time.Minute,
		InputWait:    5 * time.Minute,
		HoldWait:     20 * time.Second,
		WriteWait:    30 * time.Second,
		StopGrace:    10 * time.Second,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	or(&l.RequestBytes, d.RequestBytes)
	or(&l.RequestDepth, d.RequestDepth)
	or(&l.LargeBytes, d.LargeBytes)
	or(&l.LargeWait, d.LargeWait)
	or(&l.Running, d.Running)
	or(&l.Sessions, d.Sessions)
	or(&l.SessionIdle, d.SessionIdle)
	or(&l.PinAge, d.PinAge)
	or(&l.InputWait, d.InputWait)
	or(&l.HoldWait, d.HoldWait)
	or(&l.WriteWait, d.WriteWait)
	or(&l.StopGrace, d.StopGrace)
	return l
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Parts are the parts of the installation that a gateway works with.
type Parts struct {
	Directory *identity.Directory
	Enforcer  *enforcement.Enforcer
	Inventory *inventory.Inventory
	// Held is where held calls wait for people; nil when they never do. Close
	// ends what waits there.
	Held *hold.Room
	Log  *slog.Logger
	Now  func() time.Time
}

// Gateway serves MCP under /mcp (all servers) and /mcp/<server>.
type Gateway struct {
	Parts
	cfg     Config
	limits  Limits
	servers []*server
	byName  map[string]*server

	sessions sessions
	pool     pool
	parked   parked
	held     heldCalls
	running  tally
	// detached are the calls that can outlive their exchanges.
	detached tally

	// ctx is what everything runs under that no request runs under; it ends
	// when a stop's grace is over.
	ctx  context.Context
	stop context.CancelCauseFunc
	wg   sync.WaitGroup

	closing   chan struct{} // closed when no new request is taken
	closeOnce sync.Once
}

var serverName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// New checks the configuration and starts what sweeps idle things. It connects
// to no server.
func New(cfg Config, parts Parts) (*Gateway, error) {
	g := &Gateway{Parts: parts, cfg: cfg, limits: cfg.Limits.orDefault(), byName: map[string]*server{}, closing: make(chan struct{})}
	g.ctx, g.stop = context.WithCancelCause(context.Background())
	for _, c := range cfg.Servers {
		g.limits.LargeBytes = max(g.limits.LargeBytes, c.Limits.MessageBytes)
	}
	budget := upstream.NewBudget(g.limits.LargeBytes, g.limits.LargeWait)
	for _, c := range cfg.Servers {
		if !serverName.MatchString(c.Name) {
			return nil, fmt.Errorf("gateway: %q is no name of a server", c.Name)
		}
		if g.byName[c.Name] != nil {
			return nil, fmt.Errorf("gateway: two servers are named %s", c.Name)
		}
		up, err := upstream.New(c.Config, budget, parts.Log, parts.Now)
		if err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
		or(&c.Timeout, defaultTimeout)
		s := &server{g: g, name: c.Name, up: up, timeout: c.Timeout, bindings: map[string]boundTool{}}
		g.servers = append(g.servers, s)
		g.byName[c.Name] = s
	}
	g.sessions.init(g)
	g.pool.init(g)
	if err := g.parked.init(g); err != nil {
		return nil, err
	}
	if err := g.held.init(); err != nil {
		return nil, err
	}
	g.running.init(g.limits.Running)
	g.detached.init(g.limits.Running)
	g.wg.Go(g.sweepLoop)
	return g, nil
}

// sweepInterval is how often idle things are looked for.
const sweepInterval = 10 * time.Second

func (g *Gateway) sweepLoop() {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-ticker.C:
			g.sweep(g.Now())
		}
	}
}

// sweep closes what has not been used for too long.
func (g *Gateway) sweep(now time.Time) {
	g.sessions.sweep(now)
	g.pool.sweep(now)
	g.parked.sweep(now)
	g.held.sweep(now)
}

// errStopping is the cause of what a stop cancels.
var errStopping = errors.New("the gateway is stopping")

// Close stops: it takes no new requests, lets those that run go on until ctx
// ends or their grace is over, and then cancels them. When it returns, every
// outcome is recorded and nothing of the gateway runs any more.
func (g *Gateway) Close(ctx context.Context) {
	g.closeOnce.Do(func() { close(g.closing) })
	ctx, cancel := context.WithTimeout(ctx, g.limits.StopGrace)
	defer cancel()
	if g.Held != nil {
		g.Held.Close()
	}
	g.parked.stop()
	g.running.idle(ctx)
	g.stop(errStopping)
	g.parked.close()
	g.sessions.close()
	g.running.idle(context.Background())
	g.pool.close()
	g.wg.Wait()
	for _, s := range g.servers {
		s.up.Close()
	}
}

func (g *Gateway) isClosing() bool {
	select {
	case <-g.closing:
		return true
	default:
		return false
	}
}

// endpoint is what an agent addressed: one server, or all of them merged.
type endpoint struct {
	path    string
	merged  bool
	servers []*server
}

func (g *Gateway) endpoint(path string) (endpoint, bool) {
	rest, ok := strings.CutPrefix(path, "/mcp")
	if !ok {
		return endpoint{}, false
	}
	if rest == "" || rest == "/" {
		return endpoint{path: "/mcp", merged: true, servers: g.servers}, true
	}
	s := g.byName[strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/")]
	if s == nil || rest[0] != '/' {
		return endpoint{}, false
	}
	return endpoint{path: "/mcp/" + s.name, servers: []*server{s}}, true
}

func (g *Gateway) isExtension(method string) bool { return slices.Contains(g.cfg.Extensions, method) }

// ServeHTTP serves one HTTP request of an agent.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ep, ok := g.endpoint(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	x := &exchange{g: g, ep: ep, header: r.Header, remote: r.RemoteAddr, out: newStream(w, g.limits.WriteWait)}
	var err error
	switch r.Method {
	case http.MethodPost:
		err = x.post(w, r)
	case http.MethodGet:
		err = x.get(r)
	case http.MethodDelete:
		err = x.delete(r)
	default:
		x.out.deadline()
		w.Header().Set("Allow", "GET, POST, DELETE")
		http.Error(w, "expected POST, GET or DELETE", http.StatusMethodNotAllowed)
	}
	if err != nil {
		x.fail(r.Context(), w, err)
	}
}
