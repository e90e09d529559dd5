package provenance

import (
	"strings"
	"unicode"
)

// words splits a name or a text into its words, in small letters: at
// everything that is no letter or digit, between letters and digits, and where case
// begins a word ("userName", "APIKey"). An apostrophe within a word is left out.
func words(text string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
			word = word[:0]
		}
	}
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case (r == '\'' || r == '’') && i > 0 && i+1 < len(runes) && unicode.IsLetter(runes[i-1]) && unicode.IsLetter(runes[i+1]):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case i > 0 && begins(runes, i):
			flush()
		}
		word = append(word, unicode.ToLower(r))
	}
	flush()
	return out
}

// begins reports whether a word begins at i, within a run of letters and digits.
func begins(runes []rune, i int) bool {
	before, r := runes[i-1], runes[i]
	switch {
	case unicode.IsDigit(before) != unicode.IsDigit(r):
		return true
	case !unicode.IsUpper(r):
		return false
	case unicode.IsLower(before):
		return true
	}
	// The last capital of "APIKey" begins "Key"; that of "IDs" does not begin "Ds".
	return unicode.IsUpper(before) && i+2 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsLower(runes[i+2])
}

// singular takes the plural's ending off.
func singular(w string) string {
	switch {
	case len(w) > 4 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 4 && (strings.HasSuffix(w, "sses") || strings.HasSuffix(w, "xes") || strings.HasSuffix(w, "ches")):
		return w[:len(w)-2]
	case len(w) > 2 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}

// endings are taken off by stem, the first that leaves three letters.
var endings = []string{"ations", "ation", "ments", "ment", "ings", "ing", "ions", "ion", "ers", "er", "ies", "ied", "ed", "es", "s", "e", "y"}

// stem is what the forms of an English word have in common, mostly.
func stem(w string) string {
	for _, e := range endings {
		if rest, ok := strings.CutSuffix(w, e); ok && len(rest) >= 3 {
			if n := len(rest); n > 3 && rest[n-1] == rest[n-2] && e != "s" && e != "e" && e != "y" && rest[n-1] != 'l' && rest[n-1] != 's' {
				rest = rest[:n-1] // shipped, running
			}
			return rest
		}
	}
	return w
}

// set makes a set of the words in a list.
func setOf(list string) map[string]bool {
	s := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		s[w] = true
	}
	return s
}
