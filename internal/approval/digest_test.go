package approval_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/approval"
)

func TestInputDigestIsOfTheMeaning(t *testing.T) {
	for _, same := range [][]string{
		{``, `{}`, ` { } `},
		{`{"a":1,"b":"x"}`, "{\n\"b\" : \"x\", \"a\" : 1.0}", `{"a":10e-1,"b":"\u0078"}`},
		{`{"n":0.1}`, `{"n":0.10}`, `{"n":1e-1}`, `{"n":0.0000000001e9}`},
		{`{"n":0}`, `{"n":-0}`, `{"n":0.000e99}`},
		{`{"n":9007199254740992}`, `{"n":9007199254740992.0}`},
	} {
		first, err := approval.InputDigest([]byte(same[0]))
		if err != nil || !strings.HasPrefix(first, "sha256:") || len(first) != len("sha256:")+64 {
			t.Fatalf("%s: %s, %v", same[0], first, err)
		}
		for _, other := range same[1:] {
			if got, err := approval.InputDigest([]byte(other)); err != nil || got != first {
				t.Errorf("%s and %s differ: %v", same[0], other, err)
			}
		}
	}
	seen := map[string]string{}
	for _, text := range []string{
		`{"a":1}`, `{"a":1.0000001}`, `{"a":"1"}`, `{"A":1}`, `{"a":[1]}`, `{"a":null}`, `{}`, `[]`, `{"a":"é"}`, `{"a":"e\u0301"}`, `{"a":"x "}`, `{"a":"x\u200b"}`,
	} {
		d, err := approval.InputDigest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have one digest", text, other)
		}
		seen[d] = text
	}
}

// What two parsers read differently could be approved as one thing and done as
// another.
func TestInputDigestRefusesWhatIsAmbiguous(t *testing.T) {
	for _, text := range []string{
		`{`, `x`, `{"a":1,}`, `{} {}`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":01}`, `{"a":NaN}`, `{"a":1e999}`,
		`{"id":9007199254740993}`, `{"id":12345678901234567890}`, `{"x":0.1000000000000000055511151231257827}`, `[1e-400]`, `{"x":1e-99999999999999999999}`,
		`{"x":["fine","1",{"y":-9007199254740993}]}`, strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	} {
		if d, err := approval.InputDigest([]byte(text)); code(err) != aims.Invalid {
			t.Errorf("%.60s: %s, %v", text, d, err)
		}
	}
}

// Whatever has one digest means one thing to a parser that reads all digits.
func FuzzInputDigest(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":"\\\"1e5","b":[1.50,-0,2E+2]}`, `"\u00e9"`, `{"a":9007199254740993}`, `[1e-7,1E21,123456789012345678]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := approval.InputDigest(text)
		if err != nil {
			if d != "" {
				t.Fatal("a digest with an error")
			}
			return
		}
		var v any
		if len(text) == 0 {
			text = []byte("{}")
		}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("a digest of what is not JSON: %v", err)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := approval.InputDigest(again); err != nil || other != d {
			t.Fatalf("%q and %q differ: %v", text, again, err)
		}
		var back any
		if json.Unmarshal(again, &back) != nil || !reflect.DeepEqual(v, back) {
			t.Fatal("not the same value")
		}
	})
}
