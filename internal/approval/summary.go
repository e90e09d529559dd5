package approval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"aims/authz"
)

// Bounds of a summary, in bytes.
const (
	maxArguments = 4 << 10
	maxFact      = 512
	// maxRedacted is how much of the arguments is looked through for secrets:
	// more than is shown, so that none is cut in half before it is found.
	maxRedacted = 64 << 10
)

// Summary says to an approver why a call is held and with which arguments, for
// Request.Summary: facts are lines about the run, reasons those of the decision,
// arguments the JSON of the call, and redact takes secrets out. The arguments are the agent's own words:
// they stand on one line, and what does not show or changes how other text
// shows is written as \u escapes, so that they cannot pass for words of ours.
func Summary(facts []string, reasons []authz.Reason, arguments []byte, redact func(string) string) string {
	var b strings.Builder
	for _, f := range facts {
		b.WriteString(cut(Visible(redact(f)), maxFact) + "\n")
	}
	for _, r := range reasons {
		if r.Hold == "" {
			continue
		}
		text := r.Text
		if text == "" {
			text = "policy " + r.Policy
		}
		fmt.Fprintf(&b, "why: %s (%s, released by %s)\n", Visible(text), Visible(r.Policy), Visible(r.Hold))
	}
	var line bytes.Buffer
	if len(arguments) == 0 {
		arguments = []byte("{}")
	}
	if json.Compact(&line, arguments) != nil {
		line.Reset()
		fmt.Fprintf(&line, "%q", arguments[:min(len(arguments), maxRedacted)])
	}
	shown := strings.ToValidUTF8(line.String()[:min(line.Len(), maxRedacted)], "")
	shown = cut(Visible(redact(shown)), maxArguments)
	b.WriteString(argumentsLine + shown)
	if len(shown) < line.Len() && len(shown) >= maxArguments-utf8.UTFMax {
		fmt.Fprintf(&b, " … (%d bytes in all)", line.Len())
	}
	return b.String()
}

// cut is text of at most so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// argumentsLine begins the line of a summary that shows the arguments.
const argumentsLine = "arguments: "

// Parts are the summary's lines that say why, and the one with the arguments.
func (r Request) Parts() (why, arguments string) {
	if strings.HasPrefix(r.Summary, argumentsLine) {
		return "", r.Summary
	}
	if i := strings.Index(r.Summary, "\n"+argumentsLine); i >= 0 {
		return r.Summary[:i], r.Summary[i+1:]
	}
	return r.Summary, ""
}

// Visible is text on one line, with escapes for what does not show or changes
// how other text shows.
func Visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
