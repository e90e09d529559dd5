package record

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"aims/iso42001"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

type object = map[string]any

// Schema is the JSON Schema (2020-12) of a kind of record as it stands in a file.
func Schema(kind string) (json.RawMessage, error) {
	k, ok := kindNamed(kind)
	if !ok {
		return nil, unknownKind(kind)
	}
	s := schemas{object{}}
	root := s.record(k)
	root["$schema"], root["title"], root["$defs"] = draft, k.Title, s.defs
	return marshal(root)
}

// FileSchema is the JSON Schema (2020-12) of a YAML file of records, for editors.
func FileSchema() (json.RawMessage, error) {
	s := schemas{object{}}
	properties := object{}
	for _, k := range kinds {
		s.defs[k.Name] = s.record(k)
		ref := object{"$ref": "#/$defs/" + k.Name}
		list := object{"type": []string{"array", "null"}, "items": ref}
		if k.Single {
			list["maxItems"] = 1
			properties[k.Key] = object{"description": k.Title, "anyOf": []any{ref, list}}
			continue
		}
		list["description"] = k.Title
		properties[k.Key] = list
	}
	return marshal(object{
		"$schema": draft, "title": "registers of an AI management system", "type": "object",
		"properties": properties, "additionalProperties": false, "$defs": s.defs,
	})
}

func marshal(v any) (json.RawMessage, error) { return json.MarshalIndent(v, "", "  ") }

// schemas collects the structs that records are made of.
type schemas struct{ defs object }

func (s schemas) record(k kind) object {
	out := s.object(k.typ)
	properties := out["properties"].(object)
	id := object{"type": []string{"string", "integer"}, "description": properties["id"].(object)["description"], "pattern": idForm}
	switch k.ids {
	case "requirement", "control":
		delete(id, "pattern")
		delete(id, "type")
		id["enum"] = standardIDs(k.ids)
	case "tool":
		id["pattern"] = toolForm
	}
	properties["id"] = id
	if k.Single {
		required := slices.DeleteFunc(out["required"].([]string), func(name string) bool { return name == "id" })
		out["required"] = required
	}
	return out
}

func (s schemas) object(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range shapes[t] {
		if f.text {
			continue // below the front matter
		}
		properties[f.name] = s.field(f, t)
		if f.need {
			required = append(required, f.name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// field is the schema of a field. What is not needed may stand without a value.
func (s schemas) field(f field, in reflect.Type) object {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var out object
	if t.Kind() == reflect.Slice {
		out = object{"type": "array", "items": s.value(f, t.Elem(), true)}
		if f.need {
			out["minItems"] = 1
		}
	} else {
		out = s.value(f, t, f.need)
	}
	if f.name == "id" && !slices.ContainsFunc(kinds, func(k kind) bool { return k.typ == in }) {
		out["pattern"] = listedIDForm
	}
	if f.name == "digest" && in == reflect.TypeFor[Attachment]() {
		out["pattern"] = digestForm
	}
	if !f.need {
		forms := []any{out, object{"type": "null"}}
		if f.typ.Kind() == reflect.String {
			forms = append(forms, object{"const": ""})
		}
		out = object{"anyOf": forms}
	}
	out["description"] = f.doc
	return out
}

func (s schemas) value(f field, t reflect.Type, full bool) object {
	switch t.Kind() {
	case reflect.Struct:
		if _, made := s.defs[t.Name()]; !made {
			s.defs[t.Name()] = object{} // for a struct that holds itself
			s.defs[t.Name()] = s.object(t)
		}
		return object{"$ref": "#/$defs/" + t.Name()}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int:
		least := 0
		if full {
			least = 1
		}
		return object{"type": "integer", "minimum": least}
	}
	switch {
	case t == reflect.TypeFor[Date]():
		return object{"type": "string", "format": "date", "pattern": dateForm}
	case f.enum != nil:
		return object{"enum": f.enum}
	case f.ref == "requirement" || f.ref == "control" || f.ref == "area":
		return object{"enum": standardIDs(f.ref)}
	case f.ref == "any":
		return object{"type": "string", "pattern": anyForm()}
	case f.ref == "kind":
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.Name
		}
		return object{"enum": names}
	}
	// YAML reads 1.0 as a number where people mean a version.
	out := object{"type": []string{"string", "number", "boolean"}}
	if full {
		out["minLength"] = 1
	}
	return out
}

func anyForm() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = regexp.QuoteMeta(k.Name)
	}
	return "^(" + strings.Join(names, "|") + ")/."
}

// standardIDs are the ids that a reference to the standard may be. An editor
// reads 9.1 as a number where people mean the clause.
func standardIDs(of string) []any {
	var ids []string
	for _, q := range iso42001.Requirements() {
		if of != "control" || q.Kind == iso42001.Control {
			ids = append(ids, q.ID)
		}
	}
	if of == "area" {
		for _, a := range iso42001.Areas() {
			if !slices.Contains(ids, a.ID) {
				ids = append(ids, a.ID)
			}
		}
	}
	var out []any
	for _, id := range ids {
		out = append(out, id)
		if _, err := strconv.ParseFloat(id, 64); err == nil {
			out = append(out, json.Number(id))
		}
	}
	return out
}
