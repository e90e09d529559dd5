package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/receipt"
)

func TestStopLetsCallsFinish(t *testing.T) {
	release := make(chan struct{})
	up := &script{on: func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
		if text, _ := m.Text(envelope.Name); text == "greet" {
			<-release
		}
		reply(w, m, `{"content":[{"type":"text","text":"hello"}],"resultType":"complete"}`)
	}}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	running := make(chan answer, 1)
	go func() { running <- h.send(call("greet", `{}`)) }()
	eventually(t, "the call runs", func() bool { return len(up.all("tools/call")) == 1 })
	closed := make(chan struct{})
	go func() { h.gateway.Close(context.Background()); close(closed) }()
	eventually(t, "nothing new is taken", func() bool { return h.send(call("greet", `{}`)).status == http.StatusServiceUnavailable })
	close(release)
	if a := <-running; a.text() != "hello" {
		t.Errorf("the running call: %s", a.body)
	}
	<-closed
	if len(h.of("tools/call")) != 1 {
		t.Error("a call was decided while stopping")
	}
	h.noneOpen()
}

// TestStopEndsWhatDoesNot checks that after the grace everything that ran is
// recorded as cancelled: a call, a session's stream, a call that waits for input.
func TestStopEndsWhatDoesNot(t *testing.T) {
	asks := newAsking()
	hangs := &script{on: func(_ http.ResponseWriter, r *http.Request, _ *envelope.Message) { <-r.Context().Done() }}
	h := newHouse(t, houseOptions{config: Config{
		Servers: []Server{hangs.server(t, "s"), asks.server(t, "asks"), onPipes(t, "pipes", "misbehave")},
		Limits:  Limits{StopGrace: 100 * time.Millisecond},
	}})
	parked := call("greet", `{}`)
	parked.path = "/mcp/asks"
	if a := h.send(parked); stateOf(a) == "" {
		t.Fatal(a.body)
	}
	piped := call("hang", `{}`)
	piped.path = "/mcp/pipes"
	done := make(chan answer, 2)
	for _, r := range []request{call("greet", `{}`), piped} {
		go func() { done <- h.send(r) }()
	}
	stream, err := h.start(t.Context(), request{method: http.MethodGet, session: h.newSession("/mcp/s", h.key)})
	must(t, err)
	defer stream.Body.Close()
	eventually(t, "all run", func() bool { return len(h.of("tools/call")) == 3 })
	h.gateway.Close(context.Background())
	for range 2 {
		if a := <-done; a.code() != codeCancelled {
			t.Errorf("a running call: %s", a.body)
		}
	}
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	for _, r := range h.of("tools/call") {
		if r.outcome == nil || r.outcome.Status != receipt.Cancelled || r.outcome.Detail != "the gateway stopped while the request was under way" {
			t.Errorf("recorded %+v", r.outcome)
		}
	}
	h.noneOpen()
}

// TestAgentThatLeaves checks that a request whose agent is gone ends at the
// server too.
func TestAgentThatLeaves(t *testing.T) {
	for name, legacy := range map[string]bool{"stateless": false, "with sessions": true} {
		t.Run(name, func(t *testing.T) {
			left := make(chan struct{}, 1)
			up := &script{legacy: legacy, on: func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
				if m.Kind != envelope.Request {
					return
				}
				event(w, []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`))
				<-r.Context().Done()
				left <- struct{}{}
			}}
			h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
			ctx, leave := context.WithCancel(t.Context())
			r := call("greet", `{}`)
			r.body = strings.Replace(r.body, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"info",`, 1)
			resp, err := h.start(ctx, r)
			must(t, err)
			defer resp.Body.Close()
			if resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("the answer is %s", resp.Header.Get("Content-Type"))
			}
			leave()
			<-left
			if got := h.last("tools/call").outcome; got.Status != receipt.Cancelled {
				t.Errorf("recorded %+v", got)
			}
			if legacy {
				eventually(t, "the server is told", func() bool { return len(up.all("notifications/cancelled")) > 0 })
			}
		})
	}
}

