// Package starter makes the first records of an organisation from the answers
// to a few questions: files with guidance in them, which are to be filled in.
// What nobody has decided yet is left out rather than made up, so that what is
// shown of the requirements says that it is missing.
package starter

import (
	"bytes"
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
	"text/template"
	"time"

	"aims/internal/register/record"
	"aims/iso42001"
)

//go:embed templates/*.yaml templates/documents/*.md
var templates embed.FS

// Files are the files of a starter set by their names, for answers that were
// read or asked. today is the day from which the days in them are counted.
func (a Answers) Files(today time.Time) (map[string][]byte, error) {
	root, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	words := template.FuncMap{
		"q": quote, "list": list, "fill": func(s string) string { return quote(record.FillIn + s) },
		"day":    func(days int) string { return today.AddDate(0, 0, days).UTC().Format(time.DateOnly) },
		"line":   func(s string) string { return strings.Join(strings.Fields(s), " ") },
		"people": a.people,
	}
	data := struct {
		Answers
		Clauses, Controls []iso42001.Requirement
		Servers           []string
	}{a, iso42001.Clauses(), iso42001.Controls(), a.servers()}
	out := map[string][]byte{}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		t, err := template.New(name).Funcs(words).Option("missingkey=error").Parse(string(text))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		err = t.Execute(&b, data)
		out[name] = b.Bytes()
		return err
	})
	return out, err
}

// quote is a text as YAML reads it back, whatever it holds.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// servers are those of all agents, each once.
func (a Answers) servers() []string {
	var out []string
	seen := map[string]bool{}
	for _, agent := range a.Agents {
		for _, s := range agent.Servers {
			if !seen[s] {
				out = append(out, s)
			}
			seen[s] = true
		}
	}
	return out
}

// people are those who were named, each once.
func (a Answers) people() []Person {
	var out []Person
	seen := map[string]bool{}
	for _, p := range []Person{a.Director, a.Manager, a.Auditor, a.Operator} {
		if !seen[p.ID] {
			out = append(out, p)
		}
		seen[p.ID] = true
	}
	return out
}
