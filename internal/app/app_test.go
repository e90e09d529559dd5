package app

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/receipt"
)

// lockedBuffer is a log that a test reads while others write it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a directory with a configuration.
type site struct {
	t   *testing.T
	dir string
	log lockedBuffer
}

const readerPolicy = `@id("reader-reads")
permit (principal in Role::"reader", action in Action::"call_tool", resource);
`

func newSite(t *testing.T, config string) *site {
	s := &site{t: t, dir: t.TempDir()}
	s.write("aims.yaml", "listen: 127.0.0.1:0\n"+config)
	s.write("policies/agents.cedar", readerPolicy)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) start() (*App, error) {
	s.t.Helper()
	cfg, err := LoadConfig(s.t.Context(), s.path("aims.yaml"), Overrides{})
	if err != nil {
		return nil, err
	}
	return Start(s.t.Context(), cfg, Options{Log: slog.NewTextHandler(&s.log, nil), Now: time.Now})
}

// run starts the site, and stops it with the test.
func (s *site) run() *App {
	s.t.Helper()
	a, err := s.start()
	if err != nil {
		s.t.Fatalf("start: %v\n%s", err, s.log.String())
	}
	s.t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			s.t.Errorf("stop: %v", err)
		}
	})
	return a
}

func (s *site) client(a *App, key string) *api.Client {
	s.t.Helper()
	c, err := api.NewClient(a.URL(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// admin is a client with the bootstrap key, agentKey a key with a role.
func (s *site) admin(a *App) *api.Client {
	secret, _ := a.Bootstrap()
	return s.client(a, secret)
}

func (s *site) agentKey(a *App, role string) string {
	s.t.Helper()
	var key api.KeySecret
	ask := api.NewKey{Actor: api.Actor{Type: aims.AgentType, ID: "agent-" + role}, Roles: []string{role}}
	if err := s.admin(a).Do(s.t.Context(), http.MethodPost, "/api/v1/keys", ask, &key); err != nil {
		s.t.Fatal(err)
	}
	return key.Secret
}

func TestStartAndStopLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	s := newSite(t, "")
	var sizes []uint64
	for range 2 {
		a, err := s.start()
		if err != nil {
			t.Fatal(err)
		}
		if len(a.controls) < 6 || slices.ContainsFunc(a.controls, func(c api.Control) bool { return !c.Holds || c.Saw == "" }) {
			t.Errorf("controls: %+v", a.controls)
		}
		sizes = append(sizes, a.ledger.Size())
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if sizes[1] <= sizes[0] {
		t.Errorf("the second start did not continue the log: %v", sizes)
	}
	s.verify()
}

// verify verifies the database as it lies there.
func (s *site) verify() receipt.Report {
	s.t.Helper()
	src, closeSource, err := OpenSource(s.t.Context(), s.path("aims-data/aims.db"), time.Now)
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeSource()
	vkey, err := os.ReadFile(s.path("aims-data/log.vkey"))
	if err != nil {
		s.t.Fatal(err)
	}
	trust, err := receipt.NewTrust(string(vkey), nil, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := receipt.Verify(s.t.Context(), src, receipt.Options{Trust: trust, Compile: Compile})
	if err != nil || !r.Verified() {
		s.t.Errorf("the log does not verify: %v %+v", err, r)
	}
	return r
}

// Each of these ends a start; what was opened is closed again, so that the
// start succeeds when the cause is gone.
func TestAStartThatFailsUndoesItself(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*site) (mend func())
		say   string
	}{
		{"port in use", func(s *site) func() {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.t.Fatal(err)
			}
			s.write("aims.yaml", "listen: "+l.Addr().String()+"\n")
			return func() { l.Close() }
		}, "cannot be listened on"},
		{"bad policies at the first start", func(s *site) func() {
			s.write("policies/agents.cedar", "permit (")
			return func() { s.write("policies/agents.cedar", readerPolicy) }
		}, "agents.cedar:1:"},
		{"no policies", func(s *site) func() {
			s.write("policies/agents.cedar", "// none\n")
			return func() { s.write("policies/agents.cedar", readerPolicy) }
		}, "there is no policy"},
		{"unusable TLS key", func(s *site) func() {
			s.write("cert.pem", "x")
			s.write("aims.yaml", "listen: 127.0.0.1:0\ntls: {cert: cert.pem, key: cert.pem}\n")
			return func() { s.write("aims.yaml", "listen: 127.0.0.1:0\n") }
		}, "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, "")
			mend := c.spoil(s)
			a, err := s.start()
			if err == nil {
				a.Stop()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.say) {
				t.Errorf("%q does not say %q", err, c.say)
			}
			mend()
			if _, made := s.run().Bootstrap(); !made {
				t.Error("the bootstrap token was made by the start that failed, and shown to nobody")
			}
		})
	}
}

