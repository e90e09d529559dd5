package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
)

// member is a member of the request's params.
func (x *exchange) member(name string) json.RawMessage {
	at, ok := x.msg.Member(envelope.Params, name)
	if !ok {
		return nil
	}
	return x.msg.Raw()[at.Start:at.End]
}

// initialize begins a session (2025-11-25, lifecycle).
func (x *exchange) initialize(ctx context.Context) error {
	requested, ok := x.msg.Text(envelope.ProtocolVersion)
	if !ok {
		return invalidParams("expected params to have a protocolVersion")
	}
	x.client = client{version: upstream.Legacy, capabilities: x.member("capabilities"), info: x.member("clientInfo")}
	if slices.Contains(upstream.LegacyVersions(), requested) {
		x.client.version = requested
	}
	said, err := x.said()
	if err != nil {
		return err
	}
	if x.run = said.Session; x.run == "" {
		x.run = aims.NewID("ses")
	}
	if !x.g.running.start(x.principal.Actor) {
		return exhausted("too many of this agent's requests are under way")
	}
	defer x.g.running.end(x.principal.Actor)
	if err := x.declare(ctx, said); err != nil {
		return err
	}
	sess, err := x.g.sessions.open(x.ep, x.principal, x.client, x.run)
	if err != nil {
		return err
	}
	defer sess.leave()
	sess.ids.note(x.msg)
	x.sess = sess
	result, err := x.introduction(ctx)
	if err != nil {
		x.sess = nil
		x.g.sessions.remove(sess, err)
		return err
	}
	x.out.w.Header().Set(headerSession, sess.id)
	return x.reply(result)
}

// introduction is the result of initialize.
func (x *exchange) introduction(ctx context.Context) ([]byte, error) {
	peers, err := x.peers(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Version      string          `json:"protocolVersion"`
		Capabilities json.RawMessage `json:"capabilities"`
		Info         json.RawMessage `json:"serverInfo"`
		Instructions json.RawMessage `json:"instructions,omitempty"`
	}{x.client.version, x.capabilities(peers), x.serverInfo(peers), instructions(x.ep, peers)})
}

// discover answers server/discover (2026-07-28).
func (x *exchange) discover(ctx context.Context) error {
	peers, err := x.peers(ctx)
	if err != nil {
		return err
	}
	result, err := json.Marshal(struct {
		Versions     []string                   `json:"supportedVersions"`
		Capabilities json.RawMessage            `json:"capabilities"`
		Instructions json.RawMessage            `json:"instructions,omitempty"`
		ResultType   string                     `json:"resultType"`
		TTL          int                        `json:"ttlMs"`
		Scope        string                     `json:"cacheScope"`
		Meta         map[string]json.RawMessage `json:"_meta"`
	}{versions(), x.capabilities(peers), instructions(x.ep, peers), "complete", 0, "private",
		map[string]json.RawMessage{"io.modelcontextprotocol/serverInfo": x.serverInfo(peers)}})
	if err != nil {
		return err
	}
	return x.reply(result)
}

// introduced is what one server says about itself.
type introduced struct {
	srv  *server
	peer upstream.Peer
}

// peers connects with the endpoint's servers, all at once, and returns what
// they say about themselves. On the merged endpoint a server that cannot be
// reached is left out.
func (x *exchange) peers(ctx context.Context) ([]introduced, error) {
	all := make([]*introduced, len(x.ep.servers))
	errs := make([]error, len(x.ep.servers))
	var wg sync.WaitGroup
	for i, s := range x.ep.servers {
		wg.Go(func() {
			ctx, cancel := x.inTime(ctx, s)
			defer cancel()
			c, release, err := x.conn(ctx, s)
			if err != nil {
				errs[i] = x.early(ctx, s, err)
				return
			}
			defer release()
			if link := c.ready(); link != nil {
				all[i] = &introduced{s, link.Peer()}
			} else {
				errs[i] = errConnClosed
			}
		})
	}
	wg.Wait()
	var found []introduced
	var failed error
	for i, p := range all {
		if p != nil {
			found = append(found, *p)
		} else if failed == nil {
			failed = errs[i]
		}
	}
	if len(found) == 0 && failed != nil {
		return nil, failed
	}
	return found, nil
}

// capabilities are what the servers can do, as far as the gateway passes it on.
func (x *exchange) capabilities(peers []introduced) json.RawMessage {
	union := map[string]any{}
	for _, p := range peers {
		if !x.ep.merged && x.g.isExtension("tasks/get") && p.peer.Capabilities != nil {
			return p.peer.Capabilities
		}
		var one map[string]any
		if json.Unmarshal(p.peer.Capabilities, &one) != nil {
			continue
		}
		if !x.g.isExtension("tasks/get") {
			delete(one, "tasks") // its methods are not passed on
		}
		unite(union, one)
	}
	b, err := json.Marshal(union)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return b
}

// unite adds what b says to a. Where both say something, objects are united and
// a true wins.
func unite(a, b map[string]any) {
	for name, of := range b {
		mine, ok := a[name].(map[string]any)
		theirs, both := of.(map[string]any)
		switch {
		case ok && both:
			unite(mine, theirs)
		case of == true || a[name] == nil:
			a[name] = of
		}
	}
}

