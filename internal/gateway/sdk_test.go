//lint:file-ignore SA1019 what the newer revision deprecates, the gateway still has to carry

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aims/internal/gateway/upstream"
	"aims/receipt"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// features is a server of the official SDK with one of everything.
func features(versions []string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "features", Version: "1"}, &mcp.ServerOptions{
		SupportedProtocolVersions: versions,
		Instructions:              "Be kind.",
		CompletionHandler: func(_ context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{r.Params.Argument.Value + "!"}}}, nil
		},
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	type text struct {
		Text string `json:"text"`
	}
	say := func(text string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	}
	mcp.AddTool(s, &mcp.Tool{Name: "greet", Description: "Greets."}, func(_ context.Context, _ *mcp.CallToolRequest, in text) (*mcp.CallToolResult, any, error) {
		return say("hello " + in.Text)
	})
	mcp.AddTool(s, &mcp.Tool{Name: "fail"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("no luck")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "steps"}, func(ctx context.Context, r *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: float64(i)})
		}
		return say("done")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "log"}, func(ctx context.Context, r *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "debug", Data: "low"})
		r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "warning", Data: "high"})
		return say("logged")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	})
	mcp.AddTool(s, &mcp.Tool{Name: "change"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
		mcp.AddTool(s, &mcp.Tool{Name: "added"}, func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) { return say("new") })
		return say("changed")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "touch"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "mem://one"})
		return say("touched")
	})
	addAsking(s)
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "content of " + r.Params.URI}}}, nil
	}
	s.AddResource(&mcp.Resource{URI: "mem://one", Name: "one"}, read)
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "mem://many/{id}", Name: "many"}, read)
	s.AddPrompt(&mcp.Prompt{Name: "hi"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "say hi"}}}}, nil
	})
	return s
}

// addAsking adds a tool that asks its caller for everything that can be asked
// for, in the way of the revision that it is called in.
func addAsking(s *mcp.Server) {
	elicit := &mcp.ElicitParams{Message: "Your name?", RequestedSchema: &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{"name": {Type: "string"}}}}
	sample := &mcp.CreateMessageParams{MaxTokens: 10, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Capital of France?"}}}}
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(ctx context.Context, r *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		say := func(e *mcp.ElicitResult, m *mcp.CreateMessageWithToolsResult, roots *mcp.ListRootsResult) (*mcp.CallToolResult, any, error) {
			text := fmt.Sprintf("%v %s %s", e.Content["name"], m.Content[0].(*mcp.TextContent).Text, roots.Roots[0].URI)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		}
		if r.ProtocolVersion() >= upstream.Modern {
			if answers := r.Params.InputResponses; len(answers) == 3 && r.Params.RequestState == "half way" {
				return say(answers["e"].(*mcp.ElicitResult), answers["s"].(*mcp.CreateMessageWithToolsResult), answers["r"].(*mcp.ListRootsResult))
			}
			return &mcp.CallToolResult{RequestState: "half way", InputRequests: mcp.InputRequestMap{"e": elicit, "s": sample, "r": &mcp.ListRootsParams{}}}, nil, nil
		}
		var e *mcp.ElicitResult
		var m *mcp.CreateMessageResult
		var roots *mcp.ListRootsResult
		var errs [3]error
		var wg sync.WaitGroup
		wg.Go(func() { e, errs[0] = r.Session.Elicit(ctx, elicit) })
		wg.Go(func() { m, errs[1] = r.Session.CreateMessage(ctx, sample) })
		wg.Go(func() { roots, errs[2] = r.Session.ListRoots(ctx, nil) })
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return nil, nil, err
		}
		return say(e, &mcp.CreateMessageWithToolsResult{Content: []mcp.Content{m.Content}}, roots)
	})
}

// upstreams are the ways in which a server can be reached.
var upstreams = []string{"stateless HTTP", "stateless HTTP, JSON", "HTTP with sessions", "pipes", "pipes with sessions"}

func startUpstream(t testing.TB, kind string) Server {
	t.Helper()
	serve := func(o *mcp.StreamableHTTPOptions) Server {
		s := features(nil)
		server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, o))
		t.Cleanup(server.Close)
		return overHTTP("f", server.URL)
	}
	switch kind {
	case "stateless HTTP":
		return serve(&mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true})
	case "stateless HTTP, JSON":
		return serve(&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, PropagateRequestCancellation: true})
	case "HTTP with sessions":
		return serve(nil)
	case "pipes":
		return onPipes(t, "f", "sdk")
	}
	return onPipes(t, "f", "sdk with sessions")
}

