package connect

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"

	"aims/internal/gateway/envelope"
)

// modernRevision is the first revision without sessions: each request says
// for itself which revision it speaks. Revisions are dates and sort as text.
const modernRevision = "2026-07-28"

// The header fields of streamable HTTP.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-"
	headerLast    = "Last-Event-Id"
)

func modern(m *envelope.Message) bool {
	v, _ := m.Text(envelope.MetaProtocolVersion)
	return v >= modernRevision
}

// signal is an event that happens once.
type signal struct {
	once sync.Once
	done chan struct{}
}

func newSignal() *signal { return &signal{done: make(chan struct{})} }

func (s *signal) set() { s.once.Do(func() { close(s.done) }) }

// post sends one message. It returns the session that it was sent in, and sets
// sent as soon as the message is on the wire.
func (b *bridge) post(ctx context.Context, m *envelope.Message, sent *signal) (*http.Response, string, error) {
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.set() }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, b.config.URL, bytes.NewReader(m.Raw()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	session := b.address(req.Header, m)
	resp, err := b.http.Do(req)
	return resp, session, err
}

// address sets the header fields that say who speaks, in which revision and
// session, and repeats of the body what the revision wants repeated. It
// returns the session.
func (b *bridge) address(h http.Header, m *envelope.Message) string {
	b.authorize(h)
	b.config.Said.SetHeader(h)
	if version, ok := b.session.revision(m); ok {
		h.Set(headerVersion, version)
		h.Set(headerMethod, envelope.HeaderValue(m.MethodName()))
		if name, ok := named(m); ok {
			h.Set(headerName, envelope.HeaderValue(name))
		}
		b.params.set(h, m)
		return ""
	}
	if m.MethodName() == "initialize" {
		return "" // begins a session, so it is in none
	}
	return b.session.set(h)
}

func (b *bridge) authorize(h http.Header) {
	if b.config.Key != "" {
		h.Set("Authorization", "Bearer "+b.config.Key)
	}
}

// named is what the Mcp-Name header repeats of a request.
func named(m *envelope.Message) (string, bool) {
	switch m.MethodName() {
	case "tools/call", "prompts/get":
		return m.Text(envelope.Name)
	case "resources/read":
		return m.Text(envelope.URI)
	}
	return "", false
}

// discard ends a response such that its connection can be used again, unless
// there is much left of it.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
}
