package strict

import (
	"bytes"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expectations say what was expected where the parser of YAML says what it met.
var expectations = []struct{ met, expected string }{
	{"cannot start any token", "expected spaces and no tab before a text, and quotes around a text that begins with a sign such as @, % or `"},
	{"tab character", "expected spaces and no tab before a text"},
	{"mapping values are not allowed", "expected one key on a line, and quotes around a text with a colon in it"},
	{"could not find expected ':'", "expected a colon and a space after the key"},
	{"did not find expected key", "expected a key with the same spaces before it as those above, or the end of a quoted text above"},
	{"did not find expected '-' indicator", "expected an item that begins with -, with the same spaces before it as those above"},
	{"block sequence entries are not allowed", "expected a list to begin on a line of its own below its key"},
	{"did not find expected ',' or ']'", "expected a comma or the ] that ends the list"},
	{"did not find expected ',' or '}'", "expected a comma or the } that ends the mapping"},
	{"unexpected end of stream", "expected the quote that ends this text"},
	{"unknown escape character", `expected \\ for a backslash between double quotes, or single quotes around the text`},
	{"did not find expected node content", "expected a value"},
	{"unknown anchor", "expected no * at the beginning of a text without quotes"},
	{"alphabetic or numeric character", "expected no & or * at the beginning of a text without quotes"},
	{"did not find expected alphabetic", "expected no & or * at the beginning of a text without quotes"},
	{"control characters are not allowed", "expected text without control characters"},
	{"incomplete UTF-8", "expected text in UTF-8"},
	{"invalid leading UTF-8", "expected text in UTF-8"},
	{"invalid trailing UTF-8", "expected text in UTF-8"},
}

// expected is a message of the parser with what it expected instead.
func expected(message string) string {
	for _, e := range expectations {
		if strings.Contains(message, e.met) {
			return message + "; " + e.expected
		}
	}
	return message
}

// faultLine is the line at which a text stops being YAML. The parser names the
// one in which the block around the fault began; the fault is on the first line
// with which the text up to there fails in the same way. given is the line of
// the message, for a fault that shows only at the end.
func faultLine(text []byte, message string, given int) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	first := sort.Search(len(lines), func(i int) bool {
		var n yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), &n)
		if err == nil {
			return false
		}
		_, same := placed(err.Error())
		return same == message
	})
	if first == len(lines) {
		return given
	}
	return first + 1
}
