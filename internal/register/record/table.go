package record

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// Kind is a kind of record.
type Kind struct {
	Name string `json:"kind"` // in commands, references and receipts
	Key  string `json:"key"`  // in files
	// Title says in a sentence what its records are.
	Title  string `json:"title"`
	Single bool   `json:"single"` // there is at most one record
}

// Kinds is every kind, in the order of the standard's clauses as far as they
// have one.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i, k := range kinds {
		out[i] = k.Kind
	}
	return out
}

// kind is a kind with the place of its records in Registers.
type kind struct {
	Kind
	field int
	typ   reflect.Type
	ids   string // "", requirement, control or tool
}

// field is what the tags of a field of a record say.
type field struct {
	name  string // in files and in JSON
	inner []int  // index path through the embedded Base
	typ   reflect.Type
	text  bool // the text below front matter, which has no key
	doc   string
	enum  []string
	ref   string
	need  bool
	past  bool
}

var (
	kinds  = readKinds()
	shapes = readShapes()
)

func readKinds() []kind {
	var out []kind
	t := reflect.TypeFor[Registers]()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		out = append(out, kind{
			Kind:  Kind{Name: tagName(f, "json"), Key: tagName(f, "yaml"), Title: f.Tag.Get("doc"), Single: f.Tag.Get("single") == "yes"},
			field: i, typ: f.Type.Elem(), ids: f.Tag.Get("ids"),
		})
	}
	return out
}

func tagName(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

// kindNamed finds a kind by its name.
func kindNamed(name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.Name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// readShapes reads the fields of every struct that a record may hold.
func readShapes() map[reflect.Type][]field {
	out := map[reflect.Type][]field{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if _, seen := out[t]; seen || t.Kind() != reflect.Struct {
			return
		}
		out[t] = nil
		out[t] = fieldsOf(t, nil)
		for _, f := range out[t] {
			visit(f.typ)
		}
	}
	for _, k := range kinds {
		visit(k.typ)
	}
	return out
}

func fieldsOf(t reflect.Type, through []int) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(through), i)
		if f.Anonymous {
			out = append(out, fieldsOf(f.Type, at)...)
			continue
		}
		made := field{
			name: tagName(f, "json"), inner: at, typ: f.Type, text: tagName(f, "yaml") == "-",
			doc: f.Tag.Get("doc"), ref: f.Tag.Get("ref"), need: f.Tag.Get("need") == "yes", past: f.Tag.Get("past") == "yes",
		}
		if words := f.Tag.Get("enum"); words != "" {
			made.enum = strings.Split(words, ",")
		}
		out = append(out, made)
	}
	return out
}

// byName is the fields of a struct in the order of their names.
func byName(fields []field) []field {
	return slices.SortedFunc(slices.Values(fields), func(a, b field) int { return cmp.Compare(a.name, b.name) })
}
