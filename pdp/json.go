package pdp

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The package reads JSON with its own parser because a policy must see exactly
// what the upstream server will see: a name given twice, a lone surrogate or
// broken UTF-8 is read differently by different parsers and is therefore
// refused here (RFC 8259 §4 and §8.2, RFC 7493), and numbers are kept as
// written, so that none is rounded on the way to a comparison.

// maxDepth bounds the nesting of JSON: the parser and everything that walks
// its result are recursive.
const maxDepth = 256

// maxValues bounds how many values one document holds: a parsed value takes
// some forty times the two bytes that it may have been written in.
const maxValues = 1 << 18

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// String names the kind as an error sentence does.
func (k jsonKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// jsonValue is one parsed value. text is a string's content or a number's literal.
type jsonValue struct {
	kind    jsonKind
	flag    bool
	text    string
	elems   []jsonValue
	members []jsonMember
}

type jsonMember struct {
	name  string
	value jsonValue
}

// get finds the member of an object.
func (v jsonValue) get(name string) (jsonValue, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value, true
		}
	}
	return jsonValue{}, false
}

type jsonParser struct {
	src    []byte
	pos    int
	values int
}

// parseJSON reads one JSON value and nothing after it.
func parseJSON(src []byte) (jsonValue, error) {
	p := jsonParser{src: src}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return jsonValue{}, err
	}
	if p.space(); p.pos != len(src) {
		return jsonValue{}, p.errorf("something follows the value")
	}
	return v, nil
}

func (p *jsonParser) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", p.pos, fmt.Sprintf(format, args...))
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end: no valid token starts with 0.
func (p *jsonParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *jsonParser) value(depth int) (jsonValue, error) {
	if depth > maxDepth {
		return jsonValue{}, p.errorf("nested more than %d deep", maxDepth)
	}
	if p.values++; p.values > maxValues {
		return jsonValue{}, p.errorf("more than %d values", maxValues)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.str()
		return jsonValue{kind: jsonString, text: s}, err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case c == 't':
		return jsonValue{kind: jsonBool, flag: true}, p.word("true")
	case c == 'f':
		return jsonValue{kind: jsonBool}, p.word("false")
	case c == 'n':
		return jsonValue{kind: jsonNull}, p.word("null")
	case p.pos >= len(p.src):
		return jsonValue{}, p.errorf("ends where a value is expected")
	default:
		return jsonValue{}, p.errorf("a value is expected")
	}
}

func (p *jsonParser) word(w string) error {
	if len(p.src)-p.pos < len(w) || string(p.src[p.pos:p.pos+len(w)]) != w {
		return p.errorf("a value is expected")
	}
	p.pos += len(w)
	return nil
}

func (p *jsonParser) object(depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonObject}
	var seen map[string]bool // only for large objects; scanning is faster below
	p.pos++
	for p.space(); p.peek() != '}'; p.space() {
		if len(v.members) > 0 {
			if p.peek() != ',' {
				return v, p.errorf("a comma or } is expected")
			}
			p.pos++
			p.space()
		}
		if p.peek() != '"' {
			return v, p.errorf("a name is expected")
		}
		name, err := p.str()
		if err != nil {
			return v, err
		}
		if seen, err = p.once(v, name, seen); err != nil {
			return v, err
		}
		if p.space(); p.peek() != ':' {
			return v, p.errorf("a colon is expected")
		}
		p.pos++
		p.space()
		member, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.members = append(v.members, jsonMember{name, member})
	}
	p.pos++
	return v, nil
}

// once refuses a name that the object already has.
func (p *jsonParser) once(v jsonValue, name string, seen map[string]bool) (map[string]bool, error) {
	const few = 16
	if len(v.members) < few {
		if _, twice := v.get(name); twice {
			return seen, p.errorf("a name is given twice")
		}
		return seen, nil
	}
	if seen == nil {
		seen = make(map[string]bool, 4*few)
		for _, m := range v.members {
			seen[m.name] = true
		}
	}
	if seen[name] {
		return seen, p.errorf("a name is given twice")
	}
	seen[name] = true
	return seen, nil
}

func (p *jsonParser) array(depth int) (jsonValue, error) {
	v := jsonValue{kind: jsonArray}
	p.pos++
	for p.space(); p.peek() != ']'; p.space() {
		if len(v.elems) > 0 {
			if p.peek() != ',' {
				return v, p.errorf("a comma or ] is expected")
			}
			p.pos++
			p.space()
		}
		elem, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.elems = append(v.elems, elem)
	}
	p.pos++
	return v, nil
}

func (p *jsonParser) number() (jsonValue, error) {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
			p.pos++
		}
		return p.pos > from
	}
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !digits() {
		return jsonValue{}, p.errorf("a digit is expected")
	}
	if p.peek() == '.' {
		p.pos++
		if !digits() {
			return jsonValue{}, p.errorf("a digit is expected")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !digits() {
			return jsonValue{}, p.errorf("a digit is expected")
		}
	}
	return jsonValue{kind: jsonNumber, text: string(p.src[start:p.pos])}, nil
}

// str reads a string; the common one without escapes is one copy.
func (p *jsonParser) str() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			s := p.src[start:p.pos]
			if !utf8.Valid(s) {
				return "", p.errorf("a string is not UTF-8")
			}
			p.pos++
			return string(s), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.errorf("a control character in a string must be escaped")
		default:
			p.pos++
		}
	}
	return "", p.errorf("a string is not terminated")
}

func (p *jsonParser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			if !utf8.Valid(out) {
				return "", p.errorf("a string is not UTF-8")
			}
			p.pos++
			return string(out), nil
		case c == '\\':
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		case c < 0x20:
			return "", p.errorf("a control character in a string must be escaped")
		default:
			out = append(out, c)
			p.pos++
		}
	}
	return "", p.errorf("a string is not terminated")
}

func (p *jsonParser) escape(out []byte) ([]byte, error) {
	p.pos++
	c := p.peek()
	p.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, err := p.unicode()
		return utf8.AppendRune(out, r), err
	}
	return out, p.errorf("an unknown escape")
}

// unicode reads the digits of \uXXXX, and the second half of a surrogate pair.
// A lone half has no meaning that two parsers agree on.
func (p *jsonParser) unicode() (rune, error) {
	high, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(high) {
		return high, err
	}
	if p.peek() == '\\' && p.pos+1 < len(p.src) && p.src[p.pos+1] == 'u' {
		p.pos += 2
		low, err := p.hex4()
		if err != nil {
			return 0, err
		}
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, p.errorf("half of a surrogate pair")
}

func (p *jsonParser) hex4() (rune, error) {
	if len(p.src)-p.pos < 4 {
		return 0, p.errorf("four hexadecimal digits are expected")
	}
	n, err := strconv.ParseUint(string(p.src[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, p.errorf("four hexadecimal digits are expected")
	}
	p.pos += 4
	return rune(n), nil
}
