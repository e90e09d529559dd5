// Package progress shows on a terminal how far a long piece of work is.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// How long work may take before a bar appears, and how often that changes.
const (
	patience = 2 * time.Second
	interval = 100 * time.Millisecond
	width    = 30 // of the bar, in characters
)

// Bar is a line that says how much of something is done. It shows nothing until
// the work has taken two seconds, and nothing at all where nobody looks. It may
// be used by several goroutines; nil is a bar that shows nothing.
type Bar struct {
	out  io.Writer
	what string
	now  func() time.Time

	mu          sync.Mutex
	done, total uint64
	begun, last time.Time
	shown, over bool
}

// New is a bar on out, standard error as a rule; nil unless a terminal is at
// the other end. what says in a word or two what is being done.
func New(out io.Writer, what string, total uint64, now func() time.Time) *Bar {
	if !Terminal(out) {
		return nil
	}
	return newBar(out, what, total, now)
}

func newBar(out io.Writer, what string, total uint64, now func() time.Time) *Bar {
	return &Bar{out: out, what: what, total: total, now: now, begun: now()}
}

// Terminal says whether a person looks at what is written to out.
func Terminal(out any) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Add says that n more are done.
func (b *Bar) Add(n uint64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	b.show()
}

// show is called with mu held.
func (b *Bar) show() {
	now := b.now()
	if b.over || now.Sub(b.begun) < patience || now.Sub(b.last) < interval {
		return
	}
	b.last, b.shown = now, true
	fmt.Fprint(b.out, "\r\x1b[K"+b.line())
}

func (b *Bar) line() string {
	if b.total == 0 {
		return fmt.Sprintf("%s  %d", b.what, b.done)
	}
	done := min(b.done, b.total)
	full := int(done * width / b.total)
	return fmt.Sprintf("%s  [%s%s] %d of %d", b.what, strings.Repeat("#", full), strings.Repeat(".", width-full), b.done, b.total)
}

// End takes the line away.
func (b *Bar) End() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown && !b.over {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
	b.over = true
}
