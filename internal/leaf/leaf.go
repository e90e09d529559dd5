// Package leaf walks over a JSON document and shows its leaves: strings
// without their escapes, numbers as they are written, and names of members,
// each with its place. It builds no tree.
package leaf

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind says what a leaf is.
type Kind uint8

const (
	Name   Kind = iota // the name of a member; its path is the member's
	String             // without quotes and escapes; what is not UTF-8 stays as it is
	Number             // as it is written
	Bool
	Null
)

// Visit is told of one leaf. Both slices may change after it returns.
//
// The path is a JSON Pointer (RFC 6901) in which every element of an array is
// "[]", so that it names the argument and not the position; "[" in a name is "~2".
type Visit func(path []byte, kind Kind, text []byte)

// MaxDepth is how deep a document may nest.
const MaxDepth = 512

// Error says where a document stops being JSON, and what was expected there.
type Error struct {
	Offset int // in bytes
	Want   string
}

func (e *Error) Error() string { return fmt.Sprintf("expected %s at byte %d", e.Want, e.Offset) }

// Walk calls visit for every leaf of the one JSON document that doc is (RFC
// 8259), in order. Names given twice are both visited. An error is an *Error; what
// stands before it has been visited.
func Walk(doc []byte, visit Visit) error {
	w := walker{doc: doc, visit: visit}
	if err := w.value(0); err != nil {
		return err
	}
	if w.space(); w.i < len(doc) {
		return w.want("the end of the document")
	}
	return nil
}

type walker struct {
	doc   []byte
	i     int
	path  []byte
	buf   []byte // of a string that has escapes
	visit Visit
}

func (w *walker) want(what string) error { return &Error{w.i, what} }

func (w *walker) space() {
	for w.i < len(w.doc) {
		switch w.doc[w.i] {
		case ' ', '\t', '\n', '\r':
			w.i++
		default:
			return
		}
	}
}

// next is the next byte that is no space, or 0.
func (w *walker) next() byte {
	w.space()
	if w.i < len(w.doc) {
		return w.doc[w.i]
	}
	return 0
}

func (w *walker) value(depth int) error {
	if depth > MaxDepth {
		return w.want(fmt.Sprintf("at most %d levels", MaxDepth))
	}
	switch c := w.next(); {
	case c == '{':
		return w.object(depth)
	case c == '[':
		return w.array(depth)
	case c == '"':
		text, err := w.text()
		if err == nil {
			w.visit(w.path, String, text)
		}
		return err
	case c == '-' || digit(c):
		return w.number()
	case c == 't':
		return w.word("true", Bool)
	case c == 'f':
		return w.word("false", Bool)
	case c == 'n':
		return w.word("null", Null)
	}
	return w.want("a value")
}

func (w *walker) object(depth int) error {
	w.i++ // {
	if w.next() == '}' {
		w.i++
		return nil
	}
	above := len(w.path)
	for {
		if w.next() != '"' {
			return w.want("the name of a member")
		}
		name, err := w.text()
		if err != nil {
			return err
		}
		w.path = appendName(w.path[:above], name)
		w.visit(w.path, Name, name)
		if w.next() != ':' {
			return w.want("a colon")
		}
		w.i++
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:above]
		switch w.next() {
		case ',':
			w.i++
		case '}':
			w.i++
			return nil
		default:
			return w.want("a comma or the end of the object")
		}
	}
}

func appendName(path, name []byte) []byte {
	path = append(path, '/')
	for _, c := range name {
		switch c {
		case '~':
			path = append(path, "~0"...)
		case '/':
			path = append(path, "~1"...)
		case '[':
			path = append(path, "~2"...)
		default:
			path = append(path, c)
		}
	}
	return path
}

func (w *walker) array(depth int) error {
	w.i++ // [
	if w.next() == ']' {
		w.i++
		return nil
	}
	above := len(w.path)
	w.path = append(w.path, "/[]"...)
	for {
		if err := w.value(depth + 1); err != nil {
			return err
		}
		switch w.next() {
		case ',':
			w.i++
		case ']':
			w.i++
			w.path = w.path[:above]
			return nil
		default:
			return w.want("a comma or the end of the array")
		}
	}
}

func (w *walker) word(word string, kind Kind) error {
	if len(w.doc)-w.i < len(word) || string(w.doc[w.i:w.i+len(word)]) != word {
		return w.want(word)
	}
	w.visit(w.path, kind, w.doc[w.i:w.i+len(word)])
	w.i += len(word)
	return nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (w *walker) digits() error {
	if w.i >= len(w.doc) || !digit(w.doc[w.i]) {
		return w.want("a digit")
	}
	for w.i < len(w.doc) && digit(w.doc[w.i]) {
		w.i++
	}
	return nil
}

func (w *walker) at(c byte) bool { return w.i < len(w.doc) && w.doc[w.i] == c }

func (w *walker) number() error {
	start := w.i
	if w.at('-') {
		w.i++
	}
	if w.at('0') {
		w.i++
	} else if err := w.digits(); err != nil {
		return err
	}
	if w.at('.') {
		w.i++
		if err := w.digits(); err != nil {
			return err
		}
	}
	if w.at('e') || w.at('E') {
		w.i++
		if w.at('+') || w.at('-') {
			w.i++
		}
		if err := w.digits(); err != nil {
			return err
		}
	}
	w.visit(w.path, Number, w.doc[start:w.i])
	return nil
}

// text reads the string that starts here.
func (w *walker) text() ([]byte, error) {
	w.i++ // the quote
	start := w.i
	for ; w.i < len(w.doc); w.i++ {
		switch c := w.doc[w.i]; {
		case c == '"':
			w.i++
			return w.doc[start : w.i-1], nil
		case c == '\\':
			w.buf = append(w.buf[:0], w.doc[start:w.i]...)
			return w.escaped()
		case c < ' ':
			return nil, w.want("no control character in a string")
		}
	}
	return nil, w.want("the end of the string")
}

// escaped reads on from the first escape of a string.
func (w *walker) escaped() ([]byte, error) {
	for w.i < len(w.doc) {
		c := w.doc[w.i]
		switch {
		case c == '"':
			w.i++
			return w.buf, nil
		case c < ' ':
			return nil, w.want("no control character in a string")
		case c != '\\':
			w.buf = append(w.buf, c)
			w.i++
			continue
		}
		w.i++
		if err := w.escape(); err != nil {
			return nil, err
		}
	}
	return nil, w.want("the end of the string")
}

func (w *walker) escape() error {
	if w.i >= len(w.doc) {
		return w.want("the rest of an escape")
	}
	c := w.doc[w.i]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, ok := w.hex(w.i + 1)
		if !ok {
			return w.want("four hexadecimal digits")
		}
		w.i += 5
		if utf16.IsSurrogate(r) && w.at('\\') && w.i+1 < len(w.doc) && w.doc[w.i+1] == 'u' {
			if low, ok := w.hex(w.i + 2); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
				r = utf16.DecodeRune(r, low)
				w.i += 6
			}
		}
		w.buf = utf8.AppendRune(w.buf, r) // a lone surrogate becomes U+FFFD
		return nil
	default:
		return w.want("an escape")
	}
	w.buf = append(w.buf, c)
	w.i++
	return nil
}

// hex reads four hexadecimal digits at i.
func (w *walker) hex(i int) (rune, bool) {
	if i+4 > len(w.doc) {
		return 0, false
	}
	var r rune
	for _, c := range w.doc[i : i+4] {
		switch {
		case digit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
