package provenance

import (
	"bytes"
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"

	"aims/internal/leaf"
)

// firstResults is how many results an Origin names.
const firstResults = 8

// Origin says where a value came from. Of a value with several leaves, User and
// Exact hold when they hold for every leaf, Result, Composed and MadeUp when they hold for one.
//
// A value of which nobody can say where it came from is neutral: empty, true,
// false, null, fewer than three letters or digits. It may be the user's, and is nothing else.
type Origin struct {
	// User: it is in a prompt, by the letter, and not as a part of something longer.
	User bool
	// UserHost: it is a URL or a host, and the host is in a prompt in that way.
	UserHost bool
	// Result: it, or a telling part of it, is in an earlier result, in whatever
	// case, alphabet, spacing or encoding; or a result could not be read and it is
	// not the user's.
	Result bool
	// Composed: it is in no text as a whole, but all its pieces are in results.
	Composed bool
	// MadeUp: some of it is nowhere, as far as texts could be read.
	MadeUp bool
	// Labels are those of all results that have it or a piece of it, sorted.
	Labels []string
	// Exact are the labels in Limits.Exact whose results have it by the letter and
	// did not merely repeat it.
	Exact []string
	// Results are the numbers of such results, the first eight, sorted.
	Results []int
}

// Of says where the value of one argument, a JSON document, came from.
func (x *Index) Of(value json.RawMessage) Origin {
	if text, ok := simple(value); ok {
		if len(text) == 0 {
			return Origin{}
		}
		s := sum{x: x}
		s.add(x.judge(text, depth))
		return s.origin()
	}
	return x.ofLeaves(value)
}

func (x *Index) ofLeaves(value []byte) Origin {
	s := sum{x: x}
	each(nil, value, depth, func(_, text []byte) { s.add(x.judge(text, depth)) })
	return s.origin()
}

// simple is the text of the one leaf of value, where that is plain to see: a
// string without escapes and of one piece, alone or in an array, a number without
// exponent, or nothing. Most arguments are, and need no walk.
func simple(value []byte) ([]byte, bool) {
	n := len(value)
	if n > 4 && value[0] == '[' && value[n-1] == ']' {
		value = value[1 : n-1]
		n -= 2
	}
	if n == 0 {
		return nil, false
	}
	switch value[0] {
	case 't', 'f', 'n':
		return nil, string(value) == "true" || string(value) == "false" || string(value) == "null"
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		for i, c := range value {
			if !isDigit(c) && (c != '.' || i == n-1 || bytes.IndexByte(value[i+1:], '.') >= 0) {
				return nil, false
			}
		}
		return number(value), true
	case '"':
		if n < 3 || value[n-1] != '"' {
			return nil, false
		}
		text := value[1 : n-1]
		for _, c := range text {
			if c == '"' || c == '\\' || c < ' ' {
				return nil, false
			}
		}
		return text, !isJSON(text) && addresses(text) == nil
	}
	return nil, false
}

// Each says it for each leaf of the value that is not empty and no boolean. The
// path is a JSON Pointer in which elements of arrays are "[]"; path and text may
// change after visit returns.
func (x *Index) Each(value json.RawMessage, visit func(path, text []byte, o Origin)) {
	each(nil, value, depth, func(path, text []byte) {
		s := sum{x: x}
		s.add(x.judge(text, depth))
		visit(path, text, s.origin())
	})
}

// each finds the leaves of value, which stands at the place above. What is not
// JSON is one leaf.
func each(above, value []byte, layers int, visit func(path, text []byte)) {
	err := leaf.Walk(value, func(path []byte, kind leaf.Kind, text []byte) {
		if len(above) > 0 {
			path = slices.Concat(above, path)
		}
		switch {
		case len(text) == 0 || kind == leaf.Name && identifier(text):
		case kind == leaf.Number:
			visit(path, number(text))
		case kind == leaf.String && layers > 0 && isJSON(text) && json.Valid(text):
			each(bytes.Clone(path), bytes.Clone(text), layers-1, visit)
		case kind <= leaf.String:
			if list := addresses(text); list != nil {
				for _, one := range list {
					visit(path, one)
				}
				return
			}
			visit(path, text)
		}
	})
	if err != nil {
		visit(above, value)
	}
}

