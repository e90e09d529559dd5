package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/receipt"
)

// forgetful is a server with sessions that answers the next request of a method
// as one that has forgotten the session.
func forgetful(method string) (*script, *atomic.Bool) {
	forgotten := &atomic.Bool{}
	s := &script{legacy: true}
	s.refuse = func(w http.ResponseWriter, m *envelope.Message) bool {
		if m.MethodName() != method || !forgotten.CompareAndSwap(true, false) {
			return false
		}
		http.Error(w, "session not found", http.StatusNotFound)
		return true
	}
	return s, forgotten
}

func TestForgottenSessionsAreBegunAnew(t *testing.T) {
	for name, r := range map[string]request{"list": modern("tools/list", ""), "call": call("greet", `{}`), "read": modern("resources/read", `"uri":"mem://a"`), "prompts": modern("prompts/list", "")} {
		t.Run(name, func(t *testing.T) {
			up, forgotten := forgetful(r.header["Mcp-Method"])
			h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
			for range 2 {
				if a := h.send(r); a.status != http.StatusOK || a.code() != 0 {
					t.Fatalf("HTTP %d %s", a.status, a.body)
				}
				forgotten.Store(true)
			}
			if forgotten.Load() != true || len(h.of(r.header["Mcp-Method"])) != 2 {
				t.Errorf("recorded %+v", h.of(r.header["Mcp-Method"]))
			}
			h.noneOpen()
		})
	}
}

// TestReplacedServer checks that a server which comes back in another revision
// is negotiated with anew.
func TestReplacedServer(t *testing.T) {
	var legacy atomic.Bool
	old, young := &script{legacy: true}, &script{}
	old.server(t, "s")
	young.server(t, "s")
	server := serveScript(t, "s", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if modern := r.Header.Get("Mcp-Protocol-Version") >= "2026-07-28"; legacy.Load() && modern {
			http.Error(w, "what is that?", http.StatusBadRequest)
		} else if legacy.Load() {
			old.ServeHTTP(w, r)
		} else if !modern && r.Header.Get("Mcp-Session-Id") != "" {
			http.Error(w, "no sessions here", http.StatusNotFound)
		} else {
			young.ServeHTTP(w, r)
		}
	}))
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{server}}})
	for i := range 4 {
		legacy.Store(i%2 == 1)
		if a := h.send(call("greet", `{}`)); a.text() != "hello" {
			t.Errorf("turn %d: HTTP %d %s", i, a.status, a.body)
		}
	}
	if len(old.all("tools/call")) != 2 || len(young.all("tools/call")) != 2 {
		t.Errorf("the old one was called %d times, the young one %d times", len(old.all("tools/call")), len(young.all("tools/call")))
	}
}

// TestQuestionOutsideOfCalls follows what a server asks of a session when no
// call runs: it reaches the agent that listens, and lapses when nobody answers.
func TestQuestionOutsideOfCalls(t *testing.T) {
	up := newAnnouncing(true)
	answers := make(chan string, 4)
	other := up.on
	up.on = func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
		if m.Kind == envelope.Response {
			answers <- string(m.Raw())
		}
		other(w, r, m)
	}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{InputWait: 300 * time.Millisecond}}})
	session := h.newSession("/mcp/s", h.key)
	resp, err := h.start(t.Context(), request{method: http.MethodGet, session: session})
	must(t, err)
	defer resp.Body.Close()
	events := json.NewDecoder(&dataLines{r: resp.Body})
	eventually(t, "both streams are open", func() bool { return up.open() == 2 })
	ask := func(id int) string {
		// The survey's connection gets it too, and has nobody to ask.
		up.announce(fmt.Sprintf(`raw {"jsonrpc":"2.0","id":%d,"method":"roots/list"}`, id))
		if got := <-answers; !strings.Contains(got, "-32601") {
			t.Errorf("the survey's connection answered %s", got)
		}
		var question struct{ ID, Method string }
		must(t, events.Decode(&question))
		if question.Method != "roots/list" {
			t.Errorf("the agent is asked %+v", question)
		}
		return question.ID
	}
	h.send(request{session: session, body: `{"jsonrpc":"2.0","id":"` + ask(7) + `","result":{"roots":[]}}`})
	if got := <-answers; got != `{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}` {
		t.Errorf("the server was answered %s", got)
	}
	ask(8)
	if got := <-answers; !strings.Contains(got, `"id":8`) || !strings.Contains(got, "-32001") {
		t.Errorf("the server was answered %s", got)
	}
	got := h.of("roots/list")
	if len(got) != 2 || got[0].outcome.Status != receipt.Succeeded || got[1].outcome.Status != receipt.TimedOut {
		t.Errorf("recorded %+v", got)
	}
}

// TestConnectionsOfOneAgent checks that an agent which declares ever other
// capabilities does not start processes without end.
func TestConnectionsOfOneAgent(t *testing.T) {
	up := &script{legacy: true}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	for i := range 3 * poolPerAgent {
		r := call("greet", `{}`)
		r.body = strings.Replace(r.body, `"roots":{}`, fmt.Sprintf(`"x%d":{}`, i), 1)
		if a := h.send(r); a.text() != "hello" {
			t.Fatalf("HTTP %d %s", a.status, a.body)
		}
	}
	h.gateway.pool.mu.Lock()
	defer h.gateway.pool.mu.Unlock()
	if n := len(h.gateway.pool.entries); n > poolPerAgent+1 {
		t.Errorf("%d connections", n)
	}
}
