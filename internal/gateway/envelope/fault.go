package envelope

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Cause is why a message was refused.
type Cause uint8

const (
	// NotJSON: the bytes are not one JSON text in UTF-8 (RFC 8259).
	NotJSON Cause = iota + 1
	// Malformed: JSON, but not a JSON-RPC 2.0 message with one reading.
	Malformed
	// Batch: an array of messages, which MCP has not had since 2025-06-18.
	Batch
	// TooDeep: objects and arrays nest deeper than Limits.MaxDepth.
	TooDeep
	// TooLarge: more bytes than Limits.MaxBytes.
	TooLarge
)

// JSON-RPC 2.0 §5.1.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
)

// Fault is a refused message. Text says what was expected and holds nothing of
// the message's content; Offset is the byte at which it was not found.
type Fault struct {
	Cause  Cause
	Offset int
	Text   string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s, at byte %d", f.Text, f.Offset) }

// Code is the JSON-RPC error code of the refusal.
func (f *Fault) Code() int {
	if f.Cause == NotJSON {
		return CodeParse
	}
	return CodeInvalidRequest
}

func faultf(c Cause, offset int, format string, args ...any) *Fault {
	return &Fault{Cause: c, Offset: offset, Text: fmt.Sprintf(format, args...)}
}

// malformed is a fault at a field, or at the message's start when it is absent.
func (m *Message) malformed(f Field, text string) *Fault {
	at := m.spans[f].Start
	if !m.Has(f) {
		at = skipSpace(m.raw, 0)
	}
	return &Fault{Cause: Malformed, Offset: at, Text: text}
}

// syntaxFault words the decoder's error without quoting the message's content.
func syntaxFault(b []byte, err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	at := len(b)
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		at = int(s.ByteOffset)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return faultf(Malformed, at, "expected every name to occur once in its object")
	}
	if at >= len(b) {
		return faultf(NotJSON, len(b), "expected the rest of a JSON object, the message ends")
	}
	return faultf(NotJSON, at, "expected JSON in UTF-8 (RFC 8259)")
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return "null"
}
