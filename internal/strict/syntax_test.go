package strict_test

import (
	"strings"
	"testing"

	"aims/internal/strict"
)

// Whoever types YAML wrongly is told the line where it is wrong, not the one
// where the block around it began, and what was expected there.
func TestSyntaxErrorsNameTheirLine(t *testing.T) {
	var out struct {
		Name  string         `yaml:"name"`
		Other string         `yaml:"other"`
		List  []string       `yaml:"list"`
		Map   map[string]any `yaml:"map"`
	}
	long := strings.Repeat("# a comment\n", 40)
	for name, c := range map[string]struct{ text, want string }{
		"tab":               {"name: x\nmap:\n\ta: 1\n", "a.yaml:3: found character that cannot start any token; expected spaces and no tab"},
		"missing colon":     {"name: x\nother\nlist: []\n", "a.yaml:2: could not find expected ':'; expected a colon"},
		"indent of a key":   {"map:\n  a: 1\n  b: 2\n   c: 3\n", "a.yaml:4: mapping values are not allowed in this context; expected one key on a line"},
		"key too far left":  {"map:\n    a: 1\n  b: 2\n", "a.yaml:3: did not find expected key; expected a key with the same spaces"},
		"late in the file":  {"map:\n    a: 1\n" + long + "  b: 2\n", "a.yaml:43: did not find expected key"},
		"unclosed bracket":  {"list: [a, b\nname: x\n", "a.yaml:1: did not find expected ',' or ']'; expected a comma or the ]"},
		"unclosed quote":    {"name: x\nother: \"y\nlist: []\n", "a.yaml:2: found unexpected end of stream; expected the quote"},
		"quote inside":      {"name: x\nother: 'it's'\n", "a.yaml:2: did not find expected key"},
		"colon in a text":   {"name: x\nother: a: b\n", "a.yaml:2: mapping values are not allowed in this context; expected one key on a line, and quotes"},
		"list beside a key": {"name: - a\n", "a.yaml:1: block sequence entries are not allowed in this context; expected a list to begin"},
		"item too far left": {"list:\n  - a\n - b\n", "a.yaml:3: did not find expected key; expected a key with the same spaces"},
		"backslash":         {"name: x\nother: \"C:\\dir\"\n", "a.yaml:2: found unknown escape character; expected"},
		"at sign":           {"name: x\nother: @home\n", "a.yaml:2: found character that cannot start any token"},
		"Windows line ends": {"name: x\r\nmap:\r\n\ta: 1\r\n", "a.yaml:3: found character"},
	} {
		_, err := strict.Decode("a.yaml", []byte(c.text), &out)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
}
