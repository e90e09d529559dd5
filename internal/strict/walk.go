package strict

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind is what a value may be in the file.
type kind struct {
	words string
	tags  []string
}

// kindOf says what a Go type takes; anything when it has no words.
func kindOf(t reflect.Type) kind {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return kind{"a mapping", []string{"!!map"}}
	case reflect.Slice:
		return kind{"a list", []string{"!!seq"}}
	case reflect.Bool:
		return kind{"true or false", []string{"!!bool"}}
	case reflect.Int, reflect.Int64:
		return kind{"a whole number", []string{"!!int"}}
	case reflect.Float64:
		return kind{"a number", []string{"!!int", "!!float"}}
	case reflect.String:
		return kind{"text", []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}}
	}
	return kind{}
}

func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%.100q", n.Value)
}

// walk notes the line of every value and reports what t does not have. A type
// that reads its own YAML, and what lies below it, is checked for form only: t
// is nil there.
func (d *Document) walk(n *yaml.Node, t reflect.Type, path string, depth int) {
	if depth > maxDepth {
		d.problem(n.Line, "nested more than %d levels deep", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problem(n.Line, "YAML anchors and aliases are not used here; write the value out")
		return
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		t = nil
	}
	if t != nil {
		want := kindOf(t)
		if n.ShortTag() == "!!null" && !strings.HasSuffix(path, "]") {
			return // a key without a value has its default
		}
		if want.words != "" && !slices.Contains(want.tags, n.ShortTag()) {
			d.problem(n.Line, "%sexpected %s, found %s", prefix(path), want.words, found(n))
			return
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		d.walkMapping(n, t, path, depth)
	case yaml.SequenceNode:
		var elem reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		for i, item := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			d.lines[at] = item.Line
			d.walk(item, elem, at, depth+1)
		}
	}
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func (d *Document) walkMapping(n *yaml.Node, t reflect.Type, path string, depth int) {
	fields, known := fieldsOf(t)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !d.newKey(key, path, seen) {
			continue
		}
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		var value reflect.Type
		switch {
		case fields != nil:
			var ok bool
			if value, ok = fields[key.Value]; !ok {
				d.problem(key.Line, "%sunknown key %.100q; expected one of %s%s", prefix(path), key.Value, strings.Join(known, ", "), Suggest(key.Value, known))
				continue
			}
		case t != nil && t.Kind() == reflect.Map:
			value = t.Elem()
		}
		d.lines[at] = key.Line
		d.walk(n.Content[i+1], value, at, depth+1)
	}
}

// newKey says that a key is plain text and stands there for the first time.
func (d *Document) newKey(key *yaml.Node, path string, seen map[string]int) bool {
	if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" || key.Anchor != "" {
		d.problem(key.Line, "%sa key must be plain text", prefix(path))
		return false
	}
	if before, twice := seen[key.Value]; twice {
		d.problem(key.Line, "%sthe key %.100q stands on line %d already", prefix(path), key.Value, before)
		return false
	}
	seen[key.Value] = key.Line
	return true
}

// fieldsOf are the keys of a struct and their types, in the order of the
// struct; nil for what is no struct.
func fieldsOf(t reflect.Type) (fields map[string]reflect.Type, known []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, nil
	}
	fields = map[string]reflect.Type{}
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if option == "inline" {
			inner, names := fieldsOf(t.Field(i).Type)
			maps.Copy(fields, inner)
			known = append(known, names...)
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		fields[name] = t.Field(i).Type
		known = append(known, name)
	}
	return fields, known
}
