package pdp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const everything = `{"type":"object","properties":{
	"s":{"type":"string"},"b":{"type":"boolean"},"i":{"type":"integer"},"n":{"type":"number"},
	"at":{"type":"string","format":"date-time"},"for":{"type":"string","format":"duration"},"ip":{"type":"string","format":"ipv4"},
	"set":{"type":"array","items":{"type":"integer"}},"u":{"type":["string","integer","array"],"items":{"type":"string"}},
	"o":{"type":"object","properties":{"k":{"type":"string"},"n":{"type":"integer"}},"required":["k"]},
	"list":{"type":"array","items":{"type":"object","properties":{"k":{"type":"string"}}}},
	"free":{}
},"required":["s"]}`

func everythingSet(tb testing.TB) *Set {
	return mustCompile(tb, mustSchema(tb, Catalog{Tools: []Tool{{Server: "x", Name: "y", InputSchema: json.RawMessage(everything)}}}), permitAll)
}

func TestInput(t *testing.T) {
	set := everythingSet(t)
	tests := []struct {
		arguments, want string // want in Cedar syntax, beside s
		undeclared      []string
	}{
		{`{"s":"é\u0000\ud83d\ude00\/"}`, `{"s":"é\0😀/"}`, nil},
		{`{"s":"","b":true}`, `{"b":true, "s":""}`, nil},
		{`{"s":"","i":-9223372036854775808}`, `{"i":-9223372036854775808, "s":""}`, nil},
		{`{"s":"","i":9223372036854775807}`, `{"i":9223372036854775807, "s":""}`, nil},
		{`{"s":"","i":5.0}`, `{"i":5, "s":""}`, nil},
		{`{"s":"","i":1.2e1}`, `{"i":12, "s":""}`, nil},
		{`{"s":"","i":120e-1}`, `{"i":12, "s":""}`, nil},
		{`{"s":"","i":-0}`, `{"i":0, "s":""}`, nil},
		{`{"s":"","i":0e999999999999}`, `{"i":0, "s":""}`, nil},
		{`{"s":"","n":1}`, `{"n":decimal("1.0"), "s":""}`, nil},
		{`{"s":"","n":0.0001}`, `{"n":decimal("0.0001"), "s":""}`, nil},
		{`{"s":"","n":-1.50000}`, `{"n":decimal("-1.5"), "s":""}`, nil},
		{`{"s":"","n":-922337203685477.5808}`, `{"n":decimal("-922337203685477.5808"), "s":""}`, nil},
		{`{"s":"","n":922337203685477.5807}`, `{"n":decimal("922337203685477.5807"), "s":""}`, nil},
		{`{"s":"","n":12e-4}`, `{"n":decimal("0.0012"), "s":""}`, nil},
		{`{"s":"","at":"2026-11-23T14:38:24.123Z"}`, `{"at":datetime("2026-11-23T14:38:24.123Z"), "s":""}`, nil},
		{`{"s":"","at":"2026-11-23t14:38:24.120000+02:30"}`, `{"at":datetime("2026-11-23T12:08:24.120Z"), "s":""}`, nil},
		{`{"s":"","at":"2024-02-29"}`, `{"at":datetime("2024-02-29T00:00:00.000Z"), "s":""}`, nil},
		{`{"s":"","for":"P1DT2H3M4.5S"}`, `{"for":duration("1d2h3m4s500ms"), "s":""}`, nil},
		{`{"s":"","for":"P2W"}`, `{"for":duration("14d"), "s":""}`, nil},
		{`{"s":"","for":"PT0S"}`, `{"for":duration("0ms"), "s":""}`, nil},
		{`{"s":"","ip":"10.0.0.1"}`, `{"ip":ip("10.0.0.1"), "s":""}`, nil},
		{`{"s":"","ip":"2001:DB8::1"}`, `{"ip":ip("2001:db8::1"), "s":""}`, nil},
		{`{"s":"","set":[2,1,2]}`, `{"s":"", "set":[1, 2]}`, nil},
		{`{"s":"","set":[]}`, `{"s":"", "set":[]}`, nil},
		{`{"s":"","u":"x"}`, `{"s":"", "u":{"typeChoice0":"x"}}`, nil},
		{`{"s":"","u":3}`, `{"s":"", "u":{"typeChoice1":3}}`, nil},
		{`{"s":"","u":["x"]}`, `{"s":"", "u":{"typeChoice2":["x"]}}`, nil},
		{`{"s":"","b":null,"o":null,"u":null,"set":null}`, `{"s":""}`, nil},
		{`{"s":"","o":{"k":"v","n":null}}`, `{"o":{"k":"v"}, "s":""}`, nil},
		{`{"s":"","z":1,"free":null,"é":[{}],"a":{"a":1}}`, `{"s":""}`, []string{"a", "free", "z", "é"}},
		{`{"s":"","o":{"k":"v","x":1}}`, `{"o":{"k":"v"}, "s":""}`, []string{"o.x"}},
		{`{"s":"","list":[{"k":"v","x":1},{"x":2}]}`, `{"list":[{"k":"v"}, {}], "s":""}`, []string{"list[].x"}},
		{"\n{ \"s\" : \"\" }\t", `{"s":""}`, nil},
	}
	for _, test := range tests {
		got, undeclared, err := set.Input("x___y", []byte(test.arguments))
		if err != nil {
			t.Errorf("%s: %v", test.arguments, err)
			continue
		}
		if want := cedarValue(t, test.want); !got.Equal(want) {
			t.Errorf("%s: got %s, want %s", test.arguments, got, want)
		}
		if !slices.Equal(undeclared, test.undeclared) {
			t.Errorf("%s: undeclared %q, want %q", test.arguments, undeclared, test.undeclared)
		}
	}
}

