package connect

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"aims/internal/gateway/envelope"
)

func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\n", "id: 1\nevent: message\nretry: 20\ndata: a\ndata:b\n\n", ": comment\n\ndata\n\n", "data: a\r\n\r\ndata: b\r\n\r\n",
		"\ufeffdata: a\n\n", "retry: -1\nretry: +1\nretry: 99999999999\n\n", "id: a\x00b\n\n", "data: cut", "data:\r\r\ndata\n\n", strings.Repeat("data: x\n", 100) + "\n", "\n\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 64
		es := newEvents(bytes.NewReader(in), limit)
		size := 0
		for range len(in) + 1 {
			e, err := es.next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, errTooLarge) {
					t.Fatal(err)
				}
				return
			}
			if size += len(e.data); size > len(in) {
				t.Fatalf("%d bytes of data from %d", size, len(in))
			}
			// A carriage return is part of a line's end only before its line feed.
			leaked := bytes.Contains(e.data, []byte("\r\n")) && !bytes.Contains(in, []byte("\r\r"))
			if e.retry < 0 || strings.ContainsAny(e.id, "\n\x00") || leaked {
				t.Fatalf("event %+v", e)
			}
		}
		t.Fatal("the stream does not end")
	})
}

func TestArgument(t *testing.T) {
	m, err := envelope.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"s":"a\u0062","t":true,"i":7,"f":7.0,"x":7.5,"big":9007199254740993,"n":null,"o":{"i":-1},"huge":1e400}}}`), envelope.Limits{MaxBytes: 1 << 10, MaxDepth: 9})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"s": "ab", "t": "true", "i": "7", "f": "7", "x": "", "big": "", "n": "", "o": "", "o i": "-1", "s i": "", "none": "", "huge": ""} {
		got, ok := argument(m.Bytes(envelope.Arguments), strings.Fields(path))
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
