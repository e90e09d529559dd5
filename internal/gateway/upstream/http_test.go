package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// fake is a server over HTTP whose answers a test writes by itself. It speaks
// the stateless revision unless legacy.
type fake struct {
	legacy  bool
	session string
	answer  func(w http.ResponseWriter, r *http.Request, m *envelope.Message)
	get     http.HandlerFunc
	seen    atomic.Int64
	notes   chan string
}

const discovered = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}`

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.seen.Add(1)
	if r.Method != http.MethodPost {
		if f.get != nil && r.Method == http.MethodGet {
			f.get(w, r)
			return
		}
		http.Error(w, "no", http.StatusMethodNotAllowed)
		return
	}
	body, _ := io.ReadAll(r.Body)
	m, err := envelope.Parse(body, envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 64})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch method := m.MethodName(); {
	case m.Kind != envelope.Request:
		if f.notes != nil {
			f.notes <- string(body)
		}
		w.WriteHeader(http.StatusAccepted)
	case method == "server/discover" && !f.legacy:
		w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(discovered)))
	case method == "server/discover":
		http.Error(w, "session required", http.StatusBadRequest)
	case method == "initialize":
		w.Header().Set(headerSession, f.session)
		w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(initialized)))
	default:
		f.answer(w, r, &m)
	}
}

func serve(t *testing.T, h http.Handler) Config {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return Config{Name: "fake", URL: server.URL, ConnectTimeout: 10 * time.Second, Limits: Limits{MessageBytes: 2 << 20, Depth: 64, MessagesPerCall: 50}}
}

func result(w http.ResponseWriter, m *envelope.Message, result string) {
	w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(result)))
}

func TestHTTPNegotiates(t *testing.T) {
	sdk := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
	get := func(*http.Request) *mcp.Server { return sdk }
	tests := []struct {
		name    string
		h       http.Handler
		version string
		shared  bool
	}{
		{"stateless SDK", mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{Stateless: true}), Modern, true},
		{"SDK with sessions", mcp.NewStreamableHTTPHandler(get, nil), Legacy, false},
		{"stateless", &fake{}, Modern, true},
		{"with sessions", &fake{legacy: true, session: "s-1"}, "2025-06-18", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := open(t, newServer(t, serve(t, test.h), nil), Opening{Standalone: true})
			if l.Peer().Version != test.version || l.Shared() != test.shared {
				t.Errorf("agreed on %s, shared %v", l.Peer().Version, l.Shared())
			}
		})
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	big := func(n int) string { return `{"x":"` + strings.Repeat("x", n) + `"}` }
	events := func(w http.ResponseWriter, f string, args ...any) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, f, args...)
	}
	tests := []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request, m *envelope.Message)
		want   string
	}{
		{"not JSON", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) { io.WriteString(w, `{"jsonrpc":`) }, "not a valid message"},
		{"not a message", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) { io.WriteString(w, `{"hello":1}`) }, "not a valid message"},
		{"another's answer", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			io.WriteString(w, `{"jsonrpc":"2.0","id":99,"result":{}}`)
		}, "not the response"},
		{"too large", func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) { result(w, m, big(2<<20)) }, "more than 2097152 bytes"},
		{"too large and endless", func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		}, "more than 2097152 bytes"},
		{"too deep", func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
			result(w, m, strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))
		}, "not a valid message"},
		{"HTML", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<html>`)
		}, "neither JSON nor an event stream"},
		{"HTTP error", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			http.Error(w, "internal secret", 500)
		}, "HTTP status 500"},
		{"credentials refused", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			http.Error(w, "who?", http.StatusUnauthorized)
		}, "does not accept the gateway's credentials"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"jsonrpc"`)
			panic(http.ErrAbortHandler)
		}, "broke off"},
		{"stream without a response", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			events(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n")
		}, "ended the stream of a call without a response"},
		{"event that is no message", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) { events(w, "data: {{\n\n") }, "not a valid message"},
		{"event that is too large", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			events(w, "data: %s\n\n", big(3<<20))
		}, "more than 2097152 bytes"},
		{"flood", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			for range 1000 {
				events(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n")
			}
		}, "more than 50 messages"},
		{"response to nothing", func(w http.ResponseWriter, _ *http.Request, _ *envelope.Message) {
			events(w, "data: {\"jsonrpc\":\"2.0\",\"id\":12345,\"result\":{}}\n\n")
		}, "was not asked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, serve(t, &fake{answer: test.answer}), nil)
			l := open(t, s, Opening{})
			before := s.budget.free
			a, err := ask(t.Context(), l, "tools/call", []byte(`{}`), nil)
			if err == nil {
				t.Fatalf("it was taken for %s", a.Message.Raw())
			}
			code, text := aims.Public(err)
			if code != aims.Unavailable || !strings.Contains(text, test.want) || strings.Contains(text, "internal secret") {
				t.Errorf("code %s, %q", code, text)
			}
			if s.budget.free != before {
				t.Errorf("%d bytes of the budget are lost", before-s.budget.free)
			}
		})
	}
}

func TestErrorWithHTTPStatusIsTheAnswer(t *testing.T) {
	f := &fake{answer: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(envelope.EncodeError(m.Bytes(envelope.ID), -32021, "sampling?", []byte(`{"requiredCapabilities":{"sampling":{}}}`)))
	}}
	a, err := ask(t.Context(), open(t, newServer(t, serve(t, f), nil), Opening{}), "tools/call", nil, nil)
	if err != nil || string(a.Message.Bytes(envelope.ErrorCode)) != "-32021" {
		t.Errorf("got %s, %v", a.Message.Raw(), err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := &fake{answer: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) { result(w, m, `{}`) }}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	cfg := serve(t, &fake{answer: func(w http.ResponseWriter, r *http.Request, _ *envelope.Message) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}})
	cfg.Credentials = []Credential{{Header: "Authorization", Prefix: "Bearer ", Secret: secret(t, "s3cr3t")}}
	_, err := ask(t.Context(), open(t, newServer(t, cfg, nil), Opening{}), "tools/call", nil, nil)
	if err == nil || other.seen.Load() != 0 {
		t.Errorf("the request went on to %s: %v", elsewhere.URL, err)
	}
}

func TestCredentialsAreReadAgainWhenTheyAreRefused(t *testing.T) {
	valid := "old"
	var bodies []string
	inner := &fake{answer: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		bodies = append(bodies, string(m.Raw()))
		result(w, m, `{}`)
	}}
	cfg := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "k "+valid {
			http.Error(w, "who?", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	cfg.Credentials = []Credential{{Header: "X-Key", Prefix: "k ", Secret: secret(t, "old")}}
	l := open(t, newServer(t, cfg, nil), Opening{})
	valid = "new"
	t.Setenv("AIMS_TEST_SECRET", "new")
	if _, err := ask(t.Context(), l, "tools/call", []byte(`{"a":1}`), nil); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 1 || !strings.Contains(bodies[0], `"a":1`) {
		t.Errorf("the server got %q", bodies)
	}
}

func TestForgottenSession(t *testing.T) {
	f := &fake{legacy: true, session: "s-1", answer: func(w http.ResponseWriter, r *http.Request, _ *envelope.Message) {
		http.Error(w, "session not found", http.StatusNotFound)
	}}
	l := open(t, newServer(t, serve(t, f), nil), Opening{})
	if _, err := ask(t.Context(), l, "tools/call", nil, nil); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
	select {
	case <-l.Done():
	default:
		t.Error("the link counts as usable")
	}
}

func TestBrokenStreamIsResumed(t *testing.T) {
	var id string
	f := &fake{legacy: true, session: "s-1"}
	f.answer = func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		id = string(m.Bytes(envelope.ID))
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "id: 0\nretry: 1\ndata:\n\nid: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n")
	}
	f.get = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") != "1" || r.Header.Get(headerSession) != "s-1" {
			t.Errorf("resumed after %q in %q", r.Header.Get("Last-Event-ID"), r.Header.Get(headerSession))
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"late\":true}}\n\n", id)
	}
	l := open(t, newServer(t, serve(t, f), nil), Opening{})
	heard := 0
	a, err := ask(t.Context(), l, "tools/call", nil, func(*envelope.Message) error { heard++; return nil })
	if err != nil || string(a.Message.Bytes(envelope.Result)) != `{"late":true}` || heard != 1 {
		t.Errorf("got %s after %d messages, %v", a.Message.Raw(), heard, err)
	}
}

func TestServersOwnStream(t *testing.T) {
	f := &fake{legacy: true, session: "s-1", notes: make(chan string, 8)}
	f.get = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	heard := make(chan string, 8)
	open(t, newServer(t, serve(t, f), nil), Opening{Standalone: true, Events: func(_ Link, m *envelope.Message) { heard <- m.MethodName() }})
	if got := <-heard; got != "notifications/tools/list_changed" {
		t.Errorf("heard %s", got)
	}
	if got := []string{<-f.notes, <-f.notes}; !strings.Contains(got[0], "notifications/initialized") || got[1] != `{"jsonrpc":"2.0","id":"p","result":{}}` {
		t.Errorf("the server was told %q", got)
	}
}

func TestCancelledCall(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		t.Run(fmt.Sprintf("legacy %v", legacy), func(t *testing.T) {
			entered, left := make(chan struct{}), make(chan struct{})
			f := &fake{legacy: legacy, notes: make(chan string, 8)}
			f.answer = func(_ http.ResponseWriter, r *http.Request, _ *envelope.Message) {
				close(entered)
				<-r.Context().Done()
				close(left)
			}
			l := open(t, newServer(t, serve(t, f), nil), Opening{})
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-entered; cancel(why) }()
			if _, err := ask(ctx, l, "tools/call", nil, nil); !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			<-left
			if !legacy {
				return
			}
			<-f.notes // initialized
			if got := <-f.notes; !strings.Contains(got, `"notifications/cancelled"`) || !strings.Contains(got, `"requestId":3`) {
				t.Errorf("the server was told %s", got)
			}
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	connections := map[string]bool{}
	f := &fake{answer: func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
		connections[r.RemoteAddr] = true
		if len(m.Bytes(envelope.ID))%2 == 0 {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", envelope.EncodeResult(m.Bytes(envelope.ID), []byte(`{}`)))
			return
		}
		result(w, m, `{}`)
	}}
	l := open(t, newServer(t, serve(t, f), nil), Opening{})
	for range 30 {
		// Each call has a context of its own that ends with it, as an agent's request has.
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := ask(ctx, l, "tools/call", nil, nil); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if len(connections) > 3 {
		t.Errorf("%d connections for 30 calls one after the other", len(connections))
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing": {}, "both": {Command: "a", URL: "http://a"}, "no scheme": {URL: "localhost:1"}, "other scheme": {URL: "file:///etc/passwd"},
		"password": {URL: "http://user:s3cr3t@localhost/"},
	} {
		_, err := New(cfg, NewBudget(1, time.Minute), slog.New(slog.DiscardHandler), time.Now)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
