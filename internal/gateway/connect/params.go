package connect

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"aims/internal/gateway/envelope"
)

// binding is an argument that a tool wants repeated in a header field
// (2026-07-28, x-mcp-header).
type binding struct {
	path   []string
	header string
}

// maxTools bounds the tools whose bindings are kept, and maxBindings those of one tool.
const (
	maxTools    = 10_000
	maxBindings = 64
)

// paramHeaders are the bindings of the tools that the client has listed. A
// client on standard input and output need not know of them; who speaks HTTP
// for it does.
type paramHeaders struct {
	mu    sync.Mutex
	tools map[string][]binding
}

type schemaNode struct {
	Type       string                `json:"type"`
	Header     string                `json:"x-mcp-header"`
	Properties map[string]schemaNode `json:"properties"`
}

// learn reads the answer to tools/list. What cannot be read is the client's
// business; here it has no bindings.
func (p *paramHeaders) learn(answer *envelope.Message) {
	var list struct {
		Tools []struct {
			Name        string          `json:"name"`
			InputSchema json.RawMessage `json:"inputSchema"`
		} `json:"tools"`
	}
	if json.Unmarshal(answer.Bytes(envelope.Result), &list) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tool := range list.Tools {
		var schema schemaNode
		delete(p.tools, tool.Name)
		if json.Unmarshal(tool.InputSchema, &schema) != nil || len(p.tools) >= maxTools {
			continue
		}
		if found := bindings(schema, nil, nil); len(found) > 0 && len(found) <= maxBindings {
			p.tools[tool.Name] = found
		}
	}
}

func bindings(node schemaNode, path []string, found []binding) []binding {
	for name, property := range node.Properties {
		inner := append(slices.Clone(path), name)
		switch property.Type {
		case "string", "integer", "boolean":
			if fieldName.MatchString(property.Header) {
				found = append(found, binding{inner, property.Header})
			}
		}
		if len(found) <= maxBindings {
			found = bindings(property, inner, found)
		}
	}
	return found
}

// fieldName is a field name of HTTP (RFC 9110 §5.1).
var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")

// set repeats the bound arguments of a call in its header.
func (p *paramHeaders) set(h http.Header, m *envelope.Message) {
	name, ok := m.Text(envelope.Name)
	if !ok || m.MethodName() != "tools/call" {
		return
	}
	p.mu.Lock()
	bound := p.tools[name]
	p.mu.Unlock()
	for _, b := range bound {
		if value, ok := argument(m.Bytes(envelope.Arguments), b.path); ok {
			h.Set(headerParam+b.header, envelope.HeaderValue(value))
		}
	}
}

// argument is a string, boolean or integer of the arguments as text.
func argument(object []byte, path []string) (string, bool) {
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(object, &members) != nil || members[name] == nil {
			return "", false
		}
		object = members[name]
	}
	if len(object) == 0 {
		return "", false
	}
	switch object[0] {
	case '"':
		var s string
		err := json.Unmarshal(object, &s)
		return s, err == nil
	case 't', 'f':
		return string(object), true
	case 'n', '{', '[':
		return "", false
	}
	return integerText(string(object))
}

// integerText is an integer within ±(2^53−1), the range in which every reader
// of JSON agrees on it.
func integerText(s string) (string, bool) {
	const safe = 1<<53 - 1
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10), n >= -safe && n <= safe
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != float64(int64(f)) || f < -safe || f > safe {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}
