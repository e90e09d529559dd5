package gateway

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"

	"aims/internal/gateway/envelope"
)

// binding is an argument whose value a header repeats, because its schema says
// so by x-mcp-header (2026-07-28, SEP-2243).
type binding struct {
	path   []string
	header string
}

// boundTool is a tool's bindings as of one definition.
type boundTool struct {
	pin      string
	bindings []binding
}

// maxBindings bounds the headers of one tool.
const maxBindings = 32

// bindingsOf are a tool's bindings, read from its approved definition.
func (s *server) bindingsOf(tool string) []binding {
	state, ok := s.g.Inventory.Tool(s.name, tool)
	if !ok || len(state.Definition) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.bindings[tool]; ok && b.pin == state.Approved {
		return b.bindings
	}
	var definition struct {
		InputSchema schemaNode `json:"inputSchema"`
	}
	b := boundTool{pin: state.Approved}
	if json.Unmarshal(state.Definition, &definition) == nil {
		b.bindings = definition.InputSchema.collect(nil, nil)
	}
	s.bindings[tool] = b
	return b.bindings
}

type schemaNode struct {
	Header     string                `json:"x-mcp-header"`
	Properties map[string]schemaNode `json:"properties"`
}

func (n *schemaNode) UnmarshalJSON(b []byte) error {
	var plain struct {
		Header     any                   `json:"x-mcp-header"`
		Properties map[string]schemaNode `json:"properties"`
	}
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &plain) != nil {
		return nil // a schema may be true or false; what is malformed binds nothing
	}
	n.Header, _ = plain.Header.(string)
	n.Properties = plain.Properties
	return nil
}

func (n schemaNode) collect(path []string, found []binding) []binding {
	for name, child := range n.Properties {
		at := append(path[:len(path):len(path)], name)
		if isToken(child.Header) && len(found) < maxBindings {
			found = append(found, binding{at, http.CanonicalHeaderKey(headerParam + child.Header)})
		}
		found = child.collect(at, found)
	}
	return found
}

// isToken says whether s can be part of a header's name (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for _, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return false
		}
	}
	return s != ""
}

// argument is the value of a bound argument in the form that the header has
// it; false where there is none.
func (b binding) argument(arguments map[string]any) (text string, primitive, present bool) {
	var v any = arguments
	for _, name := range b.path {
		object, ok := v.(map[string]any)
		if !ok {
			return "", false, false
		}
		if v, ok = object[name]; !ok {
			return "", false, false
		}
	}
	switch v := v.(type) {
	case nil:
		return "", false, false
	case string:
		return v, true, true
	case bool:
		return strconv.FormatBool(v), true, true
	case json.Number:
		f, err := v.Float64()
		if err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53-1 {
			return strconv.FormatInt(int64(f), 10), true, true
		}
	}
	return "", false, true
}

func decodeArguments(raw []byte) map[string]any {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var arguments map[string]any
	if d.Decode(&arguments) != nil {
		return nil
	}
	return arguments
}

// paramHeaders are the headers that repeat a call's arguments.
func (s *server) paramHeaders(tool string, raw []byte) http.Header {
	bindings := s.bindingsOf(tool)
	if len(bindings) == 0 {
		return nil
	}
	h := http.Header{}
	arguments := decodeArguments(raw)
	for _, b := range bindings {
		if text, ok, _ := b.argument(arguments); ok {
			h[b.header] = []string{envelope.HeaderValue(text)}
		}
	}
	return h
}

// checkParamHeaders compares the headers that repeat arguments with the
// arguments.
func (x *exchange) checkParamHeaders(s *server, tool string) error {
	if !x.client.modern() {
		return nil
	}
	bindings := s.bindingsOf(tool)
	if len(bindings) == 0 {
		return nil
	}
	arguments := decodeArguments(x.msg.Bytes(envelope.Arguments))
	for _, b := range bindings {
		got, repeated := x.header[b.header]
		want, primitive, present := b.argument(arguments)
		switch {
		case !present && !repeated:
			continue
		case !present:
			return headerMismatch("expected no header " + b.header + ", because the argument is absent")
		case !repeated || len(got) != 1:
			return headerMismatch("expected the header " + b.header + " once, because the argument is given")
		case !primitive:
			return headerMismatch("expected the argument behind the header " + b.header + " to be a string, an integer or a boolean")
		}
		if text, ok := envelope.HeaderText(got[0]); !ok || !sameValue(text, want) {
			return headerMismatch("expected the header " + b.header + " to be the argument's value")
		}
	}
	return nil
}

func sameValue(got, want string) bool {
	if got == want {
		return true
	}
	// 1.0 and 1 are one integer.
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseInt(want, 10, 64)
	return errA == nil && errB == nil && a == float64(b) && math.Abs(a) <= 1<<53-1
}
