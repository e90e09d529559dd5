package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/internal/inventory"
	"aims/receipt"
)

// maxPages bounds how many pages of one list are read.
const maxPages = 1000

// relistPause is how long a list is trusted not to have a tool that was asked
// for: who calls tools that do not exist makes the gateway list no more often.
const relistPause = 2 * time.Second

// ensureListed makes sure that the server's tools were listed on this
// connection, recently, and that tool, if any, was looked for. After it, the
// inventory knows what the server shows now.
func (c *conn) ensureListed(ctx context.Context, tool string) error {
	if c.listed(tool) {
		return nil
	}
	if err := c.listing.enter(ctx); err != nil {
		return err
	}
	defer c.listing.leave()
	if c.listed(tool) {
		return nil
	}
	link := c.ready()
	if link == nil {
		return errConnClosed
	}
	if !(client{capabilities: link.Peer().Capabilities}).can("tools") {
		changes := c.changes.Load()
		if err := c.observe(ctx, nil); err != nil {
			return err
		}
		c.fresh(changes)
		return nil
	}
	w, err := c.collect(ctx, link, "tools/list")
	if err == nil && w.refused != nil {
		// Without a list nothing says that its tools are still what they were.
		return c.srv.unusable(nil, "an error in place of its list of tools (JSON-RPC error %s)", w.refused.Bytes(envelope.ErrorCode))
	}
	return err
}

func (c *conn) listed(tool string) bool {
	now := c.srv.g.Now().UnixNano()
	if now >= c.freshUntil.Load() {
		return false
	}
	if tool == "" || now < c.listedAt.Load()+relistPause.Nanoseconds() {
		return true
	}
	state, ok := c.srv.g.Inventory.Tool(c.srv.name, tool)
	return ok && state.Listed
}

// whole is a server's list, all its pages.
type whole struct {
	items    []json.RawMessage
	last     envelope.Message // the last page
	streamed bool
	bytes    int64
	refused  *envelope.Message // an error in place of a page
}

// collect reads all pages of a list. A list of tools is shown to the inventory
// before anything is done with it.
func (c *conn) collect(ctx context.Context, link upstream.Link, method string) (whole, error) {
	var w whole
	changes := c.changes.Load()
	cursor := ""
	for page := 0; ; page++ {
		if page == maxPages {
			return w, c.srv.unusable(nil, "a list of more than %d pages", maxPages)
		}
		next, err := c.page(ctx, link, method, cursor, &w)
		if err != nil {
			return w, err
		}
		if next == "" || w.refused != nil {
			break
		}
		cursor = next
	}
	if method == "tools/list" && w.refused == nil {
		if err := c.observe(ctx, w.items); err != nil {
			c.stale() // what changed may not be quarantined yet
			return w, err
		}
		c.fresh(changes)
	}
	return w, nil
}

// unusable is an error about what a server sent.
func (s *server) unusable(cause error, format string, args ...any) error {
	return aims.Errorf(aims.Unavailable, cause, "the server %s sent %s", s.name, fmt.Sprintf(format, args...))
}

// listMember is the member of a list's result that holds the items.
func listMember(method string) string {
	switch method {
	case "tools/list":
		return "tools"
	case "prompts/list":
		return "prompts"
	case "resources/list":
		return "resources"
	}
	return "resourceTemplates"
}

// page reads one page into w and returns the cursor of the next.
func (c *conn) page(ctx context.Context, link upstream.Link, method, cursor string, w *whole) (string, error) {
	var params []byte
	if cursor != "" {
		params = append([]byte(`{"cursor":`), envelope.AppendString(nil, cursor)...)
		params = append(params, '}')
	}
	id := link.NextID()
	body, err := c.ownRequest(link, id, method, params)
	if err != nil {
		return "", err
	}
	a, err := link.Call(ctx, upstream.Call{ID: id, Method: method, Body: body, On: func(m *envelope.Message) error { c.note(m); return nil }})
	if err != nil {
		return "", err
	}
	defer a.Release()
	w.last, w.streamed = a.Message, a.Streamed
	w.bytes += int64(len(a.Message.Raw()))
	if a.Message.Has(envelope.Error) {
		m := a.Message
		w.refused = &m
		return "", nil
	}
	at, ok := a.Message.Member(envelope.Result, listMember(method))
	if !ok {
		return "", c.srv.unusable(nil, "a list without items")
	}
	var items []json.RawMessage
	if err := json.Unmarshal(a.Message.Raw()[at.Start:at.End], &items); err != nil {
		return "", c.srv.unusable(err, "a malformed list")
	}
	w.items = append(w.items, items...)
	if w.bytes > maxList {
		return "", c.srv.unusable(nil, "a list of more than %d bytes", maxList)
	}
	at, ok = a.Message.Member(envelope.Result, "nextCursor")
	var next string
	if ok && json.Unmarshal(a.Message.Raw()[at.Start:at.End], &next) != nil && string(a.Message.Raw()[at.Start:at.End]) != "null" {
		return "", c.srv.unusable(nil, "a cursor that is no string")
	}
	return next, nil
}

