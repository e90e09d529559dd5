package pdp

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// plainJSON is a parsed value as encoding/json gives it.
func plainJSON(v jsonValue) any {
	switch v.kind {
	case jsonBool:
		return v.flag
	case jsonNumber:
		return json.Number(v.text)
	case jsonString:
		return v.text
	case jsonArray:
		list := []any{}
		for _, e := range v.elems {
			list = append(list, plainJSON(e))
		}
		return list
	case jsonObject:
		m := map[string]any{}
		for _, member := range v.members {
			m[member.name] = plainJSON(member.value)
		}
		return m
	}
	return nil
}

func TestParseJSONRefuses(t *testing.T) {
	manyNames := `{` + strings.TrimSuffix(strings.Repeat(`"x":1,`, 1), ",")
	for i := range 40 {
		manyNames += `,"k` + string(rune('a'+i%26)) + strings.Repeat("z", i/26) + `":1`
	}
	for _, text := range []string{
		``, ` `, `{`, `}`, `[1,]`, `[,1]`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `01`, `-`, `1.`, `.5`, `+1`, `1e`, `1e+`, `0x1`, `NaN`, `Infinity`,
		`tru`, `nulll`, `True`, `"a`, "\"\n\"", "\"\t\"", `"\x41"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800x"`, "\"\xc3\"", "\"\xed\xa0\x80\"",
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, manyNames + `,"x":2}`, "\ufeff{}", `1 2`, `// c`, `{"a":1}x`, "\x00", "nul\x00",
	} {
		if v, err := parseJSON([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, plainJSON(v))
		}
	}
	if _, err := parseJSON([]byte(manyNames + `}`)); err != nil {
		t.Error(err)
	}
}

// FuzzParseJSON: what the parser takes, encoding/json takes and reads alike;
// what it refuses and encoding/json takes is a name given twice, a lone
// surrogate, broken UTF-8 or too much.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00\n\/"],"":{}}`, `"\ud800"`, `{"a":1,"a":2}`, `[[[[]]]]`, "\"\xff\"", ` 1 `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := parseJSON(text)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var plain any
		plainErr := d.Decode(&plain)
		if plainErr == nil && d.More() {
			plainErr = json.Unmarshal(text, new(any))
		}
		if err == nil {
			if plainErr != nil {
				t.Fatalf("encoding/json refuses: %v", plainErr)
			}
			if !reflect.DeepEqual(plainJSON(v), plain) {
				t.Fatalf("read %v, encoding/json %v", plainJSON(v), plain)
			}
			return
		}
		for _, known := range []string{"given twice", "surrogate", "not UTF-8", "nested", "more than"} {
			if strings.Contains(err.Error(), known) {
				return
			}
		}
		if json.Valid(text) {
			t.Fatalf("refused: %v", err)
		}
	})
}
