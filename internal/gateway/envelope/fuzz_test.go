package envelope

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[1,{"c":"d"}]},"_meta":{"progressToken":"t"}}}`,
		` { "jsonrpc" : "2.0" , "id" : "x" , "method" : "initialize" , "params" : { "protocolVersion" : "2025-11-25" } } `,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{},"resultType":"complete","isError":false}}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`,
		`{"jsonrpc":"2.0","id":1,"m\u0065thod":"x","params":{"n\u0061me":"\ud83d\ude00"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","method":"m"}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","param` + "\u017f" + `":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{"ref":{"type":"ref/resource","uri":"a"}}}`,
		`[{"jsonrpc":"2.0"}]`, `{"a":"\"[{"}`, `{"\\":"\\\""}`, strings.Repeat(`[`, 100), "{\"a\":\"\xff\"}", `{}x`, ``, `"`, `{"`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		m, err := Parse(in, limits)
		if !bytes.Equal(before, in) {
			t.Fatal("Parse changed its input")
		}
		for fd := None + 1; fd < fieldCount; fd++ {
			s := m.Span(fd)
			if s.Start < 0 || s.End < s.Start || s.End > len(in) {
				t.Fatalf("%v is at %v of %d bytes", fd, s, len(in))
			}
			if m.Has(fd) && !json.Valid(m.Bytes(fd)) {
				t.Fatalf("%v is not JSON: %q", fd, m.Bytes(fd))
			}
		}
		if err != nil {
			if m.Kind != 0 {
				t.Fatalf("refused with kind %v", m.Kind)
			}
			return
		}
		sameReading(t, in, &m)
		edited(t, &m)
	})
}

// sameReading compares with encoding/json, which stands for the servers behind.
func sameReading(t *testing.T, in []byte, m *Message) {
	if !utf8.Valid(in) {
		t.Fatal("accepted invalid UTF-8")
	}
	var other struct {
		ID, Result, Error json.RawMessage
		Method            *string
		Params            *struct {
			Name, URI, Arguments, Cursor json.RawMessage
			Meta                         json.RawMessage `json:"_meta"`
			RequestID                    json.RawMessage
		}
	}
	if err := json.Unmarshal(in, &other); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", in, err)
	}
	want := map[Field]json.RawMessage{ID: other.ID, Result: other.Result, Error: other.Error}
	if string(want[ID]) == "null" {
		want[ID] = nil
	}
	if p := other.Params; p != nil {
		want[Name], want[URI], want[Arguments], want[Cursor], want[Meta], want[RequestID] = p.Name, p.URI, p.Arguments, p.Cursor, p.Meta, p.RequestID
	}
	for fd, w := range want {
		if !bytes.Equal(m.Bytes(fd), w) {
			t.Fatalf("%v: we read %q, encoding/json reads %q", fd, m.Bytes(fd), w)
		}
	}
	if other.Method != nil && *other.Method != m.MethodName() {
		t.Fatalf("method: we read %q, encoding/json reads %q", m.MethodName(), *other.Method)
	}
}

// edited replaces each field in turn and inserts into each object.
func edited(t *testing.T, m *Message) {
	for _, fd := range []Field{ID, Params, Name, Arguments, Meta, MetaProgressToken, ResultMeta, ErrorCode} {
		if !m.Has(fd) {
			continue
		}
		value := `41`
		if fd == Params {
			value = `{}`
		}
		check(t, m, fd, value, m.Replace(fd, []byte(value)))
	}
	for object, fd := range map[Field]Field{Params: RequestState, Meta: MetaLogLevel, Result: ResultType} {
		if m.IsObject(object) && !m.Has(fd) {
			check(t, m, fd, `"v"`, m.Insert(object, fd.String(), []byte(`"v"`)))
		}
	}
}

func check(t *testing.T, m *Message, fd Field, value string, e Edit) {
	out, err := m.Splice(e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(out, Limits{MaxBytes: limits.MaxBytes + 64, MaxDepth: limits.MaxDepth})
	if err != nil {
		t.Fatalf("%v edited: %s: %v", fd, out, err)
	}
	if string(again.Bytes(fd)) != value {
		t.Fatalf("%v edited to %s reads %s", fd, value, again.Bytes(fd))
	}
	if again.Kind != m.Kind {
		t.Fatalf("%v edited turns a %v into a %v", fd, m.Kind, again.Kind)
	}
}
