// Package provenance answers, for the value of an argument, where it came from:
// the user's prompt, earlier results of the run and their labels, or nowhere. It
// also says which arguments choose a destination (SinkOf) and which tools a
// prompt asks for (Lexicon). It is pure: no clock, no I/O; equal inputs give equal answers.
//
// Two questions are asked of a value, and they fail in opposite directions. "Did
// the user say it?" permits, so it is answered by the letter. "May a result
// have brought it here?" restricts, so it is answered generously: whatever the
// case, alphabet, spacing or encoding. What no rule here sees through is made up,
// and never the user's. docs/provenance.md has the reasons.
package provenance

import (
	"hash/maphash"
	"slices"
	"sync"
	"unicode/utf8"
)

// Limits bound what an Index holds of a run. Zero fields mean the defaults.
// Beyond a limit nothing is forgotten silently: a result that was not read
// wholly may have brought any value (see Origin.Result), and a prompt that was
// not read wholly vouches for less.
type Limits struct {
	PromptBytes int // of all prompts together; 64 KiB
	ResultBytes int // of one result; 1 MiB
	Tokens      int // different words, and different pairs of neighbouring words, of all results; 128 Ki

	// Exact names labels of results that a rule trusts, such as "directory". Only
	// of these the index also keeps values by the letter, for Origin.Exact.
	Exact []string
}

func (l Limits) withDefaults() Limits {
	if l.PromptBytes <= 0 {
		l.PromptBytes = 64 << 10
	}
	if l.ResultBytes <= 0 {
		l.ResultBytes = 1 << 20
	}
	if l.Tokens <= 0 {
		l.Tokens = 128 << 10
	}
	return l
}

// Index knows the texts of one run. Of may be called by several goroutines at
// once, but not while a text is added.
type Index struct {
	limits Limits
	key    key
	words  table // words and pairs → the texts that have them
	exact  table // values by the letter with a label → present

	prompt   prompt
	results  []source // by slot; slot 0 is the prompt
	labels   []string // by bit of a mask
	unseen   mask     // labels of results that were not read wholly
	unread   []int    // and their numbers, the first few
	overflow bool
	asked    []asked
	looks    sync.Pool
}

// source is one result: its number and its labels.
type source struct {
	number int
	labels mask
}

// asked are the values of a call's arguments, by the letter.
type asked struct {
	number int
	values []uint64
}

// New returns an empty index. Its hashes are keyed by chance, so that nobody
// can prepare texts in which different words look equal.
func New(l Limits) *Index {
	l = l.withDefaults()
	l.Exact = slices.Clone(l.Exact)
	return &Index{limits: l, key: newKey(maphash.MakeSeed()), results: make([]source, 1, 8)}
}

// Overflow reports whether something was left out because of a limit.
func (x *Index) Overflow() bool { return x.overflow }

// Prompt adds what the user said. Later prompts add to earlier ones.
func (x *Index) Prompt(text string) {
	text, whole := cut(text, x.limits.PromptBytes-x.prompt.bytes())
	if !whole {
		x.overflow = true
	}
	x.prompt.add(text)
	r := reader{x: x, slot: 0, left: len(text) + 1}
	if !r.words([]byte(text)) {
		// Without its words a prompt vouches for less, which is the safe side.
		x.overflow = true
	}
}

// Asked tells the arguments of the n-th call before its result: what a result
// merely repeats of them it does not vouch for (Origin.Exact).
func (x *Index) Asked(n int, arguments []byte) {
	if len(x.limits.Exact) == 0 {
		return
	}
	a := asked{number: n}
	x.letters(arguments, func(value []byte) { a.values = append(a.values, x.key.word(value)) })
	slices.Sort(a.values)
	x.asked = append(x.asked, a)
}

// Result adds the n-th result with the labels that its content carries. What
// counts are the words of the text, or, where it is JSON, of all strings, names
// and numbers in it, also in strings that are JSON again and in encoded parts.
// Results may come in any order.
func (x *Index) Result(n int, labels []string, text []byte) {
	m := x.mask(labels)
	head, whole := cut(text, x.limits.ResultBytes)
	r := reader{x: x, slot: x.slot(n, m), left: expansion * (len(head) + 1)}
	if !r.text(head, depth) || !whole {
		x.missed(n, m)
	}
	x.vouch(n, m, head)
}

// Unseen notes a result that nobody can read here, because it is too large or
// was erased: any value may be from it.
func (x *Index) Unseen(n int, labels []string) { x.missed(n, x.mask(labels)) }

func (x *Index) missed(n int, m mask) {
	x.overflow = true
	x.unseen |= m | unlabelled
	if len(x.unread) < firstResults && !slices.Contains(x.unread, n) {
		x.unread = append(x.unread, n)
	}
}

// slot gives a result its place in the postings. The last one is shared by
// all results that come later, with the labels of them all.
func (x *Index) slot(n int, m mask) int {
	if len(x.results) < slots {
		x.results = append(x.results, source{n, m})
		return len(x.results) - 1
	}
	x.results[slots-1].labels |= m
	return slots - 1
}

// Bytes is the memory that the index holds.
func (x *Index) Bytes() int {
	n := indexBytes + x.words.bytes() + x.exact.bytes() + x.prompt.held()
	n += cap(x.results)*sourceBytes + cap(x.labels)*stringBytes + cap(x.unread)*intBytes
	for _, l := range x.labels {
		n += len(l)
	}
	for _, l := range x.limits.Exact {
		n += stringBytes + len(l)
	}
	for _, a := range x.asked {
		n += askedBytes + cap(a.values)*intBytes
	}
	return n
}

// Sizes on a 64-bit machine, for Bytes.
const (
	intBytes    = 8
	stringBytes = 16
	sourceBytes = 16
	askedBytes  = 32
	indexBytes  = 512
)

// cut is at most limit bytes of text, not within a character.
func cut[T string | []byte](text T, limit int) (T, bool) {
	if len(text) <= limit {
		return text, true
	}
	n := max(limit, 0)
	for back := 1; back < utf8.UTFMax && n > 0 && !utf8.RuneStart(text[n]); back++ {
		n--
	}
	return text[:n], false
}
