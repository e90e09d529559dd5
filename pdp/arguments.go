package pdp

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is read from one input schema. Shapes are trees, so a few
// kilobytes of references to references would grow without limit.
const (
	maxSchemaBytes = 1 << 20
	maxShapes      = 2000
	maxShapeDepth  = 32
	maxName        = 256
)

// argumentsOf is the shape of a tool's arguments: always a record, empty where
// the input schema is unusable.
func argumentsOf(t Tool) (shape, []Loss) {
	none := shape{kind: recordShape}
	whole := func(format string, args ...any) (shape, []Loss) {
		text := fmt.Sprintf(format, args...) + ": all arguments show only in context.undeclared"
		return none, []Loss{{Action: t.Action(), Text: text}}
	}
	if len(t.InputSchema) == 0 {
		return whole("the tool has no input schema")
	}
	if len(t.InputSchema) > maxSchemaBytes {
		return whole("the input schema has %d bytes, at most %d are read", len(t.InputSchema), maxSchemaBytes)
	}
	root, err := parseJSON(t.InputSchema)
	if err != nil {
		return whole("the input schema is not JSON (%v)", err)
	}
	if root.kind != jsonObject {
		return whole("the input schema is %v, not an object", root.kind)
	}
	r := schemaReader{action: t.Action(), root: root, following: map[string]bool{}}
	s, ok := r.arguments(root)
	if r.shapes > maxShapes {
		return whole("the input schema describes more than %d values", maxShapes)
	}
	if !ok {
		r.losses = append(r.losses, Loss{Action: t.Action(), Text: "the input schema does not describe an object: all arguments show only in context.undeclared"})
		s = none
	}
	slices.SortFunc(r.losses, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(a.Argument, b.Argument), cmp.Compare(a.Text, b.Text))
	})
	return s, r.losses
}

// schemaReader reads the JSON Schema (drafts 4 to 2020-12) of one tool. It
// reads types and leaves out constraints (minimum, pattern, if, not …): they
// narrow a type and never widen it.
type schemaReader struct {
	action    string
	root      jsonValue
	losses    []Loss
	shapes    int
	following map[string]bool // references being followed, to meet a cycle
}

// place is where in the arguments the reader is.
type place struct {
	path  string
	depth int
}

func (p place) member(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	return place{name, p.depth + 1}
}

func (p place) element() place { return place{p.path + "[]", p.depth + 1} }

func (r *schemaReader) lose(p place, text string) {
	r.losses = append(r.losses, Loss{Action: r.action, Argument: p.path, Text: text})
}

// leave is a loss after which nothing of the place is left in context.input.
func (r *schemaReader) leave(p place, text string) (shape, bool, bool) {
	r.lose(p, text+": it shows only in context.undeclared")
	return shape{}, false, false
}

// arguments reads the top of an input schema, which MCP wants to be an object.
func (r *schemaReader) arguments(v jsonValue) (shape, bool) {
	if _, has := v.get("$ref"); !has {
		if t, has := v.get("type"); !has || t.kind == jsonString && t.text == "object" {
			return r.record(v, place{})
		}
	}
	s, _, ok := r.read(v, place{})
	return s, ok && s.kind == recordShape
}

// read gives the shape of a schema and whether null is allowed too; ok is
// false where the value has no shape, and then the loss has been reported.
func (r *schemaReader) read(v jsonValue, p place) (s shape, nullable, ok bool) {
	if r.shapes++; r.shapes > maxShapes {
		return shape{}, false, false
	}
	if p.depth > maxShapeDepth {
		return r.leave(p, fmt.Sprintf("nested more than %d deep", maxShapeDepth))
	}
	if v.kind == jsonBool && v.flag {
		return r.leave(p, "any value is allowed")
	}
	if v.kind != jsonObject {
		return r.leave(p, "no value is allowed, or the schema is malformed")
	}
	if ref, has := v.get("$ref"); has {
		return r.follow(ref, p)
	}
	if n, has := v.get("nullable"); has && n.kind == jsonBool { // OpenAPI 3.0
		nullable = n.flag
	}
	s, null, ok := r.typed(v, p)
	return s, nullable || null, ok
}

// follow reads what a reference points to, which must lie in the same document.
func (r *schemaReader) follow(ref jsonValue, p place) (shape, bool, bool) {
	if ref.kind != jsonString || !strings.HasPrefix(ref.text, "#") {
		return r.leave(p, "a reference to another document")
	}
	if r.following[ref.text] {
		return r.leave(p, "a reference to itself")
	}
	target, found := pointed(r.root, ref.text[1:])
	if !found {
		return r.leave(p, "a reference to nothing")
	}
	r.following[ref.text] = true
	defer delete(r.following, ref.text)
	return r.read(target, p)
}

