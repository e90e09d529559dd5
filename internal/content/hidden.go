package content

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"aims/internal/lookalike"
)

// hidden reports whether text has characters that a reader does not see and that
// do nothing for what he sees: zero-width characters outside of the scripts and
// emoji that need them, tag characters, variation selectors that select nothing,
// and bidirectional controls where nothing is written from right to left.
func hidden(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // the mark of the encoding
	for line := range bytes.Lines(text) {
		if hiddenIn(line) {
			return true
		}
	}
	return false
}

func hiddenIn(line []byte) bool {
	rightToLeft := false
	asked := false
	before := rune(0)
	for i := 0; i < len(line); {
		if line[i] < utf8.RuneSelf {
			before = rune(line[i])
			i++
			continue
		}
		if !asked {
			asked, rightToLeft = true, bytes.ContainsFunc(line, isRightToLeft)
		}
		r, n := utf8.DecodeRune(line[i:])
		i += n
		switch {
		case r >= 0xE0000 && r <= 0xE007F:
			rest := flag(before, line[i-n:])
			if rest == 0 {
				return true
			}
			i += rest - n
		case selector(r):
			if !selects(r, before) {
				return true
			}
		case lookalike.Joiner(r):
			if !lookalike.Joins(before) {
				return true
			}
		case r == 0x202D || r == 0x202E: // overrides, which only deceive
			return true
		case bidi(r):
			if !rightToLeft {
				return true
			}
		case r == 0x200B && (unspaced(before) || unspaced(nextRune(line[i:]))):
		case r == 0x00AD && unicode.IsLetter(before) && unicode.IsLetter(nextRune(line[i:])): // a place to hyphenate
		case zeroWidth(r):
			return true
		}
		before = r
	}
	return false
}

func nextRune(b []byte) rune {
	r, _ := utf8.DecodeRune(b)
	return r
}

func isRightToLeft(r rune) bool {
	return r >= 0x0590 && unicode.IsLetter(r) && unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Samaritan, unicode.Mandaic, unicode.Adlam)
}

// bidi are the marks, embeddings and isolates of UAX #9.
func bidi(r rune) bool {
	return r >= 0x202A && r <= 0x202C || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0x061C
}

// selector are the variation selectors.
func selector(r rune) bool { return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF }

// selects reports whether a variation selector has something to vary: one after
// a symbol or digit, or after an ideograph.
func selects(r, before rune) bool {
	if selector(before) || before <= ' ' {
		return false
	}
	if r >= 0xE0100 {
		return unicode.Is(unicode.Han, before)
	}
	return !unicode.IsLetter(before) || unicode.In(before, unicode.Han, unicode.Mongolian, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean) || unicode.Is(unicode.So, before)
}

// flag is the length of the tags that b begins with, if they make a flag of the
// United Kingdom's nations (UTS #51), or 0.
func flag(before rune, b []byte) int {
	if before != 0x1F3F4 {
		return 0
	}
	for _, nation := range []string{"gbeng", "gbsct", "gbwls"} {
		var tags []byte
		for _, c := range nation {
			tags = utf8.AppendRune(tags, 0xE0000+c)
		}
		if tags = utf8.AppendRune(tags, 0xE007F); bytes.HasPrefix(b, tags) {
			return len(tags)
		}
	}
	return 0
}

func unspaced(r rune) bool {
	return unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Tibetan)
}

// zeroWidth are the other characters that take no place: format characters but
// for signs that are drawn, fillers and the byte order mark. Private use is for fonts
// with symbols, and line and paragraph separators are seen.
func zeroWidth(r rune) bool {
	switch {
	case r == 0x2028, r == 0x2029, r == utf8.RuneError, unicode.Is(unicode.Co, r):
		return false
	case r >= 0x0600 && r <= 0x0605, r == 0x06DD, r == 0x070F, r == 0x0890, r == 0x0891, r == 0x08E2, r == 0x110BD, r == 0x110CD, r >= 0x13430 && r <= 0x1345F:
		return false
	}
	return lookalike.Invisible(r)
}
