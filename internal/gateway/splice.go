package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"

	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
)

// outbound is the agent's request as the server gets it: the same bytes but for
// the id, the progress token, the name on the merged endpoint, and what the
// server's revision has in _meta.
func (x *exchange) outbound(t *task, link upstream.Link, more []envelope.Edit) (upstream.Call, error) {
	id := link.NextID()
	number := strconv.AppendInt(nil, id, 10)
	m := x.msg
	edits := append([]envelope.Edit{m.Replace(envelope.ID, number)}, more...)
	edits = append(edits, x.nameEdits(t)...)
	meta, err := x.metaEdits(number, link.Peer().Modern())
	if err != nil {
		return upstream.Call{}, err
	}
	body, err := m.Splice(append(edits, meta...)...)
	if err != nil {
		return upstream.Call{}, err
	}
	c := upstream.Call{ID: id, Method: x.method, Body: body}
	if _, named := nameField(x.method); named || x.g.isExtension(x.method) {
		c.Name = t.name
	}
	if x.method == "tools/call" && link.Peer().Modern() {
		c.Params = t.srv.paramHeaders(t.name, m.Bytes(envelope.Arguments))
	}
	return c, nil
}

// nameEdits put the server's own name in the place of the merged endpoint's.
func (x *exchange) nameEdits(t *task) []envelope.Edit {
	if !x.ep.merged || t.name == "" {
		return nil
	}
	field := envelope.Name
	switch x.method {
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		field = envelope.URI
	case "completion/complete":
		if field = envelope.RefName; x.msg.Has(envelope.RefURI) {
			field = envelope.RefURI
		}
	case "tools/call", "prompts/get":
	default:
		return nil
	}
	return []envelope.Edit{x.msg.Replace(field, envelope.AppendString(nil, t.name))}
}

// metaEdits fit _meta to the server: the progress token becomes the request's
// own id, and the members that only the stateless revision has are taken out
// or put in.
func (x *exchange) metaEdits(number []byte, modern bool) ([]envelope.Edit, error) {
	m := x.msg
	if x.client.modern() == modern {
		var edits []envelope.Edit
		if m.Has(envelope.MetaProgressToken) {
			edits = append(edits, m.Replace(envelope.MetaProgressToken, number))
		}
		if m.Has(envelope.MetaSession) {
			edits = append(edits, m.Remove(envelope.Meta, metaSession))
		}
		return edits, nil
	}
	members, err := metaMembers(m)
	if err != nil {
		return nil, err
	}
	if m.Has(envelope.MetaProgressToken) {
		members["progressToken"] = number
	}
	if modern {
		own, err := upstream.RequestMeta(x.client.info, x.client.capabilities, x.client.logLevel)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(own, &members); err != nil {
			return nil, err
		}
	}
	meta, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Has(envelope.Meta):
		return []envelope.Edit{m.Replace(envelope.Meta, meta)}, nil
	case len(members) == 0:
		return nil, nil
	case m.Has(envelope.Params):
		return []envelope.Edit{m.Insert(envelope.Params, "_meta", meta)}, nil
	}
	return []envelope.Edit{m.InsertTop("params", append(append([]byte(`{"_meta":`), meta...), '}'))}, nil
}

// metaMembers is a request's _meta without what the stateless revision keeps in
// it, and without what is for the gateway alone.
func metaMembers(m *envelope.Message) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if m.IsObject(envelope.Meta) {
		if err := json.Unmarshal(m.Bytes(envelope.Meta), &members); err != nil {
			return nil, err
		}
	}
	delete(members, metaSession)
	for _, name := range []string{"protocolVersion", "clientInfo", "clientCapabilities", "logLevel"} {
		delete(members, "io.modelcontextprotocol/"+name)
	}
	return members, nil
}

// inbound is a notification as the agent gets it, nil when it is not for it.
func (x *exchange) inbound(c *conn, m *envelope.Message) ([]byte, error) {
	switch m.MethodName() {
	case "notifications/progress":
		token := x.msg.Bytes(envelope.MetaProgressToken)
		if token == nil || !m.Has(envelope.ProgressToken) {
			return nil, nil
		}
		return m.Splice(m.Replace(envelope.ProgressToken, token))
	case "notifications/message":
		if x.client.modern() && !logPasses(x.client.logLevel, m) {
			return nil, nil
		}
	}
	if _, ok := m.Member(envelope.Meta, upstream.SubscriptionID); ok {
		return m.Splice(m.Set(envelope.Meta, upstream.SubscriptionID, x.msg.Bytes(envelope.ID)))
	}
	return x.renamed(c, m), nil
}

