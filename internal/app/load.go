package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"aims/internal/aims"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string
	// Line and Column count from 1; 0 where there is no place.
	Line, Column int
	Text         string
}

func (p Problem) String() string {
	switch {
	case p.Line == 0:
		return p.File + ": " + p.Text
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// ConfigError lists everything that is wrong with a configuration.
type ConfigError struct{ Problems []Problem }

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Duration is written as Go writes it (90s, 15m) or in days (180d).
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: %q is not a duration; expected a form like 30s, 15m, 8h or 180d", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// ParseDuration reads a duration that is not negative: Go's form or whole days (180d).
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, aims.Errorf(aims.Invalid, err, "%q is not a number of days", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, aims.Errorf(aims.Invalid, err, "%q is not a duration; expected a form like 30s, 15m, 8h or 180d", s)
	}
	return d, nil
}

// LoadConfig reads and checks a configuration file. The error is a
// *ConfigError with every problem and its line, or fs.ErrNotExist.
func LoadConfig(ctx context.Context, path string, o Overrides) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, &ConfigError{[]Problem{{File: path, Text: "cannot be read: " + err.Error()}}}
	}
	return ParseConfig(ctx, path, text, o)
}

// ParseConfig is LoadConfig for a text that was already read; path names it in
// messages and is what relative paths in it are relative to.
func ParseConfig(ctx context.Context, path string, text []byte, o Overrides) (*Config, error) {
	r := reader{path: path, lines: map[string]int{}}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		r.yamlError(err)
		return nil, r.error()
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		r.problem(second.Line, "a second YAML document; the configuration is one")
		return nil, r.error()
	}
	cfg := &Config{path: path, dir: filepath.Dir(path)}
	if len(doc.Content) > 0 && doc.Content[0].Tag != "!!null" {
		root := doc.Content[0]
		r.walk(root, reflect.TypeFor[Config](), "", 0)
		if err := r.error(); err != nil {
			return nil, err
		}
		if err := root.Decode(cfg); err != nil {
			r.yamlError(err)
			return nil, r.error()
		}
	}
	if err := cfg.override(o); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	r.validate(ctx, cfg)
	if err := r.error(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// reader collects problems and knows on which line each key stands.
type reader struct {
	path     string
	lines    map[string]int // "servers[1].url" → line
	problems []Problem
}

func (r *reader) error() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
	return &ConfigError{r.problems}
}

func (r *reader) problem(line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.path, Line: line, Text: fmt.Sprintf(format, args...)})
}

// at reports a problem with the value at a key's path, or with the nearest
// key above it that the file has.
func (r *reader) at(key, format string, args ...any) {
	for k := key; ; {
		if line, ok := r.lines[k]; ok {
			r.problem(line, key+": "+format, args...)
			return
		}
		i := strings.LastIndexAny(k, ".[")
		if i < 0 {
			r.problem(0, key+": "+format, args...)
			return
		}
		k = k[:i]
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)$`)

// yamlError turns the decoder's own messages, which carry the line in their
// text, into problems.
func (r *reader) yamlError(err error) {
	messages := []string{err.Error()}
	if t, ok := errors.AsType[*yaml.TypeError](err); ok {
		messages = t.Errors
	}
	for _, m := range messages {
		line := 0
		if found := yamlLine.FindStringSubmatch(m); found != nil {
			line, _ = strconv.Atoi(found[1])
			m = found[2]
		}
		r.problem(line, "%s", strings.TrimPrefix(m, "yaml: "))
	}
}

// kind is what a key's value may be.
type kind struct {
	words string
	tags  []string
}

// kindOf says what a field takes; anything when it has no words.
func kindOf(t reflect.Type) kind {
	if t == reflect.TypeFor[Duration]() {
		return kind{"a duration such as 30s", []string{"!!str", "!!int"}}
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return kind{"a mapping", []string{"!!map"}}
	case reflect.Slice:
		return kind{"a list", []string{"!!seq"}}
	case reflect.Bool:
		return kind{"true or false", []string{"!!bool"}}
	case reflect.Int64:
		return kind{"a whole number", []string{"!!int"}}
	case reflect.String:
		return kind{"text", []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}}
	}
	return kind{}
}

func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}

// maxConfigDepth bounds recursion on a hostile file; the configuration itself
// is a few levels deep, a tool's schema some more.
const maxConfigDepth = 64

// walk notes the line of every key and reports keys that t does not have.
func (r *reader) walk(n *yaml.Node, t reflect.Type, path string, depth int) {
	if depth > maxConfigDepth {
		r.problem(n.Line, "nested more than %d levels deep", maxConfigDepth)
		return
	}
	if n.Kind == yaml.AliasNode {
		r.problem(n.Line, "YAML aliases are not used here; write the value out")
		return
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.ShortTag() == "!!null" {
		return // a key without a value has its default
	}
	if want := kindOf(t); want.words != "" && !slices.Contains(want.tags, n.ShortTag()) {
		r.problem(n.Line, "%s: expected %s, found %s", path, want.words, found(n))
		return
	}
	switch {
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		r.walkStruct(n, t, path, depth)
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := path + "." + n.Content[i].Value
			r.lines[key] = n.Content[i].Line
			r.walk(n.Content[i+1], t.Elem(), key, depth+1)
		}
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range n.Content {
			key := fmt.Sprintf("%s[%d]", path, i)
			r.lines[key] = item.Line
			r.walk(item, t.Elem(), key, depth+1)
		}
	}
}

func (r *reader) walkStruct(n *yaml.Node, t reflect.Type, path string, depth int) {
	fields := map[string]reflect.Type{}
	var known []string
	for field := range fieldsOf(t) {
		name := field.Tag.Get("yaml")
		fields[name] = field.Type
		known = append(known, name)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		full := strings.TrimPrefix(path+"."+key, ".")
		fieldType, ok := fields[key]
		if !ok {
			where := "at the top level"
			if path != "" {
				where = "under " + path
			}
			r.problem(n.Content[i].Line, "unknown key %q %s; expected one of %s", key, where, strings.Join(known, ", "))
			continue
		}
		r.lines[full] = n.Content[i].Line
		r.walk(n.Content[i+1], fieldType, full, depth+1)
	}
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}
