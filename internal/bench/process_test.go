package bench

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestChildServesAndTellsItsUsage(t *testing.T) {
	b := small(t)
	var at address
	p, err := b.start(t.Context(), &at, "upstream")
	if err != nil {
		t.Fatal(err)
	}
	c := newToolCaller(at.URL, 1, "")
	defer c.close()
	before, err := p.usage()
	if err != nil {
		t.Fatal(err)
	}
	if err := callTool(c)(t.Context(), 0, 0); err != nil {
		t.Error(err)
	}
	after, err := p.usage()
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.Memory == 0 {
		t.Errorf("usage went from %+v to %+v; want processor time used and memory", before, after)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// A child that is told to end by a signal must not wait for whoever holds its
// standard input open.
func TestChildEndsWithItsContext(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(t.Context())
	first := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if err := Child(ctx, []string{"bare"}, in, first); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestChildThatFailsSaysWhy(t *testing.T) {
	b := small(t)
	_, err := b.start(t.Context(), &address{}, "nonesuch")
	if err == nil || !strings.Contains(err.Error(), "needs a role") {
		t.Errorf("got error %v; want the child's own words", err)
	}
}

func TestCallerRefusesAnAnswerThatIsNotWhatWasAsked(t *testing.T) {
	b := small(t)
	var at address
	p, err := b.start(t.Context(), &at, "bare")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	c := newToolCaller(at.URL, 1, "")
	defer c.close()
	if err := callTool(c)(t.Context(), 0, 0); err == nil {
		t.Error("an answer without the tool's result was counted as one")
	}
}