// maxList bounds all pages of one list together, in bytes.
const maxList = 16 << 20

// ownRequest is a request that the gateway makes on its own account.
func (c *conn) ownRequest(link upstream.Link, id int64, method string, params []byte) ([]byte, error) {
	m := map[string]json.RawMessage{}
	if params != nil {
		if err := json.Unmarshal(params, &m); err != nil {
			return nil, err
		}
	}
	if link.Peer().Modern() {
		meta, err := upstream.RequestMeta(json.RawMessage(ownInfo), json.RawMessage(everyCapability), "")
		if err != nil {
			return nil, err
		}
		m["_meta"] = meta
	}
	return json.Marshal(struct {
		Version string                     `json:"jsonrpc"`
		ID      int64                      `json:"id"`
		Method  string                     `json:"method"`
		Params  map[string]json.RawMessage `json:"params"`
	}{"2.0", id, method, m})
}

// ownInfo is how the gateway calls itself to servers. It declares every
// capability, so that servers that adapt their lists to it list everything.
const (
	ownInfo         = `{"name":"aims","version":"1"}`
	everyCapability = `{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}}`
)

// observe shows a list to the inventory.
func (c *conn) observe(ctx context.Context, items []json.RawMessage) error {
	tools := make([]inventory.Tool, 0, len(items))
	for _, item := range items {
		name, ok := textMember(item, "name")
		if !ok {
			return c.srv.unusable(nil, "a tool without a name")
		}
		tools = append(tools, inventory.Tool{Name: name, Definition: item})
	}
	// What was seen is recorded even when the one who asked has left.
	ctx, cancel := afterwards(ctx)
	defer cancel()
	_, err := c.srv.g.Enforcer.ObserveTools(ctx, c.srv.name, tools)
	return err
}

// rawMember finds a member of an object.
func rawMember(object json.RawMessage, name string) (json.RawMessage, bool) {
	m, err := envelope.Parse(envelope.EncodeResult([]byte("0"), object), anySize)
	if err != nil {
		return nil, false
	}
	at, ok := m.Member(envelope.Result, name)
	return m.Raw()[at.Start:at.End], ok
}

