package content

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"github.com/BobuSumisu/aho-corasick"
	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
)

// secrets looks for secrets with gitleaks' rules. Running every rule that has
// its keyword somewhere over a whole text costs seconds where a text has many
// keywords, so a rule is tried only around its keywords, and only where the text has as
// long a run of characters as each of its matches must have. What then matches
// is judged by gitleaks' own detector, with its entropy and its exceptions.
type secrets struct {
	detector  *detect.Detector
	keywords  *ahocorasick.Trie
	rules     []rule
	byKeyword [][]int // the rules of each keyword, by its number in the trie
}

// rule is one of gitleaks' rules and where it is worth trying.
type rule struct {
	// regex is the rule's without what is optional at its start. Most rules never
	// meet their keyword, so each is compiled when it first does.
	regex   func() *regexp.Regexp
	leads   bool // every match begins with a keyword: it is tried there only
	reach   int  // how far a match may extend from the end of its keyword, in bytes
	long    bool // not counting what is over longRun in a run of token characters
	gate    *gate
	entropy float64 // of the secret, in bits a character: it has to have more
	secret  int     // the group that it is; 0 for the first that is not empty
	start   int     // how many token characters each match begins with
	run     int     // how many token characters in a row each match has
	mixed   bool    // and one of them is no letter
}

const (
	// farthest is the reach of a rule whose matches have no longest length: the
	// private keys of some kinds are that long.
	farthest = 16 << 10
	// longRun is how many token characters in a row count for that.
	longRun = 64
	// work is how many bytes may be matched, in multiples of the text's length,
	work = 8
	// and beside these.
	leastWork = 1 << 20
	// atKeyword is what trying a rule at one keyword counts as, beside the length.
	atKeyword = 64
	// before is what a bare expression leaves out at most,
	before = 256
	// verdict is what judging one match counts as.
	verdict = 16 << 10
)

// newDetector is gitleaks' own, with its default rules. It is not built by
// gitleaks' function for that, which works on a variable of the process.
func newDetector() (*detect.Detector, error) {
	file := viper.New()
	file.SetConfigType("toml")
	if err := file.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		return nil, err
	}
	var written config.ViperConfig
	if err := file.Unmarshal(&written); err != nil {
		return nil, err
	}
	rules, err := written.Translate()
	if err != nil {
		return nil, err
	}
	d := detect.NewDetector(rules)
	d.IgnoreGitleaksAllow = true // a text may not excuse itself
	return d, nil
}

func newSecrets() (*secrets, error) {
	d, err := newDetector()
	if err != nil {
		return nil, fmt.Errorf("the rules for secrets cannot be read: %w", err)
	}
	s := &secrets{detector: d}
	byKeyword := map[string][]int{}
	for _, id := range slices.Sorted(maps.Keys(d.Config.Rules)) {
		r := d.Config.Rules[id]
		if r.Regex == nil || r.Path != nil {
			continue // judges names of files, which results do not have
		}
		if len(r.Keywords) == 0 || len(r.RequiredRules) > 0 {
			return nil, fmt.Errorf("the rule for secrets %q has no keyword, or needs other rules: it cannot be tried in one place", id)
		}
		shaped, err := ruleOf(r)
		if err != nil {
			return nil, fmt.Errorf("the rule for secrets %q cannot be read: %w", id, err)
		}
		for _, k := range r.Keywords {
			k = strings.ToLower(k)
			byKeyword[k] = append(byKeyword[k], len(s.rules))
		}
		s.rules = append(s.rules, shaped)
	}
	words := ahocorasick.NewTrieBuilder()
	for _, k := range slices.Sorted(maps.Keys(byKeyword)) {
		words.AddString(k)
		s.byKeyword = append(s.byKeyword, byKeyword[k])
	}
	s.keywords = words.Build()
	return s, nil
}

func ruleOf(r config.Rule) (rule, error) {
	tree, err := syntax.Parse(r.Regex.String(), syntax.Perl)
	if err != nil {
		return rule{}, err
	}
	short := bare(tree)
	out := rule{entropy: r.Entropy, secret: r.SecretGroup, start: runs(short).start, run: runs(tree).best, reach: longest(short), long: endless(short)}
	out.gate, out.leads = opening(short, r.Keywords)
	leads := out.leads
	out.regex = sync.OnceValue(func() *regexp.Regexp {
		pattern := short.String()
		if leads {
			pattern = `\A(?:` + pattern + `)`
		}
		return regexp.MustCompile(pattern)
	})
	if group := captured(tree); group != nil && ignoresLetters(r) {
		// The secret itself has to have a digit or sign in it.
		out.run, out.mixed = runs(group).best, true
	}
	return out, nil
}

// ignoresLetters reports whether a rule excuses secrets that are letters only.
func ignoresLetters(r config.Rule) bool {
	for _, a := range r.Allowlists {
		if ok := a.RegexAllowed("abcdefghijKLMNOPQRST"); ok && a.RegexTarget == "" && a.MatchCondition == config.AllowlistMatchOr {
			return true
		}
	}
	return false
}