func TestTheSigningKeyIsGuarded(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*site)
		say   string
	}{
		{"readable by others", func(s *site) { s.chmod("aims-data/log.key", 0o644) }, "chmod 600"},
		{"gone", func(s *site) { s.remove("aims-data/log.key") }, "put the key back"},
		{"of another log", func(s *site) {
			s.remove("aims-data/log.key")
			if _, err := createKey(s.path("aims-data/log.key"), "localhost/other"); err != nil {
				s.t.Fatal(err)
			}
		}, "holds the log"},
		{"of another name than configured", func(s *site) { s.write("aims.yaml", "listen: 127.0.0.1:0\norigin: log.example.com/x\n") }, "cannot change"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, "")
			a, err := s.start()
			if err != nil {
				t.Fatal(err)
			}
			a.Stop()
			c.spoil(s)
			a, err = s.start()
			if err == nil {
				a.Stop()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.say) {
				t.Errorf("%q does not say %q", err, c.say)
			}
		})
	}
}

func (s *site) chmod(name string, mode os.FileMode) {
	if err := os.Chmod(s.path(name), mode); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) remove(name string) {
	if err := os.Remove(s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

// remoteServer is an MCP server over HTTP with a tool that answers with the
// headers that it was called with, one that fails with them, and one that hangs.
func remoteServer(t *testing.T) (url string, hanging chan struct{}) {
	hanging = make(chan struct{}, 8)
	var mu sync.Mutex
	headers := ""
	s := mcp.NewServer(&mcp.Implementation{Name: "remote", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "headers"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		mu.Lock()
		defer mu.Unlock()
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: headers}}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "hang"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		hanging <- struct{}{}
		<-ctx.Done()
		return nil, nil, ctx.Err()
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		headers = fmt.Sprint(r.Header["Authorization"], r.Header["X-Api-Key"])
		mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, hanging
}

type withKey struct{ key string }

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return http.DefaultTransport.RoundTrip(r)
}

func (s *site) agent(a *App, key string) *mcp.ClientSession {
	s.t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
	session, err := client.Connect(s.t.Context(), &mcp.StreamableClientTransport{Endpoint: a.URL() + "/mcp", HTTPClient: &http.Client{Transport: withKey{key}}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { session.Close() })
	return session
}

// The upstream gets its own credential and never the agent's key; neither is
// in the operator's log or in any receipt.
func TestCredentialsStayWhereTheyBelong(t *testing.T) {
	t.Setenv("AIMS_TEST_CREDENTIAL", "hunter2-upstream")
	remote, _ := remoteServer(t)
	s := newSite(t, `servers:
  - name: remote
    url: `+remote+`
    credentials:
      - {header: X-Api-Key, prefix: "Key ", from: "env:AIMS_TEST_CREDENTIAL"}
`)
	a := s.run()
	key := s.agentKey(a, "reader")
	result, err := s.agent(a, key).CallTool(t.Context(), &mcp.CallToolParams{Name: "remote___headers", Arguments: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	text := result.Content[0].(*mcp.TextContent).Text
	if !strings.Contains(text, "Key hunter2-upstream") || strings.Contains(text, key) {
		t.Errorf("the upstream was called with %s", text)
	}
	a.log.Error("a part quotes it: hunter2-upstream", "error", fmt.Errorf("401 for %q", "hunter2-upstream"))
	for leaf, err := range a.ledger.Entries(t.Context(), 0, a.ledger.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(leaf.Raw, []byte("hunter2")) || bytes.Contains(leaf.Raw, []byte(key)) {
			t.Errorf("a secret is in entry %d", leaf.Index)
		}
	}
	if log := s.log.String(); strings.Contains(log, "hunter2") || strings.Contains(log, key) || !strings.Contains(log, "[secret]") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// A stop ends a call that hangs within its bound, records what came of it, and
// closes everything.
func TestStopEndsWhatHangs(t *testing.T) {
	remote, hanging := remoteServer(t)
	s := newSite(t, "limits: {stop_timeout: 2s}\nservers:\n  - {name: remote, url: "+remote+"}\n")
	a, err := s.start()
	if err != nil {
		t.Fatal(err)
	}
	session := s.agent(a, s.agentKey(a, "reader"))
	called := make(chan error, 1)
	go func() {
		_, err := session.CallTool(context.WithoutCancel(t.Context()), &mcp.CallToolParams{Name: "remote___hang", Arguments: map[string]any{}})
		called <- err
	}()
	<-hanging
	begin := time.Now()
	if err := a.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if err := <-called; err == nil {
		t.Error("the hanging call succeeded")
	}
	if c, ok := s.verify().Check("outcomes"); !ok || c.Exceptions > 0 || strings.Contains(c.Note, "without outcome") {
		t.Errorf("outcomes: %+v", c)
	}
}

// A server that cannot be reached keeps nobody else from being served, and the
// status says so.
func TestAnUnreachableServerIsSaid(t *testing.T) {
	remote, _ := remoteServer(t)
	s := newSite(t, `servers:
  - {name: gone, url: "http://127.0.0.1:1/mcp"}
  - {name: missing, command: /nonexistent/program}
  - {name: remote, url: `+remote+`}
`)
	a := s.run()
	var status api.Status
	if err := s.admin(a).Do(t.Context(), http.MethodGet, "/api/v1/status", nil, &status); err != nil {
		t.Fatal(err)
	}
	for i, problem := range []bool{true, true, false} {
		if v := status.Servers[i]; (v.Problem != "") != problem {
			t.Errorf("%s: problem %q", v.Name, v.Problem)
		}
	}
	result, err := s.agent(a, s.agentKey(a, "reader")).CallTool(t.Context(), &mcp.CallToolParams{Name: "remote___headers", Arguments: map[string]any{}})
	if err != nil || result.IsError {
		t.Errorf("the server that is there was not reached: %v", err)
	}
}

// Payloads past their age are erased, and nothing else: the step of the loop,
// with the clock of the test.
func TestRetentionErasesPayloadsOnly(t *testing.T) {
	s := newSite(t, "retention: {payloads: 1d}\n")
	a := s.run()
	if err := s.admin(a).Do(t.Context(), http.MethodGet, "/api/v1/keys", nil, nil); err != nil {
		t.Fatal(err)
	}
	if next := a.eraseOld(t.Context(), 0); next != 0 || s.kept(a) == 0 {
		t.Fatalf("payloads were erased before their time (%d, %d kept)", next, s.kept(a))
	}
	size := a.ledger.Size()
	a.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if next := a.eraseOld(t.Context(), 0); next != size {
		t.Errorf("the next erasure begins at %d, want %d", next, size)
	}
	if kept := s.kept(a); kept != 0 {
		t.Errorf("%d payloads are still there", kept)
	}
	if again := a.eraseOld(t.Context(), size); again < size || a.ledger.Size() > size+2 {
		t.Errorf("a second erasure wrote again: %d entries, then %d", size, a.ledger.Size())
	}
}

func (s *site) kept(a *App) int {
	s.t.Helper()
	src, err := a.Source(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, err := range src.Payloads(s.t.Context(), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

func TestOnPostgres(t *testing.T) {
	dsn := os.Getenv("AIMS_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("AIMS_TEST_POSTGRES is not set to the DSN of a PostgreSQL to test with")
	}
	t.Setenv("AIMS_TEST_DSN", freshDatabase(t, dsn))
	s := newSite(t, "database_from: env:AIMS_TEST_DSN\n")
	for range 2 {
		a, err := s.start()
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// freshDatabase makes a schema of its own and returns the DSN that leads there.
func freshDatabase(t *testing.T, server string) string {
	t.Helper()
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("app_%d", time.Now().UnixNano())
	if _, err := admin.Exec(`CREATE SCHEMA "` + name + `"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP SCHEMA "` + name + `" CASCADE`); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + name
}
