package record

import (
	"fmt"
	"math"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aims/internal/strict"
)

// Problem is one thing that is wrong with a record. File and Line are known for
// what was read from files.
type Problem struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Field string `json:"field"` // such as duties[0].due
	Text  string `json:"text"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

func (p Problem) String() string {
	s := strict.Problem{File: p.File, Line: p.Line, Text: p.sentence()}.String()
	return strings.TrimPrefix(s, ": ")
}

func (p Problem) sentence() string {
	s := p.Kind + "/" + p.ID + ": "
	if p.Field != "" {
		s += p.Field + ": "
	}
	return s + p.Text
}

const (
	idForm       = `^[a-z0-9][a-z0-9._@-]{0,63}$`
	toolForm     = `^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}___[A-Za-z0-9._/-]{1,128}$`
	listedIDForm = `^[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}$`
	digestForm   = `^sha256:[0-9a-f]{64}$`
	dateForm     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
)

var (
	idPattern       = regexp.MustCompile(idForm)
	toolPattern     = regexp.MustCompile(toolForm)
	listedIDPattern = regexp.MustCompile(listedIDForm)
	digestPattern   = regexp.MustCompile(digestForm)
)

// Valid says that it is a day of the calendar; empty is none.
func (d Date) Valid() bool {
	_, err := time.Parse(time.DateOnly, string(d))
	return err == nil
}

// former checks what a record can be asked on its own: needed fields, words,
// dates, ids.
type former struct {
	report func(field, format string, args ...any)
}

func checkForm(k kind, rec reflect.Value, report func(field, format string, args ...any)) {
	f := former{report}
	f.id(k, idOf(rec))
	f.object(rec, "")
}

func (f former) id(k kind, id string) {
	switch {
	case id == "": // reported as missing
	case k.ids == "requirement" || k.ids == "control":
		if text := requirementProblem(id, k.ids); text != "" {
			f.report("id", "%s", text)
		}
	case k.ids == "tool":
		if !toolPattern.MatchString(id) {
			f.report("id", "%.100q is no tool; expected server___tool", id)
		}
	case !idPattern.MatchString(id):
		f.report("id", "%.100q is no id; expected 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", id)
	}
}

func (f former) object(v reflect.Value, at string) {
	var from, until Date
	for _, d := range shapes[v.Type()] {
		value := v.FieldByIndex(d.inner)
		where := join(at, d.name)
		if d.need && empty(value) {
			f.report(where, "is missing: %s%s", d.doc, oneOf(d.enum))
			continue
		}
		f.value(value, d, where)
		if date, ok := value.Interface().(Date); ok && d.name == "from" {
			from = date
		} else if ok && d.name == "until" {
			until = date
		}
	}
	if from.Valid() && until.Valid() && until < from {
		f.report(join(at, "until"), "%s lies before %s, where it begins", until, from)
	}
	if a, ok := v.Interface().(Attachment); ok {
		f.attachment(a, at)
	}
}

func oneOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "; expected one of " + strings.Join(words, ", ")
}

func (f former) attachment(a Attachment, at string) {
	if path.IsAbs(a.File) || strings.Contains(a.File, `\`) {
		f.report(join(at, "file"), "%.100q is not the name of a file relative to this one, with / between directories", a.File)
	}
	switch {
	case a.Digest == "":
		f.report(join(at, "digest"), "the file %.100q is not beside the record; expected it there, or its SHA-256 as sha256: and 64 hexadecimal digits", a.File)
	case !digestPattern.MatchString(a.Digest):
		f.report(join(at, "digest"), "%.100q is no digest; expected sha256: and 64 hexadecimal digits in lower case", a.Digest)
	}
}

func (f former) value(v reflect.Value, d field, at string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			f.value(v.Elem(), d, at)
		}
	case reflect.Struct:
		f.object(v, at)
	case reflect.Slice:
		f.list(v, d, at)
	case reflect.String:
		f.text(v, d, at)
	case reflect.Int:
		if v.Int() < 0 {
			f.report(at, "%d is negative; expected a number from 0", v.Int())
		}
	case reflect.Float64:
		if n := v.Float(); math.IsNaN(n) || math.IsInf(n, 0) {
			f.report(at, "expected a finite number")
		}
	}
}

func (f former) list(v reflect.Value, d field, at string) {
	seen := map[string]bool{}
	for i := range v.Len() {
		where := fmt.Sprintf("%s[%d]", at, i)
		item := v.Index(i)
		f.value(item, d, where)
		if item.Kind() == reflect.String {
			if item.String() == "" {
				f.report(where, "is empty")
			}
			continue
		}
		id := item.FieldByName("ID")
		if !id.IsValid() || id.String() == "" {
			continue
		}
		if !listedIDPattern.MatchString(id.String()) {
			f.report(where+".id", "%.100q is no id; expected 1 to 64 of letters, digits . _ @ / -, beginning with a letter or digit", id.String())
		}
		if seen[id.String()] {
			f.report(where+".id", "%q stands in this list already", id.String())
		}
		seen[id.String()] = true
	}
}

func (f former) text(v reflect.Value, d field, at string) {
	s := v.String()
	if s == "" {
		return
	}
	if i := strings.IndexFunc(s, unwritable); i >= 0 || !utf8.ValidString(s) {
		f.report(at, "holds a character that is not text; expected UTF-8 without control characters")
		return
	}
	if date, ok := v.Interface().(Date); ok && !date.Valid() {
		f.report(at, "%.100q is no day; expected a form like 2026-11-23", s)
		return
	}
	if d.enum != nil && !slices.Contains(d.enum, s) {
		f.report(at, "%.100q is not known here%s%s", s, strict.Suggest(s, d.enum), oneOf(d.enum))
	}
	if d.text && s != trimBody(s) {
		f.report(at, "expected text without empty lines at its ends")
	}
}

// unwritable are the characters that do not come back from a file as they went
// in, or that no editor shows as text.
func unwritable(c rune) bool {
	return unicode.IsControl(c) && c != '\n' && c != '\t' || c == '\u2028' || c == '\u2029' || c == '\uFEFF' || c == '\uFFFE' || c == '\uFFFF'
}

// trimBody is the text of a document in the form in which it is kept.
func trimBody(s string) string {
	return strings.TrimRight(strings.TrimLeft(s, "\n"), " \t\n")
}