// cedarValue evaluates a Cedar expression by deciding whether a context equals it.
func cedarValue(tb testing.TB, expression string) types.Value {
	tb.Helper()
	var p cedar.Policy
	if err := p.UnmarshalCedar([]byte("permit (principal, action, resource) when { " + expression + " };")); err != nil {
		tb.Fatal(expression, err)
	}
	v, err := literal(&p)
	if err != nil {
		tb.Fatal(expression, err)
	}
	return v
}

func TestInputErrors(t *testing.T) {
	set := everythingSet(t)
	tests := []struct{ arguments, argument, expected, got string }{
		{`{"s":"","N":9}`, "n", "its name as it is declared", "another in letter case"},
		{`{"s":"","n":1,"N":9}`, "n", "its name as it is declared", "another in letter case"},
		{"{\"s\":\"\",\"\u017f\":\"long s\"}", "s", "its name as it is declared", "another in letter case"},
		{"{\"s\":\"\",\"o\":{\"k\":\"\",\"\u212a\":\"Kelvin\"}}", "o.k", "its name as it is declared", "another in letter case"},
		{`{}`, "s", "a string", "nothing"},
		{``, "s", "a string", "nothing"},
		{`null`, "s", "a string", "nothing"},
		{`{"s":null}`, "s", "a string", "null"},
		{`{"s":5}`, "s", "a string", "a number"},
		{`{"s":["a"]}`, "s", "a string", "an array"},
		{`{"s":"","b":"true"}`, "b", "a boolean", "a string"},
		{`{"s":"","b":1}`, "b", "a boolean", "a number"},
		{`{"s":"","i":"5"}`, "i", "an integer of 64 bits", "a string"},
		{`{"s":"","i":5.5}`, "i", "an integer of 64 bits", "a number with a fraction"},
		{`{"s":"","i":9223372036854775808}`, "i", "an integer of 64 bits", "a number out of range"},
		{`{"s":"","i":-9223372036854775809}`, "i", "an integer of 64 bits", "a number out of range"},
		{`{"s":"","i":1e19}`, "i", "an integer of 64 bits", "a number out of range"},
		{`{"s":"","i":1e999999999999}`, "i", "an integer of 64 bits", "a number out of range"},
		{`{"s":"","n":1.00001}`, "n", "a number with at most four decimal places", "a number with more decimal places"},
		{`{"s":"","n":922337203685477.5808}`, "n", "a number with at most four decimal places", "a number out of range"},
		{`{"s":"","n":-922337203685477.5809}`, "n", "a number with at most four decimal places", "a number out of range"},
		{`{"s":"","n":1e-999999999}`, "n", "a number with at most four decimal places", "a number out of range"},
		{`{"s":"","at":"tomorrow"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-02-29"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-01-01T10:00:00"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-01-01T10:00:00,5Z"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-01-01T1:00:00Z"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-01-01T10:00:00+24:00"}`, "at", "a date, or a date and time in whole milliseconds", "another string"},
		{`{"s":"","at":"2026-01-01T10:00:00.0001Z"}`, "at", "a date, or a date and time in whole milliseconds", "a finer date and time"},
		{`{"s":"","at":"2026-01-01T10:00:00.00000000000001Z"}`, "at", "a date, or a date and time in whole milliseconds", "a finer date and time"},
		{`{"s":"","for":"1h"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"P1Y"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"P1M"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"PT1S1M"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"P1H"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"PT"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"P"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "another string"},
		{`{"s":"","for":"PT0.0001S"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "a finer duration"},
		{`{"s":"","for":"P106751991168D"}`, "for", "an ISO 8601 duration of weeks, days, hours, minutes and seconds", "a duration out of range"},
		{`{"s":"","ip":"10.0.0.0/8"}`, "ip", "an IPv4 or IPv6 address", "another string"},
		{`{"s":"","ip":"10.0.0.01"}`, "ip", "an IPv4 or IPv6 address", "another string"},
		{`{"s":"","ip":"::ffff:10.0.0.1"}`, "ip", "an IPv4 or IPv6 address", "an IPv4 address written as IPv6"},
		{`{"s":"","ip":"0:0:0:0:0:FFFF:a00:1"}`, "ip", "an IPv4 or IPv6 address", "an IPv4 address written as IPv6"},
		{`{"s":"","ip":"fe80::1%eth0"}`, "ip", "an IPv4 or IPv6 address", "an address with a zone"},
		{`{"s":"","set":[1,"2"]}`, "set[]", "an integer of 64 bits", "a string"},
		{`{"s":"","set":[null]}`, "set[]", "an integer of 64 bits", "null"},
		{`{"s":"","set":{"0":1}}`, "set", "an array", "an object"},
		{`{"s":"","u":true}`, "u", "a string or an array or an integer of 64 bits", "a boolean"},
		{`{"s":"","u":[1]}`, "u[]", "a string", "a number"},
		{`{"s":"","o":{}}`, "o.k", "a string", "nothing"},
		{`{"s":"","o":{"k":"","n":1.5}}`, "o.n", "an integer of 64 bits", "a number with a fraction"},
		{`{"s":"","list":[{"k":"v"},{"k":1}]}`, "list[].k", "a string", "a number"},
		{`[]`, "", "an object", "an array"},
		{`"s"`, "", "an object", "a string"},
		{`{"s":"a","s":"b"}`, "", "JSON", "given twice"},
		{`{"s":"a","\u0073":"b"}`, "", "JSON", "given twice"},
		{`{"s":"","free":{"a":1,"a":2}}`, "", "JSON", "given twice"},
		{`{"s":"\ud800"}`, "", "JSON", "surrogate"},
		{"{\"s\":\"\xff\"}", "", "JSON", "not UTF-8"},
		{`{"s":""} {}`, "", "JSON", "follows"},
		{`{"s":""`, "", "JSON", "expected"},
		{`{"s":"","free":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, "", "JSON", "nested more than 256 deep"},
		{`{"s":"","set":[` + strings.Repeat("1,", 10_000) + `1]}`, "set", "at most 10000 elements", "more"},
		{`{"s":"","free":[` + strings.Repeat("1,", 1<<18) + `1]}`, "", "JSON", "more than 262144 values"},
	}
	for _, test := range tests {
		_, _, err := set.Input("x___y", []byte(test.arguments))
		var input *InputError
		if !errors.As(err, &input) {
			t.Errorf("%.100s: %v", test.arguments, err)
			continue
		}
		if input.Argument != test.argument || input.Expected != test.expected || !strings.Contains(input.Got, test.got) {
			t.Errorf("%.100s: %v", test.arguments, input)
		}
	}
	if _, _, err := set.Input("x___z", []byte(`{}`)); err == nil {
		t.Error("arguments of an action that is not there")
	}
	if _, _, err := set.Input("call_tool", []byte(`{}`)); err == nil {
		t.Error("arguments of a group")
	}
}

// Errors are shown to callers and recorded: they say what is wrong with an
// argument and never what it was.
func TestInputErrorsHoldNoContent(t *testing.T) {
	set := everythingSet(t)
	for _, arguments := range []string{`{"s":"","i":31337.5}`, `{"s":"","at":"31337"}`, `{"s":"","for":"31337"}`, `{"s":"","ip":"31337"}`, `{"s":"","n":31337.00001}`, `{"s":{"31337":31337}}`, `{"s":31337,"31337"}`, `{"31337":1,"31337":2}`} {
		if _, _, err := set.Input("x___y", []byte(arguments)); err == nil || strings.Contains(err.Error(), "31337") {
			t.Errorf("%s: %v", arguments, err)
		}
	}
}

// An argument that the tool does not declare cannot be slipped past a policy.
func TestUndeclaredArgumentsAreVisible(t *testing.T) {
	set := mustCompile(t, payments(t), permitAll,
		`@id("undeclared") forbid (principal, action in Action::"call_tool", resource) when { !context.undeclared.isEmpty() };`,
		`@id("shadow") forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.undeclared.contains("as_admin") };`)
	if got := set.Decide(transfer(t, set, `{"amount":1,"as_admin":true}`), nil); got.Allowed() || len(got.Reasons) != 2 {
		t.Errorf("%+v", got)
	}
	if got := set.Decide(transfer(t, set, `{"amount":1}`), nil); !got.Allowed() {
		t.Errorf("%+v", got)
	}
}

// What a caller put into the context under the names of the arguments does not survive.
func TestCompleteReplacesForgedInput(t *testing.T) {
	set := everythingSet(t)
	forged := cedar.Request{Action: types.NewEntityUID("Action", "x___y"), Context: types.NewRecord(types.RecordMap{
		"input": types.NewRecord(types.RecordMap{"s": types.String("forged")}), "undeclared": types.NewSet(types.String("forged")), "session": types.True,
	})}
	got, err := set.Complete(forged, []byte(`{"s":"real","z":1}`))
	if err != nil {
		t.Fatal(err)
	}
	want := cedarValue(t, `{"input": {"s": "real"}, "undeclared": ["z"], "session": true}`)
	if !got.Context.Equal(want) {
		t.Errorf("%s", got.Context)
	}
	method := cedar.Request{Action: types.NewEntityUID("Action", "resources/read")}
	if got, err = set.Complete(method, []byte(`{"uri":"file:///a","_meta":{}}`)); err != nil {
		t.Fatal(err)
	}
	if want := cedarValue(t, `{"input": {"uri": "file:///a"}}`); !got.Context.Equal(want) {
		t.Errorf("%s", got.Context)
	}
	for _, action := range []types.EntityUID{{}, {Type: "Agent", ID: "x___y"}, {Type: "Action", ID: "call_tool"}} {
		if _, err := set.Complete(cedar.Request{Action: action}, []byte(`{"s":""}`)); err == nil {
			t.Errorf("completed %s", action)
		}
	}
}

// genJSON makes a JSON text that a shape takes.
func genJSON(s shape) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		rapid.Bool().Draw(t, "always") // rapid wants every generator to draw
		switch s.kind {
		case boolShape:
			return rapid.Bool().Draw(t, "bool")
		case longShape:
			return rapid.Int64().Draw(t, "long")
		case decimalShape:
			return json.Number(new(big.Rat).SetFrac64(rapid.Int64().Draw(t, "decimal"), 10_000).FloatString(4))
		case datetimeShape:
			return types.NewDatetimeFromMillis(rapid.Int64Range(-62_135_596_800_000, 253_402_300_799_999).Draw(t, "datetime")).String()
		case durationShape:
			return fmt.Sprintf("PT%d.%03dS", rapid.Int64Range(0, 1<<40).Draw(t, "seconds"), rapid.IntRange(0, 999).Draw(t, "millis"))
		case ipaddrShape:
			return rapid.SampledFrom([]string{"10.1.2.3", "2001:db8::1"}).Draw(t, "ip")
		case setShape:
			list := []any{}
			for range rapid.IntRange(0, 3).Draw(t, "elements") {
				list = append(list, genJSON(*s.elem).Draw(t, "element"))
			}
			return list
		case recordShape:
			m := map[string]any{}
			for name, f := range s.fields {
				if !f.optional || rapid.Bool().Draw(t, "given") {
					m[name] = genJSON(f.shape).Draw(t, "member")
				} else if rapid.Bool().Draw(t, "null") {
					m[name] = nil
				}
			}
			return m
		case unionShape:
			for _, f := range s.fields {
				return genJSON(f.shape).Draw(t, "alternative")
			}
		}
		return rapid.String().Draw(t, "string")
	})
}

// asJSON writes a Cedar value as the JSON that it came from.
func asJSON(v types.Value, s shape) any {
	switch v := v.(type) {
	case types.Boolean:
		return bool(v)
	case types.Long:
		return int64(v)
	case types.Set:
		return v.Len()
	case types.Record:
		m := map[string]any{}
		for name, member := range v.All() {
			if s.kind == unionShape {
				return asJSON(member, s.fields[string(name)].shape)
			}
			m[string(name)] = asJSON(member, s.fields[string(name)].shape)
		}
		return m
	case types.Decimal:
		r, _ := new(big.Rat).SetString(v.String())
		return json.Number(r.FloatString(4))
	case types.Duration:
		return fmt.Sprintf("PT%d.%03dS", v.ToMilliseconds()/1000, v.ToMilliseconds()%1000)
	default:
		return strings.TrimSuffix(fmt.Sprint(v), "/32")
	}
}

// withoutSets is JSON as asJSON gives it: arrays lose order and repetition, so
// only their presence is compared; nulls are absent.
func withoutSets(v any) any {
	switch v := v.(type) {
	case []any:
		distinct := map[string]bool{}
		for _, e := range v {
			b, _ := json.Marshal(withoutSets(e))
			distinct[string(b)] = true
		}
		return len(distinct)
	case map[string]any:
		m := map[string]any{}
		for name, member := range v {
			if member != nil {
				m[name] = withoutSets(member)
			}
		}
		return m
	}
	return v
}

// Every value that a shape takes is carried over exactly.
func TestInputIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shape{kind: recordShape, fields: genFields(2).Draw(t, "input")}
		arguments := genJSON(s).Draw(t, "arguments")
		text, err := json.Marshal(arguments)
		if err != nil {
			t.Fatal(err)
		}
		set := &Set{model: &model{requests: map[string]requestShape{"a": {input: s}}}}
		got, undeclared, err := set.Input("a", text)
		if err != nil || len(undeclared) > 0 {
			t.Fatalf("%s: %v %v", text, err, undeclared)
		}
		if containsNestedSet(s) {
			return // sets of sets need more than a count to compare
		}
		if diff := gocmp.Diff(normal(withoutSets(arguments)), normal(asJSON(got, s))); diff != "" {
			t.Fatalf("%s\n%s", text, diff)
		}
	})
}

func containsNestedSet(s shape) bool {
	if s.kind == setShape {
		return s.elem.kind == setShape || s.elem.kind == recordShape
	}
	for _, f := range s.fields {
		if containsNestedSet(f.shape) {
			return true
		}
	}
	return false
}

// normal makes numbers of one Go type.
func normal(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var out any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return err
	}
	return out
}

// Numbers agree with exact rational arithmetic.
func TestNumbersAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "literal")
		exact, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatal(literal)
		}
		n, err := exactLong(literal)
		if want := exact.IsInt() && exact.Num().IsInt64(); want != (err == nil) || want && exact.Num().Int64() != n {
			t.Fatalf("%s: %d %v", literal, n, err)
		}
		d, err := exactDecimal(literal)
		scaled := new(big.Rat).Mul(exact, big.NewRat(10_000, 1))
		if want := scaled.IsInt() && scaled.Num().IsInt64(); want != (err == nil) {
			t.Fatalf("%s: %s %v", literal, d, err)
		} else if want {
			back, _ := new(big.Rat).SetString(d.String())
			if back.Cmp(exact) != 0 {
				t.Fatalf("%s became %s", literal, d)
			}
		}
	})
}

// FuzzInput: any bytes are typed or refused, and what is typed is what
// encoding/json reads.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{`{"s":""}`, `{"s":"a","i":1.0e2,"n":-0.5,"at":"2026-01-01T00:00:00Z","for":"PT1.5S","ip":"::1","set":[1],"u":2,"o":{"k":""},"list":[{}],"free":[null]}`, `null`, ``, `{"s":null}`, `{"s":"\ud83d\ude00\u0000"}`} {
		f.Add([]byte(seed))
	}
	set := everythingSet(f)
	f.Fuzz(func(t *testing.T, arguments []byte) {
		got, undeclared, err := set.Input("x___y", arguments)
		if err != nil {
			return
		}
		if !slices.IsSorted(undeclared) {
			t.Fatalf("undeclared %q", undeclared)
		}
		var plain map[string]any
		if err := json.Unmarshal(arguments, &plain); err != nil {
			t.Fatalf("encoding/json refuses what we take: %v", err)
		}
		for name, value := range plain {
			_, typed := got.Get(types.String(name))
			if !typed && !slices.Contains(undeclared, name) && value != nil {
				t.Fatalf("the argument %q is invisible", name)
			}
		}
		if s, _ := got.Get("s"); string(s.(types.String)) != plain["s"] {
			t.Fatalf("s is %v, encoding/json says %v", s, plain["s"])
		}
	})
}
