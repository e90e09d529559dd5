package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
	"aims/receipt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// holding lets calls be made, and holds those that say large.
const holding = `@id("all") permit (principal, action, resource);
@id("large") @reason("Large greetings need a manager.") @hold("manager")
forbid (principal, action in [Action::"s___greet", Action::"f___greet"], resource) when { context.input has text && context.input.text like "large*" }
unless { context has approval && context.approval.roles.contains("manager") };`

func newHolding(t testing.TB, up Server, limits Limits, waiting hold.Options) *house {
	or(&limits.HoldWait, 10*time.Millisecond)
	text := strings.ReplaceAll(holding, `[Action::"s___greet", Action::"f___greet"]`, `[Action::"`+up.Name+`___greet"]`)
	return newHouse(t, houseOptions{policies: text, config: Config{Servers: []Server{up}, Limits: limits}, waiting: waiting})
}

// canOpen makes a request one of a program that can open an address.
func canOpen(r request) request {
	r.body = strings.Replace(r.body, `"elicitation":{}`, `"elicitation":{"url":{}}`, 1)
	return r
}

// again is the request with the state of an answer.
func again(r request, a answer, action string) request {
	state, _ := at(a.last(), "result", "requestState").(string)
	r.body = strings.Replace(r.body, `"params":{`, `"params":{"requestState":"`+state+`","inputResponses":{"approve":{"action":"`+action+`"}},`, 1)
	return r
}

func with(r request, headers ...string) request {
	h := map[string]string{}
	for name, value := range r.header {
		h[name] = value
	}
	for i := 0; i < len(headers); i += 2 {
		h[headers[i]] = headers[i+1]
	}
	r.header = h
	return r
}

// A state is good for the request that it was made for, once, in time, and
// does not stand for an approval.
func TestStateOfAHeldCallIsForNothingElse(t *testing.T) {
	large := canOpen(call("greet", `{"text":"large"}`))
	for name, attack := range map[string]func(h *house, first answer) request{
		"changed arguments": func(_ *house, a answer) request {
			return again(canOpen(call("greet", `{"text":"large sum"}`)), a, "accept")
		},
		"an argument more": func(_ *house, a answer) request {
			return again(canOpen(call("greet", `{"text":"large","to":"x"}`)), a, "accept")
		},
		"allowed arguments": func(_ *house, a answer) request {
			return again(canOpen(call("greet", `{"text":"small"}`)), a, "accept")
		},
		"another principal": func(h *house, a answer) request { r := again(large, a, "accept"); r.key = h.other; return r },
		"another session":   func(_ *house, a answer) request { return with(again(large, a, "accept"), "Aims-Session", "s-2") },
		"another endpoint":  func(_ *house, a answer) request { r := again(large, a, "accept"); r.path = "/mcp"; return r },
		"a state of its own": func(_ *house, a answer) request {
			return again(large, answer{messages: []map[string]any{{"result": map[string]any{"requestState": "aims-hold1.AAAA"}}}}, "accept")
		},
		"replayed": func(h *house, a answer) request {
			r := again(large, a, "accept")
			if got := h.send(r); got.text() != "hello" {
				h.t.Fatalf("the first time: %s", got.body)
			}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			up := &script{}
			h := newHolding(t, up.server(t, "s"), Limits{}, hold.Options{})
			first := h.send(large)
			if at(first.last(), "result", "resultType") != "input_required" {
				t.Fatalf("HTTP %d %s", first.status, first.body)
			}
			h.vote(true)
			r := attack(h, first)
			heard := len(up.all("tools/call"))
			a := h.send(r)
			if a.status != http.StatusBadRequest || a.code() != envelope.CodeInvalidParams {
				t.Errorf("HTTP %d %s", a.status, a.body)
			}
			if all := h.records(); all[len(all)-1].kind != receipt.RefusalKind || at(a.last(), "error", "data", "receipt") != all[len(all)-1].ID {
				t.Errorf("recorded %+v", all[len(all)-1].Decision)
			}
			if len(up.all("tools/call")) != heard {
				t.Error("the server was called")
			}
		})
	}
}

