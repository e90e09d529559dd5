package envelope

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits bound what Parse accepts. The zero Limits accept nothing.
type Limits struct {
	// MaxBytes is the size of a message in bytes.
	MaxBytes int
	// MaxDepth is how deep objects and arrays may nest; the message itself is
	// depth 1. Depths beyond 10 000 are refused whatever MaxDepth says.
	MaxDepth int
}

// MaxID is the longest request id in bytes as it stands on the wire. Ids are
// kept for as long as a request runs, so a caller may not make them large.
const MaxID = 512

// Parse reads the envelope of the one message that b is. It copies none of b;
// the message refers to it. A failure is an *Fault; where it is a Malformed one
// and the message has a valid id, the returned message still has that id, so
// that the refusal can be addressed.
func Parse(b []byte, limits Limits) (Message, error) {
	m := Message{raw: b}
	if len(b) > limits.MaxBytes {
		return m, faultf(TooLarge, limits.MaxBytes, "expected a message of at most %d bytes, this one has %d", limits.MaxBytes, len(b))
	}
	if i := skipSpace(b, 0); i < len(b) && b[i] == '[' {
		return m, faultf(Batch, i, "expected one JSON-RPC message, not a batch")
	}
	if err := checkDepth(b, limits.MaxDepth); err != nil {
		return m, err
	}
	p := parser{d: jsontext.NewDecoder(bytes.NewBuffer(b)), m: &m}
	if err := p.message(); err != nil {
		return m, err
	}
	err := classify(&m)
	if p.lookalike != nil {
		// A message with two readings has no kind to act on.
		m.Kind = 0
		return m, p.lookalike
	}
	return m, err
}

type parser struct {
	d *jsontext.Decoder
	m *Message
	// lookalike is the first name that is a field's but for its case. The rest
	// is read before it is reported, so that the id is known.
	lookalike error
}

func (p *parser) message() error {
	if kind := p.d.PeekKind(); kind != '{' {
		if _, err := p.d.ReadValue(); err != nil {
			return syntaxFault(p.m.raw, err)
		}
		return faultf(Malformed, skipSpace(p.m.raw, 0), "expected a JSON object, found %s", kindName(kind))
	}
	if _, err := p.object(messageLevel); err != nil {
		return syntaxFault(p.m.raw, err)
	}
	if _, err := p.d.ReadToken(); !errors.Is(err, io.EOF) {
		return faultf(NotJSON, skipSpace(p.m.raw, int(p.d.InputOffset())), "expected the end of the message after its object")
	}
	return nil
}

// object reads the object at hand, whose members are fields of lv, and
// returns where it stands.
func (p *parser) object(lv level) (Span, error) {
	if _, err := p.d.ReadToken(); err != nil {
		return Span{}, err
	}
	start := int(p.d.InputOffset()) - 1
	for p.d.PeekKind() != '}' {
		name, err := p.d.ReadValue()
		if err != nil {
			return Span{}, err
		}
		f := p.field(lv, name)
		var at Span
		if inner, ok := inside(f); ok && p.d.PeekKind() == '{' {
			at, err = p.object(inner)
		} else {
			at, err = p.value()
		}
		if err != nil {
			return Span{}, err
		}
		if f != None {
			p.m.spans[f] = at
		}
	}
	if _, err := p.d.ReadToken(); err != nil {
		return Span{}, err
	}
	return Span{start, int(p.d.InputOffset())}, nil
}

func (p *parser) value() (Span, error) {
	v, err := p.d.ReadValue()
	end := int(p.d.InputOffset())
	return Span{end - len(v), end}, err
}

// field is the field of lv that a member's name, still quoted, stands for.
func (p *parser) field(lv level, quoted []byte) Field {
	name := quoted[1 : len(quoted)-1]
	if !plain(name) {
		// Cannot fail: the decoder has accepted the string.
		name, _ = jsontext.AppendUnquote(nil, quoted)
	}
	for f := lv.first; f <= lv.last; f++ {
		if string(name) == names[f] {
			return f
		}
	}
	if p.lookalike != nil || lv == resultLevel || lv == errorLevel {
		return None // no decision is made from what a server answers
	}
	for f := lv.first; f <= lv.last; f++ {
		if bytes.EqualFold(name, []byte(names[f])) {
			at := int(p.d.InputOffset()) - len(quoted)
			p.lookalike = faultf(Malformed, at, "expected member names that do not differ from %q only in case", names[f])
			break
		}
	}
	return None
}

// classify checks the shape of a message and finds its kind (JSON-RPC 2.0 §4, §5).
func classify(m *Message) error {
	idErr := checkID(m)
	if v, _ := m.Text(JSONRPC); v != "2.0" {
		return m.malformed(JSONRPC, `expected "jsonrpc" to be "2.0"`)
	}
	if m.Has(Method) {
		return classifyCall(m, idErr)
	}
	if !m.Has(Result) && !m.Has(Error) {
		return m.malformed(None, `expected one of "method", "result" and "error"`)
	}
	if m.Has(Result) && m.Has(Error) {
		return m.malformed(Error, `expected either "result" or "error", not both`)
	}
	if m.Has(Error) {
		if string(m.Bytes(ID)) == "null" {
			m.spans[ID], idErr = Span{}, nil
		}
		if !m.IsObject(Error) || !integer(m.Bytes(ErrorCode)) {
			return m.malformed(Error, `expected "error" to be an object with an integer "code"`)
		}
	} else if !m.Has(ID) && idErr == nil {
		return m.malformed(None, `expected an "id" beside "result"`)
	}
	if idErr != nil {
		return idErr
	}
	m.Kind = Response
	return nil
}

func classifyCall(m *Message, idErr error) error {
	if m.Has(Result) || m.Has(Error) {
		return m.malformed(Method, `expected no "result" or "error" beside "method"`)
	}
	if v, ok := m.Text(Method); !ok || v == "" {
		return m.malformed(Method, `expected "method" to be a string that is not empty`)
	}
	if m.Has(Params) && !m.IsObject(Params) {
		return m.malformed(Params, `expected "params" to be an object`)
	}
	if idErr != nil {
		return idErr
	}
	m.Kind = Notification
	if m.Has(ID) {
		m.Kind = Request
	}
	return nil
}

// checkID refuses an id that MCP does not have and removes it from m, so that
// a refusal is not addressed to it.
func checkID(m *Message) error {
	v := m.Bytes(ID)
	if v == nil {
		return nil
	}
	if len(v) > MaxID {
		err := m.malformed(ID, `expected an "id" of at most 512 bytes`)
		m.spans[ID] = Span{}
		return err
	}
	if v[0] != '"' && !integer(v) {
		err := m.malformed(ID, `expected "id" to be a string or an integer without fraction and exponent`)
		if string(v) != "null" {
			m.spans[ID] = Span{}
		}
		return err
	}
	return nil
}

func integer(v []byte) bool {
	v, _ = bytes.CutPrefix(v, []byte("-"))
	if len(v) == 0 {
		return false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// checkDepth refuses what nests deeper than limit. It need not understand
// more of JSON than strings: what it misjudges is not JSON and refused later.
func checkDepth(b []byte, limit int) error {
	if bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) <= limit {
		return nil
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
		case '{', '[':
			if depth++; depth > limit {
				return faultf(TooDeep, i, "expected objects and arrays to nest at most %d deep", limit)
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// stringEnd is the offset of the quote that ends the string starting at i, or
// the end of b.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(b)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}
