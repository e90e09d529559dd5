// Package upstream connects to MCP servers: commands on pipes and streamable
// HTTP, each negotiated on its own to the stateless revision (2026-07-28) or to
// one with a handshake (2025-11-25 and older). It moves whole messages and
// decides nothing.
//
// A server is not trusted: what it sends is bounded in size, depth and number,
// and whatever it does wrong ends the call or the link that it did it on with a
// sentence that says so.
package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"aims/internal/aims"
	"aims/internal/identity"
)

// Config describes one server: a command or an URL.
type Config struct {
	Name string

	Command string
	Args    []string
	Dir     string
	// Env are the command's variables beside the few that every program needs;
	// nothing else of this process's environment is passed on. The secret ones
	// are read again at every start.
	Env       map[string]string
	SecretEnv map[string]identity.Secret

	URL string
	// Credentials are sent to URL and to nothing else.
	Credentials []Credential

	// Redact takes secrets out of what the command prints, before it is logged.
	Redact func(string) string

	// ConnectTimeout bounds starting and negotiating.
	ConnectTimeout time.Duration
	Limits         Limits
}

// Credential is a header with a secret value. When the server does not accept
// it, it is read again, because whoever issues it may have renewed it.
type Credential struct {
	Header string
	// Prefix stands before the secret, such as "Bearer ".
	Prefix string
	Secret identity.Secret
}

// Limits bound what a server may send.
type Limits struct {
	// MessageBytes is the size of one message.
	MessageBytes int64
	// Depth is how deep a message's objects and arrays may nest.
	Depth int
	// MessagesPerCall is how many notifications and requests may come in the
	// course of one call, and outside of calls within a minute.
	MessagesPerCall int
}

// Server is a configured server, to which any number of links can be opened.
type Server struct {
	cfg       Config
	url       string
	transport *transport
	budget    *Budget
	log       *slog.Logger
	now       func() time.Time

	mu sync.Mutex
	// known is the version that was agreed last; it saves later links the
	// question.
	known string
	// failures counts runs of the command in a row that did not last; until
	// notBefore no other is tried.
	failures  int
	notBefore time.Time
}

// New checks a configuration. It connects to nothing.
func New(cfg Config, budget *Budget, log *slog.Logger, now func() time.Time) (*Server, error) {
	s := &Server{cfg: cfg, budget: budget.share(cfg.Limits.MessageBytes), log: log.With("server", cfg.Name), now: now}
	if (cfg.URL == "") == (cfg.Command == "") {
		return nil, fmt.Errorf("server %s: expected either a command or an URL", cfg.Name)
	}
	if cfg.URL == "" {
		return s, nil
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("server %s: expected an http or https URL", cfg.Name)
	}
	if u.User != nil {
		return nil, fmt.Errorf("server %s: expected an URL without a password; use a credential", cfg.Name)
	}
	s.url = u.String()
	// Not by http.Client: a redirect that it follows could carry credentials elsewhere.
	s.transport = newTransport(u, now)
	return s, nil
}

// Name is the server's name in the configuration.
func (s *Server) Name() string { return s.cfg.Name }

// OnPipes says whether the server is a command.
func (s *Server) OnPipes() bool { return s.cfg.Command != "" }

// Open connects to the server and negotiates.
func (s *Server) Open(ctx context.Context, o Opening) (Link, error) {
	if err := s.mayStart(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer stop()
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	var link Link
	var err error
	if s.OnPipes() {
		link, err = s.openPipes(ctx, o, known)
	} else {
		link, err = s.openHTTP(ctx, o, known)
	}
	if err != nil {
		s.forget()
		s.failed(0)
		return nil, s.unreachable(ctx, err)
	}
	s.mu.Lock()
	s.known = link.Peer().Version
	s.mu.Unlock()
	return link, nil
}

// unreachable words a failure to open a link.
func (s *Server) unreachable(ctx context.Context, err error) error {
	if ctx.Err() == context.DeadlineExceeded {
		return failed(err, "the server %s did not get ready within %v", s.cfg.Name, s.cfg.ConnectTimeout)
	}
	if code, text := aims.Public(err); code == aims.Unavailable {
		return failed(err, "the server %s cannot be used: %s", s.cfg.Name, text)
	}
	return failed(err, "the server %s cannot be reached", s.cfg.Name)
}

// Close gives back idle connections. Links are closed by those who opened them.
func (s *Server) Close() {
	if s.transport != nil {
		s.transport.close()
	}
}

// forget makes the next link ask anew which version the server speaks.
func (s *Server) forget() {
	s.mu.Lock()
	s.known = ""
	s.mu.Unlock()
}

const (
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 30 * time.Second
	// lasting is how long a command must have run for its end not to count as
	// one more failure in a row.
	lasting = time.Minute
)

// mayStart refuses while a command that keeps failing rests.
func (s *Server) mayStart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := s.notBefore.Sub(s.now()); wait > 0 {
		return failed(nil, "the server %s has failed %d times in a row; the next attempt is in %v",
			s.cfg.Name, s.failures, max(wait.Round(time.Second), time.Second))
	}
	return nil
}

// failed notes that a command did not start, or ended by itself after so long.
func (s *Server) failed(after time.Duration) {
	if !s.OnPipes() {
		return // a connection costs nothing, and the server may be back at once
	}
	s.forget() // it may have been replaced
	s.mu.Lock()
	defer s.mu.Unlock()
	if after >= lasting {
		s.failures = 0
	}
	backoff := firstBackoff << min(s.failures, 10)
	s.failures++
	s.notBefore = s.now().Add(min(backoff, maxBackoff))
}