// pointed follows a JSON pointer (RFC 6901) in its URI fragment form.
func pointed(v jsonValue, pointer string) (jsonValue, bool) {
	if pointer == "" {
		return v, true
	}
	if pointer[0] != '/' {
		return v, false
	}
	for _, token := range strings.Split(pointer[1:], "/") {
		token, ok := unescapeToken(token)
		if !ok {
			return v, false
		}
		switch v.kind {
		case jsonObject:
			if v, ok = v.get(token); !ok {
				return v, false
			}
		case jsonArray:
			i, err := strconv.ParseUint(token, 10, 31)
			if err != nil || int(i) >= len(v.elems) {
				return v, false
			}
			v = v.elems[i]
		default:
			return v, false
		}
	}
	return v, true
}

func unescapeToken(token string) (string, bool) {
	var out []byte
	for i := 0; i < len(token); i++ {
		if token[i] != '%' {
			out = append(out, token[i])
			continue
		}
		if i+2 >= len(token) {
			return "", false
		}
		b, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		out = append(out, byte(b))
		i += 2
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(string(out)), true
}

// typed reads a schema without reference by its type, and where it has none by
// what else tells the type.
func (r *schemaReader) typed(v jsonValue, p place) (shape, bool, bool) {
	if t, has := v.get("type"); has {
		switch t.kind {
		case jsonString:
			if t.text == "null" {
				return r.leave(p, "only null is allowed")
			}
			s, ok := r.named(t.text, v, p)
			return s, false, ok
		case jsonArray:
			return r.union(len(t.elems), p, func(i int) (shape, bool, bool) {
				if t.elems[i].kind == jsonString && t.elems[i].text == "null" {
					return shape{}, true, false
				}
				s, ok := r.named(t.elems[i].text, v, p)
				return s, false, ok
			})
		}
		return r.leave(p, "the type is malformed")
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if u, has := v.get(key); has && u.kind == jsonArray {
			return r.union(len(u.elems), p, func(i int) (shape, bool, bool) {
				if onlyNull(u.elems[i]) {
					return shape{}, true, false
				}
				return r.read(u.elems[i], p)
			})
		}
	}
	if all, has := v.get("allOf"); has && all.kind == jsonArray && len(all.elems) == 1 {
		return r.read(all.elems[0], p)
	}
	if c, has := v.get("const"); has {
		return r.values([]jsonValue{c}, p)
	}
	if e, has := v.get("enum"); has && e.kind == jsonArray {
		return r.values(e.elems, p)
	}
	if _, has := v.get("properties"); has {
		s, ok := r.record(v, p)
		return s, false, ok
	}
	if _, has := v.get("items"); has {
		s, ok := r.set(v, p)
		return s, false, ok
	}
	return r.leave(p, "the schema has no type")
}

func onlyNull(v jsonValue) bool {
	t, has := v.get("type")
	if has {
		return t.kind == jsonString && t.text == "null"
	}
	c, has := v.get("const")
	return has && c.kind == jsonNull
}

// named is the shape of one type name of JSON Schema.
func (r *schemaReader) named(name string, v jsonValue, p place) (shape, bool) {
	switch name {
	case "string":
		return r.text(v, p), true
	case "boolean":
		return shape{kind: boolShape}, true
	case "integer":
		return shape{kind: longShape}, true
	case "number":
		r.lose(p, "a number is a decimal with four places between -922337203685477.5808 and 922337203685477.5807: a call with another is refused")
		return shape{kind: decimalShape}, true
	case "object":
		return r.record(v, p)
	case "array":
		return r.set(v, p)
	}
	_, _, ok := r.leave(p, "the type is unknown")
	return shape{}, ok
}

// text is the shape of a string by its format.
func (r *schemaReader) text(v jsonValue, p place) shape {
	format, _ := v.get("format")
	switch format.text {
	case "date":
		return shape{kind: datetimeShape}
	case "date-time":
		r.lose(p, "a date and time is carried in whole milliseconds: a call with a finer one is refused")
		return shape{kind: datetimeShape}
	case "duration":
		r.lose(p, "a duration is carried in whole milliseconds: a call with years, months or finer ones is refused")
		return shape{kind: durationShape}
	case "ipv4", "ipv6":
		return shape{kind: ipaddrShape}
	}
	return shape{kind: stringShape}
}

// record is the shape of an object: its declared properties. A member beyond
// them shows in context.undeclared by its path.
func (r *schemaReader) record(v jsonValue, p place) (shape, bool) {
	s := shape{kind: recordShape, fields: map[string]field{}}
	properties, _ := v.get("properties")
	more, says := v.get("additionalProperties")
	closed := says && more.kind == jsonBool && !more.flag
	_, patterns := v.get("patternProperties")
	if len(properties.members) == 0 && !closed && p.depth > 0 {
		_, _, ok := r.leave(p, "an object without declared properties")
		return s, ok
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if _, has := v.get(key); has {
			r.lose(p, "members that are declared only under "+key+" show only in context.undeclared")
		}
	}
	if patterns || says && more.kind == jsonObject {
		r.lose(p, "members beyond the declared ones show only in context.undeclared")
	}
	required := map[string]bool{}
	list, _ := v.get("required")
	for _, name := range list.elems {
		required[name.text] = name.kind == jsonString
	}
	for _, m := range properties.members {
		if len(m.name) > maxName {
			r.lose(p, fmt.Sprintf("a member whose name has more than %d bytes shows only in context.undeclared", maxName))
			continue
		}
		member, nullable, ok := r.read(m.value, p.member(m.name))
		if ok {
			s.fields[m.name] = field{shape: member, optional: nullable || !required[m.name]}
		}
	}
	return s, true
}

// set is the shape of an array. A Cedar set has one type of element, and no null.
func (r *schemaReader) set(v jsonValue, p place) (shape, bool) {
	leave := func(text string) (shape, bool) {
		_, _, ok := r.leave(p, text)
		return shape{}, ok
	}
	items, has := v.get("items")
	if _, tuple := v.get("prefixItems"); tuple || items.kind == jsonArray {
		return leave("an array whose elements differ by position")
	}
	if !has {
		return leave("an array of anything")
	}
	elem, nullable, ok := r.read(items, p.element())
	switch {
	case !ok:
		return leave("an array whose elements have no type in Cedar")
	case nullable:
		return leave("an array whose elements may be null")
	case elem.kind == unionShape:
		return leave("an array whose elements differ in type")
	}
	return shape{kind: setShape, elem: &elem}, true
}

// values is the shape of the values of an enumeration. That a value is one of
// them is for a policy to check: a value that is not reaches it as it is.
func (r *schemaReader) values(values []jsonValue, p place) (shape, bool, bool) {
	return r.union(len(values), p, func(i int) (shape, bool, bool) {
		switch v := values[i]; v.kind {
		case jsonNull:
			return shape{}, true, false
		case jsonString:
			return shape{kind: stringShape}, false, true
		case jsonBool:
			return shape{kind: boolShape}, false, true
		case jsonNumber:
			if _, err := exactLong(v.text); err == nil {
				return shape{kind: longShape}, false, true
			}
			s, ok := r.named("number", v, p)
			return s, false, ok
		}
		return r.leave(p, "an enumeration of objects or arrays")
	})
}

// union is the shape of alternatives. Alternatives that take the same kind of
// JSON become one, since nothing would tell a value of one from a value of the
// other; what is left are attributes typeChoice0, typeChoice1 … in the order
// of the schema, as cedar-for-agents names them.
func (r *schemaReader) union(n int, p place, alternative func(i int) (shape, bool, bool)) (shape, bool, bool) {
	type choice struct {
		shape
		name string
	}
	var choices []choice
	nullable := false
	for i := range n {
		before := len(r.losses)
		s, null, ok := alternative(i)
		nullable = nullable || null
		if !ok && null && len(r.losses) == before {
			continue // the alternative is null itself
		}
		if !ok {
			return r.leave(p, "an alternative has no type in Cedar")
		}
		if s.kind == unionShape {
			return r.leave(p, "alternatives within alternatives")
		}
		at := slices.IndexFunc(choices, func(c choice) bool { return c.json() == s.json() })
		if at < 0 {
			choices = append(choices, choice{s, "typeChoice" + strconv.Itoa(i)})
			continue
		}
		joined, ok := join(choices[at].shape, s)
		if !ok {
			return r.leave(p, "alternatives that cannot be told apart")
		}
		choices[at].shape = joined
	}
	switch len(choices) {
	case 0:
		return r.leave(p, "no value but null is allowed")
	case 1:
		return choices[0].shape, nullable, true
	}
	u := shape{kind: unionShape, fields: map[string]field{}}
	for _, c := range choices {
		u.fields[c.name] = field{shape: c.shape, optional: true}
	}
	return u, nullable, true
}

// join is the one shape that takes the values of two shapes of the same JSON kind.
func join(a, b shape) (shape, bool) {
	switch {
	case a.equal(b):
		return a, true
	case a.json() == jsonString:
		return shape{kind: stringShape}, true
	case a.json() == jsonNumber:
		return shape{kind: decimalShape}, true
	}
	return shape{}, false
}
