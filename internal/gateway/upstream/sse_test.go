package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type plainEvent struct{ ID, Retry, Data string }

func readEvents(r io.Reader, max int64) ([]plainEvent, error) {
	e := newEventReader(r, max, NewBudget(64<<20, time.Minute))
	var all []plainEvent
	for {
		ev, err := e.next(context.Background())
		if err != nil {
			return all, err
		}
		all = append(all, plainEvent{ev.id, ev.retry, string(ev.data.b)})
		ev.data.lease.release()
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []plainEvent
	}{
		{"one", "event: message\ndata: {\"a\":1}\n\n", []plainEvent{{Data: `{"a":1}`}}},
		{"without space", "data:x\n\n", []plainEvent{{Data: "x"}}},
		{"two lines of data", "data: a\ndata: b\n\n", []plainEvent{{Data: "a\nb"}}},
		{"carriage returns", "data: a\r\nid: 7\r\n\r\n", []plainEvent{{ID: "7", Data: "a"}}},
		{"comments and unknown fields", ": hello\nfoo: bar\nbare\ndata: a\n\n: bye\n\n", []plainEvent{{Data: "a"}}},
		{"priming event", "id: 1_0\ndata:\n\n", []plainEvent{{ID: "1_0"}}},
		{"retry", "event: close\nretry: 10\n\n", []plainEvent{{Retry: "10"}}},
		{"retry that is no number", "retry: soon\ndata: a\n\n", []plainEvent{{Data: "a"}}},
		{"id with NUL", "id: a\x00b\ndata: a\n\n", []plainEvent{{Data: "a"}}},
		{"cut off", "data: a\n\ndata: b\n", []plainEvent{{Data: "a"}}},
		{"long line", "data: " + strings.Repeat("x", 10_000) + "\n\n", []plainEvent{{Data: strings.Repeat("x", 10_000)}}},
		{"carriage return at the edge of the buffer", "data: " + strings.Repeat("x", 4096-7) + "\r\n\r\ndata: y\n\n",
			[]plainEvent{{Data: strings.Repeat("x", 4096-7)}, {Data: "y"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"at once": strings.NewReader(test.in), "byte by byte": iotest.OneByteReader(strings.NewReader(test.in))} {
				got, err := readEvents(r, 1<<20)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v", name, err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func TestEventsAreBounded(t *testing.T) {
	endless := func(piece string) io.Reader { return &repeat{piece: []byte(piece)} }
	tests := []struct {
		name string
		in   io.Reader
		want error
	}{
		{"endless line", io.MultiReader(strings.NewReader("data: "), endless("x")), errTooLarge},
		{"endless lines", endless("data: x\n"), errTooLarge},
		{"endless comment", io.MultiReader(strings.NewReader(": "), endless("x")), errNoise},
		{"endless comments in one event", endless(": x\n"), errNoise},
		{"endless id", io.MultiReader(strings.NewReader("id: "), endless("x")), errNoise},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := readEvents(test.in, 1<<20); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// repeat yields the same bytes for ever.
type repeat struct {
	piece []byte
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.piece[r.at]
		r.at = (r.at + 1) % len(r.piece)
	}
	return len(p), nil
}

func TestEventsOfAnyDataComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := strings.Repeat("y", rapid.IntRange(0, 9000).Draw(t, "long"))
		want := rapid.SliceOfN(rapid.StringMatching(`[a-z{}":, ]{1,900}`), 1, 5).Draw(t, "data")
		var b strings.Builder
		for i := range want {
			want[i] += long
		}
		for _, data := range want {
			fmt.Fprintf(&b, "event: message\ndata: %s\n\n", data)
		}
		got, err := readEvents(strings.NewReader(b.String()), 1<<20)
		if !errors.Is(err, io.EOF) || len(got) != len(want) {
			t.Fatalf("%d events, %v", len(got), err)
		}
		for i := range want {
			if got[i].Data != want[i] {
				t.Fatalf("event %d is %q, want %q", i, got[i].Data, want[i])
			}
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("event: message\ndata: {}\n\n"))
	f.Add([]byte("id: 1\r\nretry: 5\r\ndata: a\r\ndata: b\r\n\r\n"))
	f.Add([]byte("data\n\n:\n\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const max = 512
		budget := NewBudget(1<<20, time.Minute)
		e := newEventReader(bytes.NewReader(in), max, budget)
		total := 0
		for {
			ev, err := e.next(t.Context())
			if err != nil {
				break
			}
			if len(ev.data.b) > max {
				t.Fatalf("%d bytes of data", len(ev.data.b))
			}
			total += len(ev.data.b)
			ev.data.lease.release()
		}
		if total > len(in) {
			t.Fatalf("%d bytes out of %d", total, len(in))
		}
		if budget.free != 1<<20 {
			t.Fatalf("%d bytes of the budget are lost", 1<<20-budget.free)
		}
	})
}