func (x *exchange) serverInfo(peers []introduced) json.RawMessage {
	if !x.ep.merged && len(peers) == 1 && peers[0].peer.Info != nil {
		return peers[0].peer.Info
	}
	name := "aims"
	if !x.ep.merged {
		name = x.ep.servers[0].name
	}
	b, _ := json.Marshal(map[string]string{"name": name, "version": x.g.version()}) // strings cannot fail
	return b
}

func (g *Gateway) version() string {
	if g.cfg.Version == "" {
		return "0"
	}
	return g.cfg.Version
}

// instructions are the servers' own; on the merged endpoint one after the
// other, under their names.
func instructions(ep endpoint, peers []introduced) json.RawMessage {
	if !ep.merged {
		if len(peers) == 1 {
			return peers[0].peer.Instructions
		}
		return nil
	}
	var b strings.Builder
	for _, p := range peers {
		var text string
		if json.Unmarshal(p.peer.Instructions, &text) == nil && text != "" {
			b.WriteString("Server " + p.srv.name + " (tools " + p.srv.qualified("…") + "):\n" + text + "\n\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return envelope.AppendString(nil, strings.TrimSpace(b.String()))
}

// ask serves prompts/get, resources/read and completion/complete.
func (x *exchange) ask(ctx context.Context) error {
	var name, uri string
	var ok bool
	switch {
	case x.method == "resources/read":
		uri, ok = x.msg.Text(envelope.URI)
	case x.method == "prompts/get":
		name, ok = x.msg.Text(envelope.Name)
	case x.msg.Has(envelope.RefURI):
		uri, ok = x.msg.Text(envelope.RefURI)
	default:
		name, ok = x.msg.Text(envelope.RefName)
	}
	if !ok {
		return invalidParams("expected params to name what is asked for")
	}
	s, err := x.owner(ctx, &name, &uri)
	if err != nil {
		return err
	}
	own := name + uri // one of the two is empty
	return x.carry(ctx, s, own, x.simply(s, input(name, uri)))
}

// simply is for a request that nothing has to be known about before it is decided.
func (x *exchange) simply(s *server, in []byte) prepare {
	return func(context.Context, *conn) (enforcement.Call, error) { return x.call(s, in), nil }
}

// subscribe serves resources/subscribe and resources/unsubscribe (2025-11-25).
func (x *exchange) subscribe(ctx context.Context) error {
	uri, ok := x.msg.Text(envelope.URI)
	if !ok {
		return invalidParams("expected params to have a uri")
	}
	var name string
	s, err := x.owner(ctx, &name, &uri)
	if err != nil {
		return err
	}
	return x.orLocal(ctx, s, uri, input("", uri), func(c *conn) { c.watch(uri, x.method == "resources/subscribe") })
}

// setLevel serves logging/setLevel (2025-11-25).
func (x *exchange) setLevel(ctx context.Context) error {
	level, ok := x.msg.Text(envelope.Level)
	if !ok || !slices.Contains(logLevels, level) {
		return invalidParams("expected params to have a level of logging")
	}
	keep := func(*conn) {
		x.sess.mu.Lock()
		x.sess.logLevel = level
		x.sess.mu.Unlock()
	}
	if !x.ep.merged {
		return x.orLocal(ctx, x.ep.servers[0], "", nil, keep)
	}
	return x.setLevels(ctx, keep)
}

// orLocal forwards a request to a server that knows it; for one of the
// stateless revision, which does not, the gateway does what it asks for.
func (x *exchange) orLocal(ctx context.Context, s *server, name string, in []byte, local func(*conn)) error {
	c, release, err := x.conn(ctx, s)
	if err != nil {
		return x.early(ctx, s, err)
	}
	defer release()
	if !c.modern() {
		return x.carry(ctx, s, name, x.simply(s, in))
	}
	t, err := x.decide(ctx, s, name, x.call(s, in))
	if err != nil {
		return x.early(ctx, s, err)
	}
	if !t.ruling.Allowed() {
		return x.refused(t.ruling)
	}
	local(c)
	if err := x.close(ctx, t, done); err != nil {
		return err
	}
	return x.reply([]byte(`{}`)) // see emptyResult
}

// extension serves a method that the configuration lets through.
func (x *exchange) extension(ctx context.Context) error {
	if len(x.ep.servers) == 0 {
		return methodNotFound(x.method)
	}
	s := x.ep.servers[0]
	name, _ := x.msg.Text(envelope.Name)
	uri, _ := x.msg.Text(envelope.URI)
	header, err := x.extensionName()
	if err != nil {
		return err
	}
	return x.carry(ctx, s, header, x.simply(s, input(name, uri)))
}

// extensionName is the name that the header of an extension's request repeats:
// which of its params that is, only the extension knows.
func (x *exchange) extensionName() (string, error) {
	header := x.header.Get(headerName)
	if header == "" || !x.client.modern() {
		return "", nil
	}
	text, ok := envelope.HeaderText(header)
	if !ok {
		return "", headerMismatch("expected the header Mcp-Name to be readable")
	}
	for _, member := range []string{"name", "uri", "taskId"} {
		var value string
		if json.Unmarshal(x.member(member), &value) == nil && (value == header || value == text) {
			return value, nil
		}
	}
	return "", headerMismatch("expected the header Mcp-Name to be the name, uri or taskId in the message's params")
}
