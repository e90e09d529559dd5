package provenance

import "bytes"

// enough is how many letters or digits tell something.
const enough = 3

// verdict is what is known of one leaf.
type verdict struct {
	in       set // texts that have it or a telling part or piece of it; slot 0 is the prompt
	neutral  bool
	user     bool
	userHost bool
	result   bool
	composed bool
	made     bool
	exact    []string
}

// judge finds where one leaf came from.
func (x *Index) judge(text []byte, layers int) verdict {
	l := x.look(text)
	defer x.looks.Put(l)
	var v verdict
	whole := l.words(text)
	l.letter, _ = byLetter(l.letter[:0], text)
	host := hostOf(text)
	bare := bytes.TrimPrefix(host, []byte("www."))
	v.userHost = len(host) > 0 && l.prompted(bare) && x.prompt.saidHost(host, nil)
	v.user = len(l.letter) > 0 && (v.userHost || l.in.has(0)) && x.prompt.said(l.letter)
	if v.neutral = l.weight < enough && !weighty(unseen(text)); v.neutral {
		return v
	}
	v.exact = x.vouched(l.letter)
	if !whole && !v.user {
		whole = l.decoded(text, layers)
		if len(host) > 0 {
			l.words(bare)
		}
		l.parts(text, layers)
	}
	v.result = l.in.results(l.blocks)
	if !whole && !v.user {
		v.composed = l.composed(text)
		v.made = !v.composed
	}
	if l.exhausted() && !v.user {
		// Nobody can say where it came from: it may be from anywhere, and made up.
		for slot := 1; slot < len(x.results); slot++ {
			l.in.add(slot)
		}
		v.result, v.made, v.composed = len(x.results) > 1, true, false
	}
	v.in = l.in
	return v
}

// look collects the texts in which a value, its parts or its pieces are. Its
// memory is used again.
type look struct {
	x      *Index
	blocks int
	in     set
	weight int // of the first text
	probes int // that are left, see cutter
	left   int // bytes of decoded text that may still be read

	letter        []byte
	folded, space []byte
	hashes        []uint64
	rows          [maxCompact + 2]set
}

func (x *Index) look(text []byte) *look {
	l, ok := x.looks.Get().(*look)
	if !ok {
		l = &look{folded: make([]byte, 0, 256), space: make([]byte, 0, 256), letter: make([]byte, 0, 256), hashes: make([]uint64, 0, 64)}
	}
	l.x, l.blocks, l.in, l.weight, l.probes = x, x.inUse(), set{}, 0, maxProbes
	l.left = expansion*len(text) + leastExpansion
	return l
}

// exhausted reports whether the search was given up.
func (l *look) exhausted() bool { return l.probes < 0 || l.left < 0 }

// words looks for one text as it stands, in either way of folding. It reports
// whether a result has all of it.
func (l *look) words(text []byte) bool {
	folded, ascii := fold(l.folded[:0], text, byLook)
	if l.folded = folded; l.weight == 0 {
		l.weight = weight(folded, enough)
	}
	whole := l.phrase(folded)
	if !ascii {
		l.folded, _ = fold(l.folded[:0], text, byCase)
		whole = l.phrase(l.folded) || whole
	}
	return whole
}

// decoded looks for what text encodes, and for the telling parts of that.
func (l *look) decoded(text []byte, layers int) (whole bool) {
	if layers <= 0 {
		return false
	}
	decode(text, func(plain []byte) {
		if l.left -= len(plain); l.left < 0 || !weighty(plain) {
			return
		}
		if l.words(plain) || l.decoded(plain, layers-1) {
			whole = true
		} else {
			l.parts(plain, layers-1)
		}
	})
	return whole
}

// weighty reports whether text tells something, as far as its beginning shows.
func weighty(text []byte) bool {
	var buf [64]byte
	folded, _ := fold(buf[:0], text[:min(len(text), len(buf)/2)], byLook)
	return weight(folded, enough) >= enough
}

// prompted reports, generously and quickly, whether the prompt may have text.
func (l *look) prompted(text []byte) bool {
	before := l.in
	l.in = set{}
	l.folded, _ = fold(l.folded[:0], text, byLook)
	l.row(l.folded)
	there := l.in.has(0)
	l.in = before
	return there
}

