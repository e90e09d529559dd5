package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/receipt"
)

// resolve finds the server of a tool or prompt by the name that the agent uses,
// and the server's own name for it.
func (x *exchange) resolve(name string) (*server, string, bool) {
	if !x.ep.merged {
		return x.ep.servers[0], name, true
	}
	of, own, ok := strings.Cut(name, separator)
	if !ok || x.g.byName[of] == nil {
		return nil, "", false
	}
	return x.g.byName[of], own, true
}

// routes are the resources that a server was seen to list: the merged endpoint
// finds a resource's server by them.
type routes struct {
	known     bool
	uris      map[string]struct{}
	templates []*regexp.Regexp
}

// maxRoutes bounds the resources that are remembered of one server. Those
// beyond it are reached by the prefixed form of their URIs.
const maxRoutes = 20_000

// maxTemplates bounds the templates among them, each of which is tried.
const maxTemplates = 500

// ownedPrefix marks a URI on the merged endpoint that says whose it is.
func (s *server) ownedPrefix() string { return "aims+" + s.name + ":" }

// owner finds the server that a name or URI belongs to and turns it into the
// server's own. On the merged endpoint, a URI belongs to the first server in
// the order of the configuration that lists it, or has a template that it
// matches; aims+<server>:<uri> names the server.
func (x *exchange) owner(ctx context.Context, name, uri *string) (*server, error) {
	if !x.ep.merged {
		return x.ep.servers[0], nil
	}
	if *name != "" || *uri == "" {
		s, own, ok := x.resolve(*name)
		if !ok {
			return nil, invalidParams("unknown prompt " + quote(*name))
		}
		*name = own
		return s, nil
	}
	for _, s := range x.ep.servers {
		if rest, ok := strings.CutPrefix(*uri, s.ownedPrefix()); ok {
			*uri = rest
			return s, nil
		}
	}
	if x.msg.Has(envelope.RefURI) {
		// A completion names a template by its own text.
		return x.findOwner(ctx, func(r *routes) bool { _, ok := r.uris[*uri]; return ok })
	}
	return x.findOwner(ctx, func(r *routes) bool { return r.has(*uri) })
}

func (r *routes) has(uri string) bool {
	if _, ok := r.uris[uri]; ok {
		return true
	}
	for _, t := range r.templates {
		if t.MatchString(uri) {
			return true
		}
	}
	return false
}

// findOwner asks the routes of each server in turn, reading the lists of those
// that were not read yet.
func (x *exchange) findOwner(ctx context.Context, has func(*routes) bool) (*server, error) {
	for _, s := range x.ep.servers {
		s.mu.Lock()
		known, found := s.resources.known, has(&s.resources)
		s.mu.Unlock()
		if !known {
			if err := x.learnRoutes(ctx, s); err != nil {
				x.g.Log.Debug("a server's resources cannot be listed", "server", s.name, "error", err)
				continue
			}
			s.mu.Lock()
			found = has(&s.resources)
			s.mu.Unlock()
		}
		if found {
			return s, nil
		}
	}
	f := turnedAway(http.StatusBadRequest, envelope.CodeInvalidParams, "unknown resource", "no server has this resource")
	return nil, f
}

// learnRoutes reads a server's resources and templates.
func (x *exchange) learnRoutes(ctx context.Context, s *server) error {
	ctx, cancel := x.inTime(ctx, s)
	defer cancel()
	c, release, err := x.conn(ctx, s)
	if err != nil {
		return err
	}
	defer release()
	link := c.ready()
	if link == nil {
		return errConnClosed
	}
	for _, method := range []string{"resources/list", "resources/templates/list"} {
		w, err := c.collect(ctx, link, method)
		if err != nil {
			return err
		}
		s.remember(method, w.items)
	}
	return nil
}

func (s *server) forgetRoutes() {
	s.mu.Lock()
	s.resources = routes{}
	s.mu.Unlock()
}

// remember takes note of listed resources or templates.
func (s *server) remember(method string, items []json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.resources
	if r.uris == nil {
		r.uris = map[string]struct{}{}
	}
	for _, item := range items {
		if len(r.uris) >= maxRoutes {
			break
		}
		if uri, ok := textMember(item, "uri"); ok && method == "resources/list" {
			r.uris[uri] = struct{}{}
		}
		if text, ok := textMember(item, "uriTemplate"); ok && method == "resources/templates/list" {
			_, seen := r.uris[text]
			if pattern := templatePattern(text); !seen && pattern != nil && len(r.templates) < maxTemplates {
				r.uris[text] = struct{}{}
				r.templates = append(r.templates, pattern)
			}
		}
	}
	r.known = r.known || method == "resources/templates/list"
}

