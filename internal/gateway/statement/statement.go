// Package statement is what a caller says of its run: what it is for, on whose
// behalf, the user's words, what it was delegated by (ISO 42001 A.9.4). It is
// read the same way at every enforcement point; what it is worth, enforcement
// decides.
package statement

import (
	"encoding/json"
	"net/http"

	"aims/internal/aims"
	"aims/internal/gateway/envelope"
)

// Statement is what a request says of the run that it is part of. Empty members
// are not said.
type Statement struct {
	// Session names the run. It is not said about the run, but which it is.
	Session    string
	Purpose    string
	OnBehalfOf string
	Prompt     string
	// Parent is the receipt of the decision that delegated to the run.
	Parent string
}

// The headers that say it. A prompt has none: it may be long.
const (
	HeaderSession    = "Aims-Session"
	HeaderPurpose    = "Aims-Purpose"
	HeaderOnBehalfOf = "Aims-On-Behalf-Of"
	HeaderParent     = "Aims-Parent"
)

// member is one member of a statement, by the name that it has as JSON.
type member struct {
	name, header string
	value        *string
}

func (s *Statement) members() [5]member {
	return [...]member{
		{"session", HeaderSession, &s.Session},
		{"purpose", HeaderPurpose, &s.Purpose},
		{"on_behalf_of", HeaderOnBehalfOf, &s.OnBehalfOf},
		{"prompt", "", &s.Prompt},
		{"parent", HeaderParent, &s.Parent},
	}
}

// maxSession is how long the name of a session may be, in bytes: it is kept for
// as long as the session.
const maxSession = 256

// check refuses what could only be refused later.
func (s Statement) check() error {
	if len(s.Session) > maxSession {
		return aims.Errorf(aims.Invalid, nil, "expected the name of a session to have at most %d bytes", maxSession)
	}
	return nil
}

// Says tells whether something is said about the run.
func (s Statement) Says() bool {
	return s.Purpose != "" || s.OnBehalfOf != "" || s.Prompt != "" || s.Parent != ""
}

// Parse reads a statement from a JSON object, in which no name stands twice. It
// fails with aims.Invalid; where says in the error which object it is. A member
// that it does not know is refused, because a misspelt one would be taken for
// nothing said.
func Parse(object []byte, where string) (Statement, error) {
	var s Statement
	var found map[string]json.RawMessage
	if json.Unmarshal(object, &found) != nil || found == nil {
		return s, aims.Errorf(aims.Invalid, nil, "expected %s to be an object", where)
	}
	for _, m := range s.members() {
		raw, ok := found[m.name]
		if !ok {
			continue
		}
		if raw[0] != '"' || json.Unmarshal(raw, m.value) != nil {
			return s, aims.Errorf(aims.Invalid, nil, "expected %s.%s to be a string", where, m.name)
		}
		delete(found, m.name)
	}
	if len(found) > 0 {
		return s, aims.Errorf(aims.Invalid, nil, "expected %s to have no members but session, purpose, on_behalf_of, prompt and parent", where)
	}
	return s, s.check()
}

// FromHeader reads what the headers say. It fails with aims.Invalid.
func FromHeader(h http.Header) (Statement, error) {
	var s Statement
	for _, m := range s.members() {
		values := h[m.header]
		if len(values) == 0 {
			continue
		}
		text, ok := envelope.HeaderText(values[0])
		if !ok || len(values) > 1 {
			return s, aims.Errorf(aims.Invalid, nil, "expected the header %s once, as text or in the =?base64?…?= form", m.header)
		}
		*m.value = text
	}
	return s, s.check()
}

// And joins two statements about one run. It fails with aims.Invalid where they
// say different things.
func (s Statement) And(other Statement) (Statement, error) {
	theirs := other.members()
	for i, m := range s.members() {
		switch said := *theirs[i].value; {
		case *m.value == "":
			*m.value = said
		case said != "" && said != *m.value:
			return s, aims.Errorf(aims.Invalid, nil, "expected %s to be said once, or twice the same", m.name)
		}
	}
	return s, nil
}

// SetHeader writes a statement as headers, without the prompt.
func (s Statement) SetHeader(h http.Header) {
	for _, m := range s.members() {
		if m.header != "" && *m.value != "" {
			h.Set(m.header, envelope.HeaderValue(*m.value))
		}
	}
}