func onPipes(t testing.TB, name, mode string) Server {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	return Server{Config: upstream.Config{Name: name, Command: self, Env: map[string]string{childMode: mode}}, Timeout: 20 * time.Second}
}

// agent is a client of the official SDK behind the gateway.
type agent struct {
	*mcp.ClientSession
	heard chan string
}

func (a *agent) hears(t testing.TB, want string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case got := <-a.heard:
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("the agent did not hear %q", want)
		}
	}
}

type bearer struct {
	key  string
	over http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return b.over.RoundTrip(r)
}

func connect(t testing.TB, h *house, path, version string) *agent {
	t.Helper()
	return connectOver(t, h, http.DefaultTransport, path, version)
}

func connectOver(t testing.TB, h *house, over http.RoundTripper, path, version string) *agent {
	t.Helper()
	a := &agent{heard: make(chan string, 100)}
	hear := func(format string, args ...any) { a.heard <- fmt.Sprintf(format, args...) }
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ann"}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Content: &mcp.TextContent{Text: "Paris"}, Model: "m", Role: "assistant"}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			hear("progress %v %v", r.Params.ProgressToken, r.Params.Progress)
		},
		LoggingMessageHandler:  func(_ context.Context, r *mcp.LoggingMessageRequest) { hear("log %v", r.Params.Data) },
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { hear("tools changed") },
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { hear("updated %s", r.Params.URI) },
	})
	client.AddRoots(&mcp.Root{URI: "file:///home"})
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: h.url + path, HTTPClient: &http.Client{Transport: bearer{h.key, over}}},
		&mcp.ClientSessionOptions{ProtocolVersion: version})
	must(t, err)
	t.Cleanup(func() { session.Close() })
	if got := session.InitializeResult().ProtocolVersion; got != version {
		t.Fatalf("the agent speaks %s, want %s", got, version)
	}
	a.ClientSession = session
	return a
}

func (a *agent) call(t testing.TB, tool string, arguments map[string]any) *mcp.CallToolResult {
	t.Helper()
	r, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return r
}

func said(r *mcp.CallToolResult) string {
	if len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].(*mcp.TextContent).Text
}

// TestEverythingPasses drives everything that the protocol has through the
// gateway, every revision and transport against every other.
func TestEverythingPasses(t *testing.T) {
	for _, kind := range upstreams {
		for _, version := range []string{upstream.Modern, upstream.Legacy, "2025-03-26"} {
			t.Run(kind+"/"+version, func(t *testing.T) {
				h := newHouse(t, houseOptions{config: Config{Servers: []Server{startUpstream(t, kind)}}})
				a := connect(t, h, "/mcp/f", version)
				everything(t, h, a, kind, version)
				a.Close()
				h.noneOpen()
			})
		}
	}
}

func everything(t *testing.T, h *house, a *agent, kind, version string) {
	if a.InitializeResult().ServerInfo.Name != "features" || a.InitializeResult().Instructions != "Be kind." {
		t.Errorf("the server calls itself %+v and says %q", a.InitializeResult().ServerInfo, a.InitializeResult().Instructions)
	}
	tools, err := a.ListTools(t.Context(), nil)
	must(t, err)
	if !slices.ContainsFunc(tools.Tools, func(t *mcp.Tool) bool { return t.Name == "greet" && t.Description == "Greets." && t.InputSchema != nil }) {
		t.Errorf("tools: %+v", tools.Tools)
	}
	r := a.call(t, "greet", map[string]any{"text": "you"})
	last := h.last("tools/call")
	if said(r) != "hello you" || r.Meta[metaReceipt] != last.ID || last.outcome.Status != receipt.Succeeded || last.Action != "f___greet" {
		t.Errorf("greet said %q with %v; recorded %+v %+v", said(r), r.Meta, last.Decision, last.outcome)
	}
	if got := h.payload(last.ID, receipt.InputPayload); got != `{"text":"you"}` {
		t.Errorf("recorded input %s", got)
	}
	if r := a.call(t, "fail", nil); !r.IsError || h.last("tools/call").outcome.Status != receipt.Failed {
		t.Errorf("fail: %+v, recorded %+v", r, h.last("tools/call").outcome)
	}
	if got := said(a.call(t, "ask", nil)); got != "Ann Paris file:///home" {
		t.Errorf("ask said %q", got)
	}
	for _, method := range []string{"elicitation/create", "sampling/createMessage", "roots/list"} {
		if got := h.of(method); len(got) != 1 || got[0].outcome == nil || got[0].outcome.Status != receipt.Succeeded {
			t.Errorf("recorded of %s: %+v", method, got)
		}
	}
	everythingElse(t, h, a, kind, version)
}

