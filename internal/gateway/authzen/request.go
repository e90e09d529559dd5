package authzen

import (
	"bytes"
	"errors"
	"io"

	"aims/internal/aims"
	"aims/internal/gateway/statement"

	"github.com/go-json-experiment/json/jsontext"
)

// malformed is a request that cannot be read. Its sentence says what was
// expected and where.
type malformed struct{ error }

func (m *malformed) Unwrap() error { return m.error }

func malformedf(format string, args ...any) error {
	return &malformed{aims.Errorf(aims.Invalid, nil, format, args...)}
}

// members calls visit for each member of a JSON object. Values alias b.
// Members that visit does not know are allowed, as AuthZEN says; a name that
// occurs twice, at any depth, is not.
func members(b []byte, path string, visit func(name string, value []byte) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return notJSON(b, err)
		}
		return malformedf("expected %s to be a JSON object", path)
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
	if _, err := d.ReadToken(); err != nil {
		return notJSON(b, err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return malformedf("expected nothing after the JSON object, at byte %d", d.InputOffset())
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
		return malformedf("expected every name to occur once in its object, at byte %d", at)
	}
	return malformedf("expected a JSON object in UTF-8, at byte %d", at)
}

// unquote is the value of a JSON string.
func unquote(quoted []byte) (string, bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return "", false
	}
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	s, err := jsontext.AppendUnquote(nil, quoted)
	return string(s), err == nil
}

// evaluation is one question as it stands in a request; nil members are absent.
type evaluation struct {
	subject, action, resource, context []byte
}

// payload is a request: one question, or defaults for several.
type payload struct {
	evaluation
	evaluations []byte
	options     []byte
}

func parsePayload(b []byte) (payload, error) {
	var p payload
	err := members(b, "the request", func(name string, value []byte) error {
		switch name {
		case "evaluations":
			p.evaluations = value
		case "options":
			p.options = value
		default:
			p.evaluation.take(name, value)
		}
		return nil
	})
	return p, err
}

func (e *evaluation) take(name string, value []byte) {
	switch name {
	case "subject":
		e.subject = value
	case "action":
		e.action = value
	case "resource":
		e.resource = value
	case "context":
		e.context = value
	}
}

// entity is a subject, an action (whose name is its id) or a resource.
type entity struct {
	kind, id   string
	properties []byte
}

// parseEntity reads an entity. What is required and missing is taken from the
// default, whole entities from it where value is absent; a default's
// properties belong to the default alone (AuthZEN certification 3.2.7).
func parseEntity(value, fallback []byte, path, idName string, typed bool) (entity, error) {
	if value == nil {
		value, fallback = fallback, nil
	}
	if value == nil {
		return entity{}, malformedf("expected a member %q", path)
	}
	e, err := readEntity(value, path, idName)
	if err != nil {
		return e, err
	}
	if fallback != nil && (e.id == "" || typed && e.kind == "") {
		d, err := readEntity(fallback, path, idName)
		if err != nil {
			return e, err
		}
		if e.id == "" {
			e.id = d.id
		}
		if e.kind == "" {
			e.kind = d.kind
		}
	}
	if typed && e.kind == "" {
		return e, malformedf("expected %s.type to be a string that is not empty", path)
	}
	if e.id == "" {
		return e, malformedf("expected %s.%s to be a string that is not empty", path, idName)
	}
	return e, nil
}

func readEntity(value []byte, path, idName string) (entity, error) {
	var e entity
	err := members(value, path, func(name string, v []byte) error {
		ok := true
		switch name {
		case idName:
			e.id, ok = unquote(v)
		case "type":
			e.kind, ok = unquote(v)
		case "properties":
			if v[0] != '{' {
				return malformedf("expected %s.properties to be an object", path)
			}
			e.properties = v
		}
		if !ok {
			return malformedf("expected %s.%s to be a string", path, name)
		}
		return nil
	})
	return e, err
}

// question is an evaluation that has been read.
type question struct {
	subject, action, resource entity
	// said is what the context says of the run, named by it or not.
	said      statement.Statement
	session   []byte // of the context; nil when absent
	arguments []byte // of the context; nil when absent
}

func parseQuestion(e, defaults evaluation) (question, error) {
	var q question
	var err error
	if q.subject, err = parseEntity(e.subject, defaults.subject, "subject", "id", true); err != nil {
		return q, err
	}
	if q.action, err = parseEntity(e.action, defaults.action, "action", "name", false); err != nil {
		return q, err
	}
	if q.resource, err = parseEntity(e.resource, defaults.resource, "resource", "id", true); err != nil {
		return q, err
	}
	context := e.context
	if context == nil {
		context = defaults.context
	}
	if context == nil {
		return q, nil
	}
	return q, members(context, "context", func(name string, v []byte) error {
		switch name {
		case "session":
			q.session = v
			return q.takeSession(v)
		case "arguments":
			if v[0] != '{' {
				return malformedf("expected context.arguments to be an object")
			}
			q.arguments = v
		}
		return nil
	})
}

// takeSession takes the name of a session, or all that is said of it.
func (q *question) takeSession(v []byte) error {
	switch v[0] {
	case '"':
		q.said.Session, _ = unquote(v)
		return nil
	case '{':
		var err error
		if q.said, err = statement.Parse(v, "context.session"); err != nil {
			return &malformed{err}
		}
		return nil
	}
	return malformedf("expected context.session to be a string or an object")
}

// elements are the elements of a JSON array, which alias it.
func elements(array []byte, most int) ([][]byte, error) {
	if array[0] != '[' {
		return nil, malformedf("expected evaluations to be an array")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(array), jsontext.AllowDuplicateNames(true))
	d.ReadToken()
	var all [][]byte
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, notJSON(array, err) // it was read before, so this does not happen
		}
		if len(all) == most {
			return nil, malformedf("expected at most %d evaluations", most)
		}
		all = append(all, v)
	}
	return all, nil
}

// semantic is when a request with several evaluations stops (AuthZEN 1.0,
// Evaluations Semantics).
type semantic string

const (
	executeAll          semantic = "execute_all"
	denyOnFirstDeny     semantic = "deny_on_first_deny"
	permitOnFirstPermit semantic = "permit_on_first_permit"
)

func parseSemantic(options []byte) (semantic, error) {
	s := executeAll
	if options == nil {
		return s, nil
	}
	err := members(options, "options", func(name string, v []byte) error {
		if name != "evaluations_semantic" {
			return nil
		}
		text, _ := unquote(v)
		switch s = semantic(text); s {
		case executeAll, denyOnFirstDeny, permitOnFirstPermit:
			return nil
		}
		return malformedf("expected options.evaluations_semantic to be %s, %s or %s", executeAll, denyOnFirstDeny, permitOnFirstPermit)
	})
	return s, err
}

// stops says whether a decision ends the request.
func (s semantic) stops(allowed bool) bool {
	return s == denyOnFirstDeny && !allowed || s == permitOnFirstPermit && allowed
}
