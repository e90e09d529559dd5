package content_test

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

// match draws a text that a regular expression matches.
func match(t *testing.T, r *rand.Rand, re *regexp.Regexp) string {
	t.Helper()
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		var b strings.Builder
		draw(r, &b, tree)
		if re.MatchString(b.String()) {
			return b.String()
		}
	}
	return ""
}

func draw(r *rand.Rand, b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		n := r.IntN(len(re.Rune) / 2)
		lo, hi := re.Rune[2*n], min(re.Rune[2*n+1], 0x7e)
		if lo <= hi {
			b.WriteRune(lo + r.Int32N(hi-lo+1))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abcdefghij0123456789"[r.IntN(20)])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		least, most := 0, 3
		switch re.Op {
		case syntax.OpPlus:
			least = 1
		case syntax.OpQuest:
			most = 1
		case syntax.OpRepeat:
			if least, most = re.Min, re.Max; most < 0 {
				most = least + 20
			}
		}
		for range least + r.IntN(most-least+1) {
			draw(r, b, re.Sub[0])
		}
	case syntax.OpAlternate:
		draw(r, b, re.Sub[r.IntN(len(re.Sub))])
	default:
		for _, sub := range re.Sub {
			draw(r, b, sub)
		}
	}
}
