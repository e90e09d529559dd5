package connect

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"aims/internal/gateway/envelope"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const testKey = "aims_test"

// gate is an HTTP server before an SDK server that insists on the key and
// keeps the header of every request.
type gate struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

type seen struct {
	method string
	header http.Header
}

func (g *gate) requests(method string) []http.Header {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []http.Header
	for _, s := range g.seen {
		if s.method == method {
			found = append(found, s.header)
		}
	}
	return found
}

func newGate(t *testing.T, h http.Handler) *gate {
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.seen = append(g.seen, seen{r.Method, r.Header.Clone()})
		g.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+testKey {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Server.Close)
	return g
}

type echoInput struct {
	Text string `json:"text"`
}

// testServer has a tool for each thing that may pass the bridge.
func testServer(signals chan<- struct{}) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	text := func(s string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
	}
	mcp.AddTool(s, &mcp.Tool{Name: "écho"}, func(_ context.Context, _ *mcp.CallToolRequest, in echoInput) (*mcp.CallToolResult, any, error) {
		return text(in.Text), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in echoInput) (*mcp.CallToolResult, any, error) {
		return text(in.Text), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "progress"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: float64(i + 1)})
		}
		return text("done"), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		answer, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "sure?", RequestedSchema: json.RawMessage(`{"type":"object"}`)})
		if err != nil {
			return nil, nil, err
		}
		return text(answer.Action), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "slow"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		signals <- struct{}{} // begun
		<-ctx.Done()
		signals <- struct{}{} // cancelled
		return nil, nil, ctx.Err()
	})
	s.AddTool(&mcp.Tool{Name: "regional", InputSchema: json.RawMessage(
		`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"object","properties":{"k":{"type":"integer","x-mcp-header":"Count"}}}}}`)},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return text(string(req.Params.Arguments)), nil
		})
	s.AddResource(&mcp.Resource{Name: "r", URI: "test://r"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "content"}}}, nil
	})
	return s
}

type bridged struct {
	session *mcp.ClientSession
	ended   chan error
}

