package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
)

// FuzzPost sends any body with any headers. Whatever it is, the answer is one
// JSON-RPC message, and the server hears only what is a call of its tool.
func FuzzPost(f *testing.F) {
	up := &script{capabilities: `{"tools":{}}`}
	h := newHouse(f, houseOptions{config: Config{Servers: []Server{up.server(f, "s")}}})
	f.Add(call("greet", `{}`).body, "2026-07-28", "tools/call", "greet")
	f.Add(modern("server/discover", "").body, "2026-07-28", "server/discover", "")
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`, "", "", "")
	f.Add(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, "2025-11-25", "", "")
	f.Add(`[{}]`, "x", "y", "=?base64?eg==?=")
	f.Add(`{"jsonrpc":"2.0","id":1,"result":{}}`, "2026-07-28", "", "")
	f.Fuzz(func(t *testing.T, body, version, method, name string) {
		heard := len(up.all("tools/call"))
		r := httptest.NewRequest(http.MethodPost, "/mcp/s", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+h.key)
		for header, value := range map[string]string{"Mcp-Protocol-Version": version, "Mcp-Method": method, "Mcp-Name": name} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		w := httptest.NewRecorder()
		h.gateway.ServeHTTP(w, r)
		if session := w.Header().Get("Mcp-Session-Id"); session != "" {
			d := httptest.NewRequest(http.MethodDelete, "/mcp/s", nil)
			d.Header.Set("Authorization", "Bearer "+h.key)
			d.Header.Set("Mcp-Session-Id", session)
			h.gateway.ServeHTTP(httptest.NewRecorder(), d)
		}
		if w.Code == http.StatusAccepted {
			return
		}
		answer := w.Body.String()
		if w.Header().Get("Content-Type") == "text/event-stream" {
			return
		}
		m, err := envelope.Parse([]byte(answer), anySize)
		if err != nil || m.Kind != envelope.Response {
			t.Fatalf("HTTP %d with %q: %v", w.Code, answer, err)
		}
		if len(up.all("tools/call")) == heard {
			return
		}
		sent, err := envelope.Parse([]byte(body), anySize)
		if got, _ := sent.Text(envelope.Name); err != nil || got != "greet" || sent.MethodName() != "tools/call" || method != "tools/call" || name != "greet" {
			t.Fatalf("%q with the headers %q and %q reached the server", body, method, name)
		}
	})
}

// FuzzState offers any state for one that is open.
func FuzzState(f *testing.F) {
	s, err := newSeal(parkedPrefix)
	must(f, err)
	now := time.Now()
	bound := [32]byte{1}
	f.Add(s.close(ticket{expires: now.Add(time.Hour)}, [32]byte{2}))
	f.Add(s.close(ticket{expires: now.Add(-time.Hour)}, bound))
	f.Add("aims1.")
	f.Fuzz(func(t *testing.T, state string) {
		if _, err := s.open(state, bound, now); err == nil {
			t.Fatalf("%q opened", state)
		}
	})
}

// FuzzHeaderText reads any header, and what is written comes back.
func FuzzHeaderText(f *testing.F) {
	f.Add("plain")
	f.Add("=?base64?YQ==?=")
	f.Add(" ü\n")
	f.Fuzz(func(t *testing.T, s string) {
		envelope.HeaderText(s)
		if got, ok := envelope.HeaderText(envelope.HeaderValue(s)); !ok || got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

// FuzzTemplate compiles any URI template.
func FuzzTemplate(f *testing.F) {
	f.Add("file:///{+path}{?a,b*}")
	f.Add("{}{{}}(")
	f.Fuzz(func(t *testing.T, template string) {
		pattern := templatePattern(template)
		if pattern != nil && !strings.ContainsAny(template, "{}\n") && !pattern.MatchString(template) {
			t.Fatalf("%q does not match itself", template)
		}
	})
}

// FuzzInputRequests reads any input_required result.
func FuzzInputRequests(f *testing.F) {
	f.Add([]byte(`{"inputRequests":{"a":{"method":"roots/list","params":{}}}}`))
	f.Add([]byte(`{"inputRequests":{"a":{"method":"roots/list","Method":"x"}}}`))
	f.Add([]byte(`{"inputRequests":[]}`))
	f.Fuzz(func(t *testing.T, result []byte) {
		m, err := envelope.Parse(envelope.EncodeResult([]byte("1"), result), envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 64})
		if err != nil {
			return
		}
		asked, err := (&server{name: "s"}).inputRequests(&m)
		if err != nil {
			return
		}
		for _, a := range asked {
			if len(asked) > maxInputs || a.method == "" || !json.Valid(a.params) {
				t.Fatalf("read %+v", asked)
			}
		}
	})
}