// phrase looks for folded text: its words next to one another as they stand, as
// one word, cut elsewhere, backwards, or rotated.
func (l *look) phrase(folded []byte) bool {
	if l.row(folded) {
		return true
	}
	l.space = appendCompact(l.space[:0], folded)
	if len(l.space) < len(folded) && l.row(l.space) || l.recut(l.space) {
		return true
	}
	l.space = backwards(l.space[:0], folded)
	if l.row(l.space) {
		return true
	}
	l.space = rotated(l.space[:0], folded)
	return l.row(l.space)
}

// row adds the texts that have all words next to one another in their order,
// and reports whether a result is among them.
func (l *look) row(folded []byte) bool {
	t, key := &l.x.words, &l.x.key
	var in, here set
	n, before := 0, uint64(0)
	for start, end := nextWord(folded, 0); start < end; start, end = nextWord(folded, end) {
		h := key.word(folded[start:end])
		if !t.maybe(h) {
			return false
		}
		switch n++; n {
		case 1:
			t.get(h, &in, l.blocks)
		case 2:
			t.get(key.pair(before, h), &in, l.blocks)
		default:
			t.get(key.pair(before, h), &here, l.blocks)
			in.and(&here, l.blocks)
		}
		before = h
	}
	l.in.or(&in, l.blocks)
	return n > 0 && in.results(l.blocks)
}

// appendCompact appends folded text without its spaces.
func appendCompact(dst, folded []byte) []byte {
	for _, c := range folded {
		if c != ' ' {
			dst = append(dst, c)
		}
	}
	return dst
}

func backwards(dst, folded []byte) []byte {
	if isASCII(folded) {
		for i := len(folded) - 1; i >= 0; i-- {
			dst = append(dst, folded[i])
		}
		return dst
	}
	runes := bytes.Runes(folded)
	for i := len(runes) - 1; i >= 0; i-- {
		dst = append(dst, string(runes[i])...)
	}
	return dst
}

// rotated is ROT13.
func rotated(dst, folded []byte) []byte {
	for _, c := range folded {
		if c >= 'a' && c <= 'z' {
			c = 'a' + (c-'a'+13)%26
		}
		dst = append(dst, c)
	}
	return dst
}

// quote is how many words in a row, found in one result, are taken from there.
const quote = 6

// parts looks for what tells something within a longer value: the parts of a
// URL, what looks like an address, a name or a number among words, and
// quotations.
func (l *look) parts(text []byte, layers int) {
	if u, ok := parseURL(text); ok {
		u.eachPart(func(part []byte) {
			if weighty(part) && !l.words(part) {
				l.decoded(part, layers-1)
			}
		})
		return
	}
	atoms := 0
	for start, end := nextAtom(text, 0); start < end; start, end = nextAtom(text, end) {
		if start == 0 && end == len(text) {
			return
		}
		atoms++
		atom := bytes.TrimFunc(text[start:end], outside)
		if !telling(atom) {
			continue
		}
		if l.words(atom) || l.decoded(atom, layers-1) {
			continue
		}
		if _, ok := parseURL(atom); ok {
			l.parts(atom, layers-1)
		}
	}
	if atoms >= quote/2 {
		l.quotes(text)
	}
}

// telling reports whether an atom is more than a word of the language.
func telling(atom []byte) bool {
	letters, digits, joints := 0, 0, 0
	for i, c := range atom {
		switch {
		case isDigit(c):
			digits++
		case isAlnum(c):
			letters++
		case (c == '@' || c == '.' || c == '/' || c == '_' || c == ':') && i > 0 && i < len(atom)-1:
			joints++
		}
	}
	return joints > 0 && letters+digits >= 5 || digits >= 5 || digits > 0 && letters+digits >= 6 || letters >= 20
}

// quotes adds the results that have quote words of text in a row.
func (l *look) quotes(text []byte) {
	l.folded, _ = fold(l.folded[:0], text, byLook)
	l.hashes = l.hashes[:0]
	for start, end := nextWord(l.folded, 0); start < end; start, end = nextWord(l.folded, end) {
		l.hashes = append(l.hashes, l.x.key.word(l.folded[start:end]))
	}
	var last [quote - 1]set
	var here, in set
	run := 0 // pairs in a row that some result has
	for i := 1; i < len(l.hashes); i++ {
		if !l.x.words.get(l.x.key.pair(l.hashes[i-1], l.hashes[i]), &here, l.blocks) {
			run = 0
			continue
		}
		last[i%len(last)] = here
		if run++; run < len(last) {
			continue
		}
		in = last[0]
		for j := 1; j < len(last); j++ {
			in.and(&last[j], l.blocks)
		}
		l.in.or(&in, l.blocks)
	}
}
