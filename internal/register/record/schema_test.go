package record

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func compile(t testing.TB, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// asJSON is a YAML file as an editor's validator sees it: days are text.
func asJSON(text []byte) (out any, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	var dates func(n *yaml.Node)
	dates = func(n *yaml.Node) {
		if n.ShortTag() == "!!timestamp" {
			n.Tag = "!!str"
		}
		for _, c := range n.Content {
			dates(c)
		}
	}
	dates(&root)
	err = root.Decode(&out)
	return out, err
}

func TestEverySchemaIsOne(t *testing.T) {
	for _, k := range Kinds() {
		text, err := Schema(k.Name)
		if err != nil {
			t.Fatal(err)
		}
		compile(t, k.Name, text)
		for _, want := range []string{`"additionalProperties": false`, k.Title, `"required"`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s", k.Name, want)
			}
		}
	}
	if _, err := Schema("riks"); err == nil || !strings.Contains(err.Error(), "did you mean risk?") {
		t.Error(err)
	}
}

func fileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := FileSchema()
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, "file", text)
}

func TestSchemaAcceptsWhatIsWritten(t *testing.T) {
	s := fileSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		for name, text := range Write(registers(t)) {
			if !strings.HasSuffix(name, ".yaml") {
				continue
			}
			v, err := asJSON(text)
			if err == nil {
				err = s.Validate(v)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	})
}

func TestSchemaAndReaderAgree(t *testing.T) {
	s := fileSchema(t)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"a risk":               {"risks:\n- {id: r1, title: T, likelihood: 2, assessed: 2026-01-02}\n", true},
		"nothing":              {"risks:\n", true},
		"empty optional":       {"risks:\n- {id: r1, title: T, cause: , agents: [], decision: \"\"}\n", true},
		"a single mapping":     {"organisation: {name: N, ai_roles: [deployer]}\n", true},
		"a single list":        {"organisation:\n- {id: us, name: N}\n", true},
		"a version":            {"models:\n- {id: m, name: N, provider: p, version: 1.5}\n", true},
		"a control":            {"applicability:\n- {id: A.6.2.8, applicable: false}\n", true},
		"a clause as a number": {"requirements:\n- {id: 9.1, due: 2027-01-01}\n", true},
		"an area":              {"audits:\n- {id: a, title: T, requirements: [A.6, 9.2.1], scope: S, from: 2026-01-01, until: 2026-02-01, lead: p}\n", true},
		"attachment":           {"risks:\n- {id: r, title: T, attachments: [{file: a.pdf, digest: \"sha256:" + strings.Repeat("0a", 32) + "\"}]}\n", true},
		"unknown kind":         {"riscs: []\n", false},
		"unknown field":        {"risks:\n- {id: r1, title: T, likelyhood: 2}\n", false},
		"wrong word":           {"risks:\n- {id: r1, title: T, decision: treet}\n", false},
		"missing":              {"risks:\n- {id: r1}\n", false},
		"missing id":           {"risks:\n- {title: T}\n", false},
		"empty needed":         {"risks:\n- {id: r1, title: \"\"}\n", false},
		"bad id":               {"risks:\n- {id: \"R 1\", title: T}\n", false},
		"bad day":              {"risks:\n- {id: r1, title: T, assessed: 2026-13-01}\n", false},
		"no day":               {"risks:\n- {id: r1, title: T, assessed: soon}\n", false},
		"text for number":      {"risks:\n- {id: r1, title: T, likelihood: high}\n", false},
		"negative":             {"risks:\n- {id: r1, title: T, likelihood: -1}\n", false},
		"mapping for list":     {"risks: {id: r1, title: T}\n", false},
		"list for mapping":     {"risks:\n- {id: r1, title: T, consequences: []}\n", false},
		"invented control":     {"applicability:\n- {id: A.6.2.9}\n", false},
		"clause for control":   {"applicability:\n- {id: 6.1.3}\n", false},
		"two organisations":    {"organisation:\n- {id: a, name: A}\n- {id: b, name: B}\n", false},
		"needed empty list":    {"treatments:\n- {id: t, risks: [], text: T}\n", false},
		"bad tool":             {"tools:\n- {id: read_file}\n", false},
		"bad digest":           {"risks:\n- {id: r, title: T, attachments: [{file: a.pdf, digest: abc}]}\n", false},
		"needed number is 0":   {"retention_rules:\n- {id: r, records: payloads, days: 0, reason: R}\n", false},
		"empty item of a list": {"scope: {statement: S, boundaries: [\"\"]}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, read := ReadDir(fstest.MapFS{"x.yaml": {Data: []byte(c.text)}})
			if (read == nil) != c.good {
				t.Errorf("reading: %v", read)
			}
			v, err := asJSON([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); (err == nil) != c.good {
				t.Errorf("the schema: %v", err)
			}
		})
	}
}