// logLevels are the levels of log messages, the least severe first (RFC 5424).
var logLevels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// logPasses says whether a log message is of the level that was asked for.
func logPasses(want string, m *envelope.Message) bool {
	if want == "" {
		return false
	}
	got, _ := m.Text(envelope.Level)
	for _, level := range logLevels {
		if level == want {
			return true
		}
		if level == got {
			return false
		}
	}
	return true
}

// translate is a server's answer as the agent gets it, in one part unless it
// is large.
func (x *exchange) translate(m *envelope.Message, t *task) ([][]byte, error) {
	id := x.msg.Bytes(envelope.ID)
	receipt := envelope.AppendString(nil, t.ruling.Receipt)
	if m.Has(envelope.Error) {
		return translateError(m, id, receipt)
	}
	if !m.IsObject(envelope.Result) {
		return nil, t.srv.unusable(nil, "a result that is no object")
	}
	edits := []envelope.Edit{m.Replace(envelope.ID, id)}
	switch {
	case emptyResult(t.method):
		// Some clients compare such a result with {}.
	case m.IsObject(envelope.ResultMeta):
		edits = append(edits, m.Set(envelope.ResultMeta, metaReceipt, receipt))
		if _, ok := m.Member(envelope.ResultMeta, upstream.SubscriptionID); ok {
			edits = append(edits, m.Set(envelope.ResultMeta, upstream.SubscriptionID, id))
		}
	case m.Has(envelope.ResultMeta):
		edits = append(edits, m.Replace(envelope.ResultMeta, objectOf(metaReceipt, receipt)))
	default:
		edits = append(edits, m.Insert(envelope.Result, "_meta", objectOf(metaReceipt, receipt)))
	}
	if x.client.modern() {
		edits = append(edits, modernEdits(m, x.method)...)
	}
	return spliced(m, edits)
}

// spliced applies edits. What is large is not copied for them.
func spliced(m *envelope.Message, edits []envelope.Edit) ([][]byte, error) {
	if len(m.Raw()) > writePiece {
		return m.Parts(edits...)
	}
	b, err := m.Splice(edits...)
	return [][]byte{b}, err
}

// emptyResult says whether the specification gives a method's result no members.
func emptyResult(method string) bool {
	return method == "logging/setLevel" || method == "resources/subscribe" || method == "resources/unsubscribe"
}

// modernEdits add what results of the stateless revision have and older ones
// have not, and keep an answer to one agent from being shared.
func modernEdits(m *envelope.Message, method string) []envelope.Edit {
	var edits []envelope.Edit
	if !m.Has(envelope.ResultType) {
		edits = append(edits, m.Insert(envelope.Result, "resultType", []byte(`"complete"`)))
	}
	if !cacheable(method) {
		return edits
	}
	if text, _ := m.Text(envelope.ResultType); text == "input_required" {
		return edits
	}
	if _, ok := m.Member(envelope.Result, "ttlMs"); !ok {
		edits = append(edits, m.Insert(envelope.Result, "ttlMs", []byte("0")))
	}
	return append(edits, m.Set(envelope.Result, "cacheScope", []byte(`"private"`)))
}

func cacheable(method string) bool {
	switch method {
	case "prompts/list", "resources/list", "resources/templates/list", "resources/read":
		return true
	}
	return false
}

func objectOf(name string, value []byte) []byte {
	b := envelope.AppendString([]byte{'{'}, name)
	b = append(append(b, ':'), value...)
	return append(b, '}')
}

// translateError is a server's error as the agent gets it; the receipt's id is
// added where the error has no data of its own.
func translateError(m *envelope.Message, id, receipt []byte) ([][]byte, error) {
	if m.Has(envelope.ID) {
		edits := []envelope.Edit{m.Replace(envelope.ID, id)}
		if _, ok := m.Member(envelope.Error, "data"); !ok {
			edits = append(edits, m.Insert(envelope.Error, "data", objectOf(metaReceipt, receipt)))
		}
		return spliced(m, edits)
	}
	// The server could not read the id; the agent can.
	b := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	b = append(append(b, `,"error":`...), bytes.TrimSpace(m.Bytes(envelope.Error))...)
	return [][]byte{append(b, '}')}, nil
}
