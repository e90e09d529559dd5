// Package envelope reads the envelope of a JSON-RPC 2.0 message as the Model
// Context Protocol uses it: decoded once, the bytes kept. What a field of the
// envelope says is found by its place in those bytes, and an edit changes the
// bytes of that place and no others, so that a proxy forwards what it was given.
//
// Two readers of one message must not read two messages. Parse therefore
// refuses whatever readers are known to disagree about: invalid UTF-8, lone
// surrogates, a name that occurs twice in an object at any depth, and a name
// that differs only in case from a field of the envelope, because some servers
// match names as encoding/json does, without regard to case.
package envelope

import (
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a message is.
type Kind uint8

const (
	// Request has a method and an id, and is answered.
	Request Kind = iota + 1
	// Notification has a method and no id, and is not answered.
	Notification
	// Response has a result or an error. Its id is absent or null only with an
	// error, where the other side could not read the id.
	Response
)

func (k Kind) String() string {
	switch k {
	case Request:
		return "request"
	case Notification:
		return "notification"
	case Response:
		return "response"
	}
	return "no message"
}

// Field is a place in a message that has a meaning for a proxy.
type Field uint8

// The fields of each level stand together; levels and names in table.go follow
// this order.
const (
	None Field = iota

	// The message itself.
	JSONRPC
	ID
	Method
	Params
	Result
	Error

	// Inside params.
	Name            // tools/call, prompts/get, tasks
	URI             // resources/…
	Arguments       // tools/call, prompts/get
	Cursor          // every list
	Meta            // _meta
	RequestID       // notifications/cancelled
	ProgressToken   // notifications/progress
	RequestState    // a retry after input_required (2026-07-28)
	InputResponses  // a retry after input_required (2026-07-28)
	ProtocolVersion // initialize (2025-11-25 and older)
	Level           // logging/setLevel
	Ref             // completion/complete

	// Inside params.ref.
	RefType
	RefName
	RefURI

	// Inside params._meta.
	MetaProgressToken
	MetaProtocolVersion    // io.modelcontextprotocol/protocolVersion (2026-07-28)
	MetaClientInfo         // io.modelcontextprotocol/clientInfo
	MetaClientCapabilities // io.modelcontextprotocol/clientCapabilities
	MetaLogLevel           // io.modelcontextprotocol/logLevel
	MetaSession            // aims/session: what the caller says of its run

	// Inside result.
	ResultMeta // _meta
	ResultType // complete or input_required (2026-07-28)
	ResultIsError
	ResultProtocolVersion // initialize, server/discover

	// Inside error.
	ErrorCode

	fieldCount
)

// Span is a place in a message's bytes: [Start, End). The zero Span is of a
// field that the message does not have.
type Span struct{ Start, End int }

// Present says whether the message has the field.
func (s Span) Present() bool { return s.End > s.Start }

// Message is one parsed message. It refers to the bytes that it was parsed
// from, which must not be changed while it is in use.
type Message struct {
	Kind  Kind
	raw   []byte
	spans [fieldCount]Span
}

// Raw is the whole message as it was given to Parse.
func (m *Message) Raw() []byte { return m.raw }

// Span is where a field's value stands.
func (m *Message) Span(f Field) Span { return m.spans[f] }

// Has says whether the message has the field, whatever its value.
func (m *Message) Has(f Field) bool { return m.spans[f].Present() }

// Bytes is a field's JSON value as it stands in the message, nil when absent.
// It aliases the message.
func (m *Message) Bytes(f Field) []byte {
	s := m.spans[f]
	if !s.Present() {
		return nil
	}
	return m.raw[s.Start:s.End:s.End]
}

// Text is the decoded value of a field that holds a JSON string; false when
// the field is absent or holds something else.
func (m *Message) Text(f Field) (string, bool) { return text(m.Bytes(f)) }

func text(v []byte) (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	if inner := v[1 : len(v)-1]; plain(inner) {
		return string(inner), true
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}

// MethodName is the decoded method of a request or notification.
func (m *Message) MethodName() string {
	s, _ := m.Text(Method)
	return s
}

// IsObject says whether a field holds a JSON object.
func (m *Message) IsObject(f Field) bool {
	v := m.Bytes(f)
	return len(v) > 0 && v[0] == '{'
}

// IsTrue says whether a field holds the literal true.
func (m *Message) IsTrue(f Field) bool { return string(m.Bytes(f)) == "true" }

// plain says that the inside of a JSON string needs no decoding.
func plain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' {
			return false
		}
	}
	return true
}
