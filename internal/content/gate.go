package content

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// gate is what every match of a rule has close behind its keyword, such as the
// sign between a name and a value. Most keywords in prose stand before no gate.
type gate struct {
	within int // bytes after the keyword
	bytes  [256]bool
}

// open reports whether text, which begins behind a keyword, has the gate.
func (g *gate) open(text []byte) bool {
	for _, c := range text[:min(len(text), g.within+1)] {
		if g.bytes[c] {
			return true
		}
	}
	return false
}

// opening takes an expression apart that begins with one of the keywords. It
// returns the gate behind the keyword, nil for none, and reports false for an
// expression that begins with something else.
func opening(re *syntax.Regexp, keywords []string) (*gate, bool) {
	parts := flat(re)
	for len(parts) > 0 && zeroWide(parts[0]) {
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return nil, false
	}
	words := spelt(parts[0])
	if words == nil || slices.ContainsFunc(words, func(w string) bool {
		return !slices.ContainsFunc(keywords, func(k string) bool { return strings.HasPrefix(strings.ToLower(w), strings.ToLower(k)) })
	}) {
		return nil, false
	}
	g := &gate{within: longest(parts[0])}
	for _, part := range parts[1:] {
		switch {
		case zeroWide(part):
		case optional(part):
			if g.within += longest(part); g.within >= farthest {
				return nil, true
			}
		case first(part, &g.bytes):
			return g, true
		default:
			return nil, true
		}
	}
	return nil, true
}

// flat are the parts of a sequence, with those of the groups in it.
func flat(re *syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpConcat:
		var out []*syntax.Regexp
		for _, sub := range re.Sub {
			out = append(out, flat(sub)...)
		}
		return out
	case syntax.OpCapture:
		return flat(re.Sub[0])
	}
	return []*syntax.Regexp{re}
}

// endless reports whether re has a token character that may stand any number of times.
func endless(re *syntax.Regexp) bool {
	if (re.Op == syntax.OpStar || re.Op == syntax.OpPlus || re.Op == syntax.OpRepeat && re.Max < 0) && runs(re.Sub[0]).only {
		return true
	}
	return slices.ContainsFunc(re.Sub, endless)
}

func zeroWide(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return false
}

func optional(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar || re.Op == syntax.OpQuest || re.Op == syntax.OpRepeat && re.Min == 0
}

// maxSpelt is how many texts an expression is spelt out to.
const maxSpelt = 200

// spelt is every text that re matches, in any case of its letters; nil when
// there are many.
func spelt(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if out = append(out, string(r)); len(out) > maxSpelt {
					return nil
				}
			}
		}
		return out
	case syntax.OpCapture:
		return spelt(re.Sub[0])
	case syntax.OpQuest:
		if out := spelt(re.Sub[0]); out != nil {
			return append(out, "")
		}
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			texts := spelt(sub)
			if out = append(out, texts...); texts == nil || len(out) > maxSpelt {
				return nil
			}
		}
		return out
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			texts := spelt(sub)
			if texts == nil || len(out)*len(texts) > maxSpelt {
				return nil
			}
			var longer []string
			for _, a := range out {
				for _, b := range texts {
					longer = append(longer, a+b)
				}
			}
			out = longer
		}
		return out
	}
	return nil
}

// first adds the bytes that a match of re may begin with. It reports false when
// re may match nothing, or anything.
func first(re *syntax.Regexp, set *[256]bool) bool {
	add := func(lo, hi rune) {
		for r := lo; r <= min(hi, utf8.RuneSelf-1); r++ {
			set[r] = true
		}
		for c := utf8.RuneSelf; hi >= utf8.RuneSelf && c < 256; c++ {
			set[c] = true
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		r := re.Rune[0]
		if add(r, r); re.Flags&syntax.FoldCase != 0 && r|0x20 >= 'a' && r|0x20 <= 'z' {
			add(r|0x20, r|0x20)
			add(r&^0x20, r&^0x20)
			add(utf8.RuneSelf, utf8.RuneSelf)
		}
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			add(re.Rune[i], re.Rune[i+1])
		}
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return first(re.Sub[0], set)
	case syntax.OpRepeat:
		return re.Min > 0 && first(re.Sub[0], set)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !first(sub, set) {
				return false
			}
		}
		return true
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if zeroWide(sub) {
				continue
			}
			if !optional(sub) {
				return first(sub, set)
			}
			if !first(sub.Sub[0], set) {
				return false
			}
		}
	}
	return false
}
