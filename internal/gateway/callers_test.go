package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
	"aims/receipt"
)

// TestCallersThatAreTurnedAway checks for each way to be wrong: the status and
// code that tell, a refusal receipt, and a server that heard nothing.
func TestCallersThatAreTurnedAway(t *testing.T) {
	up := &script{tools: `[{"name":"greet","inputSchema":{"type":"object","properties":{"text":{"type":"string"},"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}}]`}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{RequestBytes: 1 << 20, RequestDepth: 32}}})
	expired := h.newKey("late")
	greet := call("greet", `{"text":"a"}`)
	with := func(r request, header ...string) request {
		copied := map[string]string{}
		for k, v := range r.header {
			copied[k] = v
		}
		for i := 0; i < len(header); i += 2 {
			copied[header[i]] = header[i+1]
		}
		r.header = copied
		return r
	}
	body := func(b string) request { r := greet; r.body = b; return r }
	keyed := func(key string) request { r := greet; r.key = key; return r }
	tests := []struct {
		name   string
		r      request
		status int
		code   int
		cause  string // of the receipt
	}{
		{"not JSON", body(`{"jsonrpc":"2.0","id":1,`), 400, -32700, "not JSON"},
		{"two messages", body(greet.body + greet.body), 400, -32700, "not JSON"},
		{"nothing", body(``), 400, -32700, "not JSON"},
		{"batch", body(`[` + greet.body + `]`), 400, -32600, "batch"},
		{"batch bomb", body(`[` + strings.Repeat(greet.body+",", 2000) + greet.body + `]`), 400, -32600, "batch"},
		{"no method", body(`{"jsonrpc":"2.0","id":1}`), 400, -32600, "malformed message"},
		{"name twice", body(strings.Replace(greet.body, `"name":"greet"`, `"name":"greet","name":"other"`, 1)), 400, -32600, "malformed message"},
		{"name in other case", body(strings.Replace(greet.body, `"name":"greet"`, `"name":"greet","Name":"other"`, 1)), 400, -32600, "malformed message"},
		{"method in other case", body(strings.Replace(greet.body, `"method":`, `"Method":"ping","method":`, 1)), 400, -32600, "malformed message"},
		{"deep nesting", body(strings.Replace(greet.body, `"a"`, strings.Repeat(`[`, 5000)+strings.Repeat(`]`, 5000), 1)), 400, -32600, "nested too deep"},
		{"too large", body(strings.Replace(greet.body, `"a"`, `"`+strings.Repeat("a", 1<<20)+`"`, 1)), 413, -32600, "too large"},
		{"id that is no id", body(strings.Replace(greet.body, `"id":1`, `"id":{}`, 1)), 400, -32600, "malformed message"},

		{"no key", with(greet, "Authorization", ""), 401, codeUnauthenticated, "no valid credentials"},
		{"wrong key", keyed("aims_" + strings.Repeat("A", 43)), 401, codeUnauthenticated, "no valid credentials"},
		{"revoked key", keyed(expired), 401, codeUnauthenticated, "no valid credentials"},
		{"other scheme", with(greet, "Authorization", "Basic YTpi"), 401, codeUnauthenticated, "no valid credentials"},

		{"foreign host", with(greet, "Host", "evil.example.com"), 403, -32600, "foreign host"},
		{"foreign origin", with(greet, "Origin", "https://evil.example.com"), 403, -32600, "foreign origin"},
		{"null origin", with(greet, "Origin", "null"), 403, -32600, "foreign origin"},
		{"form", with(greet, "Content-Type", "application/x-www-form-urlencoded"), 415, -32600, "content type"},
		{"accepts HTML", with(greet, "Accept", "text/html"), 406, -32600, "accept header"},

		{"no version header", with(greet, "Mcp-Protocol-Version", ""), 400, -32020, "header and body disagree"},
		{"other version in the header", with(greet, "Mcp-Protocol-Version", "2025-11-25"), 400, -32020, "header and body disagree"},
		{"unknown version", with(body(strings.Replace(greet.body, "2026-07-28", "2099-01-01", 1)), "Mcp-Protocol-Version", "2099-01-01"), 400, -32022, "unsupported protocol version"},
		{"no method header", with(greet, "Mcp-Method", ""), 400, -32020, "header and body disagree"},
		{"other method in the header", with(greet, "Mcp-Method", "tools/list"), 400, -32020, "header and body disagree"},
		{"no name header", with(greet, "Mcp-Name", ""), 400, -32020, "header and body disagree"},
		{"other name in the header", with(greet, "Mcp-Name", "harmless"), 400, -32020, "header and body disagree"},
		{"parameter without its header", body(strings.Replace(greet.body, `"text":"a"`, `"region":"eu"`, 1)), 400, -32020, "header and body disagree"},
		{"other parameter in the header", with(body(strings.Replace(greet.body, `"text":"a"`, `"region":"eu"`, 1)), "Mcp-Param-Region", "us"), 400, -32020, "header and body disagree"},
		{"parameter's header without it", with(greet, "Mcp-Param-Region", "eu"), 400, -32020, "header and body disagree"},
		{"malformed parameter header", with(body(strings.Replace(greet.body, `"text":"a"`, `"region":"eu"`, 1)), "Mcp-Param-Region", "=?base64?!!?="), 400, -32020, "header and body disagree"},
		{"no capabilities", body(strings.Replace(greet.body, `"io.modelcontextprotocol/clientCapabilities"`, `"x"`, 1)), 400, -32602, "invalid parameters"},

		{"unknown method", modern("tools/steal", ""), 404, -32601, "unknown method"},
		{"method of sessions", modern("ping", ""), 404, -32601, "unknown method"},
		{"unknown tool", call("steal", `{}`), 400, -32602, "unknown tool"},
		{"arguments that are no object", call("greet", `[]`), 400, -32602, "invalid parameters"},
		{"no session", request{body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}, 400, -32600, "no session"},
		{"unknown session", request{body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, session: "nonsense"}, 404, -32600, "unknown session"},
		{"response without a session", body(`{"jsonrpc":"2.0","id":1,"result":{}}`), 400, -32600, "response without a session"},
	}
	h.revoke("late")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, heard := len(h.records()), len(up.all("tools/call"))
			a := h.send(test.r)
			if a.status != test.status || a.code() != test.code {
				t.Errorf("HTTP %d with %d, want %d with %d: %s", a.status, a.code(), test.status, test.code, a.body)
			}
			if test.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("WWW-Authenticate: %q", a.header.Get("WWW-Authenticate"))
			}
			all := h.records()
			if len(all) != before+1 {
				t.Fatalf("%d receipts for one refusal", len(all)-before)
			}
			last := all[len(all)-1]
			if last.kind != receipt.RefusalKind || last.Cause != test.cause || last.Channel != "mcp" {
				t.Errorf("recorded %s %+v", last.kind, last.Decision)
			}
			if known := test.status != 401 && test.status != 403; known != (last.Actor != nil) {
				t.Errorf("recorded of %v", last.Actor)
			}
			if len(up.all("tools/call")) != heard {
				t.Error("the server was called")
			}
		})
	}
	if a := h.send(with(body(strings.Replace(greet.body, `"text":"a"`, `"region":"ü","n":7`, 1)), "Mcp-Param-Region", "=?base64?w7w=?=", "Mcp-Param-N", "7.0")); a.text() != "hello" {
		t.Errorf("headers that agree: HTTP %d %s", a.status, a.body)
	}
	got := up.all("tools/call")
	if len(got) != 1 || got[0].header.Get("Mcp-Param-Region") != "=?base64?w7w=?=" || got[0].header.Get("Mcp-Param-N") != "7" {
		t.Errorf("the server got %+v", got)
	}
}

