package pack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"aims/internal/evidence/observed"
	"aims/internal/register/record"
)

// File is a file of a pack that is derived from the log.
type File struct {
	Name string
	Data []byte
}

// registersFile is registers.json: the registers at the end of the period.
type registersFile struct {
	Registers record.Registers `json:"registers"`
	Versions  []version        `json:"versions"`
	Marks     []record.Mark    `json:"marks"`
	// Lost are changes whose content was erased, so that it is not in here.
	Lost []Lost `json:"erased"`
}

type version struct {
	record.Key
	record.Version
}

// findingsFile is findings.json: nonconformities, incidents and concerns.
type findingsFile struct {
	Cases []observed.Case `json:"cases"`
}

// readme is README.txt.
const readme = `This is an audit pack of aims: the log of an installation up to the end of a
period, and what follows from it. Read it with a browser: pages/index.html.

Verify it with  aims-verify FILE --trust KEY  where KEY is the verifier key of the
log, which you get from somewhere else than from who gave you this file.

log/             the log itself, as aims log export writes it: every entry since the
                 first, signed checkpoints, payloads of the period, policies
registers.json   the registers at the end of the period, rebuilt from the log
criteria.json    what is shown of each of the 70 requirements, and from what
soa.json         the statement of applicability
findings.json    nonconformities, incidents and concerns as the log has them
sample.json      a sample of decisions that anybody draws again
manifest.json    what this pack is, and the SHA-256 of each file

Everything but log/ is derived from log/. aims-verify derives it again and
compares; nothing in here has to be believed because of who made it.

A record of a machine is evidence towards a requirement: it shows that a control
operated, never that it was the right control.
`

// files are all derived files, in the order in which they are written.
func (v *View) files() ([]File, error) {
	out := []File{{"README.txt", []byte(readme)}}
	for _, f := range []struct {
		name string
		data any
	}{
		{"registers.json", v.registers()},
		{"criteria.json", v.Statuses},
		{"soa.json", v.Statement},
		{"findings.json", findingsFile{v.cases()}},
		{"sample.json", v.Sample},
	} {
		text, err := jsonText(f.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		out = append(out, File{f.name, text})
	}
	pages, err := v.pages()
	return append(out, pages...), err
}

func (v *View) registers() registersFile {
	f := registersFile{Registers: v.State.Registers, Versions: []version{}, Marks: v.State.Marks, Lost: v.Lost}
	for key, at := range v.State.Versions {
		f.Versions = append(f.Versions, version{key, at})
	}
	slices.SortFunc(f.Versions, func(a, b version) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	// A customer's own licensed text stays with the customer.
	f.Registers.Owners = slices.Clone(f.Registers.Owners)
	for i := range f.Registers.Owners {
		f.Registers.Owners[i].Text = ""
	}
	return f
}

// cases are all cases, sorted by kind and id.
func (v *View) cases() []observed.Case {
	out := []observed.Case{}
	for _, c := range v.Observed.Cases {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b observed.Case) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

// jsonText is JSON for people and programs; the same for the same value.
func jsonText(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// Manifest says what a pack is and what is in it.
type Manifest struct {
	Format string `json:"format"`
	Origin string `json:"origin"`
	// Size is the number of entries of the log, End how many of them lie before
	// the end of the period, First the first that lies in it.
	Size  uint64 `json:"size"`
	First uint64 `json:"first"`
	End   uint64 `json:"end"`
	From  string `json:"from"`  // first day
	Until string `json:"until"` // last day
	// Judged is the moment at which the records were judged, RFC 3339.
	Judged string         `json:"judged"`
	For    string         `json:"for,omitempty"`
	Files  []ManifestFile `json:"files"`
}

// ManifestFile is one file of a pack.
type ManifestFile struct {
	Name   string `json:"name"`
	Bytes  uint64 `json:"bytes"`
	Digest string `json:"sha256"`
}
