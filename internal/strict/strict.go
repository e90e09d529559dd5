// Package strict reads one YAML document into one Go value, and says of
// everything that is wrong with it where it stands. A key that is misspelt, given
// twice or of the wrong kind is a rule that its author believes in and that
// does not hold.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a document.
type Problem struct {
	File string
	Line int // from 1; 0 where there is no place
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Error lists everything that is wrong with a document, by line.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Document knows where in a file each value stands, for what is wrong with the
// values themselves.
type Document struct {
	file     string
	lines    map[string]int // "tests[1].request.agent" → line
	problems []Problem
}

// maxDepth bounds recursion on a hostile file.
const maxDepth = 64

// Decode reads a document into out, a pointer to a struct or a slice whose
// fields have yaml tags. An empty document leaves out as it is. Anchors, aliases
// and merge keys are refused: what a document says stands where it is read.
// The error is an *Error.
func Decode(file string, text []byte, out any) (*Document, error) {
	d, root := Parse(file, text)
	if root != nil {
		d.Into(root, "", out)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse reads a document whose parts are read one by one, with Keys and Into.
// The node is nil when there is nothing to read; Err says why.
func Parse(file string, text []byte) (*Document, *yaml.Node) {
	d := &Document{file: file, lines: map[string]int{}}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			d.syntaxError(text, err)
		}
		return d, nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		d.problem(second.Line, "a second YAML document; a file is one")
		return d, nil
	}
	if len(doc.Content) == 0 {
		return d, nil
	}
	return d, doc.Content[0]
}

// Into reads a part of the document, which stands at path, into out, as Decode
// does; false when something is wrong with it.
func (d *Document) Into(n *yaml.Node, path string, out any) bool {
	before := len(d.problems)
	d.walk(n, reflect.TypeOf(out).Elem(), path, 0)
	if len(d.problems) > before {
		return false
	}
	if err := n.Decode(out); err != nil {
		d.yamlError(err)
		return false
	}
	return true
}

// Keys calls f for every key of a mapping. What is no mapping, and keys that
// stand twice, are reported instead.
func (d *Document) Keys(n *yaml.Node, f func(key string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		if n.ShortTag() != "!!null" {
			d.problem(n.Line, "expected a mapping, found %s", found(n))
		}
		return
	}
	if n.Anchor != "" {
		d.problem(n.Line, "YAML anchors and aliases are not used here; write the value out")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if d.newKey(key, "", seen) {
			d.lines[key.Value] = key.Line
			f(key.Value, n.Content[i+1])
		}
	}
}

// Err is everything that was reported, nil for nothing.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
	return &Error{d.problems}
}

// Line is where the value at a path such as tests[1].request stands, or the
// nearest value above it that the file has; 0 for none.
func (d *Document) Line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

// Wrong reports that the value at a path is wrong.
func (d *Document) Wrong(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	d.problem(d.Line(path), "%s", text)
}

// maxProblems bounds what is said about one file.
const maxProblems = 100

func (d *Document) problem(line int, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, Problem{File: d.file, Line: line, Text: fmt.Sprintf(format, args...)})
	}
}

// placeInMessage is where the decoder's own messages carry the line.
var placeInMessage = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)$`)

// placed is a message of the decoder without its line, and the line.
func placed(m string) (line int, text string) {
	if found := placeInMessage.FindStringSubmatch(m); found != nil {
		line, _ = strconv.Atoi(found[1]) // digits, of a text that is in memory
		m = found[2]
	}
	return line, strings.TrimPrefix(m, "yaml: ")
}

// syntaxError is a text that is no YAML.
func (d *Document) syntaxError(text []byte, err error) {
	line, message := placed(err.Error())
	d.problem(faultLine(text, message, line), "%s", expected(message))
}

// yamlError turns the decoder's own messages into problems.
func (d *Document) yamlError(err error) {
	messages := []string{err.Error()}
	if t, ok := errors.AsType[*yaml.TypeError](err); ok {
		messages = t.Errors
	}
	for _, m := range messages {
		line, text := placed(m)
		d.problem(line, "%s", text)
	}
}

// Duration is written as Go writes it (90s, 15m) or in whole days (180d). It is
// not negative.
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := parseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: %q is not a duration; expected a form like 30s, 15m, 8h or 180d", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	v, err := time.ParseDuration(s)
	if err == nil && v < 0 {
		err = errors.New("negative")
	}
	return v, err
}