// An approval is for the call of one agent in one session; a grant in between
// changes nothing for others.
func TestGrantIsForOneSession(t *testing.T) {
	up := &script{}
	h := newHolding(t, up.server(t, "s"), Limits{}, hold.Options{})
	large := call("greet", `{"text":"large"}`)
	h.send(with(large, "Aims-Session", "s-1"))
	h.vote(true)
	for _, r := range []request{large, with(large, "Aims-Session", "s-2"), {body: large.body, header: large.header, key: h.other}} {
		if a := h.send(r); at(a.last(), "result", "isError") != true || len(up.all("tools/call")) != 0 {
			t.Errorf("released: %s", a.body)
		}
	}
	if a := h.send(with(large, "Aims-Session", "s-1")); a.text() != "hello" {
		t.Errorf("its own: %s", a.body)
	}
}

// While a call waits, its agent can be cut off: then nothing goes on.
func TestNothingGoesOnForWhoHasLeft(t *testing.T) {
	for name, leave := range map[string]func(h *house, session string, cancel func()){
		"the connection is lost": func(_ *house, _ string, cancel func()) { cancel() },
		"the call is cancelled": func(h *house, session string, _ func()) {
			h.send(request{session: session, body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`})
		},
		"the session is ended": func(h *house, session string, _ func()) { h.send(request{method: http.MethodDelete, session: session}) },
		"the gateway stops":    func(h *house, _ string, _ func()) { h.gateway.Close(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			up := &script{legacy: true}
			h := newHolding(t, up.server(t, "s"), Limits{StopGrace: time.Minute}, hold.Options{})
			session := h.openingSession()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := h.start(ctx, request{session: session, body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{"text":"large"}}}`})
			must(t, err)
			defer resp.Body.Close()
			eventually(t, "the call waits", func() bool { return h.gateway.Held.Waiting() == 1 })
			leave(h, session, cancel)
			eventually(t, "nobody waits any more", func() bool { return h.gateway.Held.Waiting() == 0 })
			h.vote(true) // the approval stayed open
			eventually(t, "nothing is under way", func() bool {
				h.gateway.running.mu.Lock()
				defer h.gateway.running.mu.Unlock()
				return h.gateway.running.all == 0
			})
			if len(up.all("tools/call")) != 0 {
				t.Error("the server was called")
			}
			if got := h.last("tools/call"); got.kind != receipt.RefusalKind {
				t.Errorf("recorded %+v", got.Decision)
			}
		})
	}
}