func (h *house) revoke(agent string) {
	h.t.Helper()
	keys, err := h.directory.Keys(context.Background())
	must(h.t, err)
	for _, k := range keys {
		if k.Actor == (aims.Actor{Type: aims.AgentType, ID: agent}) {
			must(h.t, h.directory.RevokeKey(context.Background(), aims.System, "", k.ID))
		}
	}
}

func TestSecretsStayOnTheirSide(t *testing.T) {
	t.Setenv("AIMS_TEST_SECRET", "upstream-s3cr3t")
	secret, err := identity.ParseSecret("env:AIMS_TEST_SECRET")
	must(t, err)
	must(t, secret.Resolve(t.Context()))
	up := &script{legacy: true}
	s := up.server(t, "s")
	s.Credentials = append(s.Credentials, upstreamCredential(secret))
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{s}}})
	r := call("greet", `{}`)
	r.header["Cookie"], r.header["X-Custom"] = "agent=1", "agent"
	a := h.send(r)
	if a.text() != "hello" {
		t.Fatal(a.body)
	}
	if a.header.Get("X-Internal") != "" || a.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("the server's headers reach the agent: %v", a.header)
	}
	for _, m := range up.seen {
		if m.header.Get("Authorization") != "Bearer upstream-s3cr3t" {
			t.Errorf("%s came with the credential %q", m.method, m.header.Get("Authorization"))
		}
		text := fmt.Sprint(m.header) + m.body
		if strings.Contains(text, h.key) || strings.Contains(text, "agent=1") || m.header.Get("X-Custom") != "" {
			t.Errorf("the agent's secrets reach the server: %s", text)
		}
	}
	all, err := json.Marshal(h.records())
	must(t, err)
	if strings.Contains(string(all), "s3cr3t") || strings.Contains(string(all), h.key) {
		t.Error("a secret is in the receipts")
	}
}

