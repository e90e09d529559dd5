package strict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/strict"
)

type document struct {
	Name  string          `yaml:"name"`
	Count int64           `yaml:"count"`
	Wait  strict.Duration `yaml:"wait"`
	Items []item          `yaml:"items"`
	By    map[string]item `yaml:"by"`

	//lint:ignore U1000 what is not exported is no key
	inner int
}

type item struct {
	On *bool `yaml:"on"`
}

func TestDecode(t *testing.T) {
	var got document
	d, err := strict.Decode("a.yaml", []byte("name: x\ncount: 3\nwait: 2d\nitems:\n  - {on: true}\n  - on: false\nby:\n  k: {on: true}\n"), &got)
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := document{Name: "x", Count: 3, Wait: strict.Duration(48 * time.Hour), Items: []item{{&yes}, {&no}}, By: map[string]item{"k": {&yes}}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(document{})); d != "" {
		t.Error(d)
	}
	for path, line := range map[string]int{"name": 1, "items[1].on": 6, "items[1].other": 6, "by.k.on": 8, "nothing": 0} {
		if got := d.Line(path); got != line {
			t.Errorf("%s stands on line %d, want %d", path, got, line)
		}
	}
	d.Wrong("count", "too many")
	if err := d.Err(); err == nil || err.Error() != "a.yaml:2: count: too many" {
		t.Errorf("got %v", err)
	}
	var empty document
	if _, err := strict.Decode("a.yaml", []byte("# nothing\n"), &empty); err != nil || empty.Name != "" {
		t.Errorf("an empty document: %v", err)
	}
}

func TestEverythingWrongIsSaidWithItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown":        {"name: x\nnmae: y\ninner: 1\n", []string{`a.yaml:2: unknown key "nmae"; expected one of name, count, wait, items, by`, "a.yaml:3: unknown"}},
		"twice":          {"name: x\ncount: 1\nname: y\n", []string{`a.yaml:3: the key "name" stands on line 1 already`}},
		"twice below":    {"by:\n  k: {on: true}\n  k: {on: false}\n", []string{"a.yaml:3: by: the key"}},
		"kind":           {"count: three\nname: [x]\n", []string{`a.yaml:1: count: expected a whole number, found "three"`, "a.yaml:2: name: expected text, found a list"}},
		"kind below":     {"items:\n- on: 1\n", []string{"a.yaml:2: items[0].on: expected true or false"}},
		"null item":      {"items:\n-\n", []string{"a.yaml:2: items[0]: expected a mapping, found nothing"}},
		"root":           {"- a\n", []string{"a.yaml:1: expected a mapping, found a list"}},
		"anchor":         {"name: &a x\n", []string{"a.yaml:1: YAML anchors and aliases"}},
		"alias":          {"by:\n  a: {on: true}\n  b: *x\n", []string{"unknown anchor"}},
		"merge":          {"by:\n  <<: {a: {on: true}}\n", []string{"a.yaml:2: by: a key must be plain text"}},
		"key":            {"? [a]\n: b\n", []string{"a.yaml:1: a key must be plain text"}},
		"duration":       {"wait: soon\n", []string{`a.yaml:1: "soon" is not a duration`}},
		"negative":       {"wait: -3s\n", []string{`a.yaml:1: "-3s" is not a duration`}},
		"two documents":  {"name: x\n---\nname: y\n", []string{"a second YAML document"}},
		"syntax":         {"name: [x\n", []string{"a.yaml:"}},
		"deep":           {"by:\n  k: " + strings.Repeat("[", 80) + strings.Repeat("]", 80), []string{"a.yaml:2: by.k: expected a mapping"}},
		"deep documents": {strings.Repeat("{a: ", 100) + strings.Repeat("}", 100), []string{"unknown key"}},
	} {
		var out document
		_, err := strict.Decode("a.yaml", []byte(c.text), &out)
		if err == nil {
			t.Errorf("%s: accepted as %+v", name, out)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %s", name, err, want)
			}
		}
	}
}

// Whatever bytes come, decoding ends with a value or with problems that name the file.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"name: x\n", "items: [{on: true}]", "by: {a: {on: false}}", "wait: 3d", "a: &a [*a]", "--- \n--- ", "? {a: b} : c"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var out document
		if _, err := strict.Decode("a.yaml", text, &out); err != nil && !strings.HasPrefix(err.Error(), "a.yaml:") {
			t.Errorf("a problem without its file: %v", err)
		}
	})
}
