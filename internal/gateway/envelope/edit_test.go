package envelope

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSplice(t *testing.T) {
	tests := []struct {
		name, in, want string
		edits          func(m *Message) []Edit
	}{
		{
			name: "several at once, given out of order",
			in:   ` { "jsonrpc" : "2.0", "id": 1 ,"method":"tools/call", "params":{ "name" : "srv___a" } } `,
			want: ` { "jsonrpc" : "2.0", "id": "x" ,"method":"tools/call", "params":{"_meta":{"k":1}, "name" : "a" } } `,
			edits: func(m *Message) []Edit {
				return []Edit{m.Replace(Name, []byte(`"a"`)), m.Insert(Params, "_meta", []byte(`{"k":1}`)), m.Replace(ID, []byte(`"x"`))}
			},
		},
		{
			name: "two members into an empty object",
			in:   `{"jsonrpc":"2.0","id":1,"result":{ }}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"a":1,"b\"":2 }}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Insert(Result, "a", []byte("1")), m.Insert(Result, `b"`, []byte("2"))}
			},
		},
		{
			name: "two members into an object with members",
			in:   `{"jsonrpc":"2.0","id":1,"result":{"z":0}}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"a":1,"b":2,"z":0}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Insert(Result, "a", []byte("1")), m.Insert(Result, "b", []byte("2"))}
			},
		},
		{
			name: "set replaces what is there, also under an escaped name",
			in:   `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"x":[1,2],"aims/rec\u0065ipt":"forged"}}}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"x":[1,2],"aims/rec\u0065ipt":"rcp_1"}}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Set(ResultMeta, "aims/receipt", []byte(`"rcp_1"`))}
			},
		},
		{
			name: "set inserts what is not there",
			in:   `{"jsonrpc":"2.0","id":1,"result":{"_meta":{}}}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"aims/receipt":"rcp_1"}}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Set(ResultMeta, "aims/receipt", []byte(`"rcp_1"`))}
			},
		},
		{
			name: "remove the only member",
			in:   `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ "aims/session" : {"a":1} }}}`,
			want: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ }}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Remove(Meta, "aims/session")}
			},
		},
		{
			name: "remove the first, under an escaped name, beside a replacement",
			in:   `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"aims/sess\u0069on":{} , "progressToken":7}}}`,
			want: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ "progressToken":9}}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Replace(MetaProgressToken, []byte("9")), m.Remove(Meta, "aims/session")}
			},
		},
		{
			name: "remove the last",
			in:   `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"x":[{"aims/session":1}] , "aims/session" : {"}":"{"}  }}}`,
			want: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"x":[{"aims/session":1}]  }}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Remove(Meta, "aims/session")}
			},
		},
		{
			name: "remove what is not there",
			in:   `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"x":1}}}`,
			want: `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"x":1}}}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.Remove(Meta, "aims/session"), m.Remove(Params, "requestState")}
			},
		},
		{
			name: "params for a message that has none",
			in:   `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
			want: `{"params":{"_meta":{}},"jsonrpc":"2.0","id":1,"method":"ping"}`,
			edits: func(m *Message) []Edit {
				return []Edit{m.InsertTop("params", []byte(`{"_meta":{}}`))}
			},
		},
		{
			name:  "nothing",
			in:    `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
			want:  `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
			edits: func(*Message) []Edit { return nil },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := mustParse(t, test.in)
			got, err := m.Splice(test.edits(&m)...)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if string(m.Raw()) != test.in {
				t.Errorf("the original changed to %s", m.Raw())
			}
		})
	}
}

func TestSpliceRefuses(t *testing.T) {
	m := mustParse(t, `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"x","arguments":[]}}`)
	for name, edits := range map[string][]Edit{
		"inside of what is replaced":  {m.Replace(Params, []byte(`{}`)), m.Replace(Name, []byte(`"y"`))},
		"same place twice":            {m.Replace(Name, []byte(`"z"`)), m.Replace(Name, []byte(`"y"`))},
		"no such field":               {m.Replace(URI, []byte(`"y"`))},
		"insert into what is missing": {m.Insert(Meta, "a", []byte(`1`))},
		"insert into a list":          {m.Insert(Arguments, "a", []byte(`1`))},
		"name that is not UTF-8":      {m.Insert(Params, "\xff", []byte(`1`))},
	} {
		if got, err := m.Splice(edits...); err == nil {
			t.Errorf("%s: accepted: %s", name, got)
		}
	}
}

func jsonText(t *rapid.T, label string) []byte {
	v := rapid.OneOf(
		rapid.Just(any(nil)),
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "") }),
		rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(rapid.MapOf(rapid.StringMatching(`[a-z"\\é]{0,4}`), rapid.Bool()), func(m map[string]bool) any { return m }),
		rapid.Map(rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 3), func(l []float64) any { return l }),
	).Draw(t, label)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func space(t *rapid.T) string { return rapid.StringMatching(`[ \n\t]{0,2}`).Draw(t, "space") }

