// Package content looks at what tools return and labels it: secrets, personal
// data, characters that nobody sees. It only labels; policy decides. A label says
// that something of the kind was found, its absence that no rule found any.
package content

import (
	"bytes"

	"aims/internal/leaf"
)

// The labels, as policies see them.
const (
	Secret        = "secret"         // a key, token or password, by gitleaks' default rules
	PersonalData  = "personal-data"  // an address, phone, account, card or identity number
	HiddenUnicode = "hidden-unicode" // text that a reader does not see
	Unscanned     = "unscanned"      // too much, or too costly, to be looked at wholly
)

// Limits bound the work on one text. Zero fields mean the defaults.
type Limits struct {
	Bytes int // that are looked at; 1 MiB
}

// Checker finds labels. It may be used by several goroutines at once.
type Checker struct {
	limits  Limits
	secrets *secrets
}

// New reads the rules, which takes some ten milliseconds.
func New(l Limits) (*Checker, error) {
	if l.Bytes <= 0 {
		l.Bytes = 1 << 20
	}
	s, err := newSecrets()
	if err != nil {
		return nil, err
	}
	return &Checker{l, s}, nil
}

// Labels are those of text, in the order of the constants above. Where text is
// JSON the strings in it count as they read, without escapes, also in strings
// that are JSON again.
func (c *Checker) Labels(text []byte) []string {
	whole := len(text) <= c.limits.Bytes
	plain, opened := unwrapped(text[:min(len(text), c.limits.Bytes)])
	var labels []string
	found, searched := c.secrets.in(plain)
	if found {
		labels = append(labels, Secret)
	}
	if personal(plain) {
		labels = append(labels, PersonalData)
	}
	if hidden(plain) {
		labels = append(labels, HiddenUnicode)
	}
	if !whole || !opened || !searched && !found {
		labels = append(labels, Unscanned)
	}
	return labels
}

// layers is how many strings within strings are opened.
const layers = 4

// unwrapped is text as it reads: for JSON a line for each string, with its name
// in front as in program text. It reports false when there are more layers than
// it opens.
func unwrapped(text []byte) ([]byte, bool) {
	if !isJSON(text) {
		return text, true
	}
	u := unwrapper{out: make([]byte, 0, len(text))}
	if !u.open(text, layers) {
		// Cut off or not JSON after all: what was read, and the rest as it stands.
		return append(u.out, text...), true
	}
	return u.out, !u.deeper
}

type unwrapper struct {
	out    []byte
	deeper bool
}

func isJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 1 && (text[0] == '{' || text[0] == '[' || text[0] == '"')
}

// open appends the strings of doc, and reports whether doc was JSON.
func (u *unwrapper) open(doc []byte, left int) bool {
	err := leaf.Walk(doc, func(_ []byte, kind leaf.Kind, text []byte) {
		switch kind {
		case leaf.Name:
			u.out = append(append(u.out, text...), ": "...)
		case leaf.String:
			u.text(text, left)
		default:
			u.out = append(append(u.out, text...), '\n')
		}
	})
	return err == nil
}

func (u *unwrapper) text(text []byte, left int) {
	if isJSON(text) {
		if left == 0 {
			u.deeper = true
		} else if at := len(u.out); u.open(bytes.Clone(text), left-1) {
			return
		} else {
			u.out = u.out[:at]
		}
	}
	u.out = append(append(append(u.out, '"'), text...), "\"\n"...)
}
