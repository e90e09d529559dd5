package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"aims/internal/lookalike"
)

// FlagKind says what is suspicious about a definition.
type FlagKind string

const (
	Invisible  FlagKind = "invisible"   // zero-width, bidirectional, tag or control characters: text that people do not see
	Mixed      FlagKind = "mixed"       // letters of several scripts that look alike within one word
	LookAlike  FlagKind = "look_alike"  // the name looks like another tool's
	Unusable   FlagKind = "unusable"    // too large, not canonical JSON, listed twice, or under another name
	RenamedTo  FlagKind = "renamed"     // the definition of a tool that the server no longer lists
	Unreadable FlagKind = "unprintable" // the name has characters that are no letters, digits or punctuation
)

// Flag is one suspicion. It quarantines the tool until a person has looked.
type Flag struct {
	Kind FlagKind `json:"kind"`
	// Field is where: "name", "description", or a place in a schema.
	Field string `json:"field"`
	// Text says what was found, in printable characters.
	Text string `json:"text"`
}

// maxFlags bounds what is kept of one definition.
const maxFlags = 16

// inspect looks for deceiving text in a tool's name and everywhere in its definition.
func inspect(name string, canonical []byte) []Flag {
	var flags []Flag
	add := func(f Flag) {
		if len(flags) < maxFlags {
			flags = append(flags, f)
		}
	}
	inspectName(name, add)
	var fields map[string]any
	if json.Unmarshal(canonical, &fields) == nil {
		delete(fields, "name") // judged by the stricter rule above
		inspectValue("", fields, add)
	}
	return flags
}

func inspectName(name string, add func(Flag)) {
	for _, r := range name {
		switch {
		case lookalike.Invisible(r) || lookalike.Joiner(r) || unicode.IsControl(r):
			add(Flag{Invisible, "name", fmt.Sprintf("invisible character %U", r)})
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsPunct(r) && !unicode.IsMark(r) && !strings.ContainsRune("$+=|~^", r):
			add(Flag{Unreadable, "name", fmt.Sprintf("character %U", r)})
		}
	}
	if plain := lookalike.Skeleton(name); plain != name && isASCII(plain) {
		add(Flag{Mixed, "name", fmt.Sprintf("looks like %q and is not", plain)})
	} else if f, ok := mixedWord("name", name); ok {
		add(f)
	}
}

func inspectValue(field string, v any, add func(Flag)) {
	switch v := v.(type) {
	case string:
		inspectText(field, v, add)
	case []any:
		for n, e := range v {
			inspectValue(fmt.Sprintf("%s/%d", field, n), e, add)
		}
	case map[string]any:
		for name, e := range v {
			at := field + "/" + pointerToken(name)
			inspectText(at, name, add)
			inspectValue(at, e, add)
		}
	}
}

func inspectText(field, text string, add func(Flag)) {
	if isPlain(text) {
		return
	}
	field = printable(strings.TrimPrefix(field, "/"))
	before := rune(0)
	for _, r := range text {
		hidden := lookalike.Invisible(r) || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
		if lookalike.Joiner(r) && !lookalike.Joins(before) {
			hidden = true
		}
		if hidden {
			add(Flag{Invisible, field, fmt.Sprintf("invisible character %U", r)})
			break
		}
		before = r
	}
	if f, ok := mixedWord(field, text); ok {
		add(f)
	}
}

// isPlain is the quick answer for nearly all text.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// looks is the skeleton in which also the ASCII characters that many fonts
// draw alike are one.
func looks(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'I', '1', '|':
			return 'l'
		case '0':
			return 'O'
		}
		return r
	}, lookalike.Skeleton(name))
}

// mixedWord finds a word of Latin letters with look-alikes of other scripts in it.
func mixedWord(field, text string) (Flag, bool) {
	if isASCII(text) {
		return Flag{}, false
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		latin, foreign := false, rune(0)
		for _, r := range word {
			if unicode.Is(unicode.Latin, r) && lookalike.Latin(r) == r {
				latin = true
			} else if lookalike.Latin(r) != r {
				foreign = r
			}
		}
		if latin && foreign != 0 {
			return Flag{Mixed, field, fmt.Sprintf("%U among Latin letters in a word that looks like %q", foreign, printable(lookalike.Skeleton(word)))}, true
		}
	}
	return Flag{}, false
}

// printable makes text safe to show: what is not graphic becomes its number,
// and it is cut to a length that fits into a receipt.
func printable(s string) string {
	var out strings.Builder
	for _, r := range s {
		if out.Len() > 200 {
			out.WriteString("…")
			break
		}
		if unicode.IsGraphic(r) && !lookalike.Invisible(r) && !lookalike.Joiner(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "<%U>", r)
		}
	}
	return out.String()
}