func TestSessionBelongsToItsAgent(t *testing.T) {
	up := &script{legacy: true}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	session := h.newSession("/mcp/s", h.key)
	list := request{session: session, body: `{"jsonrpc":"2.0","id":5,"method":"tools/list"}`}
	stolen := list
	stolen.key = h.other
	if a := h.send(stolen); a.status != http.StatusNotFound {
		t.Errorf("another agent uses the session: HTTP %d", a.status)
	}
	elsewhere := list
	elsewhere.path = "/mcp"
	if a := h.send(elsewhere); a.status != http.StatusNotFound {
		t.Errorf("the session is used at another endpoint: HTTP %d", a.status)
	}
	if a := h.send(request{method: http.MethodDelete, session: session, key: h.other}); a.status != http.StatusNotFound {
		t.Errorf("another agent ends the session: HTTP %d", a.status)
	}
	if a := h.send(list); a.status != http.StatusOK || at(a.last(), "result", "tools") == nil {
		t.Errorf("its own agent: HTTP %d %s", a.status, a.body)
	}
	if recorded := h.last("tools/list"); recorded.Session == "" || recorded.Session == session {
		t.Errorf("the receipt names the session %q", recorded.Session)
	}
	if a := h.send(request{method: http.MethodDelete, session: session}); a.status != http.StatusNoContent {
		t.Errorf("ending it: HTTP %d", a.status)
	}
	list.body = strings.Replace(list.body, "5", "6", 1)
	if a := h.send(list); a.status != http.StatusNotFound {
		t.Errorf("after its end: HTTP %d", a.status)
	}
	if len(up.all("DELETE")) != 1 {
		t.Errorf("the server's session was ended %d times", len(up.all("DELETE")))
	}
}

func TestReplayedRequest(t *testing.T) {
	up := &script{legacy: true}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	session := h.newSession("/mcp/s", h.key)
	body := func(id string) request {
		return request{session: session, body: `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"greet"}}`}
	}
	for _, id := range []string{`1`, `2`, `9`, `7`, `8`, `"a"`, `"1"`, `10`, `99999999999999999999`} {
		if a := h.send(body(id)); a.text() != "hello" {
			t.Fatalf("id %s: %s", id, a.body)
		}
	}
	heard := len(up.all("tools/call"))
	for _, id := range []string{`0`, `1`, `2`, `7`, `8`, `9`, `10`, `"a"`, `"\u0061"`, `"1"`, `99999999999999999999`} {
		a := h.send(body(id))
		if a.status != http.StatusBadRequest || a.code() != -32600 {
			t.Errorf("id %s again: HTTP %d %s", id, a.status, a.body)
		}
		if last := h.records()[len(h.records())-1]; last.kind != receipt.RefusalKind || last.Cause != "replayed request" {
			t.Errorf("recorded %+v", last.Decision)
		}
	}
	if len(up.all("tools/call")) != heard {
		t.Error("a replayed request reached the server")
	}
}

