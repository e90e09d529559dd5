package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"aims/internal/strict"
)

func (r *Registers) list(k kind) reflect.Value { return reflect.ValueOf(r).Elem().Field(k.field) }

// idOf is the id of a record: every kind begins with Base, and Base with ID.
func idOf(rec reflect.Value) string { return rec.Field(0).Field(0).String() }

// Each calls f for every record, kinds in the order of Kinds and records in that
// of their ids; rec is the record itself, such as a Risk.
func (r Registers) Each(f func(kind, id string, rec any)) {
	for _, k := range kinds {
		list := r.list(k)
		order := make([]int, list.Len())
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(idOf(list.Index(a)), idOf(list.Index(b))) })
		for _, i := range order {
			f(k.Name, idOf(list.Index(i)), list.Index(i).Interface())
		}
	}
}

// LeftAlone are the Markdown files of the directory that the registers were read
// from which begin with no front matter and so are no documents.
func (r Registers) LeftAlone() []string { return r.aside }

// Get finds a record, such as a Risk.
func (r Registers) Get(kind, id string) (any, bool) {
	k, ok := kindNamed(kind)
	if !ok {
		return nil, false
	}
	list := r.list(k)
	if i := find(list, id); i >= 0 {
		return list.Index(i).Interface(), true
	}
	return nil, false
}

func find(list reflect.Value, id string) int {
	for i := range list.Len() {
		if idOf(list.Index(i)) == id {
			return i
		}
	}
	return -1
}

// Put reads a record from its JSON and puts it in the place of the record with
// that id, or adds it. It checks form only: fields that exist, of their types. It
// changes what shares its lists with r: see Clone.
func (r *Registers) Put(kind string, canonical []byte) error {
	k, ok := kindNamed(kind)
	if !ok {
		return unknownKind(kind)
	}
	rec, err := decode(k, canonical)
	if err != nil {
		return err
	}
	r.put(k, rec)
	return nil
}

func unknownKind(name string) error {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return fmt.Errorf("%.80q is no kind of record%s", name, strict.Suggest(name, names))
}

func decode(k kind, text []byte) (reflect.Value, error) {
	rec := reflect.New(k.typ)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(rec.Interface()); err != nil {
		return reflect.Value{}, fmt.Errorf("a record of kind %s: %w", k.Name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return reflect.Value{}, fmt.Errorf("a record of kind %s: expected one JSON object and nothing after it", k.Name)
	}
	if idOf(rec.Elem()) == "" {
		return reflect.Value{}, fmt.Errorf("a record of kind %s: expected an id", k.Name)
	}
	return rec.Elem(), nil
}

func (r *Registers) put(k kind, rec reflect.Value) {
	list, id := r.list(k), idOf(rec)
	delete(r.places, Key{k.Name, id})
	if i := find(list, id); i >= 0 {
		list.Index(i).Set(rec)
		return
	}
	at := list.Len()
	for at > 0 && idOf(list.Index(at-1)) > id {
		at--
	}
	list.Set(reflect.Append(list, rec))
	reflect.Copy(list.Slice(at+1, list.Len()), list.Slice(at, list.Len()-1))
	list.Index(at).Set(rec)
}

// Remove takes a record out; false where there was none.
func (r *Registers) Remove(kind, id string) bool {
	k, ok := kindNamed(kind)
	if !ok {
		return false
	}
	list := r.list(k)
	i := find(list, id)
	if i < 0 {
		return false
	}
	delete(r.places, Key{kind, id})
	reflect.Copy(list.Slice(i, list.Len()), list.Slice(i+1, list.Len()))
	list.Index(list.Len() - 1).SetZero()
	list.SetLen(list.Len() - 1)
	if list.Len() == 0 {
		list.SetZero()
	}
	return true
}

// Clone copies the lists, so that Put and Remove on one leave the other as it is.
func (r Registers) Clone() Registers {
	for _, k := range kinds {
		list := r.list(k)
		if list.IsNil() {
			continue
		}
		fresh := reflect.MakeSlice(list.Type(), list.Len(), list.Len())
		reflect.Copy(fresh, list)
		list.Set(fresh)
	}
	r.places = maps.Clone(r.places)
	return r
}

// Over is base with every record of r put in the place of base's own: what a
// directory that holds a part of the registers makes of them. Places in files
// stay known.
func (r Registers) Over(base Registers) Registers {
	out := base.Clone()
	for _, k := range kinds {
		list := r.list(k)
		for i := range list.Len() {
			out.put(k, list.Index(i))
		}
	}
	if out.places == nil {
		out.places = map[Key]place{}
	}
	maps.Copy(out.places, r.places)
	return out
}

// Equal says whether both hold the same records, in whatever order and read from
// wherever.
func (r Registers) Equal(other Registers) bool {
	return maps.Equal(r.digests(), other.digests())
}

func (r Registers) digests() map[Key]string {
	out := map[Key]string{}
	r.Each(func(kind, id string, rec any) { out[Key{kind, id}] += Digest(rec) })
	return out
}
