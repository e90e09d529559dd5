package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var limits = Limits{MaxBytes: 1 << 20, MaxDepth: 64}

func mustParse(t *testing.T, s string) Message {
	t.Helper()
	m, err := Parse([]byte(s), limits)
	if err != nil {
		t.Fatalf("Parse(%s): %v", s, err)
	}
	return m
}

// present lists the fields of a message with their bytes.
func present(m *Message) map[string]string {
	got := map[string]string{}
	for f := None + 1; f < fieldCount; f++ {
		if m.Has(f) {
			got[fmt.Sprintf("%d %v", f, f)] = string(m.Bytes(f))
		}
	}
	return got
}

func key(f Field) string { return fmt.Sprintf("%d %v", f, f) }

func TestParseFindsTheFields(t *testing.T) {
	tests := []struct {
		name, in string
		kind     Kind
		want     map[string]string
	}{
		{
			name: "call of the 2026-07-28 revision",
			in: ` {"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":{"name":"transfer","arguments":{"amount":5, "name":"x"},` +
				`"requestState":"s","inputResponses":{"approve":{}},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
				`"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info","traceparent":"00-"}}} ` + "\n",
			kind: Request,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(ID): `"a-1"`, key(Method): `"tools/call"`,
				key(Params): `{"name":"transfer","arguments":{"amount":5, "name":"x"},"requestState":"s","inputResponses":{"approve":{}},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
					`"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info","traceparent":"00-"}}`,
				key(Name): `"transfer"`, key(Arguments): `{"amount":5, "name":"x"}`, key(RequestState): `"s"`, key(InputResponses): `{"approve":{}}`,
				key(Meta): `{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
					`"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info","traceparent":"00-"}`,
				key(MetaProgressToken): `7`, key(MetaProtocolVersion): `"2026-07-28"`, key(MetaClientInfo): `{"name":"c"}`,
				key(MetaClientCapabilities): `{}`, key(MetaLogLevel): `"info"`,
			},
		},
		{
			name: "names written with escapes are the same names",
			in:   `{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools/call","params":{"n\u0061me":"x"}}`,
			kind: Request,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(ID): `1`, key(Method): `"tools/call"`, key(Params): `{"n\u0061me":"x"}`, key(Name): `"x"`,
			},
		},
		{
			name: "completion",
			in:   `{"jsonrpc":"2.0","id":-1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"}}}`,
			kind: Request,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(ID): `-1`, key(Method): `"completion/complete"`,
				key(Params): `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"}}`,
				key(Ref):    `{"type":"ref/prompt","name":"p"}`, key(RefType): `"ref/prompt"`, key(RefName): `"p"`,
			},
		},
		{
			name: "progress",
			in:   `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}`,
			kind: Notification,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(Method): `"notifications/progress"`, key(Params): `{"progressToken":"t","progress":1}`, key(ProgressToken): `"t"`,
			},
		},
		{
			name: "cancelled",
			in:   `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12}}`,
			kind: Notification,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(Method): `"notifications/cancelled"`, key(Params): `{"requestId":12}`, key(RequestID): `12`,
			},
		},
		{
			name: "result",
			in:   `{"result":{"resultType":"input_required","_meta":{"a":1},"isError":true,"NAME":1},"id":3,"jsonrpc":"2.0"}`,
			kind: Response,
			want: map[string]string{
				key(JSONRPC): `"2.0"`, key(ID): `3`, key(Result): `{"resultType":"input_required","_meta":{"a":1},"isError":true,"NAME":1}`,
				key(ResultType): `"input_required"`, key(ResultMeta): `{"a":1}`, key(ResultIsError): `true`,
			},
		},
		{
			name: "error without a readable id",
			in:   `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`,
			kind: Response,
			want: map[string]string{key(JSONRPC): `"2.0"`, key(Error): `{"code":-32700,"message":"m"}`, key(ErrorCode): `-32700`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := mustParse(t, test.in)
			if m.Kind != test.kind {
				t.Errorf("kind %v, want %v", m.Kind, test.kind)
			}
			if diff := cmp.Diff(test.want, present(&m)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":` + params + `}`
	}
	tests := []struct {
		name, in string
		cause    Cause
		code     int
		id       string // of the returned message
	}{
		{"nothing", "", NotJSON, -32700, ""},
		{"spaces", " \n", NotJSON, -32700, ""},
		{"text", "hello", NotJSON, -32700, ""},
		{"cut off", `{"jsonrpc":"2.0","id":9`, NotJSON, -32700, "9"},
		{"comma at the end", `{"jsonrpc":"2.0","id":9,"method":"m",}`, NotJSON, -32700, "9"},
		{"byte order mark", "\ufeff" + call(`{}`), NotJSON, -32700, ""},
		{"invalid UTF-8 in a value", call("{\"name\":\"\xff\"}"), NotJSON, -32700, "9"},
		{"invalid UTF-8 deep inside", call("{\"arguments\":{\"a\":[\"\xc0\xaf\"]}}"), NotJSON, -32700, "9"},
		{"lone surrogate", call(`{"arguments":{"a":"\ud800"}}`), NotJSON, -32700, "9"},
		{"control character in a string", call("{\"name\":\"a\nb\"}"), NotJSON, -32700, "9"},
		{"not a number", call(`{"arguments":NaN}`), NotJSON, -32700, "9"},
		{"leading zero", call(`{"arguments":01}`), NotJSON, -32700, "9"},
		{"second message", call(`{}`) + call(`{}`), NotJSON, -32700, "9"},
		{"trailing byte", call(`{}`) + "x", NotJSON, -32700, "9"},
		{"trailing brace", call(`{}`) + "}", NotJSON, -32700, "9"},

		{"name twice", `{"jsonrpc":"2.0","id":9,"method":"a","method":"b"}`, Malformed, -32600, "9"},
		{"name twice, once escaped", call(`{"name":"a","n\u0061me":"b"}`), Malformed, -32600, "9"},
		{"name twice in the arguments", call(`{"name":"a","arguments":{"to":"x","to":"y"}}`), Malformed, -32600, "9"},
		{"name twice deep inside", call(`{"arguments":{"a":[{"b":{"c":1,"c":1}}]}}`), Malformed, -32600, "9"},
		{"name twice in the result", `{"jsonrpc":"2.0","id":9,"result":{"a":1,"a":2}}`, Malformed, -32600, "9"},

		{"Method beside method", `{"jsonrpc":"2.0","id":9,"method":"a","Method":"b"}`, Malformed, -32600, "9"},
		{"only Method", `{"jsonrpc":"2.0","id":9,"Method":"b"}`, Malformed, -32600, "9"},
		{"Name in params", call(`{"name":"read","Name":"delete"}`), Malformed, -32600, "9"},
		{"ARGUMENTS in params", call(`{"name":"a","ARGUMENTS":{}}`), Malformed, -32600, "9"},
		{"long s folds to s", call(`{"name":"a","argument\u017f":{}}`), Malformed, -32600, "9"},
		{"long s, not escaped", call("{\"name\":\"a\",\"param\u017f\":{},\"cur\u017for\":\"\"}"), Malformed, -32600, "9"},
		{"Kelvin sign folds to k", call("{\"name\":\"a\",\"progressTo\u212aen\":1}"), Malformed, -32600, "9"},
		{"_Meta", call(`{"_Meta":{}}`), Malformed, -32600, "9"},
		{"version in another case", call(`{"_meta":{"io.modelcontextprotocol/protocolversion":"2026-07-28"}}`), Malformed, -32600, "9"},
		{"Uri in a reference", call(`{"ref":{"Uri":"x"}}`), Malformed, -32600, "9"},

		{"a string", `"x"`, Malformed, -32600, ""},
		{"null", `null`, Malformed, -32600, ""},
		{"no version", `{"id":9,"method":"m"}`, Malformed, -32600, "9"},
		{"old version", `{"jsonrpc":"1.0","id":9,"method":"m"}`, Malformed, -32600, "9"},
		{"version as a number", `{"jsonrpc":2.0,"id":9,"method":"m"}`, Malformed, -32600, "9"},
		{"nothing to do", `{"jsonrpc":"2.0","id":9}`, Malformed, -32600, "9"},
		{"method is a number", `{"jsonrpc":"2.0","id":9,"method":1}`, Malformed, -32600, "9"},
		{"method is empty", `{"jsonrpc":"2.0","id":9,"method":""}`, Malformed, -32600, "9"},
		{"params are a list", call(`[]`), Malformed, -32600, "9"},
		{"params are null", call(`null`), Malformed, -32600, "9"},
		{"id is null", `{"jsonrpc":"2.0","id":null,"method":"m"}`, Malformed, -32600, "null"},
		{"id is an object", `{"jsonrpc":"2.0","id":{},"method":"m"}`, Malformed, -32600, ""},
		{"id is true", `{"jsonrpc":"2.0","id":true,"method":"m"}`, Malformed, -32600, ""},
		{"id has a fraction", `{"jsonrpc":"2.0","id":1.0,"method":"m"}`, Malformed, -32600, ""},
		{"id has an exponent", `{"jsonrpc":"2.0","id":1e2,"method":"m"}`, Malformed, -32600, ""},
		{"id is long", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", MaxID) + `","method":"m"}`, Malformed, -32600, ""},
		{"method and result", `{"jsonrpc":"2.0","id":9,"method":"m","result":{}}`, Malformed, -32600, "9"},
		{"result and error", `{"jsonrpc":"2.0","id":9,"result":{},"error":{"code":1,"message":""}}`, Malformed, -32600, "9"},
		{"result without id", `{"jsonrpc":"2.0","result":{}}`, Malformed, -32600, ""},
		{"result with id null", `{"jsonrpc":"2.0","id":null,"result":{}}`, Malformed, -32600, "null"},
		{"error is a string", `{"jsonrpc":"2.0","id":9,"error":"no"}`, Malformed, -32600, "9"},
		{"error without code", `{"jsonrpc":"2.0","id":9,"error":{"message":""}}`, Malformed, -32600, "9"},

		{"batch", ` [` + call(`{}`) + `]`, Batch, -32600, ""},
		{"batch bomb", `[` + strings.Repeat(`[`, 100000), Batch, -32600, ""},
		{"too deep", call(strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64)), TooDeep, -32600, ""},
		{"too deep and never closed", call(strings.Repeat(`{"a":`, 1000)), TooDeep, -32600, ""},
		{"too large", call(`"` + strings.Repeat("x", 1<<20) + `"`), TooLarge, -32600, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse([]byte(test.in), limits)
			var f *Fault
			if !errors.As(err, &f) {
				t.Fatalf("accepted: %v, %v", m.Kind, err)
			}
			if f.Cause != test.cause || f.Code() != test.code {
				t.Errorf("cause %d code %d, want %d and %d (%v)", f.Cause, f.Code(), test.cause, test.code, err)
			}
			if m.Kind != 0 {
				t.Errorf("a refused message has kind %v", m.Kind)
			}
			if got := string(m.Bytes(ID)); got != test.id {
				t.Errorf("id %q, want %q", got, test.id)
			}
			if f.Offset < 0 || f.Offset > len(test.in) || !strings.HasPrefix(f.Text, "expected ") {
				t.Errorf("unclear error: %v", err)
			}
		})
	}
}

func TestFaultNamesThePlace(t *testing.T) {
	in := `{"jsonrpc":"2.0","id":1,"method":"m","params":{"Name":"x"}}`
	_, err := Parse([]byte(in), limits)
	want := fmt.Sprintf(`expected member names that do not differ from "name" only in case, at byte %d`, strings.Index(in, `"Name"`))
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDepthCountsTheMessage(t *testing.T) {
	at := func(depth int) error {
		nested := strings.Repeat("[", depth-3) + strings.Repeat("]", depth-3)
		in := `{"jsonrpc":"2.0","id":1,"method":"[[[[\"[[","params":{"arguments":{"a":` + nested + `}}}`
		if depth == 3 {
			in = strings.Replace(in, `{"a":}`, `{"a":1}`, 1)
		}
		_, err := Parse([]byte(in), Limits{MaxBytes: 1 << 10, MaxDepth: 10})
		return err
	}
	if err := at(10); err != nil {
		t.Errorf("depth 10 of 10 is refused: %v", err)
	}
	if err := at(11); err == nil {
		t.Error("depth 11 of 10 is accepted")
	}
}

// A name in the arguments is the tool's own business, whatever it looks like.
func TestArgumentsMayUseAnyName(t *testing.T) {
	m := mustParse(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":"x","METHOD":1,"_META":{}}}}`)
	if got, _ := m.Text(Name); got != "a" {
		t.Errorf("name %q", got)
	}
}

func TestParseDoesNotCopyALargeResult(t *testing.T) {
	const size = 50 << 20
	b := []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat("x", size) + `"}]}}`)
	big := Limits{MaxBytes: 64 << 20, MaxDepth: 64}
	r := testing.Benchmark(func(tb *testing.B) {
		tb.ReportAllocs()
		for tb.Loop() {
			if _, err := Parse(b, big); err != nil {
				tb.Fatal(err)
			}
		}
	})
	if r.AllocedBytesPerOp() > 1<<14 {
		t.Errorf("Parse of %d bytes allocates %d bytes", len(b), r.AllocedBytesPerOp())
	}
	m, err := Parse(b, big)
	if err != nil {
		t.Fatal(err)
	}
	if &m.Bytes(Result)[0] != &b[m.Span(Result).Start] {
		t.Error("the result is a copy")
	}
}

func TestBytesCannotGrowIntoTheMessage(t *testing.T) {
	m := mustParse(t, `{"jsonrpc":"2.0","id":1,"method":"m"}`)
	before := bytes.Clone(m.Raw())
	_ = append(m.Bytes(ID), "overwritten"...)
	if !bytes.Equal(before, m.Raw()) {
		t.Error("an append to a field overwrote the message")
	}
}

func callOfOneKilobyte() []byte {
	return []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"send_message","arguments":{"to":"someone@example.org","subject":"Report",` +
		`"body":"` + strings.Repeat("Lorem ipsum dolor sit amet. ", 24) + `","priority":3,"labels":["a","b","c"],"urgent":false},` +
		`"_meta":{"progressToken":17,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"client","version":"1.0"}}}}`)
}

func BenchmarkParse(b *testing.B) {
	in := callOfOneKilobyte()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in, limits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSplice(b *testing.B) {
	m, err := Parse(callOfOneKilobyte(), limits)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Splice(m.Replace(ID, []byte("42")), m.Replace(Name, []byte(`"x"`)), m.Insert(Meta, "aims/call", []byte(`"y"`))); err != nil {
			b.Fatal(err)
		}
	}
}
