package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
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
		case invisible(r) || joiner(r) || unicode.IsControl(r):
			add(Flag{Invisible, "name", fmt.Sprintf("invisible character %U", r)})
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsPunct(r) && !unicode.IsMark(r) && !strings.ContainsRune("$+=|~^", r):
			add(Flag{Unreadable, "name", fmt.Sprintf("character %U", r)})
		}
	}
	if plain := skeleton(name); plain != name && isASCII(plain) {
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
		hidden := invisible(r) || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
		// Joiners shape Arabic and Indic scripts and glue emoji; elsewhere they only hide.
		if joiner(r) && !joins(before) {
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

func joiner(r rune) bool { return r == 0x200C || r == 0x200D }

func joins(before rune) bool {
	return before == 0xFE0F || unicode.Is(unicode.So, before) || unicode.Is(unicode.Sk, before) ||
		unicode.IsMark(before) || unicode.IsLetter(before) && !unicode.In(before, unicode.Latin, unicode.Cyrillic, unicode.Greek)
}

// invisible are characters that carry text past a reader: zero-width, format
// and bidirectional controls (UTS #55), tag characters, fillers, private use and
// the supplementary variation selectors.
func invisible(r rune) bool {
	switch {
	case joiner(r), r == 0xFE0F: // judged by what stands before, and emoji
		return false
	case r == 0x00AD, r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0:
		return true
	case r >= 0xE0000 && r <= 0xE0FFF, r >= 0xFE00 && r <= 0xFE0E:
		return true
	case r == 0x2028, r == 0x2029, r == utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Co)
}

// confusables maps letters of other scripts to the Latin letter that they
// cannot be told from (the part of UTS #39 that reaches ASCII letters).
var confusables = confusableTable(
	"аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhӏlѵvԍgьb" + "АAВBЕEКKМMНHОOРPСCТTХXІIЈJЅSУYҮYԌGԜWЬb" + // Cyrillic
		"οoνvαaρpιiυuγyκkηnτtχxωwεeσo" + "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX" + // Greek
		"օoսuհhոnցgզqѵvյjքpեtտmԼL" + // Armenian
		"ꓲIꓳOꓮAꓐBꓚCꓓDꓰEꓝFꓖGꓧHꓙJꓗKꓡLꓟMꓠNꓑPꓣRꓢSꓔTꓴUꓦVꓪWꓫXꓬYꓜZ" + // Lisu
		"ᎪAᏴBᏟCᎠDᎬEᎻHᎫJᏦKᏞLᎷMᏢPᎡRᏚSᎢTᏙVᎳWᏃZ" + // Cherokee
		"ɑaɡgɩiʟLꞌ'‐-‑-‒-–-—-−-ʼ'’'․.‚,⁄/∕/") // Latin and punctuation

func confusableTable(pairs string) map[rune]rune {
	runes := []rune(pairs)
	table := make(map[rune]rune, len(runes)/2)
	for i := 0; i+1 < len(runes); i += 2 {
		table[runes[i]] = runes[i+1]
	}
	return table
}

// plainLetter is the ASCII character that r looks like, or r.
func plainLetter(r rune) rune {
	if p, ok := confusables[r]; ok {
		return p
	}
	if r >= 0xFF01 && r <= 0xFF5E { // full-width forms
		return r - 0xFF01 + '!'
	}
	if r >= 0x1D400 && r <= 0x1D6A3 { // mathematical alphabets: 26 capitals, 26 small, repeated
		n := (r - 0x1D400) % 52
		if n < 26 {
			return 'A' + n
		}
		return 'a' + n - 26
	}
	return r
}

// skeleton is text with every look-alike replaced (UTS #39 §4, as far as the
// table goes) and what is invisible left out: two names with equal skeletons
// look the same.
func skeleton(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) || joiner(r) {
			return -1
		}
		return plainLetter(r)
	}, s)
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
	}, skeleton(name))
}

// mixedWord finds a word of Latin letters with look-alikes of other scripts in it.
func mixedWord(field, text string) (Flag, bool) {
	if isASCII(text) {
		return Flag{}, false
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		latin, foreign := false, rune(0)
		for _, r := range word {
			if unicode.Is(unicode.Latin, r) && plainLetter(r) == r {
				latin = true
			} else if plainLetter(r) != r {
				foreign = r
			}
		}
		if latin && foreign != 0 {
			return Flag{Mixed, field, fmt.Sprintf("%U among Latin letters in a word that looks like %q", foreign, printable(skeleton(word)))}, true
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
		if unicode.IsGraphic(r) && !invisible(r) && !joiner(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "<%U>", r)
		}
	}
	return out.String()
}
