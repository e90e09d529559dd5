package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Short work shows nothing; long work a line that is taken away at its end.
func TestBarShowsLongWorkOnly(t *testing.T) {
	at := time.Unix(0, 0)
	var out bytes.Buffer
	b := newBar(&out, "verifying", 200, func() time.Time { return at })
	b.Add(50)
	at = at.Add(patience - 1)
	b.Add(0)
	if out.Len() > 0 {
		t.Fatalf("work of under two seconds shows %q", out.String())
	}
	at = at.Add(1)
	b.Add(50)
	if want := "verifying  [###############...............] 100 of 200"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("it shows %q; expected %q", out.String(), want)
	}
	before := out.Len()
	b.Add(1)
	if out.Len() != before {
		t.Error("it is drawn at every step")
	}
	b.End()
	b.Add(1)
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("after the end there is %q", out.String())
	}
}

// More may be done than was thought, and nobody knows how much there is of some work.
func TestBarBeyondItsTotal(t *testing.T) {
	at := time.Unix(0, 0)
	for total, want := range map[uint64]string{10: "[##############################] 25 of 10", 0: "work  25"} {
		var out bytes.Buffer
		b := newBar(&out, "work", total, func() time.Time { return at })
		at = at.Add(patience)
		b.Add(25)
		if !strings.HasSuffix(out.String(), want) {
			t.Errorf("of %d it shows %q", total, out.String())
		}
	}
}

// What is no terminal gets no bar, and no bar can be used as one.
func TestNoBarWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	b := New(&out, "work", 1, time.Now)
	b.Add(1)
	b.End()
	if b != nil || out.Len() > 0 {
		t.Errorf("a buffer gets %q", out.String())
	}
}
