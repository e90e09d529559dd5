package record

import (
	"fmt"
	"reflect"

	"pgregory.net/rapid"

	"aims/iso42001"
)

// registers draws registers in which every record has its form; references lead
// nowhere.
func registers(t *rapid.T) Registers {
	var out Registers
	for _, k := range kinds {
		most := 3
		if k.Single {
			most = 1
		}
		ids := drawIDs(t, k, rapid.IntRange(0, most).Draw(t, "records"))
		for _, id := range ids {
			rec := reflect.New(k.typ).Elem()
			draw(t, rec, 0)
			rec.Field(0).Field(0).SetString(id)
			out.put(k, rec)
		}
	}
	return out
}

func drawIDs(t *rapid.T, k kind, n int) []string {
	word := rapid.StringMatching(`[a-z0-9][a-z0-9._@-]{0,12}`)
	switch k.ids {
	case "requirement", "control":
		var all []string
		for _, q := range iso42001.Controls() {
			all = append(all, q.ID)
		}
		word = rapid.SampledFrom(all)
	case "tool":
		word = rapid.StringMatching(`[a-z0-9]{1,5}___[A-Za-z0-9_./-]{1,9}`)
	}
	return rapid.SliceOfNDistinct(word, n, n, rapid.ID[string]).Draw(t, "ids")
}

// prose is text of every sort that a file may hold.
func prose(t *rapid.T) string {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z ]{1,20}`),
		rapid.SampledFrom([]string{"true", "null", "~", "1.0", "0x1f", "2026-11-23", "- x", "a: b", "# no", "'", "\"", "|", "a\nb", "\n", " \n a", "a\n", "a\n\n", "x\n---\ny", "---", "\t", "é \U0001F600", "{", "&a", "*a", "!!str", "yes", "<<", "=", "%"}),
		rapid.Custom(func(t *rapid.T) string {
			runes := rapid.SliceOfN(rapid.Rune().Filter(func(c rune) bool { return !unwritable(c) && c != 0xFFFD }), 1, 20).Draw(t, "runes")
			return string(runes)
		}),
	).Draw(t, "text")
}

func draw(t *rapid.T, v reflect.Value, depth int) {
	for _, f := range shapes[v.Type()] {
		value := v.FieldByIndex(f.inner)
		if f.need || f.name == "digest" && v.Type() == reflect.TypeFor[Attachment]() || rapid.Bool().Draw(t, f.name) {
			drawValue(t, value, f, depth)
		}
	}
	if from, until := v.FieldByName("From"), v.FieldByName("Until"); from.IsValid() && until.IsValid() && until.String() != "" {
		until.SetString(max(from.String(), until.String()))
	}
}

func drawValue(t *rapid.T, v reflect.Value, f field, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		drawValue(t, v.Elem(), f, depth)
	case reflect.Struct:
		draw(t, v, depth+1)
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, f.name))
	case reflect.Int:
		v.SetInt(int64(rapid.IntRange(1, 1<<40).Draw(t, f.name)))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Filter(func(n float64) bool { return n-n == 0 }).Draw(t, f.name))
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, f.name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawValue(t, v.Index(i), f, depth+1)
			if id := v.Index(i); id.Kind() == reflect.Struct && id.FieldByName("ID").IsValid() {
				id.FieldByName("ID").SetString(fmt.Sprintf("n%d", i))
			}
		}
	case reflect.String:
		v.SetString(drawText(t, v, f))
	}
}

func drawText(t *rapid.T, v reflect.Value, f field) string {
	_, date := v.Interface().(Date)
	switch {
	case date:
		return fmt.Sprintf("20%02d-%02d-%02d", rapid.IntRange(0, 99).Draw(t, "y"), rapid.IntRange(1, 12).Draw(t, "m"), rapid.IntRange(1, 28).Draw(t, "d"))
	case f.enum != nil:
		return rapid.SampledFrom(f.enum).Draw(t, f.name)
	case f.name == "digest":
		return "sha256:" + rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, f.name)
	case f.name == "file":
		return rapid.StringMatching(`[a-z]{1,8}\.pdf`).Draw(t, f.name)
	case f.ref == "requirement" || f.ref == "control" || f.ref == "area":
		return rapid.SampledFrom(iso42001.Controls()).Draw(t, f.name).ID
	case f.ref == "any":
		return "risk/r1"
	case f.ref == "kind":
		return "risk"
	case f.text:
		return trimBody(prose(t))
	}
	return prose(t)
}
