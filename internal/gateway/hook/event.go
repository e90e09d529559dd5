package hook

import (
	"bytes"
	"errors"
	"io"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/receipt"

	"github.com/go-json-experiment/json/jsontext"
)

// The events of Claude Code that are decided or recorded.
const (
	preToolUse         = "PreToolUse"
	postToolUse        = "PostToolUse"
	postToolUseFailure = "PostToolUseFailure"
	userPromptSubmit   = "UserPromptSubmit"
)

// event is what Claude Code tells its hook.
type event struct {
	name    string
	session string
	tool    string
	use     string // id of the tool call, empty in old versions
	input   []byte // JSON object
	result  []byte // JSON, nil when absent
	failure []byte // JSON, of PostToolUseFailure
	halted  bool   // the user interrupted the tool
	prompt  []byte // JSON string
}

func invalidf(format string, args ...any) error {
	return aims.Errorf(aims.Invalid, nil, format, args...)
}

// parseEvent reads an event. With an error it returns what it has read by
// then, so that the denial has the form of the event.
func parseEvent(b []byte) (event, error) {
	var ev event
	if err := members(b, ev.take); err != nil {
		return ev, err
	}
	switch {
	case !known(ev.name):
		return ev, invalidf("expected hook_event_name to be %s, %s, %s or %s", preToolUse, postToolUse, postToolUseFailure, userPromptSubmit)
	case ev.session == "":
		return ev, invalidf("expected session_id to be a string that is not empty")
	case ev.name == userPromptSubmit:
		if ev.prompt == nil {
			return ev, invalidf("expected prompt to be a string")
		}
		return ev, nil
	case ev.tool == "":
		return ev, invalidf("expected tool_name to be a string that is not empty")
	}
	return ev, nil
}

// take takes a member of the event. Members that it does not know are Claude Code's own business.
func (ev *event) take(name string, v []byte) error {
	ok := true
	switch name {
	case "hook_event_name":
		ev.name, ok = unquote(v)
	case "session_id":
		ev.session, ok = unquote(v)
	case "tool_name":
		ev.tool, ok = unquote(v)
	case "tool_use_id":
		ev.use, ok = unquote(v)
	case "tool_input":
		if v[0] != '{' {
			return invalidf("expected tool_input to be an object")
		}
		ev.input = v
	case "tool_response":
		ev.result = v
	case "error":
		ev.failure = v
	case "is_interrupt":
		ev.halted = string(v) == "true"
	case "prompt":
		ev.prompt = v
		_, ok = unquote(v)
	}
	if !ok {
		return invalidf("expected %s to be a string", name)
	}
	return nil
}

// key tells the tool calls of one agent apart. Another tool is another call,
// whatever its id says.
func (ev *event) key() string { return ev.session + "\x00" + ev.use + "\x00" + ev.tool }

// method is the event as receipts name it; other text of the caller is not repeated.
func (ev *event) method() string {
	if known(ev.name) {
		return ev.name
	}
	return ""
}

// promptInput is the prompt as arguments of PromptTool.
func (ev *event) promptInput() []byte {
	return append(append([]byte(`{"prompt":`), ev.prompt...), '}')
}

// outcome is what a PostToolUse says came of the call. Tools have no common
// form of result; these are the marks by which Claude Code's own and those of
// MCP say that they failed.
func (ev *event) outcome() enforcement.Outcome {
	o := enforcement.Outcome{Status: receipt.Succeeded, Result: ev.result}
	if ev.name == postToolUseFailure {
		o.Status, o.Detail = receipt.Failed, "the tool reported an error"
		if o.Result = ev.failure; ev.halted {
			o.Status, o.Detail = receipt.Cancelled, "the user interrupted the tool"
		}
	} else if len(ev.result) > 0 && ev.result[0] == '{' {
		members(ev.result, func(name string, v []byte) error {
			switch name + " " + string(v[:min(len(v), 6)]) {
			case "isError true", "is_error true", "success false":
				o.Status, o.Detail = receipt.Failed, "the tool's result is marked as an error"
			case "interrupted true":
				o.Status, o.Detail = receipt.Cancelled, "the tool was interrupted"
			}
			return nil
		})
	}
	if len(o.Result) > receipt.MaxPayload {
		o.Bytes, o.Result = int64(len(o.Result)), nil
	}
	return o
}

// permission is the answer that lets a tool call happen.
func (ev *event) permission(id string) []byte {
	return decision(nil, "allow", "aims allows it ("+id+")")
}

// denial is the answer that stops what is about to happen, in the form of the
// event; for what has happened, it tells the user. Of an event that could not
// be read it is in both forms.
func (ev *event) denial(why, id string) []byte {
	text := "aims: " + why
	if id != "" {
		text += " (" + id + ")"
	}
	switch ev.name {
	case preToolUse:
		return decision(nil, "deny", text)
	case userPromptSubmit:
		b := quote([]byte(`{"decision":"block","reason":`), text)
		return append(b, '}')
	case postToolUse, postToolUseFailure:
		b := quote([]byte(`{"systemMessage":`), text)
		return append(b, '}')
	}
	b := quote([]byte(`"decision":"block","reason":`), text)
	return decision(append(b, ','), "deny", text)
}

func decision(more []byte, word, why string) []byte {
	b := append(append([]byte{'{'}, more...), `"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"`...)
	b = append(append(b, word...), `","permissionDecisionReason":`...)
	return append(quote(b, why), "}}"...)
}

func quote(b []byte, s string) []byte {
	// The only error is text that is not UTF-8, which U+FFFD has replaced by then.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// members calls visit for each member of the JSON object that b is. A name that
// occurs twice, at any depth, is refused: two readers could take two values.
func members(b []byte, visit func(name string, value []byte) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	if d.PeekKind() != '{' {
		return invalidf("expected a JSON object")
	}
	d.ReadToken()
	for d.PeekKind() != '}' {
		quoted, err := d.ReadValue()
		if err != nil {
			return notJSON(b, err)
		}
		name, _ := unquote(quoted) // the decoder has accepted it
		value, err := d.ReadValue()
		if err != nil {
			return notJSON(b, err)
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	d.ReadToken()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return invalidf("expected nothing after the JSON object, at byte %d", d.InputOffset())
	}
	return nil
}

func notJSON(b []byte, err error) error {
	at := len(b)
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		at = int(s.ByteOffset)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return invalidf("expected every name to occur once in its object, at byte %d", at)
	}
	return invalidf("expected a JSON object in UTF-8, at byte %d", at)
}

// unquote is the value of a JSON string.
func unquote(quoted []byte) (string, bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, quoted)
	return string(s), err == nil
}
