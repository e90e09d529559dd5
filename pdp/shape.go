package pdp

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// shape is the type of an argument: what the generator makes from JSON Schema,
// and what Input reads back from the Cedar schema.
type shape struct {
	kind   shapeKind
	elem   *shape           // of a set
	fields map[string]field // of a record or a union
}

type field struct {
	shape
	optional bool
}

type shapeKind uint8

const (
	stringShape shapeKind = iota
	boolShape
	longShape
	decimalShape
	datetimeShape
	durationShape
	ipaddrShape
	setShape
	recordShape
	// unionShape is a record of optional alternatives, of which a value fills
	// exactly one. The alternatives differ in the kind of JSON that they take.
	// In a Cedar schema it is a record with the annotation @union.
	unionShape
	// foreignShape is a type that JSON arguments cannot have, such as an
	// entity. The generator never makes it.
	foreignShape
)

const unionAnnotation = "union"

// cedarNames are the names of the types in a Cedar schema.
var cedarNames = [...]string{
	stringShape: "String", boolShape: "Bool", longShape: "Long", decimalShape: "decimal",
	datetimeShape: "datetime", durationShape: "duration", ipaddrShape: "ipaddr",
}

// json is the kind of JSON value that the shape takes.
func (s shape) json() jsonKind {
	switch s.kind {
	case boolShape:
		return jsonBool
	case longShape, decimalShape:
		return jsonNumber
	case setShape:
		return jsonArray
	case recordShape:
		return jsonObject
	}
	return jsonString
}

func (s shape) equal(o shape) bool {
	if s.kind != o.kind {
		return false
	}
	if s.kind == setShape {
		return s.elem.equal(*o.elem)
	}
	return maps.EqualFunc(s.fields, o.fields, func(a, b field) bool {
		return a.optional == b.optional && a.shape.equal(b.shape)
	})
}

// appendCedar appends the shape as Cedar schema text. Attribute names are
// always quoted: JSON allows any name.
func (s shape) appendCedar(dst []byte) []byte {
	switch s.kind {
	case setShape:
		dst = append(dst, "Set<"...)
		return append(s.elem.appendCedar(dst), '>')
	case recordShape, unionShape:
		dst = append(dst, '{')
		for i, name := range slices.Sorted(maps.Keys(s.fields)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, ' ')
			f := s.fields[name]
			if f.kind == unionShape {
				dst = append(dst, "@"+unionAnnotation+" "...)
			}
			dst = appendQuoted(dst, name)
			if f.optional {
				dst = append(dst, '?')
			}
			dst = append(dst, ": "...)
			dst = f.appendCedar(dst)
		}
		return append(dst, " }"...)
	}
	return append(dst, cedarNames[s.kind]...)
}

// appendQuoted appends s as a Cedar string literal. Whatever is not printable
// ASCII is escaped, so that a look-alike in a hostile tool's name is seen by
// whoever reads the schema, and no line is broken by it.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case 0x20 <= r && r < 0x7f:
			dst = append(dst, byte(r))
		default:
			dst = append(dst, `\u{`...)
			shift := 20
			for shift > 0 && r>>shift == 0 {
				shift -= 4
			}
			for ; shift >= 0; shift -= 4 {
				dst = append(dst, hex[r>>shift&15])
			}
			dst = append(dst, '}')
		}
	}
	return append(dst, '"')
}

// nameable says whether s can stand in a schema: without loss, and not at a
// length that only an attack has.
func nameable(s string) bool { return utf8.ValidString(s) && len(s) <= maxName }
