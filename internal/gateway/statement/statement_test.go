package statement

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aims/internal/aims"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`{"session":"s","purpose":"p","on_behalf_of":"a","prompt":"x\ny","parent":"rcp_1"}`), "it")
	if want := (Statement{"s", "p", "a", "x\ny", "rcp_1"}); err != nil || got != want || !got.Says() {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Parse([]byte(`{"session":"s"}`), "it"); err != nil || got.Says() {
		t.Errorf("a name alone says %+v, %v", got, err)
	}
	for _, malformed := range []string{`null`, `[]`, `7`, `"s"`, `{"purpose":null}`, `{"purpose":{}}`, `{"Purpose":"p"}`, `{"session":"` + strings.Repeat("s", 257) + `"}`} {
		_, err := Parse([]byte(malformed), "it")
		if code, text := aims.Public(err); code != aims.Invalid || !strings.HasPrefix(text, "expected ") {
			t.Errorf("%.30s: %v", malformed, err)
		}
	}
}

// What is written as headers is read the same; the two places may repeat each
// other and may not disagree.
func TestHeaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 200)
		s := Statement{Session: text.Draw(t, "session"), Purpose: text.Draw(t, "purpose"), OnBehalfOf: text.Draw(t, "person"), Parent: text.Draw(t, "parent")}
		h := http.Header{}
		s.SetHeader(h)
		got, err := FromHeader(h)
		if err != nil || got != s {
			t.Fatalf("%+v is read as %+v, %v", s, got, err)
		}
		if both, err := s.And(got); err != nil || both != s {
			t.Fatalf("repeated: %+v, %v", both, err)
		}
		other := s
		other.Purpose += "x"
		if both, err := s.And(other); (err == nil) != (s.Purpose == "") || err == nil && both != other {
			t.Fatalf("contradicted: %+v, %v", both, err)
		}
	})
	for _, malformed := range []http.Header{
		{HeaderPurpose: {"a", "a"}}, {HeaderSession: {"=?base64?!?="}}, {HeaderSession: {strings.Repeat("s", 257)}},
	} {
		if got, err := FromHeader(malformed); err == nil {
			t.Errorf("%v is read as %+v", malformed, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"session":"s","purpose":"p"}`))
	f.Add([]byte(`{"purpose":7}`))
	f.Add([]byte(`{"":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b, "it")
		if err != nil {
			return
		}
		var all map[string]string
		if json.Unmarshal(b, &all) != nil {
			t.Fatalf("%q was read as %+v", b, s)
		}
		for _, m := range s.members() {
			if all[m.name] != *m.value {
				t.Fatalf("%q: %s is read as %q", b, m.name, *m.value)
			}
		}
	})
}
