package leaf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aims/internal/leaf"
)

func walk(doc string) ([]string, error) {
	var got []string
	err := leaf.Walk([]byte(doc), func(path []byte, kind leaf.Kind, text []byte) {
		got = append(got, fmt.Sprintf("%s %d %s", path, kind, text))
	})
	return got, err
}

func TestEveryLeafIsSeenWithItsPlace(t *testing.T) {
	got, err := walk(` {"to": [{"e-mail": "a\u0040b.c\n\ud83d\ude00"}, -1.5e3], "a/b~[": {"": null}, "x": [[], {}, true]} `)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/to 0 to", "/to/[]/e-mail 0 e-mail", "/to/[]/e-mail 1 a@b.c\n😀", "/to/[] 2 -1.5e3",
		"/a~1b~0~2 0 a/b~[", "/a~1b~0~2/ 0 ", "/a~1b~0~2/ 4 null", "/x 0 x", "/x/[] 3 true",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAnErrorSaysWhereAndWhat(t *testing.T) {
	for doc, want := range map[string]leaf.Error{
		``:                        {0, "a value"},
		`{"a" 1}`:                 {5, "a colon"},
		`{"a":1,}`:                {7, "the name of a member"},
		`[1 2]`:                   {3, "a comma or the end of the array"},
		`"a`:                      {2, "the end of the string"},
		`"\x"`:                    {2, "an escape"},
		`"\u00g0"`:                {2, "four hexadecimal digits"},
		`01`:                      {1, "the end of the document"},
		"\"\t\"":                  {1, "no control character in a string"},
		strings.Repeat("[", 2000): {leaf.MaxDepth + 1, "at most 512 levels"},
	} {
		_, err := walk(doc)
		var got *leaf.Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%.20q: got %v, want %v", doc, err, &want)
		}
	}
}

// FuzzWalk compares with encoding/json: the same documents are JSON, and the
// same strings are in them.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x\u00e9\ud800",null]}`, `"\ud83d\ude00"`, `[[],{},-0.1E+2]`, "\"\xff\"", `{"a":1,"a":2}`, `tru`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got [][]byte
		depth := 0
		err := leaf.Walk(doc, func(path []byte, kind leaf.Kind, text []byte) {
			depth = max(depth, bytes.Count(path, []byte("/")))
			if kind <= leaf.String {
				got = append(got, replaced(text))
			}
		})
		var e *leaf.Error
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(doc)) {
			t.Fatalf("error %v", err)
		}
		if e != nil && e.Want == "at most 512 levels" {
			return
		}
		if (err == nil) != json.Valid(doc) {
			t.Fatalf("Walk(%q) = %v, json.Valid = %t", doc, err, json.Valid(doc))
		}
		if err != nil {
			return
		}
		if d := cmp.Diff(tokens(t, doc), got); d != "" {
			t.Fatalf("%q: %s", doc, d)
		}
	})
}

// tokens are the strings that encoding/json finds.
func tokens(t *testing.T, doc []byte) [][]byte {
	var out [][]byte
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	for {
		tok, err := d.Token()
		if err != nil {
			return out
		}
		if s, ok := tok.(string); ok {
			out = append(out, []byte(s))
		}
	}
}

// replaced does what encoding/json does: each byte that is not UTF-8 becomes U+FFFD.
func replaced(b []byte) []byte {
	out := []byte{}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}

func BenchmarkWalk(b *testing.B) {
	doc := []byte(`{"content":[{"type":"text","text":"` + strings.Repeat(`The \"quick\" brown fox \n`, 400) + `"}],"isError":false}`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if err := leaf.Walk(doc, func([]byte, leaf.Kind, []byte) {}); err != nil {
			b.Fatal(err)
		}
	}
}
