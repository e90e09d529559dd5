package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
)

// The revisions of the Model Context Protocol that differ for a proxy.
const (
	// Modern is the stateless revision: no handshake, every request carries its
	// version and the client's capabilities (2026-07-28).
	Modern = "2026-07-28"
	// Legacy is the newest revision with the initialize handshake (2025-11-25).
	Legacy = "2025-11-25"
)

// LegacyVersions are the revisions with a handshake that both sides of the
// gateway speak, newest first.
func LegacyVersions() []string { return []string{Legacy, "2025-06-18", "2025-03-26", "2024-11-05"} }

func isLegacy(version string) bool { return slices.Contains(LegacyVersions(), version) }

// Peer is what negotiation found out about a server. The JSON values are the
// server's own bytes, nil where it sent none.
type Peer struct {
	Version      string
	Capabilities json.RawMessage
	Info         json.RawMessage
	Instructions json.RawMessage
}

// Modern says whether the server speaks the stateless revision.
func (p Peer) Modern() bool { return p.Version == Modern }

// Opening is on whose behalf a link is opened. The JSON values are the agent's
// own bytes; they are what a server with a handshake learns about its client.
type Opening struct {
	Capabilities json.RawMessage
	ClientInfo   json.RawMessage
	// Events receives what the server sends outside of any call. It is called
	// from the link's reader, one message at a time, and must not block.
	Events func(Link, *envelope.Message)
	// Standalone asks for the stream on which a server with a handshake sends
	// messages outside of calls (2025-11-25 GET).
	Standalone bool
}

// Call is one request on its way to a server.
type Call struct {
	// ID is from NextID; it stands in Body as the id and, where the agent asked
	// for progress, as the progress token.
	ID     int64
	Method string
	// Name is what the Mcp-Name header repeats: tool, prompt or URI (2026-07-28).
	Name string
	// Params are the Mcp-Param- headers (2026-07-28).
	Params http.Header
	// Body is the whole request.
	Body []byte
	// On receives every notification and request that the server sends in the
	// course of the call, one at a time and in order. Its error ends the call.
	On func(*envelope.Message) error
	// Retry is told how long a server that ends a stream wants its client to
	// wait, in milliseconds as it stands on the wire; nil ignores it.
	Retry func(millis string)
}

// Answer is a server's response.
type Answer struct {
	Message envelope.Message
	// Streamed says that it came as an event of a stream and not alone.
	Streamed bool
	lease    lease
}

// Release gives back the memory that a large answer was accounted for. The
// message must not be used afterwards.
func (a *Answer) Release() { a.lease.release() }

// Link is one connection with a server, negotiated. Its methods may be called
// concurrently. It has two implementations: a process on pipes, and HTTP.
type Link interface {
	Peer() Peer
	// NextID mints an id that is unique on this link.
	NextID() int64
	// Call sends a request and waits for its response. When ctx ends first, the
	// server is told that the call is cancelled and the context's error returned.
	Call(ctx context.Context, c Call) (Answer, error)
	// Send sends a notification or a response.
	Send(ctx context.Context, body []byte) error
	// Shared says that calls of different agents may use this link, because the
	// server keeps nothing between them.
	Shared() bool
	// Done is closed when the link can no longer be used.
	Done() <-chan struct{}
	// Close ends the link and waits until nothing of it runs any more.
	Close()
}

// ErrGone says that the server no longer knows the link's session. The call
// that met it was not executed: it may be repeated on a new link.
var ErrGone = errors.New("the server no longer knows the session")

// ErrFlood says that a server sent more messages in one call than are permitted.
var ErrFlood = errors.New("too many messages in one call")

// failed is an error about a server, in a sentence that is safe to show.
func failed(cause error, format string, args ...any) error {
	return aims.Errorf(aims.Unavailable, cause, format, args...)
}
