package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
)

// The headers of streamable HTTP.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-"
)

// post serves one message of an agent.
func (x *exchange) post(w http.ResponseWriter, r *http.Request) error {
	if err := x.admit(r); err != nil {
		return err
	}
	if !upstream.IsMedia(r.Header, "application/json") {
		return turnedAway(http.StatusUnsupportedMediaType, envelope.CodeInvalidRequest, "content type", "expected Content-Type: application/json")
	}
	if json, stream := accepts(r.Header.Values("Accept")); !json || !stream {
		return turnedAway(http.StatusNotAcceptable, envelope.CodeInvalidRequest, "accept header", "expected Accept: application/json, text/event-stream")
	}
	body, err := x.read(w, r)
	if err != nil {
		return err
	}
	m, err := envelope.Parse(body, envelope.Limits{MaxBytes: int(x.g.limits.RequestBytes), MaxDepth: x.g.limits.RequestDepth})
	if m.Has(envelope.ID) {
		x.msg = &m // a refusal is addressed to it
	}
	if err != nil {
		return malformed(err)
	}
	x.msg = &m
	if m.Kind == envelope.Request && x.g.isClosing() {
		return tooLate()
	}
	return x.message(r.Context())
}

// tooLate answers a request that comes while the gateway stops. What agents
// answer and cancel is still needed by the calls that run.
func tooLate() error {
	return &fault{status: http.StatusServiceUnavailable, code: codeUnavailable, text: "the gateway is stopping"}
}

// admit finds out who is calling and refuses who may not call at all.
func (x *exchange) admit(r *http.Request) error {
	if err := x.g.checkHost(r); err != nil {
		return err
	}
	p, err := x.g.authenticate(r)
	if err != nil {
		f := fromError(err)
		if f.status == http.StatusUnauthorized {
			f.cause, f.presented = "no valid credentials", r.Header.Get("Authorization") != ""
		}
		return f
	}
	x.principal = p
	x.admitted = func() (identity.Principal, error) { return x.g.authenticate(r) }
	return nil
}

func (g *Gateway) authenticate(r *http.Request) (identity.Principal, error) {
	authorization := r.Header.Get("Authorization")
	if authorization == "" && g.cfg.Anonymous != "" && overLoopback(r) {
		actor := aims.Actor{Type: aims.AgentType, ID: g.cfg.Anonymous}
		if p, ok := g.Directory.Lookup(actor); ok {
			return p, nil
		}
		return identity.Principal{Actor: actor}, nil
	}
	bearer, err := identity.FromHeader(authorization)
	if err != nil {
		return identity.Principal{}, err
	}
	return g.Directory.Authenticate(r.Context(), bearer)
}

// known says whether the caller is authenticated.
func (x *exchange) known() bool { return x.principal.ID != "" }

// challenge is the WWW-Authenticate header that leads a client to the metadata
// of the resource that it asked for (RFC 9728 §5.1).
func (x *exchange) challenge(presented bool) string {
	metadata := x.g.cfg.MetadataURL
	if metadata != "" && !x.ep.merged {
		metadata += "/" + x.ep.servers[0].name
	}
	return identity.Challenge(metadata, presented)
}

// overLoopback says that the connection cannot come from another machine.
func overLoopback(r *http.Request) bool {
	return onLoopback(r) && isLoopback(r.RemoteAddr)
}

func onLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && isLoopback(local.String())
}

// isLoopback says whether a host, with or without port, is this machine itself.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkHost refuses requests that a web page elsewhere made a browser send. A
// page can reach a listener on this machine under a name of its own (DNS
// rebinding): the name in the request gives it away (2025-11-25, security best
// practices).
func (g *Gateway) checkHost(r *http.Request) error {
	if onLoopback(r) && !isLoopback(r.Host) && !slices.Contains(g.cfg.Hosts, r.Host) {
		return turnedAway(http.StatusForbidden, envelope.CodeInvalidRequest, "foreign host", "the Host header names another machine")
	}
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(g.cfg.Origins, origin) {
		return nil
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && (strings.EqualFold(u.Host, r.Host) || onLoopback(r) && isLoopback(u.Host)) {
		return nil
	}
	return turnedAway(http.StatusForbidden, envelope.CodeInvalidRequest, "foreign origin", "the Origin header names a web page that may not call")
}

// accepts reads Accept headers.
func accepts(values []string) (json, stream bool) {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			media, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "application/json", "application/*":
				json = true
			case "text/event-stream", "text/*":
				stream = true
			case "*/*":
				return true, true
			}
		}
	}
	return json, stream
}

