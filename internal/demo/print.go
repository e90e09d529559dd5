package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// screen prints what happens, as it happens. Its first error stays.
type screen struct {
	w     io.Writer
	color bool
	step  int
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	amber = "33"
)

func (s *screen) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s.w, format, args...) }

// chapter begins a part of the script.
func (s *screen) chapter(format string, args ...any) {
	s.printf("\n%s\n", s.paint(bold, fmt.Sprintf(format, args...)))
}

// call prints what the agent is about to do.
func (s *screen) call(tool string, args map[string]any) {
	s.step++
	text := ""
	if len(args) > 0 {
		b, err := json.Marshal(args)
		if err != nil {
			b = []byte(err.Error())
		}
		text = string(b)
	}
	s.printf("%3d  %s %s\n", s.step, s.paint(bold, tool), shorten(text, 90))
}

// indent is where the columns under a call begin.
const indent = "     "

// verdict prints how a call was decided and what came of it.
func (s *screen) verdict(o observed) {
	color := red
	if o.verdict == allowed {
		color = green
	}
	label := s.paint(color, fmt.Sprintf("%-6s", o.verdict))
	for i, r := range o.reasons {
		if i > 0 {
			label = "      "
		}
		s.printf("%s%s %s\n", indent, label, r)
	}
	if len(o.reasons) == 0 {
		s.printf("%s%s\n", indent, label)
	}
	if o.receipt != "" {
		s.printf("%s       %s\n", indent, s.paint(dim, o.receipt))
	}
	for line := range strings.Lines(o.result) {
		s.printf("%s       %s %s\n", indent, s.paint(dim, "│"), strings.TrimRight(line, "\n"))
	}
}

// check prints a check and whether it holds.
func (s *screen) check(holds bool, format string, args ...any) {
	mark := s.paint(green, "ok")
	if !holds {
		mark = s.paint(red, "NO")
	}
	s.printf("%s%s  %s\n", indent, mark, fmt.Sprintf(format, args...))
}

func (s *screen) note(format string, args ...any) {
	s.printf("%s%s\n", indent, fmt.Sprintf(format, args...))
}

// shorten cuts a text to about n characters.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:n-1]) + "…"
}
