package connect

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"aims/internal/gateway/envelope"
	"aims/internal/gateway/statement"
)

// What the user says of the run goes with every message, as headers.
func TestWhatIsSaidGoesWithEveryMessage(t *testing.T) {
	g := newGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		m, err := envelope.Parse(body, envelope.Limits{MaxBytes: 1 << 20, MaxDepth: 16})
		if err != nil || m.Kind != envelope.Request {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(`{"protocolVersion":"2025-11-25"}`)))
	}))
	p := piped(t, Config{URL: g.URL, Key: testKey, Said: statement.Statement{Session: "s-1", Purpose: "paying", OnBehalfOf: "Zoë", Prompt: "not as a header"}})
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a"}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
	} {
		p.send(message)
		if strings.Contains(message, `"id"`) {
			p.receive()
		}
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
	posts := g.requests("POST")
	if len(posts) != 4 {
		t.Fatalf("%d messages", len(posts))
	}
	for _, h := range posts {
		said, err := statement.FromHeader(h)
		if want := (statement.Statement{Session: "s-1", Purpose: "paying", OnBehalfOf: "Zoë"}); err != nil || said != want {
			t.Errorf("said %+v, %v", said, err)
		}
	}
}