func TestTooManyAtATime(t *testing.T) {
	release := make(chan struct{})
	up := &script{on: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		<-release
		reply(w, m, `{"content":[],"resultType":"complete"}`)
	}}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{Running: 2, Sessions: 2}}})
	done := make(chan answer, 2)
	for range 2 {
		go func() { done <- h.send(call("greet", `{}`)) }()
	}
	eventually(t, "both are under way", func() bool { return len(up.all("tools/call")) == 2 })
	if a := h.send(call("greet", `{}`)); a.status != http.StatusTooManyRequests || a.code() != codeExhausted || a.header.Get("Retry-After") == "" {
		t.Errorf("the third: HTTP %d %s", a.status, a.body)
	}
	other := modern("tools/list", "")
	other.key = h.other
	if a := h.send(other); a.status != http.StatusOK {
		t.Errorf("another agent: HTTP %d %s", a.status, a.body)
	}
	close(release)
	<-done
	<-done
	h.noneOpen()
}

// TestTooManySessions checks that sessions that programs left behind make room
// for new ones, and that those in use do not.
func TestTooManySessions(t *testing.T) {
	up := &script{}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{Sessions: 2}}})
	usable := func(session, id string) bool {
		return h.send(request{session: session, body: `{"jsonrpc":"2.0","id":` + id + `,"method":"ping"}`}).status == http.StatusOK
	}
	first, second := h.newSession("/mcp/s", h.key), h.newSession("/mcp/s", h.key)
	if !usable(first, "1") {
		t.Fatal("a session cannot be used")
	}
	third := h.newSession("/mcp/s", h.key)
	if !usable(first, "2") || usable(second, "2") || !usable(third, "2") {
		t.Error("another session made room than the one that was not used for longest")
	}
	for _, session := range []string{first, third} {
		resp, err := h.start(t.Context(), request{method: http.MethodGet, session: session})
		must(t, err)
		defer resp.Body.Close()
	}
	if a := h.send(request{body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`}); a.status != http.StatusTooManyRequests {
		t.Errorf("a session beside two in use: HTTP %d %s", a.status, a.body)
	}
	h.newSession("/mcp/s", h.other)
}

// TestSlowReader checks that an agent that does not read its answer loses it
// and keeps nothing of the gateway busy.
func TestSlowReader(t *testing.T) {
	big := strings.Repeat("x", 24<<20)
	up := &script{on: func(w http.ResponseWriter, _ *http.Request, m *envelope.Message) {
		reply(w, m, `{"content":[{"type":"text","text":"`+big+`"}],"resultType":"complete"}`)
	}}
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{WriteWait: 200 * time.Millisecond}}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	must(t, err)
	defer conn.Close()
	r := call("greet", `{}`)
	fmt.Fprintf(conn, "POST /mcp/s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n", h.key)
	for name, value := range r.header {
		fmt.Fprintf(conn, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	if got := h.last("tools/call"); got.outcome.Status != receipt.Succeeded || got.outcome.Bytes < 24<<20 {
		t.Errorf("recorded %+v", got.outcome)
	}
	eventually(t, "the request is given up", func() bool {
		h.gateway.running.mu.Lock()
		defer h.gateway.running.mu.Unlock()
		return h.gateway.running.all == 0
	})
}

func TestAnonymousOnlyWithoutCredentials(t *testing.T) {
	up := &script{}
	h := newHouse(t, houseOptions{config: Config{Anonymous: "guest", Servers: []Server{up.server(t, "s")}}})
	r := call("greet", `{}`)
	r.header["Authorization"] = ""
	if a := h.send(r); a.text() != "hello" || h.last("tools/call").Actor.ID != "guest" {
		t.Errorf("without credentials: %s, recorded %+v", a.body, h.last("tools/call").Actor)
	}
	r.header["Authorization"] = "Bearer aims_wrong"
	if a := h.send(r); a.status != http.StatusUnauthorized {
		t.Errorf("with wrong credentials: HTTP %d", a.status)
	}
}

func upstreamCredential(s identity.Secret) (c upstream.Credential) {
	return upstream.Credential{Header: "Authorization", Prefix: "Bearer ", Secret: s}
}