// connected runs a bridge to url and an SDK client on its other end.
func connected(t *testing.T, url, version string, o *mcp.ClientOptions) *bridged {
	t.Helper()
	toBridge, fromClient := io.Pipe()
	toClient, fromBridge := io.Pipe()
	b := &bridged{ended: make(chan error, 1)}
	go func() {
		err := Run(t.Context(), toBridge, fromBridge, Config{
			URL: url, Key: testKey, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), RetryDelay: 5 * time.Millisecond,
		})
		fromBridge.Close()
		b.ended <- err
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, o)
	var err error
	b.session, err = client.Connect(t.Context(), &mcp.IOTransport{Reader: toClient, Writer: fromClient}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// close ends the client and waits for the bridge to end without an error.
func (b *bridged) close(t *testing.T) {
	t.Helper()
	b.session.Close()
	select {
	case err := <-b.ended:
		if err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the bridge did not end after its client")
	}
}

func callTool(t *testing.T, s *mcp.ClientSession, name string, args any) string {
	t.Helper()
	result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if result.IsError {
		t.Fatalf("%s: %v", name, result.Content)
	}
	return result.Content[0].(*mcp.TextContent).Text
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func legacyGate(t *testing.T, signals chan<- struct{}) (*gate, *mcp.Server) {
	server := testServer(signals)
	return newGate(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)), server
}

func TestSessionRevision(t *testing.T) {
	signals := make(chan struct{}, 2)
	g, server := legacyGate(t, signals)
	progress := make(chan float64, 8)
	changed := make(chan struct{}, 8)
	b := connected(t, g.URL, "2025-11-25", &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			progress <- r.Params.Progress
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
	})
	if got := b.session.InitializeResult().ProtocolVersion; got != "2025-11-25" {
		t.Fatalf("revision %s", got)
	}
	long := strings.Repeat("line\nänd more ", 100_000)
	if got := callTool(t, b.session, "echo", echoInput{long}); got != long {
		t.Errorf("echoed %d bytes of %d", len(got), len(long))
	}
	params := &mcp.CallToolParams{Name: "progress"}
	params.SetProgressToken("p")
	if _, err := b.session.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	for want := range 3 {
		if got := <-progress; got != float64(want+1) {
			t.Errorf("progress %v, want %v", got, want+1)
		}
	}
	if got := callTool(t, b.session, "ask", nil); got != "decline" {
		t.Errorf("the server's own request was answered with %q", got)
	}
	// What the server says of its own accord needs the stream by GET.
	eventually(t, "the stream is open", func() bool { return len(g.requests("GET")) > 0 })
	eventually(t, "the list change arrives", func() bool {
		mcp.AddTool(server, &mcp.Tool{Name: "new"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
		select {
		case <-changed:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
	cancelsACall(t, b.session, signals)
	b.close(t)
	if len(g.requests("DELETE")) != 1 {
		t.Error("the session was not ended")
	}
	for i, h := range g.requests("POST") {
		if i > 0 && (h.Get(headerSession) == "" || h.Get(headerVersion) != "2025-11-25") {
			t.Errorf("request %d: session %q, revision %q", i, h.Get(headerSession), h.Get(headerVersion))
		}
	}
}

func cancelsACall(t *testing.T, s *mcp.ClientSession, signals <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "slow"})
		done <- err
	}()
	<-signals
	cancel()
	if err := <-done; err == nil {
		t.Error("a cancelled call succeeded")
	}
	select {
	case <-signals:
	case <-time.After(10 * time.Second):
		t.Error("the cancellation did not reach the server")
	}
}

func TestStatelessRevision(t *testing.T) {
	server := testServer(nil)
	g := newGate(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true}))
	progress := make(chan float64, 8)
	b := connected(t, g.URL, "2026-07-28", &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			progress <- r.Params.Progress
		},
	})
	if got := b.session.InitializeResult().ProtocolVersion; got != "2026-07-28" {
		t.Fatalf("revision %s", got)
	}
	if got := callTool(t, b.session, "echo", echoInput{"hello"}); got != "hello" {
		t.Errorf("echoed %q", got)
	}
	if h := last(g.requests("POST")); h.Get(headerVersion) != "2026-07-28" || h.Get(headerMethod) != "tools/call" || h.Get(headerName) != "echo" || h.Get(headerSession) != "" {
		t.Errorf("header of a call: %v", h)
	}
	params := &mcp.CallToolParams{Name: "progress"}
	params.SetProgressToken("p")
	if _, err := b.session.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	for want := range 3 {
		if got := <-progress; got != float64(want+1) {
			t.Errorf("progress %v, want %v", got, want+1)
		}
	}
	if r, err := b.session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "test://r"}); err != nil || r.Contents[0].Text != "content" {
		t.Errorf("resource: %v, %v", r, err)
	}
	// The SDK's client knows nothing of header fields on this transport.
	if _, err := b.session.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	callTool(t, b.session, "regional", map[string]any{"region": "Zürich", "n": map[string]any{"k": 7}})
	if h := last(g.requests("POST")); h.Get("Mcp-Param-Region") != envelope.HeaderValue("Zürich") || h.Get("Mcp-Param-Count") != "7" {
		t.Errorf("header of a call with bound arguments: %v", h)
	}
	b.close(t)
	if len(g.requests("GET"))+len(g.requests("DELETE")) != 0 {
		t.Error("a stateless revision has neither stream nor session")
	}
}

func last(h []http.Header) http.Header { return h[len(h)-1] }

// The client's end of a call is the end of its HTTP exchange.
func TestStatelessCancellation(t *testing.T) {
	gone := make(chan struct{}, 1)
	posts := make(chan string, 8)
	g := newGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts <- r.Header.Get(headerMethod)
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	p := piped(t, Config{URL: g.URL, Key: testKey})
	p.send(`{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	<-posts
	p.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}`)
	<-gone
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if out := p.rest(); out != "" {
		t.Errorf("a cancelled request was answered: %s", out)
	}
	if len(posts) != 0 {
		t.Errorf("a cancellation was posted that nobody expects: %s", <-posts)
	}
}
