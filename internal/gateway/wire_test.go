package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"aims/internal/gateway/envelope"
)

// modernMeta is the _meta of the stateless revision, with the capabilities of
// an agent that can be asked everything.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"sampling":{},"roots":{}}}`

// request is a raw HTTP request of an agent. Its zero value is a call of the
// tool greet in the stateless revision.
type request struct {
	method, path, body, key string
	header                  map[string]string // "" removes
	session                 string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	// messages are the JSON-RPC messages in the body, the response last.
	messages []map[string]any
}

func modern(method, params string) request {
	if params != "" {
		params += ","
	}
	r := request{path: "/mcp/s", body: `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + modernMeta + `}}`,
		header: map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method}}
	var p struct{ Name, URI string }
	if json.Unmarshal([]byte("{"+strings.TrimSuffix(params, ",")+"}"), &p) == nil && p.Name+p.URI != "" {
		r.header["Mcp-Name"] = p.Name + p.URI
	}
	return r
}

func call(tool, arguments string) request {
	return modern("tools/call", `"name":"`+tool+`","arguments":`+arguments)
}

func (h *house) send(r request) answer {
	h.t.Helper()
	resp, err := h.start(context.Background(), r)
	must(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	for _, line := range strings.Split(a.body, "\n") {
		line = strings.TrimPrefix(line, "data: ")
		var m map[string]any
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &m) == nil {
			a.messages = append(a.messages, m)
		}
	}
	return a
}

// start sends a request and leaves the answer to be read.
func (h *house) start(ctx context.Context, r request) (*http.Response, error) {
	h.t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.path == "" {
		r.path = "/mcp/s"
	}
	if r.key == "" {
		r.key = h.key
	}
	req, err := http.NewRequestWithContext(ctx, r.method, h.url+r.path, strings.NewReader(r.body))
	must(h.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Authorization", "Bearer "+r.key)
	if r.session != "" {
		req.Header.Set("Mcp-Session-Id", r.session)
	}
	for name, value := range r.header {
		if value == "" {
			req.Header.Del(name)
		} else if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	return http.DefaultClient.Do(req)
}

// at finds something in a message.
func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func (a answer) last() map[string]any {
	if len(a.messages) == 0 {
		return nil
	}
	return a.messages[len(a.messages)-1]
}

func (a answer) code() int {
	code, _ := at(a.last(), "error", "code").(float64)
	return int(code)
}

func (a answer) text() string {
	content, _ := at(a.last(), "result", "content").([]any)
	if len(content) == 0 {
		return ""
	}
	text, _ := at(content[0], "text").(string)
	return text
}

// newSession begins a session over raw HTTP.
func (h *house) newSession(path, key string) string {
	h.t.Helper()
	a := h.send(request{path: path, key: key, body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{},"sampling":{},"roots":{}},"clientInfo":{"name":"a","version":"1"}}}`})
	if a.header.Get("Mcp-Session-Id") == "" {
		h.t.Fatalf("no session: HTTP %d %s", a.status, a.body)
	}
	return a.header.Get("Mcp-Session-Id")
}

// script is a server over HTTP that a test writes by itself, and that remembers
// what it was sent. It speaks the stateless revision unless legacy.
type script struct {
	legacy bool
	tools  string
	// capabilities are the server's; empty for some of everything.
	capabilities string
	// on answers methods that the script does not answer by itself.
	on func(w http.ResponseWriter, r *http.Request, m *envelope.Message)
	// get serves the server's own stream, paged the pages of the list of tools.
	get   http.HandlerFunc
	paged func(*envelope.Message) string
	// refuse answers in place of everything else, where it says so.
	refuse func(http.ResponseWriter, *envelope.Message) bool

	mu   sync.Mutex
	seen []sent
}

type sent struct {
	method string // of the message, or the HTTP method
	body   string
	header http.Header
}

const scriptTools = `[{"name":"greet","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]`

func (s *script) server(t testing.TB, name string) Server {
	t.Helper()
	if s.tools == "" {
		s.tools = scriptTools
	}
	return serveScript(t, name, s)
}

func serveScript(t testing.TB, name string, handler http.Handler) Server {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return overHTTP(name, server.URL)
}

func (s *script) all(method string) []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []sent
	for _, m := range s.seen {
		if m.method == method {
			found = append(found, m)
		}
	}
	return found
}

func (s *script) can() string {
	if s.capabilities != "" {
		return s.capabilities
	}
	return `{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true}}`
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, err := envelope.Parse(body, envelope.Limits{MaxBytes: 8 << 20, MaxDepth: 64})
	method := m.MethodName()
	if r.Method != http.MethodPost {
		method = r.Method
	} else if err != nil {
		panic(fmt.Sprintf("the gateway sent %s: %v", body, err))
	}
	s.mu.Lock()
	s.seen = append(s.seen, sent{method, string(body), r.Header})
	tools := s.tools
	s.mu.Unlock()
	result := func(result string) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(result)))
	}
	switch {
	case s.refuse != nil && r.Method == http.MethodPost && s.refuse(w, &m):
	case r.Method == http.MethodGet && s.get != nil:
		s.get(w, r)
	case r.Method == http.MethodDelete:
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case m.Kind != envelope.Request:
		if s.on != nil {
			s.on(w, r, &m)
		}
		w.WriteHeader(http.StatusAccepted)
	case method == "server/discover" && !s.legacy:
		result(`{"supportedVersions":["2026-07-28"],"capabilities":` + s.can() + `,"resultType":"complete"}`)
	case method == "server/discover":
		http.Error(w, "a session is required", http.StatusBadRequest)
	case method == "initialize":
		w.Header().Set("Mcp-Session-Id", "up-1")
		w.Header().Set("X-Internal", "not for agents")
		result(`{"protocolVersion":"2025-11-25","capabilities":` + s.can() + `,"serverInfo":{"name":"script","version":"1"}}`)
	case method == "tools/list" && s.paged != nil:
		result(s.paged(&m))
	case method == "tools/list":
		result(`{"tools":` + tools + `,"resultType":"complete","ttlMs":5000,"cacheScope":"public"}`)
	case s.on != nil:
		w.Header().Set("Content-Type", "application/json")
		s.on(w, r, &m)
	default:
		result(`{"content":[{"type":"text","text":"hello"}],"resultType":"complete"}`)
	}
}

func reply(w http.ResponseWriter, m *envelope.Message, result string) {
	w.Write(envelope.EncodeResult(m.Bytes(envelope.ID), []byte(result)))
}

// event writes one message of a stream.
func event(w http.ResponseWriter, message []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "data: %s\n\n", bytes.ReplaceAll(message, []byte("\n"), []byte(" ")))
	http.NewResponseController(w).Flush()
}

// dataLines are the data of a stream of events, one after the other.
type dataLines struct {
	r    io.Reader
	line []byte
	out  []byte
}

func (d *dataLines) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		var one [1]byte
		if _, err := io.ReadFull(d.r, one[:]); err != nil {
			return 0, err
		}
		if d.line = append(d.line, one[0]); one[0] != '\n' {
			continue
		}
		if data, ok := bytes.CutPrefix(d.line, []byte("data: ")); ok {
			d.out = bytes.Clone(data)
		}
		d.line = d.line[:0]
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}
