package provenance

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"aims/internal/lookalike"
)

// lower folds ASCII: letters to lower case, everything that is in no word to a space.
var lower = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		switch {
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			t[c] = byte(c)
		default:
			t[c] = ' '
		}
	}
	return t
}()

// way is how letters that look like Latin ones are folded. Both are needed: a
// capital and its small letter may look like different Latin letters.
type way uint8

const (
	byLook way = iota // first to what a letter looks like, then to lower case
	byCase            // first to lower case: Greek and Cyrillic words in any case
)

// fold appends text to dst as words with spaces between them: compatibility
// forms, accents, case, look-alike letters and whatever nobody sees taken away. In
// scripts that write no spaces every character is a word. It reports whether all
// of text was ASCII; then both ways are equal.
func fold(dst, text []byte, w way) ([]byte, bool) {
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return foldRunes(dst, text[i:], w), false
		}
		dst = append(dst, lower[c])
	}
	return dst, true
}

func foldRunes(dst, text []byte, w way) []byte {
	var it norm.Iter
	it.Init(norm.NFKD, text)
	for !it.Done() {
		part := it.Next()
		for len(part) > 0 {
			r, n := utf8.DecodeRune(part)
			part = part[n:]
			dst = foldRune(dst, r, w)
		}
	}
	return dst
}

func foldRune(dst []byte, r rune, w way) []byte {
	if r >= utf8.RuneSelf {
		if lookalike.Joiner(r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || r != utf8.RuneError && lookalike.Invisible(r) {
			return dst
		}
		if w == byCase {
			r = unicode.ToLower(r)
		}
		r = unboxed(lookalike.Latin(r))
	}
	if r < utf8.RuneSelf {
		return append(dst, lower[r])
	}
	r = unicode.ToLower(r)
	switch {
	case unspaced(r):
		dst = append(dst, ' ')
		dst = utf8.AppendRune(dst, r)
		return append(dst, ' ')
	case r == 'ς':
		r = 'σ'
	case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Mc, r):
		return append(dst, ' ')
	}
	return utf8.AppendRune(dst, r)
}

// unboxed are the letters in boxes and circles that have no compatibility form.
func unboxed(r rune) rune {
	switch {
	case r >= 0x1F150 && r <= 0x1F169:
		return 'a' + r - 0x1F150
	case r >= 0x1F170 && r <= 0x1F189:
		return 'a' + r - 0x1F170
	case r >= 0x1F1E6 && r <= 0x1F1FF: // regional indicators
		return 'a' + r - 0x1F1E6
	}
	return r
}

// unspaced reports whether r is of a script that writes no spaces between words.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// nextWord is the first word at or after i of folded text, as an interval;
// start is len(folded) when there is none.
func nextWord(folded []byte, i int) (start, end int) {
	for i < len(folded) && folded[i] == ' ' {
		i++
	}
	start = i
	for i < len(folded) && folded[i] != ' ' {
		i++
	}
	return start, i
}

// weight counts the letters and digits of folded text up to enough. A character
// beyond ASCII counts twice: two Chinese characters may be a name.
func weight(folded []byte, enough int) int {
	n := 0
	for _, c := range folded {
		switch {
		case c == ' ':
		case c < utf8.RuneSelf:
			n++
		case utf8.RuneStart(c):
			n += 2
		}
		if n >= enough {
			break
		}
	}
	return n
}