// Whatever is edited: the new message parses, has the new values, and
// everything between the edits is byte for byte what it was.
func TestSpliceKeepsEverythingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := func() string { return space(t) }
		in := s() + `{` + s() + `"jsonrpc"` + s() + `:"2.0",` + s() + `"id":` + s() + `7` + s() + `,"method":"tools/call","params"` + s() + `:` + s() + `{` + s() +
			`"name":"tool"` + s() + `,"arguments":` + string(jsonText(t, "arguments")) + s() + `,"_meta":{` + s() + `}` + s() + `}` + s() + `}` + s()
		m, err := Parse([]byte(in), limits)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		id, args := []byte(`"new id"`), jsonText(t, "new arguments")
		state, token := jsonText(t, "requestState"), jsonText(t, "progressToken")
		edits := rapid.Permutation([]Edit{
			m.Replace(ID, id), m.Replace(Arguments, args),
			m.Insert(Params, "requestState", state), m.Set(Meta, "progressToken", token),
		}).Draw(t, "edits")
		out, err := m.Splice(edits...)
		if err != nil {
			t.Fatal(err)
		}
		edited, err := Parse(out, limits)
		if err != nil {
			t.Fatalf("%s → %s: %v", in, out, err)
		}
		for f, want := range map[Field][]byte{ID: id, Arguments: args, RequestState: state, MetaProgressToken: token, Name: []byte(`"tool"`)} {
			if !bytes.Equal(edited.Bytes(f), want) {
				t.Fatalf("%v is %s, want %s, in %s", f, edited.Bytes(f), want, out)
			}
		}
		undone := bytes.Replace(out, []byte(`"requestState":`+string(state)+`,`), nil, 1)
		undone = bytes.Replace(undone, []byte(`"progressToken":`+string(token)), nil, 1)
		again, err := Parse(undone, limits)
		if err != nil {
			t.Fatal(err)
		}
		undone, err = again.Splice(again.Replace(ID, m.Bytes(ID)), again.Replace(Arguments, m.Bytes(Arguments)))
		if err != nil {
			t.Fatal(err)
		}
		if string(undone) != in {
			t.Fatalf("undoing the edits gives\n%q, want\n%q", undone, in)
		}
	})
}

func TestBuild(t *testing.T) {
	for _, test := range []struct {
		got  []byte
		want string
	}{
		{EncodeResult([]byte("1"), []byte(`{"a":1}`)), `{"jsonrpc":"2.0","id":1,"result":{"a":1}}`},
		{EncodeError([]byte(`"x"`), -32601, "no\n\"such\"\xff", nil), `{"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"no\n\"such\"` + "\ufffd" + `"}}`},
		{EncodeError(nil, -32700, "not JSON", []byte(`{"receipt":"rcp_1"}`)), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON","data":{"receipt":"rcp_1"}}}`},
	} {
		if string(test.got) != test.want {
			t.Errorf("got  %s\nwant %s", test.got, test.want)
		}
		if m, err := Parse(test.got, limits); err != nil || m.Kind != Response {
			t.Errorf("%s: does not parse as a response: %v", test.got, err)
		}
	}
}
