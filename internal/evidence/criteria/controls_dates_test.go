package criteria

import (
	"reflect"
	"slices"
	"strings"

	"aims/internal/register/record"
)

// recordsOf are the records of a kind.
func recordsOf(r *record.Registers, kind string) reflect.Value {
	all := reflect.ValueOf(r).Elem()
	for i := range all.NumField() {
		if name, _, _ := strings.Cut(all.Type().Field(i).Tag.Get("json"), ","); name == kind {
			return all.Field(i)
		}
	}
	panic("no kind " + kind)
}

// datesOf are the names of the fields of a kind, inside of it as well, that hold
// days on which something happened.
func datesOf(kind string) (names []string) {
	eachDate(recordsOf(&controlled().Registers, kind), func(name string, _ reflect.Value) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// date sets one such field of every record of a kind.
func (w *world) date(kind, field string, d record.Date) {
	eachDate(recordsOf(&w.Registers, kind), func(name string, v reflect.Value) {
		if name == field {
			v.SetString(string(d))
		}
	})
}

// eachDate finds the days of records that their form says have passed.
func eachDate(v reflect.Value, found func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachDate(v.Elem(), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachDate(v.Index(i), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case f.Tag.Get("past") == "yes":
				found(f.Name, v.Field(i))
			case f.IsExported():
				eachDate(v.Field(i), found)
			}
		}
	}
}
