package provenance

import (
	"bytes"

	"aims/internal/leaf"
)

const (
	// depth is how many layers of JSON and encodings are opened.
	depth = 4
	// expansion is how much text, in multiples of a result, its layers may add up to.
	expansion = 12
	// leastExpansion is what the layers of a short value may add up to.
	leastExpansion = 16 << 10
)

// reader puts the words of one text into the index.
type reader struct {
	x    *Index
	slot int
	left int // bytes that may still be read
	buf  []byte
}

// text reads one text and what is in it. It reports whether all was read.
func (r *reader) text(text []byte, layers int) bool {
	if r.left -= len(text); r.left < 0 {
		return false
	}
	if layers > 0 && isJSON(text) {
		whole := true
		err := leaf.Walk(text, func(_ []byte, kind leaf.Kind, t []byte) {
			switch kind {
			case leaf.Name, leaf.String, leaf.Number:
				whole = r.text(t, layers-1) && whole
			}
		})
		if err == nil {
			return whole
		}
	}
	whole := r.words(text)
	if layers > 0 {
		decode(text, func(plain []byte) { whole = r.text(plain, layers-1) && whole })
	}
	return whole
}

// isJSON is a guess that is cheap; leaf.Walk knows.
func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 1 && (text[0] == '{' || text[0] == '[' || text[0] == '"')
}

// words notes the words of text and their neighbourhoods.
func (r *reader) words(text []byte) bool {
	folded, ascii := fold(r.buf[:0], text, byLook)
	r.buf = folded
	whole := r.note(folded)
	if !ascii {
		r.buf, _ = fold(r.buf[:0], text, byCase)
		whole = r.note(r.buf) && whole
	}
	return whole
}

func (r *reader) note(folded []byte) bool {
	x, before := r.x, uint64(0)
	for start, end := nextWord(folded, 0); start < end; start, end = nextWord(folded, end) {
		h := x.key.word(folded[start:end])
		if !x.words.put(h, word, r.slot, x.limits.Tokens) {
			return false
		}
		if before != 0 && !x.words.put(x.key.pair(before, h), 0, r.slot, x.limits.Tokens) {
			return false
		}
		before = h
	}
	return true
}
