package provenance

const (
	// maxCompact is how long a value without its spaces may be to be looked for in
	// other cuts,
	maxCompact = 64
	// minPiece how long a piece of it has to be when pieces come from anywhere,
	minPiece = 2
	// meanPiece how long such pieces have to be on average,
	meanPiece = 3
	// maxProbes how many pieces in a row are tried for one value.
	maxProbes = 4096
)

// recut looks for a value that stands in one result with its words cut in
// other places: "att acker @ ev il . com", "G B 2 9".
// The value has no spaces. It reports whether there is one.
func (l *look) recut(value []byte) bool {
	if len(value) > maxCompact {
		return false
	}
	c := cutter{l: l, value: value}
	c.from(0, 0, 0)
	return c.found
}

// cutter tries the ways to cut a value into words of a result.
type cutter struct {
	l     *look
	value []byte
	found bool
}

// from tries every next piece at i after n pieces, the last of which was before.
// The texts that have those are l.rows[n]. It adds the texts that have all pieces in a row.
func (c *cutter) from(i, n int, before uint64) {
	l := c.l
	t, key := &l.x.words, &l.x.key
	here := &l.rows[n+1]
	for j := i + 1; j <= len(c.value); j++ {
		if l.probes--; l.probes < 0 {
			return // too many ways to say that there is none
		}
		h := key.word(c.value[i:j])
		if !t.maybe(h) || n == 0 && j == len(c.value) {
			continue
		}
		if n == 0 {
			t.get(h, here, l.blocks)
		} else if !t.get(key.pair(before, h), here, l.blocks) || !here.and(&l.rows[n], l.blocks) {
			continue
		}
		if here[0] &^= 1; !here.results(l.blocks) {
			continue // the prompt is read by the letter only
		}
		if j < len(c.value) {
			c.from(j, n+1, h)
			continue
		}
		l.in.or(here, l.blocks)
		c.found = true
	}
}

// composed reports whether all pieces of a value are in texts, wherever, and one
// of them in a result, and adds these texts. A piece is a word of the value, or
// some of its characters in a row.
func (l *look) composed(text []byte) bool {
	folded, ascii := fold(l.folded[:0], text, byLook)
	if l.folded = folded; l.assembled(folded) {
		return true
	}
	if ascii {
		return false
	}
	l.folded, _ = fold(l.folded[:0], text, byCase)
	return l.assembled(l.folded)
}

func (l *look) assembled(folded []byte) bool {
	if l.everywhere(folded) {
		return true
	}
	l.space = appendCompact(l.space[:0], folded)
	if len(l.space) > maxCompact {
		return false
	}
	return l.joined(l.space, starts(folded))
}

// everywhere adds the texts that have any of the words, if each is in some text.
func (l *look) everywhere(folded []byte) bool {
	var here, all set
	for start, end := nextWord(folded, 0); start < end; start, end = nextWord(folded, end) {
		if !l.x.words.get(l.x.key.word(folded[start:end]), &here, l.blocks) {
			return false
		}
		all.or(&here, l.blocks)
	}
	return l.assemble(&all)
}

// assemble adds the texts that pieces are from, if a result is among them.
func (l *look) assemble(from *set) bool {
	if !from.results(l.blocks) {
		return false
	}
	l.in.or(from, l.blocks)
	return true
}

// starts marks where, in compact text, words begin; the end counts as well.
func starts(folded []byte) (at [maxCompact + 1]bool) {
	n, before := 0, byte(' ')
	for _, c := range folded {
		if c != ' ' {
			at[n] = at[n] || before == ' '
			n++
		}
		before = c
	}
	at[n] = true
	return at
}

// joined adds the texts that have a piece on some way to put value together
// from few enough pieces.
func (l *look) joined(value []byte, word [maxCompact + 1]bool) bool {
	n := len(value)
	most := n/meanPiece + 1
	var to, on [maxCompact + 1]int // fewest pieces from the start, and to the end, plus one
	var pieces [maxCompact]uint64  // bit j-1 of pieces[i]: value[i:j] is in a text
	var here, all set
	to[0] = 1
	for i := range n {
		for j := i + 1; to[i] > 0 && to[i] <= most && j <= n; j++ {
			if j-i < minPiece && !(word[i] && word[j]) || i == 0 && j == n {
				continue
			}
			if h := l.x.key.word(value[i:j]); l.x.words.maybe(h) && l.x.words.has(h) {
				pieces[i] |= 1 << (j - 1)
				to[j] = fewer(to[j], to[i]+1)
			}
		}
	}
	if to[n] == 0 || to[n]-1 > most {
		return false
	}
	on[n] = 1
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j <= n; j++ {
			if on[j] == 0 || pieces[i]&(1<<(j-1)) == 0 {
				continue
			}
			on[i] = fewer(on[i], on[j]+1)
			if to[i]+on[j]-1 <= most {
				l.x.words.get(l.x.key.word(value[i:j]), &here, l.blocks)
				all.or(&here, l.blocks)
			}
		}
	}
	return l.assemble(&all)
}

// fewer is the smaller of two counts, where 0 is none.
func fewer(a, b int) int {
	if a == 0 || b < a {
		return b
	}
	return a
}
