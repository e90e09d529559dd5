package record

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"aims/internal/strict"
	"aims/iso42001"
)

// Check is everything that is wrong with the registers on a day: the form of
// each record, ids that stand twice, references to nothing, days that should lie
// in the past and do not, levels beyond the scale. An empty day leaves out what
// needs one.
func (r Registers) Check(at Date) []Problem {
	c := checker{at: at, registers: r, ids: map[string][]string{}, known: map[Key]bool{}}
	r.Each(func(kind, id string, _ any) {
		if key := (Key{kind, id}); c.known[key] {
			c.report(kind, id, "id", "this id stands twice")
		} else {
			c.known[key] = true
		}
		c.ids[kind] = append(c.ids[kind], id)
	})
	for _, k := range kinds {
		if n := len(c.ids[k.Name]); k.Single && n > 1 {
			c.report(k.Name, c.ids[k.Name][1], "", "there is one %s, and here are %d", k.Name, n)
		}
	}
	r.Each(func(name, id string, rec any) {
		k, _ := kindNamed(name)
		v := reflect.ValueOf(rec)
		report := func(field, format string, args ...any) { c.report(name, id, field, format, args...) }
		checkForm(k, v, report)
		c.object(v, "", report)
		c.levels(rec, report)
	})
	return c.problems
}

type checker struct {
	at        Date
	registers Registers
	ids       map[string][]string // by kind
	known     map[Key]bool
	problems  []Problem
}

type reporter func(field, format string, args ...any)

func (c *checker) report(kind, id, field, format string, args ...any) {
	p := Problem{Kind: kind, ID: id, Field: field, Text: fmt.Sprintf(format, args...)}
	if at, ok := c.registers.places[Key{kind, id}]; ok {
		p.File, p.Line = at.file, at.line(field)
	}
	c.problems = append(c.problems, p)
}

// object follows references and looks at days.
func (c *checker) object(v reflect.Value, at string, report reporter) {
	for _, f := range shapes[v.Type()] {
		c.value(v.FieldByIndex(f.inner), f, join(at, f.name), report)
	}
}

func (c *checker) value(v reflect.Value, f field, at string, report reporter) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.value(v.Elem(), f, at, report)
		}
	case reflect.Struct:
		c.object(v, at, report)
	case reflect.Slice:
		for i := range v.Len() {
			c.value(v.Index(i), f, fmt.Sprintf("%s[%d]", at, i), report)
		}
	case reflect.String:
		s := v.String()
		if f.past && c.at != "" && Date(s).Valid() && Date(s) > c.at {
			report(at, "%s lies after %s, the day of this change; expected a day on which it had happened", s, c.at)
		}
		if f.ref != "" && s != "" {
			if text := c.reference(f.ref, s); text != "" {
				report(at, "%s", text)
			}
		}
	}
}

// reference says what is wrong with a reference, "" for nothing.
func (c *checker) reference(to, id string) string {
	switch to {
	case "requirement", "control", "area":
		return requirementProblem(id, to)
	case "kind":
		if _, ok := kindNamed(id); !ok {
			return unknownKind(id).Error()
		}
		return ""
	case "any":
		kind, inner, ok := strings.Cut(id, "/")
		if !ok {
			return fmt.Sprintf("%.100q is no reference; expected kind/id, such as risk/r1", id)
		}
		if _, ok := kindNamed(kind); !ok {
			return unknownKind(kind).Error()
		}
		to, id = kind, inner
	}
	if c.known[Key{to, id}] {
		return ""
	}
	return fmt.Sprintf("there is no %s %.100q%s; expected the id of %s", to, id, strict.Suggest(id, c.ids[to]), withArticle(to))
}

// withArticle is the name of a kind as it stands in a sentence: an agent.
func withArticle(kind string) string {
	if strings.ContainsAny(kind[:1], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}

// requirementProblem says what is wrong with an id of the standard; to is
// requirement, control or area.
func requirementProblem(id, to string) string {
	if to == "area" && slices.ContainsFunc(iso42001.Areas(), func(a iso42001.Area) bool { return a.ID == id }) {
		return ""
	}
	q, err := iso42001.Get(id)
	if unknown, ok := errors.AsType[*iso42001.UnknownError](err); ok {
		return unknown.Error()
	}
	if to == "control" && q.Kind != iso42001.Control {
		return fmt.Sprintf("%s is a clause; expected a control of Annex A, such as A.6.2.8", id)
	}
	return ""
}