func everythingElse(t *testing.T, h *house, a *agent, kind, version string) {
	read, err := a.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "mem://one"})
	if err != nil || read.Contents[0].Text != "content of mem://one" || h.payload(h.last("resources/read").ID, receipt.InputPayload) != `{"uri":"mem://one"}` {
		t.Errorf("resource: %+v, %v", read, err)
	}
	prompt, err := a.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "hi"})
	if err != nil || len(prompt.Messages) != 1 {
		t.Errorf("prompt: %+v, %v", prompt, err)
	}
	completed, err := a.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "hi"}, Argument: mcp.CompleteParamsArgument{Name: "a", Value: "v"}})
	if err != nil || completed.Completion.Values[0] != "v!" {
		t.Errorf("completion: %+v, %v", completed, err)
	}
	resources, err := a.ListResources(t.Context(), nil)
	if err != nil || len(resources.Resources) != 1 {
		t.Errorf("resources: %+v, %v", resources, err)
	}
	if kind != "stateless HTTP, JSON" { // has no place for messages before the response
		p := &mcp.CallToolParams{Name: "steps", Meta: mcp.Meta{}}
		p.SetProgressToken("mine")
		if _, err := a.CallTool(t.Context(), p); err != nil {
			t.Error(err)
		}
		a.hears(t, "progress mine 2")
	}
	cancelled(t, h, a)
	must(t, a.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "mem://one"}))
	if kind == "HTTP with sessions" || strings.HasPrefix(kind, "pipes") || version == upstream.Modern {
		// What is said right after another session was opened may be said before it listens.
		eventually(t, "the agent hears of a touched resource", func() bool {
			a.call(t, "touch", nil)
			select {
			case got := <-a.heard:
				return got == "updated mem://one"
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
	}
	a.call(t, "change", nil)
	a.hears(t, "tools changed")
	if got := said(a.call(t, "added", nil)); got != "new" {
		t.Errorf("added said %q", got)
	}
}

// cancelled checks that a call that its agent gives up ends at the server, and
// is recorded as that.
func cancelled(t *testing.T, h *house, a *agent) {
	ctx, cancel := context.WithCancel(t.Context())
	before := len(h.of("tools/call"))
	go func() {
		eventually(t, "the call was decided", func() bool { return len(h.of("tools/call")) > before })
		cancel()
	}()
	if _, err := a.CallTool(ctx, &mcp.CallToolParams{Name: "wait"}); !errors.Is(err, context.Canceled) {
		t.Errorf("wait ended with %v", err)
	}
	if got := h.last("tools/call"); got.outcome.Status != receipt.Cancelled {
		t.Errorf("wait is recorded as %+v", got.outcome)
	}
}

// TestOverTLSAndHTTP2 checks that streams, deadlines and the end of a request
// work where many requests share a connection.
func TestOverTLSAndHTTP2(t *testing.T) {
	for _, version := range []string{upstream.Modern, upstream.Legacy} {
		t.Run(version, func(t *testing.T) {
			var server *httptest.Server
			h := newHouse(t, houseOptions{config: Config{Servers: []Server{startUpstream(t, "HTTP with sessions")}}, serve: func(handler http.Handler) string {
				server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.ProtoMajor != 2 {
						t.Errorf("a request came over %s", r.Proto)
					}
					handler.ServeHTTP(w, r)
				}))
				server.EnableHTTP2 = true
				server.StartTLS()
				return server.URL
			}})
			defer server.Close()
			a := connectOver(t, h, server.Client().Transport, "/mcp/f", version)
			everything(t, h, a, "HTTP with sessions", version)
			a.Close()
			h.noneOpen()
		})
	}
}
