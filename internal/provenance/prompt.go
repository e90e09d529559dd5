package provenance

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// prompt is what the user said, by the letter.
type prompt struct {
	text  []byte // byLetter, prompts apart by a zero byte
	small []byte // the same with small ASCII letters
	taken int    // bytes as they came
}

func (p *prompt) bytes() int { return p.taken }
func (p *prompt) held() int  { return cap(p.text) + cap(p.small) }

func (p *prompt) add(text string) {
	p.taken += len(text)
	t, _ := byLetter(nil, bytes.Map(func(r rune) rune {
		if masquerades(r) {
			return utf8.RuneError
		}
		return r // bytes that are not UTF-8 become utf8.RuneError
	}, []byte(text)))
	if len(p.text) > 0 {
		p.text = append(p.text, 0)
	}
	p.text = append(p.text, t...)
	p.small = small(append(p.small[:0], p.text...))
}

// said reports whether the user said value, which is byLetter: exactly, and
// not as a part of a longer word, address, host or path.
func (p *prompt) said(value []byte) bool {
	if u, ok := parseURL(value); ok && u.web() {
		return p.saidURL(u)
	}
	if isAddress(value) {
		var buf [128]byte
		return within(p.small, small(append(buf[:0], value...)), nil, nil)
	}
	return within(p.text, value, nil, nil)
}

// saidURL leaves out what does not change where a URL leads: http or https, a
// last slash, "www.", the case of the host.
func (p *prompt) saidURL(u url) bool {
	tail := bytes.TrimSuffix(u.tail, []byte("/"))
	if bytes.IndexByte(u.authority, '@') >= 0 {
		return within(p.text, u.whole, nil, nil)
	}
	return p.saidHost(u.authority, tail)
}

// saidHost reports whether host, with or without "www.", and then tail occur.
func (p *prompt) saidHost(host, tail []byte) bool {
	if len(host) == 0 {
		return false
	}
	var buf [160]byte
	v := small(append(append(append(buf[:0], "www."...), host...), tail...))
	bare := v[len("www."):]
	if within(p.small, bare, p.text, tail) || within(p.small, v, p.text, tail) {
		return true
	}
	rest, ok := bytes.CutPrefix(bare, []byte("www."))
	return ok && within(p.small, rest, p.text, tail)
}

// within reports whether value stands in text and not within a longer word. A
// tail that is given must stand at its end also in original, letter by letter.
func within(text, value, original, tail []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], value)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(value)
		if (len(tail) == 0 || bytes.Equal(original[end-len(tail):end], tail)) && apart(text, start, end) {
			return true
		}
		from = start + 1
	}
}

// apart reports whether nothing that stands before start or after end makes
// what is between them a part of something longer.
func apart(text []byte, start, end int) bool {
	first, _ := utf8.DecodeRune(text[start:end])
	last, _ := utf8.DecodeLastRune(text[start:end])
	before, n := utf8.DecodeLastRune(text[:start])
	if n > 0 {
		further, m := utf8.DecodeLastRune(text[:start-n])
		if continues(before, first, further, m > 0) {
			return false
		}
	}
	after, n := utf8.DecodeRune(text[end:])
	if n == 0 {
		return true
	}
	further, m := utf8.DecodeRune(text[end+n:])
	return !continues(after, last, further, m > 0)
}

// continues reports whether the neighbour of a value's edge, or what the
// neighbour joins to it, belongs to the same word.
func continues(neighbour, edge, further rune, more bool) bool {
	switch {
	case inWord(neighbour):
		return !unspaced(neighbour) && !unspaced(edge)
	case unicode.Is(unicode.Cf, neighbour):
		return true // what nobody sees ends no word
	}
	switch neighbour {
	case '.', '-', '_', '@', '+', '%', '\u2010', '\u2011':
		return more && inWord(further) && !unspaced(further)
	}
	return false
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }
