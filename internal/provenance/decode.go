package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decode calls visit with every plain text that an encoding in text hides:
// escapes of programs, URLs and HTML, quoted-printable, base64, hexadecimal and
// lists of character codes, characters that nobody sees, and numbers written with
// groups or idle zeros. What is visited is new memory. Reversal and rotation
// hide nothing that a caller could not look for itself; see variants.
func decode(text []byte, visit func(plain []byte)) {
	s := signsOf(text)
	if s&escapes != 0 {
		if plain := unescape(text); !bytes.Equal(plain, text) {
			visit(plain)
		}
	}
	if s&equals != 0 {
		if plain, ok := quotedPrintable(text); ok {
			visit(plain)
		}
	}
	if s&beyond != 0 {
		if plain := unseen(text); len(plain) > 0 {
			visit(plain)
		}
	}
	if s&runs != 0 {
		eachRun(text, visit)
	}
	if s&codes != 0 {
		eachCodes(text, visit)
	}
	if s&numbers != 0 {
		eachNumber(text, visit)
	}
}

// signs are cheap hints of what may be encoded in a text.
type signs uint8

const (
	escapes signs = 1 << iota // \ % &
	equals                    // =
	beyond                    // first bytes of characters that nobody sees
	runs                      // a long run of base64 characters
	codes                     // several short words of hexadecimal digits
	numbers                   // a digit, a separator, a digit
)

func signsOf(text []byte) (s signs) {
	run, word, short, spelt := 0, 0, 0, true // spelt: the word may be a code
	for i, c := range text {
		switch {
		case isAlnum(c):
			run++
			word++
			spelt = spelt && (isHex(c) || c == 'x')
			continue
		case c == '\\' || c == '%' || c == '&':
			s |= escapes
		case c == '=':
			s |= equals
		case c == 0xF3 || c == 0xEF:
			s |= beyond
		case (c == '.' || c == ',' || c == '\'' || c == '_') && word > 0 && isDigit(text[i-1]) && i+1 < len(text) && isDigit(text[i+1]):
			s |= numbers
		}
		if spelt && word > 1 && word <= 8 {
			short++
		}
		word, spelt = 0, true
		if in64(c) {
			run++
			continue
		}
		if run >= minRun {
			s |= runs
		}
		run = 0
	}
	if run >= minRun {
		s |= runs
	}
	if spelt && word > 1 && word <= 8 {
		short++
	}
	if short >= minCodes {
		s |= codes
	}
	return s
}

// unescape resolves backslash escapes, percent-encoding and character
// references, which may stand in one text together.
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			var n int
			out, n = backslash(out, text[i+1:])
			i += 1 + n
		case c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			out = append(out, unhex(text[i+1])<<4|unhex(text[i+2]))
			i += 3
		default:
			out = append(out, c)
			i++
		}
	}
	if bytes.IndexByte(out, '&') >= 0 {
		return []byte(html.UnescapeString(string(out)))
	}
	return out
}

// backslash appends what the escape that goes on with rest means, and says how
// many bytes of rest it took.
func backslash(out, rest []byte) ([]byte, int) {
	switch c := rest[0]; c {
	case 'n', 'r':
		return append(out, '\n'), 1
	case 't', 'b', 'f', 'v', 'a':
		return append(out, '\t'), 1
	case 'x':
		if v, ok := hexValue(rest[1:], 2); ok {
			return append(out, byte(v)), 3
		}
	case 'u':
		if end := bytes.IndexByte(rest, '}'); len(rest) > 2 && rest[1] == '{' && end > 2 && end <= 8 {
			if v, ok := hexValue(rest[2:end], end-2); ok {
				return utf8.AppendRune(out, v), end + 1
			}
		}
		v, ok := hexValue(rest[1:], 4)
		if low, also := hexValue(rest[min(7, len(rest)):], 4); ok && also && rest[5] == '\\' && rest[6] == 'u' && utf16.IsSurrogate(v) {
			return utf8.AppendRune(out, utf16.DecodeRune(v, low)), 11
		}
		if ok {
			return utf8.AppendRune(out, v), 5
		}
	case 'U':
		if v, ok := hexValue(rest[1:], 8); ok {
			return utf8.AppendRune(out, v), 9
		}
	case '0', '1', '2', '3':
		if len(rest) >= 3 && isOctal(rest[1]) && isOctal(rest[2]) {
			return append(out, (c-'0')<<6|(rest[1]-'0')<<3|(rest[2]-'0')), 3
		}
	case '\\', '"', '\'', '/':
		return append(out, c), 1
	}
	return append(out, '\\'), 0
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func hexValue(b []byte, n int) (rune, bool) {
	if len(b) < n {
		return 0, false
	}
	v := rune(0)
	for _, c := range b[:n] {
		if !isHex(c) {
			return 0, false
		}
		v = v<<4 | rune(unhex(c))
	}
	return v, true
}

// quotedPrintable resolves RFC 2045's encoding, where text uses it twice or more.
func quotedPrintable(text []byte) ([]byte, bool) {
	var out []byte
	found, from := 0, 0
	for i := 0; i < len(text); i++ {
		if text[i] != '=' {
			continue
		}
		rest := text[i+1:]
		switch {
		case len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]):
			out = append(append(out, text[from:i]...), unhex(rest[0])<<4|unhex(rest[1]))
			from = i + 3
		case bytes.HasPrefix(rest, []byte("\n")):
			out = append(out, text[from:i]...)
			from = i + 2
		case bytes.HasPrefix(rest, []byte("\r\n")):
			out = append(out, text[from:i]...)
			from = i + 3
		default:
			continue
		}
		found++
		i = from - 1
	}
	if found < 2 {
		return nil, false
	}
	return append(out, text[from:]...), true
}

