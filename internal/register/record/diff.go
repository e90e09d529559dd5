package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// FieldChange is a field that differs. Path is as in "duties[d1].due": elements
// of a list that have an id are named by it, others by their number from 0. The
// values are as in JSON, nil for nothing; a list of words is one value.
type FieldChange struct {
	Path   string `json:"path"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

// Diff is where two versions of a record differ, field by field in the order of
// their names; nil stands for no record.
func Diff(before, after any) []FieldChange {
	var out []FieldChange
	compare(&out, "", plain(before), plain(after))
	return out
}

// plain is a record as maps, lists, text, json.Number and bool.
func plain(rec any) any {
	if rec == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(Canonical(rec)))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return nil // Canonical writes JSON
	}
	return out
}

func compare(out *[]FieldChange, path string, a, b any) {
	am, aMap := a.(map[string]any)
	bm, bMap := b.(map[string]any)
	if (aMap || a == nil) && (bMap || b == nil) && (aMap || bMap) && len(am)+len(bm) > 0 {
		compareMaps(out, path, am, bm)
		return
	}
	al, aList := a.([]any)
	bl, bList := b.([]any)
	if (aList || a == nil) && (bList || b == nil) && (records(al) || records(bl)) {
		compareLists(out, path, al, bl)
		return
	}
	if !reflect.DeepEqual(a, b) {
		*out = append(*out, FieldChange{path, a, b})
	}
}

func compareMaps(out *[]FieldChange, path string, a, b map[string]any) {
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := key
		if path != "" && key[0] != '[' {
			at = "." + key
		}
		compare(out, path+at, a[key], b[key])
	}
}

// records says that a list holds structs rather than words.
func records(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return ok })
}

// compareLists compares elements that have the same id, or the same number where
// one has none or two have the same.
func compareLists(out *[]FieldChange, path string, a, b []any) {
	am, aNamed := named(a)
	bm, bNamed := named(b)
	if aNamed && bNamed {
		compareMaps(out, path, am, bm)
		return
	}
	for i := range max(len(a), len(b)) {
		var before, after any
		if i < len(a) {
			before = a[i]
		}
		if i < len(b) {
			after = b[i]
		}
		compare(out, fmt.Sprintf("%s[%d]", path, i), before, after)
	}
}

func named(list []any) (map[string]any, bool) {
	out := map[string]any{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		if id, ok := m["id"].(string); ok && id != "" {
			out["["+id+"]"] = v
		}
	}
	return out, len(out) == len(list)
}
