package content

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// personal reports whether text has an e-mail address, a telephone number, a
// bank account, a payment card or a national identity number. Numbers count only
// where their form or check digits say so: a number without any is not found.
func personal(text []byte) bool {
	for i, c := range text {
		switch {
		case !begins[c]:
		case c == '@':
			if email(text, i) {
				return true
			}
		case i > 0 && isAlnum(text[i-1]):
		case c == '+' || c == '(':
			if phone(text[i:]) {
				return true
			}
		case isUpper(c):
			if rest := text[i:]; iban(rest) || fiscalCode(rest) || spanish(rest) {
				return true
			}
		case i > 1 && (text[i-1] == '.' || text[i-1] == ',') && isDigit(text[i-2]): // a fraction
		default:
			if numbered(text[i:]) {
				return true
			}
		}
	}
	return false
}

// begins are the bytes at which something personal may begin or be told by.
var begins = func() (t [256]bool) {
	for c := range t {
		t[c] = c == '@' || c == '+' || c == '(' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
	}
	return t
}()

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// email reports whether the at sign at i stands in an address: a local part, a
// host with a dot, and letters after the last one.
func email(text []byte, i int) bool {
	if i == 0 || !isAlnum(text[i-1]) && bytes.IndexByte([]byte("_+-%"), text[i-1]) < 0 && !letterBefore(text[:i]) {
		return false
	}
	host := text[i+1:]
	end := 0
	for end < len(host) && (isAlnum(host[end]) || host[end] == '-' || host[end] == '.' || host[end] >= utf8.RuneSelf) {
		end++
	}
	host = bytes.TrimRight(host[:end], ".-")
	dot := bytes.LastIndexByte(host, '.')
	if dot <= 0 || len(host)-dot < 3 || host[0] == '.' {
		return false
	}
	for _, c := range host[dot+1:] {
		if isDigit(c) {
			return false
		}
	}
	return true
}

func letterBefore(text []byte) bool {
	r, _ := utf8.DecodeLastRune(text)
	return r >= utf8.RuneSelf && unicode.IsLetter(r)
}

// number is digits in groups, as "4111 1111 1111 1111" or "756.9217.0769.85".
type number struct {
	digits [20]byte
	n      int     // groups
	groups [8]int  // their lengths
	ends   [8]int  // where each ends, in bytes
	seps   [8]byte // what follows each
}

// numberAt reads the number that b begins with, at most eight groups and twenty digits.
func numberAt(b []byte) (d number) {
	total := 0
	for i := 0; d.n < len(d.groups); {
		start := i
		for i < len(b) && isDigit(b[i]) && total < len(d.digits) {
			d.digits[total] = b[i] - '0'
			total++
			i++
		}
		if i == start || i < len(b) && isDigit(b[i]) {
			return d
		}
		d.groups[d.n], d.ends[d.n] = i-start, i
		d.n++
		if i+1 >= len(b) || bytes.IndexByte([]byte(" -./"), b[i]) < 0 || !isDigit(b[i+1]) {
			return d
		}
		d.seps[d.n-1] = b[i]
		i++
	}
	return d
}

// is reports whether the number has the groups and separators of form, such as
// "3.4.4.2", and nothing follows that would make it longer.
func (d *number) is(form string, rest []byte) bool {
	g := 0
	for i := 0; i < len(form); i += 2 {
		if g >= d.n || d.groups[g] != int(form[i]-'0') || i+1 < len(form) && (d.n == g+1 || d.seps[g] != form[i+1]) {
			return false
		}
		g++
	}
	return g == d.n && endsAt(rest, d.ends[g-1])
}

// one reports whether the number is a single group of n digits.
func (d *number) one(n int, rest []byte) bool {
	return d.n == 1 && d.groups[0] == n && endsAt(rest, d.ends[0])
}

func endsAt(b []byte, i int) bool { return i >= len(b) || !isAlnum(b[i]) && b[i] != '_' }

// numbered reports whether b begins with a card or an identity number.
func numbered(b []byte) bool {
	d := numberAt(b)
	if d.n == 0 {
		return false
	}
	return card(&d, b) || d.is("3-3-4", b) && d.digits[0] > 1 && d.digits[3] > 1 || identity(&d, b)
}

// phone reports whether b begins with an international number (E.164), or one of
// North America with its area code in brackets.
func phone(b []byte) bool {
	if b[0] == '(' {
		d := numberAt(b[1:])
		if d.n != 1 || d.groups[0] != 3 || d.digits[0] < 2 || !bytes.HasPrefix(b[4:], []byte(")")) {
			return false
		}
		rest := bytes.TrimLeft(b[5:], " ")
		line := numberAt(rest)
		return line.is("3-4", rest) || line.is("3 4", rest) || line.is("3.4", rest)
	}
	digits := 0
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case isDigit(c):
			if digits++; digits == 1 && c == '0' {
				return false
			}
		case i > 1 && bytes.IndexByte([]byte(" -.()/"), c) >= 0 && i+1 < len(b) && (isDigit(b[i+1]) || b[i+1] == '('):
		default:
			return digits >= 8 && digits <= 15 && !isAlnum(c)
		}
	}
	return digits >= 8 && digits <= 15
}

// card reports whether the number, or its first groups, is one of a payment
// card: a known issuer's range, its length and the check digit of Luhn.
func card(d *number, b []byte) bool {
	total := 0
	for g := range d.n {
		if total += d.groups[g]; g > 0 && d.seps[g-1] != ' ' && d.seps[g-1] != '-' {
			return false
		}
		if total >= 13 && total <= 19 && endsAt(b, d.ends[g]) && issued(d.digits[:total]) && luhn(d.digits[:total]) {
			return true
		}
	}
	return false
}

func issued(d []byte) bool {
	first := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	switch n := len(d); {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case first >= 5100 && first < 5600, first >= 2221 && first <= 2720:
		return n == 16
	case first/100 == 34 || first/100 == 37:
		return n == 15
	case first == 6011, first/100 == 65, first/10 >= 644 && first/10 <= 649, first >= 3528 && first <= 3589, first/100 == 62:
		return n >= 16
	case first/10 >= 300 && first/10 <= 305, first/100 == 36, first/100 == 38:
		return n == 14
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i, c := range d {
		v := int(c)
		if (len(d)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