func TestIdleThingsAreSwept(t *testing.T) {
	up := &script{legacy: true}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	session := h.newSession("/mcp/s", h.key)
	if a := h.send(call("greet", `{}`)); a.text() != "hello" {
		t.Fatal(a.body)
	}
	stream, err := h.start(t.Context(), request{method: http.MethodGet, session: h.newSession("/mcp/s", h.key)})
	must(t, err)
	defer stream.Body.Close()
	h.gateway.sweep(time.Now())
	if len(up.all("DELETE")) != 0 {
		t.Error("something in use was swept")
	}
	h.gateway.sweep(time.Now().Add(time.Hour))
	// The idle session's, the pooled one of the call, and that of the survey; not
	// the one whose stream is open.
	eventually(t, "their sessions with the server are ended", func() bool { return len(up.all("DELETE")) == 3 })
	if a := h.send(request{session: session, body: `{"jsonrpc":"2.0","id":4,"method":"tools/list"}`}); a.status != http.StatusNotFound {
		t.Errorf("the idle session: HTTP %d", a.status)
	}
	if a := h.send(call("greet", `{}`)); a.text() != "hello" {
		t.Errorf("after the sweep: %s", a.body)
	}
}

// TestServerThatForgetsItsSession checks that a call which a restarted server
// did not execute is repeated on a new session, under its one decision, and
// only if the tool is still the one that was decided.
func TestServerThatForgetsItsSession(t *testing.T) {
	for _, changed := range []bool{false, true} {
		forgotten := false
		up := &script{legacy: true}
		up.on = func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
			switch {
			case m.Kind == envelope.Request && forgotten:
				forgotten = false
				http.Error(w, "session not found", http.StatusNotFound)
			case m.Kind == envelope.Request:
				reply(w, m, `{"content":[{"type":"text","text":"hello"}]}`)
			}
		}
		h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
		session := h.newSession("/mcp/s", h.key)
		greet := func(id string) request {
			return request{session: session, body: `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"greet"}}`}
		}
		if a := h.send(greet("1")); a.text() != "hello" {
			t.Fatal(a.body)
		}
		forgotten = true
		if changed {
			up.setTools(`[{"name":"greet","description":"Another one.","inputSchema":{"type":"object"}}]`)
		}
		a := h.send(greet("2"))
		last := h.last("tools/call")
		if len(h.of("tools/call")) != 2 {
			t.Errorf("%d decisions for two calls", len(h.of("tools/call")))
		}
		if !changed && (a.text() != "hello" || last.outcome.Status != receipt.Succeeded) {
			t.Errorf("the repeated call: %s; recorded %+v", a.body, last.outcome)
		}
		if changed && (a.code() != codeUnavailable || last.outcome.Status != receipt.Undelivered || len(up.all("tools/call")) != 2) {
			t.Errorf("the repeated call of a changed tool: %s; recorded %+v", a.body, last.outcome)
		}
	}
}

// TestNothingIsForwardedThatIsNotRecorded checks the first law with a ledger
// that takes nothing any more.
func TestNothingIsForwardedThatIsNotRecorded(t *testing.T) {
	up := &script{}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	if a := h.send(call("greet", `{}`)); a.text() != "hello" {
		t.Fatal(a.body)
	}
	must(t, h.ledger.Close(t.Context()))
	for range 3 {
		if a := h.send(call("greet", `{}`)); a.code() != codeUnavailable {
			t.Errorf("without a ledger: HTTP %d %s", a.status, a.body)
		}
	}
	if len(up.all("tools/call")) != 1 {
		t.Errorf("the server was called %d times", len(up.all("tools/call")))
	}
}

// TestOutcomeThatCannotBeRecorded checks that an agent does not get a result
// whose outcome is not in the log.
func TestOutcomeThatCannotBeRecorded(t *testing.T) {
	h := (*house)(nil)
	up := &script{on: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		if err := h.ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
		reply(w, m, `{"content":[{"type":"text","text":"secret"}],"resultType":"complete"}`)
	}}
	h = newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	a := h.send(call("greet", `{}`))
	if a.code() != codeUnavailable || strings.Contains(a.body, "secret") || !strings.Contains(a.body, "may have happened") || !strings.HasPrefix(at(a.last(), "error", "data", "receipt").(string), "rcp_") {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}

func TestPatience(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := newPatience(time.Hour, cancel)
	p.wait(time.Millisecond, errNoInput)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errNoInput) {
		t.Errorf("lost because of %v", context.Cause(ctx))
	}
}