// identifier reports whether the name of a member is one that a schema would
// have. Other names (of maps) are values like any other.
func identifier(name []byte) bool {
	for i, c := range name {
		if !isAlnum(c) && c != '_' && c != '-' && c != '$' || i == 0 && isDigit(c) {
			return false
		}
	}
	return true
}

// number is a JSON number without exponent and idle zeros.
func number(text []byte) []byte {
	if bytes.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return text
		}
		return strconv.AppendFloat(nil, f, 'f', -1, 64)
	}
	if bytes.IndexByte(text, '.') >= 0 {
		return bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	}
	return text
}

// addresses splits text in which several e-mail addresses or URLs stand and
// nothing else.
func addresses(text []byte) (list [][]byte) {
	if bytes.IndexByte(text, '@') < 0 && bytes.IndexByte(text, ':') < 0 {
		return nil
	}
	for start, end := nextAtom(text, 0); start < end; start, end = nextAtom(text, end) {
		one := text[start:end]
		if bytes.IndexByte(one, '@') <= 0 && !bytes.Contains(one, []byte("://")) || len(one) == len(text) {
			return nil
		}
		list = append(list, one)
	}
	return list
}

// sum puts the verdicts on leaves together.
type sum struct {
	x                      *Index
	leaves, user, userHost int // that tell something
	neutral, neutralUser   int // that do not
	exact                  []string
	in                     set
	result, composed, made bool
}

func (s *sum) add(v verdict) {
	if v.neutral {
		s.neutral++
		if v.user {
			s.neutralUser++
		}
		return
	}
	if s.leaves == 0 {
		s.exact = v.exact
	} else {
		s.exact = slices.DeleteFunc(s.exact, func(l string) bool { return !slices.Contains(v.exact, l) })
	}
	s.leaves++
	if v.user {
		s.user++
	}
	if v.userHost {
		s.userHost++
	}
	s.in.or(&v.in, s.x.inUse())
	s.result = s.result || v.result
	s.composed = s.composed || v.composed
	s.made = s.made || v.made
}

func (s *sum) origin() Origin {
	if s.leaves == 0 {
		return Origin{User: s.neutral > 0 && s.neutralUser == s.neutral}
	}
	o := Origin{
		User: s.user == s.leaves, UserHost: s.userHost == s.leaves,
		Result: s.result, Composed: s.composed, MadeUp: s.made, Exact: s.exact,
	}
	labels := mask(0)
	for i, b := range s.in[:s.x.inUse()] {
		for ; b != 0; b &= b - 1 {
			slot := i*64 + bits.TrailingZeros64(b)
			if slot == 0 {
				continue
			}
			r := s.x.results[slot]
			labels |= r.labels
			o.Results = s.x.first(o.Results, r.number)
		}
	}
	if s.x.unseen != 0 && !o.User {
		o.Result = true
		labels |= s.x.unseen
		for _, n := range s.x.unread {
			o.Results = s.x.first(o.Results, n)
		}
	}
	o.Labels = s.x.names(labels)
	return o
}

// first adds n to the smallest numbers, in order.
func (x *Index) first(list []int, n int) []int {
	i, ok := slices.BinarySearch(list, n)
	if ok || i >= firstResults {
		return list
	}
	if list == nil {
		list = make([]int, 0, firstResults+1)
	}
	list = slices.Insert(list, i, n)
	return list[:min(len(list), firstResults)]
}

// inUse is how many blocks of a set the texts of this index take.
func (x *Index) inUse() int { return (len(x.results) + 63) / 64 }