var templateExpression = regexp.MustCompile(`\{[^{}]*\}`)

// maxTemplate is the longest URI template that is looked at, in bytes.
const maxTemplate = 2 << 10

// templatePattern matches what a URI template (RFC 6570) can become, roughly:
// it finds the server to ask, and the server decides. It is nil for what is no
// template.
func templatePattern(template string) *regexp.Regexp {
	if len(template) > maxTemplate {
		return nil
	}
	var b strings.Builder
	b.WriteString(`^`)
	at := 0
	for _, span := range templateExpression.FindAllStringIndex(template, -1) {
		b.WriteString(regexp.QuoteMeta(template[at:span[0]]))
		if strings.ContainsAny(template[span[0]+1:span[0]+2], "+#/?&;.") || strings.Contains(template[span[0]:span[1]], "*") {
			b.WriteString(`.*`)
		} else {
			b.WriteString(`[^/]*`)
		}
		at = span[1]
	}
	b.WriteString(regexp.QuoteMeta(template[at:]) + `$`)
	pattern, err := regexp.Compile(b.String())
	if err != nil {
		return nil
	}
	return pattern
}

// rename gives a server's listed item the name that it has on the merged
// endpoint. taken are the URIs of the servers before.
func (s *server) rename(method string, item json.RawMessage, taken map[string]*server) (json.RawMessage, bool) {
	member := "name"
	switch method {
	case "resources/list":
		member = "uri"
	case "resources/templates/list":
		member = "uriTemplate"
	}
	text, ok := textMember(item, member)
	if !ok {
		return nil, false
	}
	if member == "name" {
		text = s.qualified(text)
	} else if first, clash := taken[text]; clash && first != s {
		text = s.ownedPrefix() + text
	} else {
		taken[text] = s
		return item, true
	}
	renamed, err := setMember(item, member, envelope.AppendString(nil, text))
	return renamed, err == nil
}

// part is one server's share of a merged list.
type part struct {
	whole
	task *task
	err  error
}

// mergeList answers with one list of all servers, in the order of the configuration.
func (x *exchange) mergeList(ctx context.Context) error {
	parts := make([]part, len(x.ep.servers))
	var wg sync.WaitGroup
	for i, s := range x.ep.servers {
		wg.Go(func() { parts[i] = x.part(ctx, s) })
	}
	wg.Wait()
	var items []json.RawMessage
	var tasks []*task
	var failed error
	var all whole
	taken := map[string]*server{}
	for i, p := range parts {
		if p.err != nil {
			failed = p.err
			continue
		}
		if p.task == nil {
			continue // the server has no such list
		}
		tasks = append(tasks, p.task)
		all.last = p.last
		for _, item := range p.items {
			if renamed, ok := x.ep.servers[i].rename(x.method, item, taken); ok {
				items = append(items, renamed)
			}
		}
	}
	if len(tasks) == 0 && failed != nil {
		return failed
	}
	return x.page(ctx, items, all, tasks)
}

// part decides about one server's share of a list and reads it. A server that
// answers with an error takes no part.
func (x *exchange) part(ctx context.Context, s *server) part {
	p := part{}
	has, err := x.hasList(ctx, s)
	if err != nil || !has {
		p.err = err
		return p
	}
	p.whole, p.task, p.err = x.gather(ctx, s)
	if p.err == nil && p.refused != nil {
		o := outcomeOf(p.refused)
		if p.err = x.close(ctx, p.task, o); p.err == nil {
			p.err = turnedAway(http.StatusOK, envelope.CodeInternal, "", "the server "+s.name+" answered with an error")
		}
	}
	if p.err == nil && x.method != "tools/list" {
		s.remember(x.method, p.items)
	}
	return p
}

// hasList says whether a server declared the capability of a list.
func (x *exchange) hasList(ctx context.Context, s *server) (bool, error) {
	ctx, cancel := x.inTime(ctx, s)
	defer cancel()
	c, release, err := x.conn(ctx, s)
	if err != nil {
		return false, x.early(ctx, s, err)
	}
	defer release()
	link := c.ready()
	if link == nil {
		return false, errConnClosed
	}
	capability, _, _ := strings.Cut(x.method, "/")
	return client{capabilities: link.Peer().Capabilities}.can(capability), nil
}

// list serves the lists that the gateway does not filter.
func (x *exchange) list(ctx context.Context) error {
	if x.ep.merged {
		return x.mergeList(ctx)
	}
	s := x.ep.servers[0]
	return x.carry(ctx, s, "", x.simply(s, nil))
}

