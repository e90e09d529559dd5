package inventory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"aims/internal/provenance"
)

// argument is one argument of a tool, or a member of one.
type argument struct {
	name   string
	schema json.RawMessage
}

// Bounds of what is read from one input schema: it comes from the server, and
// references to references grow without limit.
const (
	maxArguments     = 2000
	maxArgumentDepth = 8
)

// argumentsOf are the arguments that a definition declares, by their paths: a
// dot before the member of an object, [] after what is repeated.
func argumentsOf(definition json.RawMessage) map[string]*argument {
	var d definitionFields
	if len(definition) == 0 || json.Unmarshal(definition, &d) != nil {
		return nil
	}
	w := schemaWalk{root: d.InputSchema, found: map[string]*argument{}}
	w.members("", d.InputSchema, 0)
	return w.found
}

type schemaWalk struct {
	root  json.RawMessage
	found map[string]*argument
	steps int
}

// members notes the properties of a schema and what is inside of them,
// whichever of its alternatives declares them.
func (w *schemaWalk) members(path string, schema json.RawMessage, depth int) {
	if w.steps++; w.steps > maxArguments || depth > maxArgumentDepth {
		return
	}
	fields, _ := object(schema)
	prefix := path
	if prefix != "" {
		prefix += "."
	}
	properties, _ := object(fields["properties"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := prefix + name
		if w.found[at] == nil {
			w.found[at] = &argument{name, properties[name]}
		}
		w.members(at, properties[name], depth+1)
	}
	for _, key := range []string{"items", "prefixItems", "additionalItems"} {
		for _, item := range schemas(fields[key]) {
			w.members(path+"[]", item, depth+1)
		}
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf", "if", "then", "else"} {
		for _, alternative := range schemas(fields[key]) {
			w.members(path, alternative, depth+1)
		}
	}
	var ref string
	if json.Unmarshal(fields["$ref"], &ref) == nil {
		if target := w.pointed(ref); target != nil {
			w.members(path, target, depth+1)
		}
	}
}

// schemas are the schemas of a keyword that takes one or several.
func schemas(value json.RawMessage) []json.RawMessage {
	var several []json.RawMessage
	if _, one := object(value); one {
		several = []json.RawMessage{value}
	} else if json.Unmarshal(value, &several) != nil {
		return nil // true, false, or malformed
	}
	return several
}

// pointed is the place in the input schema that a reference within it names; nil for none.
func (w *schemaWalk) pointed(ref string) json.RawMessage {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	at := w.root
	for token := range strings.SplitSeq(rest, "/") {
		fields, _ := object(at)
		at = fields[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return at
}

// sinksOf are the arguments that decide where something goes, by their paths.
// What was said of one goes before what its name and schema say.
func sinksOf(known map[string]*argument, said map[string]string) map[string]string {
	sinks := map[string]string{}
	for path, a := range known {
		if _, spoken := said[path]; spoken {
			continue
		}
		if kind := provenance.SinkOf(a.name, a.schema); kind != "" {
			sinks[a.place(path)] = kind
		}
	}
	for path, kind := range said {
		if a := known[path]; a != nil {
			path = a.place(path)
		}
		if kind != "" {
			sinks[path] = kind
		}
	}
	return sinks
}

// place is the path at which an argument's value is found: its own, or that of
// the object it is in when its name has characters that mean something in paths,
// so that no name hides a value from whoever follows them.
func (a *argument) place(path string) string {
	parent := strings.TrimSuffix(path, a.name)
	if parent == "" || !strings.ContainsAny(a.name, "./~[]") {
		return path
	}
	return strings.TrimSuffix(parent, ".")
}
