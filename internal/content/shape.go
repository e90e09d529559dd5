package content

import (
	"regexp/syntax"
	"unicode/utf8"
)

// isToken are the bytes that keys and tokens are made of. A byte beyond ASCII
// counts, since folding of case lets a few such letters match.
var isToken = func() (t [256]bool) {
	for c := range t {
		t[c] = isLetter[c] || c >= '0' && c <= '9' || c == '=' || c == '+' || c == '/' || c == '~' || c >= utf8.RuneSelf
	}
	return t
}()

// isLetter are those of them that words are made of, too.
var isLetter = func() (t [256]bool) {
	for c := range t {
		t[c] = c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '-' || c == '.'
	}
	return t
}()

// longest is the length in bytes of the longest match, at most farthest. Where
// folding of case is why a character beyond ASCII matches (K and ſ) it counts as
// the ASCII one.
func longest(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			n += utf8.RuneLen(r)
		}
	case syntax.OpCharClass:
		n = 1
		if last := len(re.Rune) - 1; last > 0 && re.Rune[last] != 0x017F && re.Rune[last] != 0x212A {
			n = max(1, utf8.RuneLen(re.Rune[last]))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = utf8.UTFMax
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		switch once := longest(re.Sub[0]); {
		case re.Op == syntax.OpRepeat && re.Max >= 0:
			n = re.Max * once
		case runs(re.Sub[0]).only:
			n = max(longRun, re.Min*once) // what is more is not counted, see rule.reach
		default:
			n = farthest
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			n = max(n, longest(sub))
		}
	default:
		for _, sub := range re.Sub {
			n += longest(sub)
		}
	}
	return min(n, farthest)
}

// bare is an expression without what is optional at its start: it matches
// somewhere if and only if re does, and it is found several times as fast.
func bare(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpConcat && len(re.Sub) > 1 {
		switch first := re.Sub[0]; {
		case first.Op == syntax.OpStar || first.Op == syntax.OpQuest || first.Op == syntax.OpRepeat && first.Min == 0:
			rest := *re
			rest.Sub = re.Sub[1:]
			re = &rest
		default:
			return re
		}
	}
	return re
}

// captured is the first capturing group, nil for none.
func captured(re *syntax.Regexp) *syntax.Regexp {
	if re.Op == syntax.OpCapture {
		return re
	}
	for _, sub := range re.Sub {
		if c := captured(sub); c != nil {
			return c
		}
	}
	return nil
}

// row is what every match of an expression has of token characters in a row: at
// its start, at its end, and anywhere. When only is set it has nothing else, and
// length of them.
type row struct {
	start, end, best, length int
	only                     bool
}

// runs works row out. What is optional counts nothing, and what it may put
// between two rows separates them.
func runs(re *syntax.Regexp) row {
	switch re.Op {
	case syntax.OpLiteral:
		all := row{only: true}
		for _, r := range re.Rune {
			all = all.then(token(r >= utf8.RuneSelf || isToken[r]))
		}
		return all
	case syntax.OpCharClass:
		return token(tokensOnly(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return token(false)
	case syntax.OpStar, syntax.OpQuest:
		return row{only: runs(re.Sub[0]).only}
	case syntax.OpPlus:
		once := runs(re.Sub[0])
		return once.then(row{only: once.only})
	case syntax.OpRepeat:
		once := runs(re.Sub[0])
		all := row{only: true}
		for range re.Min {
			all = all.then(once)
		}
		if re.Max != re.Min {
			all = all.then(row{only: once.only})
		}
		return all
	case syntax.OpAlternate:
		all := runs(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			all = all.or(runs(sub))
		}
		return all
	}
	all := row{only: true} // groups, sequences, and what has no width
	for _, sub := range re.Sub {
		all = all.then(runs(sub))
	}
	return all
}

// token is one character.
func token(is bool) row {
	if is {
		return row{1, 1, 1, 1, true}
	}
	return row{}
}

func (a row) then(b row) row {
	out := row{start: a.start, end: b.end, best: max(a.best, b.best, a.end+b.start), length: a.length + b.length, only: a.only && b.only}
	if a.only {
		out.start = a.length + b.start
	}
	if b.only {
		out.end = a.end + b.length
	}
	return out
}

func (a row) or(b row) row {
	return row{min(a.start, b.start), min(a.end, b.end), min(a.best, b.best), min(a.length, b.length), a.only && b.only}
}

// tokensOnly reports whether a class, given as pairs of first and last, has
// token characters only.
func tokensOnly(pairs []rune) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := pairs[i]; r <= min(pairs[i+1], utf8.RuneSelf-1); r++ {
			if !isToken[r] {
				return false
			}
		}
	}
	return len(pairs) > 0
}