// unseen is the text that tag characters (U+E0020…) and variation selectors
// carry: both are used to smuggle ASCII past a reader.
func unseen(text []byte) []byte {
	if bytes.IndexByte(text, 0xF3) < 0 && bytes.IndexByte(text, 0xEF) < 0 {
		return nil // the first bytes of all of them
	}
	var tags, selectors []byte
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		i += n
		switch {
		case r >= 0xE0020 && r <= 0xE007E:
			tags = append(tags, byte(r-0xE0000))
		case r >= 0xFE00 && r <= 0xFE0F:
			selectors = append(selectors, byte(r-0xFE00))
		case r >= 0xE0100 && r <= 0xE01EF:
			selectors = append(selectors, byte(r-0xE0100+16))
		}
	}
	if len(selectors) >= minPlain && readable(selectors) {
		tags = append(append(tags, ' '), selectors...)
	}
	return tags
}

const (
	minRun   = 8 // characters that look encoded: fewer hold less than a short name
	minPlain = 4 // bytes of a text that was encoded
	minLone  = 8 // of a readable stretch among bytes that are not
)

// readable reports whether b is text and mostly words.
func readable(b []byte) bool {
	if len(b) < minPlain || !utf8.Valid(b) {
		return false
	}
	words := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
		if isAlnum(c) || c >= utf8.RuneSelf {
			words++
		}
	}
	return 2*words >= len(b)
}

// offer visits b where it is readable, or else the stretches of it that are.
func offer(b []byte, visit func([]byte)) {
	if readable(b) {
		visit(b)
		return
	}
	for start := 0; start < len(b); {
		end := start
		for end < len(b) && b[end] >= ' ' && b[end] < 0x7f {
			end++
		}
		if end-start >= minLone && end-start < len(b) && readable(b[start:end]) {
			visit(b[start:end])
		}
		start = end + 1
	}
}

// in64 are the characters of base64 and base64url.
func in64(c byte) bool { return isAlnum(c) || c == '+' || c == '/' || c == '-' || c == '_' }

// eachRun visits what runs of base64 and hexadecimal characters decode to. A
// run may go on over line ends; each line is tried as well.
func eachRun(text []byte, visit func([]byte)) {
	for i := 0; i < len(text); {
		if !in64(text[i]) {
			i++
			continue
		}
		start := i
		for i < len(text) && in64(text[i]) {
			i++
		}
		eachEncoded(text[start:i], visit)
		if i-start < 16 {
			continue
		}
		if long, end := wrapped(text, start, i); end > i {
			eachEncoded(long, visit)
		}
	}
}

// wrapped joins the run text[start:end] with those on the following lines. Only
// the first run of such lines is joined: it has them all.
func wrapped(text []byte, start, end int) ([]byte, int) {
	if start > 0 && text[start-1] == '\n' && start > 1 && (in64(text[start-2]) || text[start-2] == '\r') {
		return nil, end
	}
	long := text[start:end:end]
	for {
		next := end
		if next < len(text) && text[next] == '\r' {
			next++
		}
		if next >= len(text) || text[next] != '\n' {
			return long, end
		}
		next++
		from := next
		for next < len(text) && in64(text[next]) {
			next++
		}
		if next == from {
			return long, end
		}
		long = append(long, text[from:next]...)
		end = next
	}
}

