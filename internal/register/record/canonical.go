package record

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// Canonical is a record as JSON in one form only: keys in order, no space,
// nothing for a field that is empty, numbers and text as RFC 8785 writes them.
func Canonical(rec any) []byte {
	return appendJSON(nil, reflect.ValueOf(rec))
}

// Digest is "sha256:" and the SHA-256 of Canonical: what marks refer to.
func Digest(rec any) string {
	sum := sha256.Sum256(Canonical(rec))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func appendJSON(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendJSON(b, v.Elem())
	case reflect.Struct:
		return appendObject(b, v)
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Float64:
		return appendNumber(b, v.Float())
	}
	return append(b, "null"...)
}

func appendObject(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	for _, f := range byName(shapes[v.Type()]) {
		value := v.FieldByIndex(f.inner)
		if empty(value) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendText(b, f.name), ':')
		b = appendJSON(b, value)
	}
	return append(b, '}')
}

// empty says that a value is the same as none. What a pointer points to never
// is: false is an answer.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		for _, f := range shapes[v.Type()] {
			if !empty(v.FieldByIndex(f.inner)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// appendNumber writes as ECMAScript does. What is no number is refused where
// records are read; here it becomes null.
func appendNumber(b []byte, n float64) []byte {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return append(b, "null"...)
	}
	if n == 0 {
		return append(b, '0')
	}
	if size := math.Abs(n); size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(b, n, 'f', -1, 64)
	}
	text := strconv.AppendFloat(nil, n, 'e', -1, 64)
	if k := len(text); k >= 4 && text[k-4] == 'e' && text[k-2] == '0' { // e-09 is e-9
		text = append(text[:k-2], text[k-1])
	}
	return append(b, text...)
}

func appendText(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