// textMember finds a member of an object that is a string.
func textMember(object json.RawMessage, name string) (string, bool) {
	raw, ok := rawMember(object, name)
	if !ok || raw[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// setMember replaces a member of an object, or adds it.
func setMember(object json.RawMessage, name string, value []byte) (json.RawMessage, error) {
	m, err := envelope.Parse(envelope.EncodeResult([]byte("0"), object), anySize)
	if err != nil {
		return nil, err
	}
	b, err := m.Splice(m.Set(envelope.Result, name, value))
	if err != nil {
		return nil, err
	}
	return b[m.Span(envelope.Result).Start : len(b)-1], nil
}

// anySize is for what was within the limits before.
var anySize = envelope.Limits{MaxBytes: 1 << 40, MaxDepth: 10_000}

// visible says whether an agent may see a tool: whether there is any input
// with which policy would permit a call.
func (x *exchange) visible(ctx context.Context, s *server, tool string) bool {
	state, ok := x.g.Inventory.Tool(s.name, tool)
	if !ok || !state.Callable() {
		return false
	}
	c := x.call(s, nil)
	c.Method, c.Tool = "tools/call", tool
	return x.g.Enforcer.Possible(ctx, c)
}

// listTools answers with the tools that the agent may see.
func (x *exchange) listTools(ctx context.Context) error {
	if x.ep.merged {
		return x.mergeList(ctx)
	}
	w, t, err := x.gather(ctx, x.ep.servers[0])
	if err != nil {
		return err
	}
	if w.refused != nil {
		return x.relay(ctx, t, upstream.Answer{Message: *w.refused, Streamed: w.streamed})
	}
	return x.page(ctx, w.items, w, []*task{t})
}

// gather decides about a list, reads it whole and leaves out what the agent
// may not see.
func (x *exchange) gather(ctx context.Context, s *server) (whole, *task, error) {
	t, err := x.decide(ctx, s, "", x.call(s, nil))
	if err != nil {
		return whole{}, nil, err
	}
	if !t.ruling.Allowed() {
		return whole{}, nil, x.refused(t.ruling)
	}
	w, err := x.readList(ctx, t)
	if err != nil {
		return whole{}, nil, x.failed(ctx, t, err)
	}
	if x.method == "tools/list" && w.refused == nil {
		kept := w.items[:0]
		for _, item := range w.items {
			if name, ok := textMember(item, "name"); ok && x.visible(ctx, s, name) {
				kept = append(kept, item)
			}
		}
		w.items = kept
	}
	return w, t, nil
}

func (x *exchange) readList(ctx context.Context, t *task) (whole, error) {
	ctx, cancel := x.inTime(ctx, t.srv)
	defer cancel()
	w, err := x.readOnce(ctx, t)
	if errors.Is(err, upstream.ErrGone) {
		w, err = x.readOnce(ctx, t)
	}
	return w, err
}

func (x *exchange) readOnce(ctx context.Context, t *task) (whole, error) {
	c, release, err := x.conn(ctx, t.srv)
	if err != nil {
		return whole{}, err
	}
	defer release()
	link := c.ready()
	if link == nil {
		return whole{}, errConnClosed
	}
	return c.collect(ctx, link, x.method)
}

// pageSize is how many items of a list go into one answer.
const pageSize = 1000

// page answers with the page of a list that the agent's cursor asks for, and
// closes the decisions behind it.
func (x *exchange) page(ctx context.Context, items []json.RawMessage, w whole, tasks []*task) error {
	from, err := x.cursor(items)
	if err != nil {
		for _, t := range tasks {
			x.close(ctx, t, enforcement.Outcome{Status: receipt.Succeeded, Detail: "the cursor was not valid any more"})
		}
		return err
	}
	to := min(from+pageSize, len(items))
	var b bytes.Buffer
	b.WriteString(`{"` + listMember(x.method) + `":[`)
	b.Write(bytes.Join(rawSlices(items[from:to]), []byte{','}))
	b.WriteByte(']')
	if to < len(items) {
		b.WriteString(`,"nextCursor":`)
		b.Write(envelope.AppendString(nil, encodeCursor(items, to)))
	}
	if x.client.modern() {
		// What one agent may see is nobody else's to keep.
		b.WriteString(`,"resultType":"complete","ttlMs":`)
		b.Write(ttl(&w.last))
		b.WriteString(`,"cacheScope":"private"`)
	}
	for _, t := range tasks {
		o := enforcement.Outcome{Status: receipt.Succeeded, Result: b.Bytes()}
		o.Result = append(bytes.Clone(o.Result), '}')
		if err := x.close(ctx, t, o); err != nil {
			return err
		}
	}
	b.WriteString(`,"_meta":`)
	b.Write(x.listMeta(&w.last, tasks))
	b.WriteByte('}')
	answer := envelope.EncodeResult(x.msg.Bytes(envelope.ID), b.Bytes())
	return x.sent(x.out.finish(http.StatusOK, w.streamed, answer))
}

func rawSlices(items []json.RawMessage) [][]byte {
	out := make([][]byte, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}

// ttl is how long a server says its list may be kept, in milliseconds.
func ttl(m *envelope.Message) []byte {
	if at, ok := m.Member(envelope.Result, "ttlMs"); ok {
		var millis uint32
		if v := m.Raw()[at.Start:at.End]; json.Unmarshal(v, &millis) == nil {
			return v
		}
	}
	return []byte("0")
}