// eachEncoded visits what run, or the parts of it between the characters that
// also stand between words, decodes to.
func eachEncoded(run []byte, visit func([]byte)) {
	if len(run) < minRun {
		return
	}
	found := false
	note := func(plain []byte) { found = true; visit(plain) }
	un64(run, note)
	if found {
		return
	}
	for i := 0; i < len(run); i++ {
		start := i
		for i < len(run) && isAlnum(run[i]) {
			i++
		}
		part := run[start:i]
		if len(part) < minRun {
			continue
		}
		if len(part) < len(run) {
			un64(part, visit)
		}
		if len(part)%2 == 0 {
			plain := make([]byte, len(part)/2)
			if _, err := hex.Decode(plain, part); err == nil {
				offer(plain, visit)
			}
		}
	}
}

// un64 offers what b decodes to as base64 or base64url.
func un64(b []byte, visit func([]byte)) {
	if len(b)%4 == 1 {
		b = b[:len(b)-1]
	}
	if len(b) < minLone*4/3 {
		// A word of eight to ten letters: look before memory is made for it.
		var few [minRun]byte
		n, err := decode64(few[:], b)
		if err != nil || !readable(few[:n]) {
			return
		}
	}
	plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(b)))
	if n, err := decode64(plain, b); err == nil {
		offer(plain[:n], visit)
	}
}

func decode64(dst, b []byte) (int, error) {
	if bytes.IndexByte(b, '-') >= 0 || bytes.IndexByte(b, '_') >= 0 {
		return base64.RawURLEncoding.Decode(dst, b)
	}
	return base64.RawStdEncoding.Decode(dst, b)
}

// minCodes is how many character codes in a row are taken for text.
const minCodes = 4

// eachCodes visits what lists of character codes spell: decimal, hexadecimal
// with two digits, or binary with eight.
func eachCodes(text []byte, visit func([]byte)) {
	for _, base := range [...]struct{ base, least, most int }{{10, 2, 3}, {16, 2, 2}, {2, 8, 8}} {
		var spelt []byte
		end := 0
		flush := func() {
			if len(spelt) >= minCodes && readable(spelt) {
				visit(bytes.Clone(spelt))
			}
			spelt = spelt[:0]
		}
		for i := 0; i < len(text); {
			if !isAlnum(text[i]) {
				i++
				continue
			}
			start := i
			for i < len(text) && isAlnum(text[i]) {
				i++
			}
			word := bytes.TrimPrefix(text[start:i], []byte("0x"))
			v, ok := code(word, base.base, base.least, base.most)
			if !ok || start-end > 3 {
				flush()
			}
			if ok {
				spelt = append(spelt, v)
			}
			end = i
		}
		flush()
	}
}

func code(word []byte, base, least, most int) (byte, bool) {
	if len(word) < least || len(word) > most || !isHex(word[0]) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(word), base, 8)
	return byte(v), err == nil
}

// eachNumber visits numbers in the form that JSON would have them: without
// groups and without idle zeros. "1,234.50" is 1234.5.
func eachNumber(text []byte, visit func([]byte)) {
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		start := i
		for i < len(text) && (isDigit(text[i]) || i+1 < len(text) && isDigit(text[i+1]) && (text[i] == ',' || text[i] == '.' || text[i] == '\'' || text[i] == '_')) {
			i++
		}
		if plain, ok := plainNumber(text[start:i]); ok {
			visit(plain)
		}
	}
}

// plainNumber takes groups of three and idle zeros away. It reports false where
// b is no such number or has none.
func plainNumber(b []byte) ([]byte, bool) {
	whole, fraction, _ := bytes.Cut(b, []byte("."))
	groups := bytes.FieldsFunc(whole, func(r rune) bool { return r == ',' || r == '\'' || r == '_' })
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return nil, false
		}
	}
	if bytes.ContainsFunc(fraction, func(r rune) bool { return !unicode.IsDigit(r) }) {
		return nil, false
	}
	plain := bytes.Join(groups, nil)
	if fraction = bytes.TrimRight(fraction, "0"); len(fraction) > 0 {
		plain = append(append(plain, '.'), fraction...)
	}
	return plain, !bytes.Equal(plain, b)
}
