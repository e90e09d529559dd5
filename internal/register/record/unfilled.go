package record

import (
	"fmt"
	"reflect"
	"strings"
)

// FillIn begins every text that stands for one that the organisation has still
// to write. A record that has one is a draft: it can be kept, and it shows
// nothing.
const FillIn = "FILL IN: "

// Unfilled are the texts that are still to be written, in the order of Each,
// with the place where they were read.
func (r Registers) Unfilled() []Problem {
	var list []Problem
	r.Each(func(kind, id string, rec any) {
		unfilled(reflect.ValueOf(rec), "", func(field string) {
			p := Problem{Kind: kind, ID: id, Field: field, Text: "is still to be written"}
			if at, ok := r.places[Key{kind, id}]; ok {
				p.File, p.Line = at.file, at.line(field)
			}
			list = append(list, p)
		})
	})
	return list
}

// unfilled calls found with the path of every text that is still to be written.
func unfilled(v reflect.Value, path string, found func(string)) {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), FillIn) {
			found(path)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			unfilled(v.Elem(), path, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			unfilled(v.Index(i), fmt.Sprintf("%s[%d]", path, i), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			switch {
			case name == "-":
				name = strings.ToLower(field.Name) // what stands below the front matter
			case field.Anonymous:
				unfilled(v.Field(i), path, found)
				continue
			}
			unfilled(v.Field(i), strings.TrimPrefix(path+"."+name, "."), found)
		}
	}
}