// openingSession is a session of a program that can open an address.
func (h *house) openingSession() string {
	h.t.Helper()
	a := h.send(request{body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}},"clientInfo":{"name":"a","version":"1"}}}`})
	if a.header.Get("Mcp-Session-Id") == "" {
		h.t.Fatalf("no session: HTTP %d %s", a.status, a.body)
	}
	return a.header.Get("Mcp-Session-Id")
}

// A key that is revoked while its call waits releases nothing.
func TestRevokedWhileItWaits(t *testing.T) {
	up := &script{}
	h := newHolding(t, up.server(t, "s"), Limits{HoldWait: 20 * time.Second}, hold.Options{})
	large := canOpen(call("greet", `{"text":"large"}`))
	first := h.send(large)
	done := make(chan answer, 1)
	go func() { done <- h.send(again(large, first, "accept")) }()
	eventually(t, "the call waits", func() bool { return h.gateway.Held.Waiting() == 1 })
	h.revoke("alice")
	h.vote(true)
	if a := <-done; a.status != http.StatusUnauthorized || len(up.all("tools/call")) != 0 {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}

// A grant wakes a call that waits at once, and the wait has held no connection.
func TestGrantWakesTheCall(t *testing.T) {
	up := &script{legacy: true}
	h := newHolding(t, up.server(t, "s"), Limits{HoldWait: time.Hour}, hold.Options{})
	large := canOpen(call("greet", `{"text":"large"}`))
	first := h.send(large)
	done := make(chan answer, 1)
	go func() { done <- h.send(again(large, first, "accept")) }()
	eventually(t, "the call waits", func() bool { return h.gateway.Held.Waiting() == 1 })
	h.gateway.pool.mu.Lock()
	for _, e := range h.gateway.pool.entries {
		if e.uses != 0 {
			t.Error("a call that waits uses a connection")
		}
	}
	h.gateway.pool.mu.Unlock()
	h.vote(true)
	if a := <-done; a.text() != "hello" {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}

// What a program answers to the question decides nothing, whatever it is.
func TestAnsweringIsNoApproval(t *testing.T) {
	up := &script{}
	h := newHolding(t, up.server(t, "s"), Limits{}, hold.Options{})
	large := canOpen(call("greet", `{"text":"large"}`))
	a := h.send(large)
	for _, action := range []string{"accept", "approve", "granted"} {
		a = h.send(again(large, a, action))
		if a.text() == "hello" || len(up.all("tools/call")) != 0 {
			t.Fatalf("%s released it: %s", action, a.body)
		}
		if at(a.last(), "result", "resultType") != "input_required" {
			a = h.send(large)
		}
	}
	if got := h.pending(); got.State != approval.Pending || len(got.Votes) != 0 {
		t.Errorf("the approval is %+v", got)
	}
}

// Calls that wait are bounded, for one agent and for all: those beyond are
// answered at once, and a stop ends them all.
func TestFloodOfHeldCallsIsBounded(t *testing.T) {
	const calls, most = 10_000, 40
	up := &script{}
	h := newHolding(t, up.server(t, "s"), Limits{HoldWait: time.Hour, Running: calls, StopGrace: time.Minute}, hold.Options{PerActor: most, All: most + 10})
	large := canOpen(call("greet", `{"text":"large"}`))
	serve := func(r request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		q := httptest.NewRequest(http.MethodPost, "/mcp/s", strings.NewReader(r.body))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Accept", "application/json, text/event-stream")
		q.Header.Set("Authorization", "Bearer "+h.key)
		for name, value := range r.header {
			q.Header.Set(name, value)
		}
		h.gateway.ServeHTTP(w, q)
		return w
	}
	states := make(chan answer, maxHeld)
	for range maxHeld {
		states <- h.send(large)
	}
	close(states)
	var wg sync.WaitGroup
	var mu sync.Mutex
	at503 := 0
	for a := range states {
		wg.Go(func() {
			w := serve(again(large, a, "accept"))
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(w.Body.String(), "stays open") {
				at503++
			}
		})
	}
	eventually(t, "as many wait as may", func() bool { return h.gateway.Held.Waiting() == most })
	var flood sync.WaitGroup
	turns := make(chan struct{}, 64)
	for range calls {
		turns <- struct{}{}
		flood.Go(func() { serve(large); <-turns })
	}
	flood.Wait() // none of them waited
	if n := h.gateway.Held.Waiting(); n != most {
		t.Errorf("%d calls wait", n)
	}
	h.gateway.held.mu.Lock()
	if n := len(h.gateway.held.calls); n > maxHeld || len(h.gateway.held.of) > 1 {
		t.Errorf("%d held calls are remembered", n)
	}
	h.gateway.held.mu.Unlock()
	h.gateway.Close(t.Context())
	wg.Wait()
	if at503 != most || len(up.all("tools/call")) != 0 {
		t.Errorf("%d calls were told of the stop; the server was called %d times", at503, len(up.all("tools/call")))
	}
}

// The official client, with a user who opens the page.
func TestHeldCallOfTheSDK(t *testing.T) {
	for _, version := range []string{upstream.Modern, upstream.Legacy} {
		for _, kind := range []string{"stateless HTTP", "HTTP with sessions", "pipes"} {
			t.Run(version+"/"+kind, func(t *testing.T) {
				h := newHolding(t, startUpstream(t, kind), Limits{HoldWait: 20 * time.Second}, hold.Options{})
				opened := make(chan string, 8)
				client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, &mcp.ClientOptions{
					Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
					ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						opened <- r.Params.URL
						return &mcp.ElicitResult{Action: "accept"}, nil
					},
				})
				session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
					Endpoint: h.url + "/mcp/f", HTTPClient: &http.Client{Transport: bearer{h.key, http.DefaultTransport}},
				}, &mcp.ClientSessionOptions{ProtocolVersion: version})
				must(t, err)
				defer session.Close()
				a := &agent{ClientSession: session}
				go func() {
					if url := <-opened; url == hold.URL("https://aims.example.com", h.pending().ID) {
						h.vote(true)
					}
				}()
				if got := a.call(t, "greet", map[string]any{"text": "large"}); said(got) != "hello large" {
					t.Errorf("said %q, %+v", said(got), got)
				}
				if got := h.last("tools/call"); got.Approval == "" || got.outcome.Status != receipt.Succeeded {
					t.Errorf("recorded %+v", got.Decision)
				}
				go func() {
					<-opened
					h.vote(false)
				}()
				if got := a.call(t, "greet", map[string]any{"text": "large again"}); !got.IsError || !strings.Contains(said(got), "was denied") {
					t.Errorf("said %q", said(got))
				}
				session.Close()
				h.noneOpen()
			})
		}
	}
}

// A declaration is taken in any form or refused with a receipt; none reaches a server.
func TestMalformedDeclarations(t *testing.T) {
	up := &script{}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{RequestBytes: 4 << 20}}})
	meta := func(value string) request {
		r := call("greet", `{}`)
		r.body = strings.Replace(r.body, `"_meta":{`, `"_meta":{"aims/session":`+value+`,`, 1)
		return r
	}
	for name, test := range map[string]struct {
		r    request
		code int
	}{
		"a string":             {meta(`"s-1"`), -32602},
		"null":                 {meta(`null`), -32602},
		"a list":               {meta(`[]`), -32602},
		"a purpose of numbers": {meta(`{"purpose":7}`), -32602},
		"a purpose of null":    {meta(`{"purpose":null}`), -32602},
		"an unknown member":    {meta(`{"Purpose":"paying"}`), -32602},
		"twice":                {meta(`{"purpose":"paying","purpose":"reading"}`), -32600},
		"its name in capitals": {func() request {
			r := meta(`{"purpose":"paying"}`)
			r.body = strings.Replace(r.body, "aims/session", "aims/Session", 1)
			return r
		}(), -32600},
		"a long purpose":          {meta(`{"purpose":"` + strings.Repeat("p", 300) + `"}`), -32602},
		"a long session":          {meta(`{"session":"` + strings.Repeat("p", 300) + `"}`), -32602},
		"a prompt of 2 MiB":       {meta(`{"prompt":"` + strings.Repeat("p", 2<<20) + `"}`), -32602},
		"an unknown parent":       {meta(`{"parent":"` + aims.NewID("rcp") + `"}`), -32003},
		"no parent's id":          {meta(`{"parent":"x"}`), -32003},
		"two headers":             {with(meta(`{}`), "Aims-Purpose", "=?base64?!?="), -32020},
		"a header that disagrees": {with(meta(`{"session":"a"}`), "Aims-Session", "b"), -32020},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.send(test.r)
			if a.code() != test.code {
				t.Errorf("HTTP %d with %d, want %d: %s", a.status, a.code(), test.code, a.body[:min(len(a.body), 500)])
			}
			all := h.records()
			if last := all[len(all)-1]; last.kind != receipt.RefusalKind || at(a.last(), "error", "data", "receipt") != last.ID {
				t.Errorf("recorded %+v; answered %s", last.Decision, a.body)
			}
			if len(up.all("tools/call")) != 0 {
				t.Error("the server was called")
			}
		})
	}
}

// What is said with each request is recorded once.
func TestDeclarationIsRecordedOnce(t *testing.T) {
	up := &script{}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	r := with(call("greet", `{}`), "Aims-Session", "s-1", "Aims-Purpose", "paying", "Aims-On-Behalf-Of", "ann")
	r.body = strings.Replace(r.body, `"_meta":{`, `"_meta":{"aims/session":{"prompt":"Pay."},`, 1)
	for range 5 {
		if a := h.send(r); a.text() != "hello" {
			t.Fatal(a.body)
		}
	}
	if got := h.events("session."); len(got) != 1 {
		t.Errorf("%d declarations are recorded", len(got))
	}
	r.body = strings.Replace(r.body, "Pay.", "Pay more.", 1)
	if a := h.send(r); a.text() != "hello" || len(h.events("session.")) != 2 {
		t.Errorf("another prompt: %s", a.body)
	}
	// A second purpose in the same session is refused, a first one in another is not.
	if a := h.send(with(r, "Aims-Purpose", "reading")); a.code() != codeRefused {
		t.Errorf("a second purpose: %s", a.body)
	}
	if a := h.send(with(r, "Aims-Purpose", "reading", "Aims-Session", "s-2")); a.text() != "hello" {
		t.Errorf("in another session: %s", a.body)
	}
	for _, m := range up.all("tools/call") {
		if strings.Contains(m.body, "aims/") || strings.Contains(fmt.Sprint(m.header), "Aims-") {
			t.Fatalf("the server hears of it: %s %v", m.body, m.header)
		}
	}
}

// BenchmarkSaidAgain is what a client costs that says the same with each request.
func BenchmarkSaidAgain(b *testing.B) {
	up := &script{}
	h := newHouse(b, houseOptions{config: Config{Servers: []Server{up.server(b, "s")}}})
	d := enforcement.Declaration{
		Principal: identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "alice"}}, Session: "s", Channel: enforcement.MCP,
		Purpose: "paying", OnBehalfOf: "ann", Prompt: strings.Repeat("Pay the bills. ", 60),
	}
	if id, err := h.enforcer.Declare(b.Context(), d); err != nil || id == "" {
		b.Fatal(id, err)
	}
	for b.Loop() {
		if id, err := h.enforcer.Declare(b.Context(), d); err != nil || id != "" {
			b.Fatal(id, err)
		}
	}
}

// An answer to the server that is held reaches it as the agent gave it.
func TestHeldAnswerToAServer(t *testing.T) {
	up := &script{}
	h := newHolding(t, up.server(t, "s"), Limits{}, hold.Options{})
	large := canOpen(call("greet", `{"text":"large"}`))
	answering := large
	answering.body = strings.Replace(large.body, `"params":{`, `"params":{"inputResponses":{"name":{"action":"accept"}},"requestState":"half way",`, 1)
	first := h.send(answering)
	h.vote(true)
	if a := h.send(again(large, first, "accept")); a.text() != "hello" {
		t.Fatalf("HTTP %d %s", a.status, a.body)
	}
	got := up.all("tools/call")
	if len(got) != 1 || !strings.Contains(got[0].body, `"requestState":"half way"`) || !strings.Contains(got[0].body, `{"name":{"action":"accept"}}`) || strings.Contains(got[0].body, approveKey) {
		t.Errorf("the server got %+v", got)
	}
	// What is too long to be kept is not: the agent makes the same call again.
	answering.body = strings.Replace(answering.body, "half way", strings.Repeat("x", maxCarried), 1)
	if a := h.send(answering); at(a.last(), "result", "isError") != true || !strings.Contains(a.text(), "make the same call again") {
		t.Errorf("HTTP %d %s", a.status, a.body)
	}
}
