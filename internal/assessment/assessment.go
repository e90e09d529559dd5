// Package assessment keeps the threat model: what can go wrong with agents,
// what treats it, and which risk is left according to the scenarios that were
// run (ISO 42001 6.1, 8.2, A.5).
package assessment

import (
	"embed"
	"fmt"
	"regexp"
	"slices"

	"aims/internal/strict"
)

// Threat is something that can go wrong. It is treated by rules of policy, by
// their ids, or by what the product does by itself.
type Threat struct {
	ID    string `yaml:"id" json:"id"`
	Title string `yaml:"title" json:"title"`
	// OWASP are ids of the OWASP Top 10 for Agentic Applications 2026, ATLAS
	// those of MITRE ATLAS techniques.
	OWASP []string `yaml:"owasp" json:"owasp"`
	ATLAS []string `yaml:"atlas" json:"atlas"`
	// Agents and Assets say in words whom and what it concerns.
	Agents string `yaml:"agents" json:"agents"`
	Assets string `yaml:"assets" json:"assets"`
	// TreatedBy are ids of policies, or one of Mechanisms.
	TreatedBy []string `yaml:"treated_by" json:"treated_by"`
}

// Mechanisms are what treats threats besides policies: built into the product
// and not to be configured away.
func Mechanisms() []string { return []string{"approvals", "delegation"} }

// Name is the id and title of a vocabulary's entry.
type Name struct {
	ID    string `yaml:"id" json:"id"`
	Title string `yaml:"title" json:"title"`
	Name  string `yaml:"name" json:"-"`
}

//go:embed library.yaml facts/*.yaml
var texts embed.FS

func names(file string) []Name {
	var list []Name
	text, err := texts.ReadFile(file)
	if err == nil {
		_, err = strict.Decode(file, text, &list)
	}
	if err != nil {
		// The file was embedded at build, and a test reads it.
		panic(err)
	}
	for i, n := range list {
		if n.Title == "" {
			list[i].Title = n.Name
		}
	}
	return list
}

// OWASP is the OWASP Top 10 for Agentic Applications 2026.
func OWASP() []Name { return names("facts/owasp-asi.yaml") }

// ATLAS is the techniques of MITRE ATLAS that concern agents.
func ATLAS() []Name { return names("facts/atlas.yaml") }

// Library is the threats that the product knows from the start.
func Library() []Threat {
	text, err := texts.ReadFile("library.yaml")
	var list []Threat
	if err == nil {
		list, err = Read("library.yaml", text)
	}
	if err != nil {
		// The file was embedded at build, and a test reads it.
		panic(err)
	}
	return list
}

// Read reads a file of threats. The error is a *strict.Error with the places:
// an unknown id of a vocabulary is an error, never a new row.
func Read(file string, text []byte) ([]Threat, error) {
	var list []Threat
	doc, err := strict.Decode(file, text, &list)
	if err != nil {
		return nil, err
	}
	known := vocabulary{ids(OWASP()), ids(ATLAS())}
	seen := map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("[%d]", i)
		if seen[t.ID] {
			doc.Wrong(at+".id", "two threats have the id %q", t.ID)
		}
		seen[t.ID] = true
		t.check(doc, at, known)
	}
	return list, doc.Err()
}

// vocabulary is the known ids.
type vocabulary struct{ owasp, atlas []string }

func ids(list []Name) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.ID
	}
	return out
}

func (t Threat) check(doc *strict.Document, at string, known vocabulary) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`).MatchString(t.ID) {
		doc.Wrong(at+".id", "%.100q; expected 1 to 64 of a-z, 0-9 and -", t.ID)
	}
	for _, f := range []struct{ name, value string }{{"title", t.Title}, {"agents", t.Agents}, {"assets", t.Assets}} {
		if f.value == "" {
			doc.Wrong(at+"."+f.name, "it is missing")
		}
	}
	if len(t.OWASP) == 0 {
		doc.Wrong(at+".owasp", "expected at least one id, ASI01 to ASI10")
	}
	for i, id := range t.OWASP {
		if !slices.Contains(known.owasp, id) {
			doc.Wrong(fmt.Sprintf("%s.owasp[%d]", at, i), "%.100q is no id of the OWASP Top 10 for Agentic Applications: ASI01 to ASI10", id)
		}
	}
	for i, id := range t.ATLAS {
		if !slices.Contains(known.atlas, id) {
			doc.Wrong(fmt.Sprintf("%s.atlas[%d]", at, i), "%.100q is no id of a MITRE ATLAS technique that concerns agents", id)
		}
	}
}
