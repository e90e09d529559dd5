package provenance

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"aims/internal/leaf"
)

// byLetter is text as it is compared where a match permits something: Unicode
// NFC and single spaces, nothing else. It reports false for text that cannot
// be compared: empty, not UTF-8, or with a character that NFC turns into an
// ASCII one, since what a tool would make of it is open.
func byLetter(dst, text []byte) ([]byte, bool) {
	if !isASCII(text) {
		if !utf8.Valid(text) || bytes.ContainsFunc(text, masquerades) {
			return nil, false
		}
		text = norm.NFC.Bytes(text)
	}
	if plain(text) {
		return append(dst, text...), len(text) > 0
	}
	gap := false
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(text[i:])
		}
		if unicode.IsSpace(r) {
			gap = len(dst) > 0
		} else {
			if gap {
				dst = append(dst, ' ')
				gap = false
			}
			dst = append(dst, text[i:i+n]...)
		}
		i += n
	}
	return dst, len(dst) > 0
}

// plain reports whether b is ASCII whose only spaces are single ones between words.
func plain(b []byte) bool {
	space := true
	for _, c := range b {
		if c >= utf8.RuneSelf || c < ' ' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space
}

// masquerades reports whether NFC turns r into an ASCII character: the Kelvin
// sign, the Greek question mark and varia.
func masquerades(r rune) bool { return r == 0x212A || r == 0x037E || r == 0x1FEF }

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// small turns ASCII letters in b to lower case, in place.
func small(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// canonical is byLetter for values that are looked up whole: case does not
// count in e-mail addresses and hosts, nor do http, https and a last slash in URLs.
func canonical(dst, text []byte) ([]byte, bool) {
	v, ok := byLetter(dst, text)
	if !ok {
		return nil, false
	}
	return lookedUp(v), true
}

// lookedUp is canonical of what is byLetter already, in its place.
func lookedUp(v []byte) []byte {
	if u, ok := parseURL(v); ok {
		if u.web() {
			v = v[len(u.scheme)+len("://"):]
		} else {
			small(u.scheme)
		}
		small(u.authority)
		return bytes.TrimSuffix(v, []byte("/"))
	}
	if isAddress(v) {
		small(v)
	}
	return v
}

// isAddress reports whether v looks like one e-mail address.
func isAddress(v []byte) bool {
	at := bytes.IndexByte(v, '@')
	return at > 0 && at < len(v)-1 && bytes.IndexByte(v[at+1:], '@') < 0 && bytes.IndexByte(v, ' ') < 0 && bytes.IndexByte(v, '/') < 0
}

// maxLetters is how long a value may be to be kept by the letter.
const maxLetters = 512

// letters calls visit with the canonical form of every value that doc, JSON or
// text, names: whole strings, lines, what stands after a colon, and atoms with
// the parts that / : = ? & # separate.
func (x *Index) letters(doc []byte, visit func(value []byte)) { x.lettersIn(doc, depth, visit) }

func (x *Index) lettersIn(doc []byte, layers int, visit func(value []byte)) {
	if layers > 0 && isJSON(doc) {
		err := leaf.Walk(doc, func(_ []byte, kind leaf.Kind, t []byte) {
			switch kind {
			case leaf.String, leaf.Name:
				x.lettersIn(bytes.Clone(t), layers-1, visit)
			case leaf.Number:
				letter(number(t), visit)
			}
		})
		if err == nil {
			return
		}
	}
	letter(doc, visit)
	for line := range bytes.Lines(doc) {
		letter(line, visit)
		if _, after, ok := bytes.Cut(line, []byte(": ")); ok {
			letter(after, visit)
		}
		for start, end := nextAtom(line, 0); start < end; start, end = nextAtom(line, end) {
			eachPart(bytes.TrimFunc(line[start:end], outside), visit)
		}
	}
}

func letter(value []byte, visit func([]byte)) {
	if len(value) > maxLetters {
		return
	}
	if v, ok := canonical(nil, value); ok {
		visit(v)
	}
}

// betweenAtoms reports whether r stands in no address, path or name.
func betweenAtoms(r rune) bool {
	if r < utf8.RuneSelf {
		return between[r]
	}
	switch r {
	case '“', '”', '‘', '’', '«', '»':
		return true
	}
	return unicode.IsSpace(r)
}

// between is betweenAtoms of ASCII.
var between = func() (t [utf8.RuneSelf]bool) {
	for _, c := range "\"'`<>()[]{},;| \t\r\n\v\f" {
		t[c] = true
	}
	return t
}()

// nextAtom is the first atom at or after i of text, as an interval.
func nextAtom(text []byte, i int) (start, end int) {
	start = -1
	for i < len(text) {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(text[i:])
		}
		if between := betweenAtoms(r); between && start >= 0 {
			return start, i
		} else if !between && start < 0 {
			start = i
		}
		i += n
	}
	if start < 0 {
		start = i
	}
	return start, i
}

// outside is punctuation that ends a sentence and not an address.
func outside(r rune) bool {
	return r == '.' || r == ':' || r == '!' || r == '?' || r == '*' || r == '…'
}

// maxParts is how many parts of an atom are combined.
const maxParts = 8

// eachPart visits an atom and every run of its parts.
func eachPart(atom []byte, visit func([]byte)) {
	letter(atom, visit)
	var starts, ends []int
	for i := 0; i < len(atom) && len(starts) < maxParts; {
		if bytes.IndexByte([]byte("/:=?&#"), atom[i]) >= 0 {
			i++
			continue
		}
		starts = append(starts, i)
		for i < len(atom) && bytes.IndexByte([]byte("/:=?&#"), atom[i]) < 0 {
			i++
		}
		ends = append(ends, i)
	}
	for i, s := range starts {
		for _, e := range ends[i:] {
			if e-s < len(atom) {
				letter(atom[s:e], visit)
			}
		}
	}
}

// vouch keeps the values of a result whose labels a rule trusts, but for those
// that the call had asked with.
func (x *Index) vouch(n int, m mask, text []byte) {
	var repeated []uint64
	for i, a := range x.asked {
		if a.number == n {
			repeated = a.values
			x.asked = append(x.asked[:i], x.asked[i+1:]...)
			break
		}
	}
	var trusted []uint64
	for _, l := range x.limits.Exact {
		if m&x.mask([]string{l}) != 0 {
			trusted = append(trusted, x.key.word([]byte(l)))
		}
	}
	if len(trusted) == 0 {
		return
	}
	x.letters(text, func(value []byte) {
		h := x.key.word(value)
		if _, echo := slices.BinarySearch(repeated, h); echo {
			return
		}
		for _, l := range trusted {
			if !x.exact.put(x.key.pair(l, h), 0, 1, x.limits.Tokens) {
				x.overflow = true
			}
		}
	})
}

// vouched are the labels in Limits.Exact whose results have value, which is
// byLetter and is changed.
func (x *Index) vouched(value []byte) []string {
	if x.exact.used == 0 || len(value) == 0 || len(value) > maxLetters {
		return nil
	}
	var out []string
	h := x.key.word(lookedUp(value))
	for _, l := range x.limits.Exact {
		if x.exact.has(x.key.pair(x.key.word([]byte(l)), h)) {
			out = append(out, l)
		}
	}
	return out
}