// read takes the request's body, within the limit.
func (x *exchange) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := x.g.limits.RequestBytes
	tooLarge := turnedAway(http.StatusRequestEntityTooLarge, envelope.CodeInvalidRequest, "too large",
		fmt.Sprintf("expected a message of at most %d bytes", limit))
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	// Both are best effort: a writer without deadlines is one of a test.
	_ = x.out.rc.SetReadDeadline(time.Now().Add(x.g.limits.WriteWait))
	defer func() { _ = x.out.rc.SetReadDeadline(time.Time{}) }()
	var body bytes.Buffer
	// Not more at once than most messages need: the length is only claimed.
	body.Grow(int(min(max(r.ContentLength, 0), 64<<10)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return nil, tooLarge
	}
	if err != nil {
		return nil, turnedAway(http.StatusBadRequest, envelope.CodeParse, "incomplete message", "the message was not sent completely")
	}
	return body.Bytes(), nil
}

// message finds out which revision the agent speaks and serves its message.
func (x *exchange) message(ctx context.Context) error {
	x.method = x.msg.MethodName()
	declared, _ := x.msg.Text(envelope.MetaProtocolVersion)
	header := x.header.Get(headerVersion)
	if declared != "" || x.msg.Has(envelope.MetaProtocolVersion) || header >= upstream.Modern {
		return x.stateless(ctx, header, declared)
	}
	if header != "" && !slices.Contains(versions(), header) {
		return unsupportedVersion(header)
	}
	if x.method == "initialize" && x.msg.Kind == envelope.Request {
		return x.initialize(ctx)
	}
	if err := x.attach(); err != nil {
		return err
	}
	defer x.sess.leave()
	switch x.msg.Kind {
	case envelope.Response:
		return x.answered(ctx)
	case envelope.Notification:
		x.out.status(http.StatusAccepted)
		return x.notified(ctx)
	}
	if err := x.checkFresh(); err != nil {
		return err
	}
	return x.serve(ctx)
}

// stateless serves a message of the revision without sessions (2026-07-28).
func (x *exchange) stateless(ctx context.Context, header, declared string) error {
	x.client.version = upstream.Modern
	if err := x.checkHeaders(header, declared); err != nil {
		return err
	}
	switch x.msg.Kind {
	case envelope.Response:
		return turnedAway(http.StatusBadRequest, envelope.CodeInvalidRequest, "response without a session", "without a session, nothing was asked that this could answer")
	case envelope.Notification:
		// A request is cancelled by closing it; nothing else is said this way.
		x.out.status(http.StatusAccepted)
		return nil
	}
	x.client.capabilities = x.msg.Bytes(envelope.MetaClientCapabilities)
	x.client.info = x.msg.Bytes(envelope.MetaClientInfo)
	x.client.logLevel, _ = x.msg.Text(envelope.MetaLogLevel)
	return x.serve(ctx)
}

// checkHeaders compares what the headers say with what the body says: who
// trusts the headers must not be made to believe something else.
func (x *exchange) checkHeaders(header, declared string) error {
	if x.msg.Kind == envelope.Request {
		if err := x.checkMeta(header, declared); err != nil {
			return err
		}
	}
	if x.msg.Kind == envelope.Response {
		return nil
	}
	if got := x.header.Get(headerMethod); got != x.method {
		return headerMismatch("expected the header Mcp-Method to be the message's method")
	}
	field, named := nameField(x.method)
	if !named {
		return nil
	}
	name, ok := x.msg.Text(field)
	if !ok {
		return invalidParams("expected params to name what is asked for")
	}
	if got := x.header.Get(headerName); got != name {
		if decoded, ok := envelope.HeaderText(got); !ok || decoded != name || got == "" {
			return headerMismatch("expected the header Mcp-Name to be the name in the message's params")
		}
	}
	return nil
}

func (x *exchange) checkMeta(header, declared string) error {
	switch {
	case header == "":
		return headerMismatch("expected the header MCP-Protocol-Version")
	case declared == "":
		return invalidParams(`expected _meta to have "io.modelcontextprotocol/protocolVersion"`)
	case header != declared:
		return headerMismatch("expected the header MCP-Protocol-Version to be the version in _meta")
	case declared != upstream.Modern:
		return unsupportedVersion(declared)
	case !x.msg.IsObject(envelope.MetaClientCapabilities):
		return invalidParams(`expected _meta to have "io.modelcontextprotocol/clientCapabilities"`)
	case x.msg.Has(envelope.MetaClientInfo) && !x.msg.IsObject(envelope.MetaClientInfo):
		return invalidParams(`expected "io.modelcontextprotocol/clientInfo" in _meta to be an object`)
	}
	return nil
}

// nameField is the field whose value the Mcp-Name header repeats.
func nameField(method string) (envelope.Field, bool) {
	switch method {
	case "tools/call", "prompts/get":
		return envelope.Name, true
	case "resources/read":
		return envelope.URI, true
	}
	return envelope.None, false
}