// in reports whether text has a secret, and whether all of it was searched.
func (s *secrets) in(text []byte) (found, searched bool) {
	h := hunt{s: s, text: text, left: work*len(text) + leastWork, pending: make([]span, len(s.rules))}
	s.keywords.Walk(small(text), func(last, n, number int64) bool {
		for _, i := range s.byKeyword[number] {
			h.met(i, int(last-n)+1, int(last)+1)
		}
		return h.goesOn()
	})
	for i, place := range h.pending {
		if h.goesOn() {
			h.try(i, place, len(text[place.start:place.end]))
		}
	}
	return h.found, h.left >= 0
}

// small is text with small ASCII letters.
func small(text []byte) []byte {
	out := bytes.Clone(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// hunt is one search through one text.
type hunt struct {
	s       *secrets
	text    []byte
	left    int    // work
	pending []span // by rule: where it is to be tried next
	found   bool
	// next and last are the long runs that were last met ahead and back.
	next, last span
}

type span struct{ start, end int }

func (s span) has(i int) bool { return i >= s.start && i < s.end }

func (h *hunt) goesOn() bool { return !h.found && h.left >= 0 }

// met tries rule i at its keyword text[start:end], or notes that it is to be
// tried around there: such places are one where they overlap.
func (h *hunt) met(i, start, end int) {
	r := &h.s.rules[i]
	if r.leads {
		if (r.gate == nil || r.gate.open(h.text[end:])) && r.starts(h.text[start:]) {
			place := span{start, end + h.ahead(end, r)}
			h.try(i, place, atKeyword+(place.end-place.start)/8)
		}
		return
	}
	next := span{end - h.back(end, r), end + h.ahead(end, r)}
	p := h.pending[i]
	if next.start < p.end {
		h.pending[i].end = max(p.end, next.end)
		return
	}
	h.try(i, p, p.end-p.start)
	h.pending[i] = next
}

// ahead is how far behind end a match of r may go on.
func (h *hunt) ahead(end int, r *rule) int {
	left, run := r.reach, 0
	for n := 0; n < farthest && end+n < len(h.text); n++ {
		if run++; !isToken[h.text[end+n]] {
			run = 0
		}
		if run > longRun && r.long {
			if !h.next.has(end + n) {
				h.next = h.runAt(end + n)
			}
			n, run = h.next.end-end-1, 0
		} else if left--; left < 0 {
			return n
		}
	}
	return min(farthest, len(h.text)-end)
}

// back is how far in front of end a match of r may begin.
func (h *hunt) back(end int, r *rule) int {
	left, run := r.reach, 0
	for n := 0; n < farthest && end-n > 0; n++ {
		if run++; !isToken[h.text[end-n-1]] {
			run = 0
		}
		if run > longRun && r.long {
			if !h.last.has(end - n - 1) {
				h.last = h.runAt(end - n - 1)
			}
			n, run = end-h.last.start-1, 0
		} else if left--; left < 0 {
			return n
		}
	}
	return min(farthest, end)
}

// runAt is the run of token characters around i, as far as a match may go.
func (h *hunt) runAt(i int) span {
	s := span{i, i + 1}
	for s.start > 0 && i-s.start < farthest && isToken[h.text[s.start-1]] {
		s.start--
	}
	for s.end < len(h.text) && s.end-i < farthest && isToken[h.text[s.end]] {
		s.end++
	}
	return s
}

// try tries rule i at a place, which counts as work.
func (h *hunt) try(i int, at span, work int) {
	r, place := &h.s.rules[i], h.text[at.start:at.end]
	if !h.goesOn() || len(place) == 0 || !r.possible(place) {
		return
	}
	if h.left -= work; h.left < 0 || !r.promising(place) {
		return
	}
	if h.left -= verdict + len(place); h.left >= 0 {
		h.found = len(h.s.detector.DetectBytes(h.text[max(0, at.start-before):at.end])) > 0
	}
}

// promising reports whether the rule has a match in place whose secret has the
// entropy that gitleaks asks for.
func (r *rule) promising(place []byte) bool {
	if r.entropy == 0 {
		return r.regex().Match(place)
	}
	for _, groups := range r.regex().FindAllSubmatch(place, -1) {
		secret := groups[r.secret]
		for _, g := range groups[1:] {
			if r.secret == 0 && len(g) > 0 {
				secret = g
				break
			}
		}
		if entropy(secret) > r.entropy {
			return true
		}
	}
	return false
}

// entropy is Shannon's, in bits a byte.
func entropy(b []byte) float64 {
	var times [256]int
	for _, c := range b {
		times[c]++
	}
	bits := 0.0
	for _, n := range times {
		if n > 0 {
			p := float64(n) / float64(len(b))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// starts reports whether text begins as every match of the rule does.
func (r *rule) starts(text []byte) bool {
	if len(text) < r.start {
		return false
	}
	for _, c := range text[:r.start] {
		if !isToken[c] {
			return false
		}
	}
	return true
}

// possible reports whether place has what every match of the rule has.
func (r *rule) possible(place []byte) bool {
	run, mixed := 0, false
	for _, c := range place {
		if !isToken[c] {
			run, mixed = 0, false
			continue
		}
		run++
		mixed = mixed || !isLetter[c]
		if run >= r.run && (mixed || !r.mixed) {
			return true
		}
	}
	return r.run == 0
}
