// Package lookalike knows the characters that deceive a reader: those that
// nobody sees, and letters that cannot be told from other letters.
package lookalike

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Joiner reports whether r glues what stands before and after it. Joiners
// shape Arabic and Indic scripts and emoji; elsewhere they only hide.
func Joiner(r rune) bool { return r == 0x200C || r == 0x200D }

// Joins reports whether a joiner has work to do after the character before.
func Joins(before rune) bool {
	return before == 0xFE0F || unicode.Is(unicode.So, before) || unicode.Is(unicode.Sk, before) ||
		unicode.IsMark(before) || unicode.IsLetter(before) && !unicode.In(before, unicode.Latin, unicode.Cyrillic, unicode.Greek)
}

// Invisible reports whether r carries text past a reader: zero-width, format
// and bidirectional controls (UTS #55), tag characters, fillers, private use and
// the supplementary variation selectors. Joiners and the emoji selector are
// left to the caller, who knows what stands before them.
func Invisible(r rune) bool {
	switch {
	case Joiner(r), r == 0xFE0F:
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
var confusables = table(
	"аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhӏlѵvԍgьb" + "АAВBЕEКKМMНHОOРPСCТTХXІIЈJЅSУYҮYԌGԜWЬb" + // Cyrillic
		"οoνvαaρpιiυuγyκkηnτtχxωwεeσo" + "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX" + // Greek
		"օoսuհhոnցgզqѵvյjքpեtտmԼL" + // Armenian
		"ꓲIꓳOꓮAꓐBꓚCꓓDꓰEꓝFꓖGꓧHꓙJꓗKꓡLꓟMꓠNꓑPꓣRꓢSꓔTꓴUꓦVꓪWꓫXꓬYꓜZ" + // Lisu
		"ᎪAᏴBᏟCᎠDᎬEᎻHᎫJᏦKᏞLᎷMᏢPᎡRᏚSᎢTᏙVᎳWᏃZ" + // Cherokee
		"ɑaɡgɩiʟLꞌ'‐-‑-‒-–-—-−-ʼ'’'․.‚,⁄/∕/") // Latin and punctuation

func table(pairs string) map[rune]rune {
	runes := []rune(pairs)
	t := make(map[rune]rune, len(runes)/2)
	for i := 0; i+1 < len(runes); i += 2 {
		t[runes[i]] = runes[i+1]
	}
	return t
}

// Latin is the ASCII character that r looks like, or r.
func Latin(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
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

// Skeleton is text with every look-alike replaced (UTS #39 §4, as far as the
// table goes) and what is invisible left out: two names with equal skeletons
// look the same.
func Skeleton(s string) string {
	return strings.Map(func(r rune) rune {
		if Invisible(r) || Joiner(r) {
			return -1
		}
		return Latin(r)
	}, s)
}
