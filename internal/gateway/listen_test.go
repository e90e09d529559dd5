package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"aims/internal/gateway/envelope"
	"aims/internal/identity"
	"aims/receipt"
)

// announcing is a server that announces what a test tells it to: on the stream
// of every session when it has sessions, otherwise on each subscriptions/listen.
type announcing struct {
	*script
	mu      sync.Mutex
	streams map[chan string]bool
}

func newAnnouncing(legacy bool) *announcing {
	a := &announcing{script: library(legacy, `{"uri":"doc://a","name":"a"}`, ``), streams: map[chan string]bool{}}
	other := a.on
	a.get = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		a.stream(w, r, `"x":1`)
	}
	a.on = func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
		switch m.MethodName() {
		case "subscriptions/listen":
			id := string(m.Bytes(envelope.ID))
			at, _ := m.Member(envelope.Params, "notifications")
			meta := `"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}`
			event(w, []byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":`+string(m.Raw()[at.Start:at.End])+`,`+meta+`}}`))
			a.stream(w, r, meta)
		case "resources/subscribe", "resources/unsubscribe":
			reply(w, m, `{}`)
		default:
			other(w, r, m)
		}
	}
	return a
}

func (a *announcing) stream(w http.ResponseWriter, r *http.Request, meta string) {
	mine := make(chan string, 8)
	a.mu.Lock()
	a.streams[mine] = true
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.streams, mine)
		a.mu.Unlock()
	}()
	for {
		select {
		case params := <-mine:
			method, params, _ := cutLast(params)
			if method == "raw" {
				event(w, []byte(strings.TrimSuffix(params, ",")))
				continue
			}
			event(w, []byte(`{"jsonrpc":"2.0","method":"`+method+`","params":{`+params+meta+`}}`))
		case <-r.Context().Done():
			return
		}
	}
}

func (a *announcing) announce(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for stream := range a.streams {
		stream <- what
	}
}

func (a *announcing) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.streams)
}

func cutLast(s string) (method, params string, ok bool) {
	for i := range s {
		if s[i] == ' ' {
			return s[:i], s[i+1:] + ",", true
		}
	}
	return s, "", false
}

// TestListen opens subscriptions/listen against every kind of server.
func TestListen(t *testing.T) {
	for name, test := range map[string]struct {
		legacy bool
		path   string
	}{
		"stateless": {false, "/mcp/s"}, "with sessions": {true, "/mcp/s"}, "merged, stateless": {false, "/mcp"}, "merged, with sessions": {true, "/mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			up := newAnnouncing(test.legacy)
			h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
			streams := 1 // of the agent; a server with sessions has one of the survey's too
			if test.legacy {
				streams = 2
			}
			r := modern("subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["doc://a"]}`)
			r.path = test.path
			ctx, leave := context.WithCancel(t.Context())
			resp, err := h.start(ctx, r)
			must(t, err)
			defer resp.Body.Close()
			events := json.NewDecoder(&dataLines{r: resp.Body})
			next := func(method string) map[string]any {
				t.Helper()
				var m map[string]any
				must(t, events.Decode(&m))
				if m["method"] != method || at(m, "params", "_meta", "io.modelcontextprotocol/subscriptionId") != 1.0 {
					t.Fatalf("heard %v, want %s of subscription 1", m, method)
				}
				return m
			}
			ack := next("notifications/subscriptions/acknowledged")
			if at(ack, "params", "notifications", "toolsListChanged") != true || len(at(ack, "params", "notifications", "resourceSubscriptions").([]any)) != 1 {
				t.Errorf("acknowledged %v", ack)
			}
			eventually(t, "the server has somebody to tell", func() bool { return up.open() == streams })
			if test.legacy {
				up.announce(`notifications/prompts/list_changed`)
				up.announce(`notifications/resources/updated "uri":"doc://b"`)
			}
			up.announce(`notifications/tools/list_changed`)
			next("notifications/tools/list_changed")
			up.announce(`notifications/resources/updated "uri":"doc://a"`)
			if m := next("notifications/resources/updated"); at(m, "params", "uri") != "doc://a" {
				t.Errorf("heard %v", m)
			}
			leave()
			if got := h.last("subscriptions/listen"); got.outcome == nil {
				t.Errorf("recorded %+v", got)
			}
			if test.legacy {
				eventually(t, "the resource is given up", func() bool { return len(up.all("resources/unsubscribe")) == 1 })
				if got := h.last("resources/subscribe"); got.outcome.Status != receipt.Succeeded {
					t.Errorf("recorded %+v", got.outcome)
				}
			}
			h.noneOpen()
		})
	}
}

// TestStreamOfARevokedKey checks that a key that was revoked hears nothing more.
func TestStreamOfARevokedKey(t *testing.T) {
	up := newAnnouncing(true)
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	x := &exchange{g: h.gateway}
	r, err := http.NewRequest(http.MethodGet, h.url+"/mcp/s", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+h.key)
	x.admitted = func() (identity.Principal, error) { return h.gateway.authenticate(r) }
	x.principal, err = x.admitted()
	must(t, err)
	if !x.welcome() {
		t.Error("a valid key is not welcome")
	}
	h.revoke("alice")
	if x.welcome() {
		t.Error("a revoked key is still welcome")
	}
}