// cursors are opaque to agents: where the next page begins, and a digest of
// what stands there, so that a list that has changed is noticed.

func encodeCursor(items []json.RawMessage, from int) string {
	sum := sha256.Sum256(items[from])
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(from) + "." + hex.EncodeToString(sum[:8])))
}

// cursor is where the page begins that the agent asks for.
func (x *exchange) cursor(items []json.RawMessage) (int, error) {
	text, ok := x.msg.Text(envelope.Cursor)
	if !ok {
		return 0, nil
	}
	invalid := invalidParams("the cursor is not valid, or not any more; begin the list anew")
	if len(text) > 128 {
		return 0, invalid
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, invalid
	}
	number, _, _ := strings.Cut(string(plain), ".")
	from, err := strconv.Atoi(number)
	if err != nil || from <= 0 || from >= len(items) || encodeCursor(items, from) != text {
		return 0, invalid
	}
	return from, nil
}

// listMeta is the _meta of a list that the gateway put together.
func (x *exchange) listMeta(last *envelope.Message, tasks []*task) []byte {
	meta := map[string]json.RawMessage{}
	if !x.ep.merged && last.IsObject(envelope.ResultMeta) {
		if json.Unmarshal(last.Bytes(envelope.ResultMeta), &meta) != nil {
			meta = map[string]json.RawMessage{}
		}
	}
	if len(tasks) > 0 {
		meta[metaReceipt] = envelope.AppendString(nil, tasks[0].ruling.Receipt)
	}
	if len(tasks) > 1 {
		var ids []string
		for _, t := range tasks {
			ids = append(ids, t.ruling.Receipt)
		}
		meta[metaReceipts], _ = json.Marshal(ids) // strings cannot fail
	}
	b, err := json.Marshal(meta)
	if err != nil {
		return []byte(`{}`)
	}
	return b
}

// renamed is a notification with the URI that the resource has on the merged
// endpoint.
func (x *exchange) renamed(c *conn, m *envelope.Message) []byte {
	if !x.ep.merged {
		return m.Raw()
	}
	return c.srv.renameURI(x.ep, m)
}

func (s *server) renameURI(ep endpoint, m *envelope.Message) []byte {
	uri, ok := m.Text(envelope.URI)
	if !ok || m.MethodName() != "notifications/resources/updated" {
		return m.Raw()
	}
	for _, other := range ep.servers {
		if other == s {
			return m.Raw()
		}
		other.mu.Lock()
		first := other.resources.has(uri)
		other.mu.Unlock()
		if first {
			break
		}
	}
	b, err := m.Splice(m.Replace(envelope.URI, envelope.AppendString(nil, s.ownedPrefix()+uri)))
	if err != nil {
		return nil
	}
	return b
}

// outward is a notification as the session hears it.
func (c *conn) outward(m *envelope.Message) []byte {
	if c.sess.ep.merged {
		return c.srv.renameURI(c.sess.ep, m)
	}
	return m.Raw()
}

// setLevels sets the level of logging with every server that logs.
func (x *exchange) setLevels(ctx context.Context, keep func(*conn)) error {
	keep(nil)
	var refused *task
	allowed := 0
	for _, s := range x.ep.servers {
		t, err := x.decide(ctx, s, "", x.call(s, nil))
		if err != nil {
			return x.early(ctx, s, err)
		}
		if !t.ruling.Allowed() {
			refused = t
			continue
		}
		allowed++
		if err := x.tellLevel(ctx, t); err != nil {
			return err
		}
	}
	if allowed == 0 && refused != nil {
		return x.refused(refused.ruling)
	}
	return x.reply([]byte(`{}`))
}

// tellLevel passes a level on to one server and records what it says.
func (x *exchange) tellLevel(ctx context.Context, t *task) error {
	ctx, cancel := x.inTime(ctx, t.srv)
	defer cancel()
	c, release, err := x.conn(ctx, t.srv)
	if err != nil {
		o, _ := explain(ctx, t.srv, err)
		return x.close(ctx, t, o)
	}
	defer release()
	link := c.ready()
	if link == nil || link.Peer().Modern() || !(client{capabilities: link.Peer().Capabilities}).can("logging") {
		return x.close(ctx, t, enforcement.Outcome{Status: receipt.Succeeded, Detail: "kept by the gateway; the server has no such request"})
	}
	a, err := x.send(ctx, t, c, nil)
	if err != nil {
		o, _ := explain(ctx, t.srv, err)
		return x.close(ctx, t, o)
	}
	defer a.Release()
	return x.conclude(ctx, t, &a.Message)
}
