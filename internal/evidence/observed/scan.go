package observed

import "unicode/utf8"

// scanner reads the JSON that receipt.Encode writes, member by member in its
// order, and nothing else: whatever it does not take is left to package
// receipt, which says what is wrong or reads it slowly.
type scanner struct {
	b  []byte
	at int
	// odd: something was not as Encode writes it, or needs unescaping.
	odd bool
}

// take passes over a text if it comes next.
func (s *scanner) take(text string) bool {
	if len(s.b)-s.at < len(text) || string(s.b[s.at:s.at+len(text)]) != text {
		return false
	}
	s.at += len(text)
	return true
}

// need passes over a text that must come next.
func (s *scanner) need(text string) {
	if !s.take(text) {
		s.odd = true
	}
}

// plain are the characters that Encode leaves as they are, other than those
// beyond ASCII.
var plain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return table
}()

// text reads the rest of a string, after its first quotation mark, that has no
// escapes and is not empty.
func (s *scanner) text() []byte {
	from := s.at
	escaped := s.pass()
	if escaped || s.at-1 <= from {
		s.odd = true
	}
	if s.odd {
		return nil
	}
	return s.b[from : s.at-1]
}

// pass passes over the rest of a string with its last quotation mark.
func (s *scanner) pass() (escaped bool) {
	from, wide := s.at, false
	for s.at < len(s.b) {
		c := s.b[s.at]
		switch {
		case plain[c]:
			s.at++
		case c == '"':
			if wide && !fit(s.b[from:s.at]) {
				s.odd = true
			}
			s.at++
			return escaped
		case c == '\\':
			escaped = true
			n := escape(s.b[s.at:])
			if n == 0 {
				s.odd = true
				return escaped
			}
			s.at += n
		case c >= utf8.RuneSelf:
			wide = true
			s.at++
		default:
			s.odd = true
			return escaped
		}
	}
	s.odd = true
	return escaped
}

// fit says whether Encode leaves the characters beyond ASCII as they are.
func fit(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			return false
		}
		i += n
	}
	return true
}

// escape is the length of the escape that b begins with; 0 when Encode does
// not write it.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	if len(b) < 6 {
		return 0
	}
	switch string(b[2:6]) {
	case "003c", "003e", "0026", "2028", "2029":
		return 6
	case "0008", "0009", "000a", "000c", "000d":
		return 0
	}
	if string(b[2:4]) == "00" && (b[4] == '0' || b[4] == '1') && hexadecimal(b[5]) {
		return 6
	}
	return 0
}

func hexadecimal(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

// member reads a string member that may be left out; name has everything up to
// the string's first quotation mark.
func (s *scanner) member(name string) []byte {
	if s.odd || !s.take(name) {
		return nil
	}
	return s.text()
}

// skip passes over a string member that may be left out and that nothing asks for.
func (s *scanner) skip(name string) {
	if s.odd || !s.take(name) {
		return
	}
	if from := s.at; !s.pass() && s.at-1 <= from {
		s.odd = true // an empty one is left out
	}
}

// number reads an integer of at most most.
func (s *scanner) number(most uint64) (n uint64) {
	from := s.at
	for s.at < len(s.b) && '0' <= s.b[s.at] && s.b[s.at] <= '9' {
		d := uint64(s.b[s.at] - '0')
		if n > (most-d)/10 {
			s.odd = true
			return 0
		}
		n = n*10 + d
		s.at++
	}
	if s.at == from || s.at-from > 1 && s.b[from] == '0' {
		s.odd = true
	}
	return n
}

// id reads the rest of a string that is a receipt's id: rcp_ and a UUID of
// version 7 in lower case.
func (s *scanner) id() []byte {
	const form = `rcp_xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx"`
	if s.odd || len(s.b)-s.at < len(form) {
		s.odd = true
		return nil
	}
	b := s.b[s.at : s.at+len(form)]
	for i, c := range b {
		switch form[i] {
		case 'x':
			s.odd = s.odd || !hexadecimal(c)
		case 'v':
			s.odd = s.odd || c != '8' && c != '9' && c != 'a' && c != 'b'
		default:
			s.odd = s.odd || c != form[i]
		}
	}
	s.at += len(form)
	return b[:len(form)-1]
}

// digest reads a member that is a SHA-256 digest and may be left out.
func (s *scanner) digest(name string) []byte {
	const size = len("sha256:") + 64
	if s.odd || !s.take(name) {
		return nil
	}
	if len(s.b)-s.at <= size || string(s.b[s.at:s.at+len("sha256:")]) != "sha256:" || s.b[s.at+size] != '"' {
		s.odd = true
		return nil
	}
	b := s.b[s.at : s.at+size]
	for _, c := range b[len("sha256:"):] {
		s.odd = s.odd || !hexadecimal(c)
	}
	s.at += size + 1
	return b
}

// pair reads the rest of an object of type and id.
func (s *scanner) pair() (kind, id []byte) {
	s.need(`{"type":"`)
	kind = s.text()
	s.need(`,"id":"`)
	id = s.text()
	s.need(`}`)
	return kind, id
}

// party is pair for who acts.
func (s *scanner) party() (kind, id []byte) {
	kind, id = s.pair()
	switch string(kind) {
	case "agent", "person", "system":
	default:
		s.odd = true
	}
	return kind, id
}
