// Package bundle is the format of a policy bundle: a directory of Cedar
// policies, the tests that say what they must do, and who they belong to
// (ISO 42001 5.2, 8.1). It reads files and decides nothing.
package bundle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"aims/internal/aims"
	"aims/internal/strict"
	"aims/pdp"
)

// The names of a bundle's files. Policies and tests have names of their own.
const (
	MetaFile   = "bundle.yaml"
	SchemaFile = "schema.cedarschema" // generated for editors; no part of the bundle
	TestsDir   = "tests"
	ToolsDir   = "tests/tools"
)

// What a bundle may hold.
const (
	maxFiles = 4096
	maxFile  = 1 << 20
	maxAll   = 32 << 20
	maxTests = 20_000
)

// File is one file of a bundle; Name is its path in the bundle, with slashes.
type File struct {
	Name string
	Text []byte
}

// Bundle is a policy bundle that is well formed. Whether its policies compile
// is for whoever knows the tools.
type Bundle struct {
	Meta Meta
	// Sources are the policies, *.cedar, by name.
	Sources []pdp.Source
	// Tests are in the order of their files and places.
	Tests []Test
	// TestSources and Tools are those of tests/*.cedar and tests/tools: they exist
	// for the tests only, such as a permit that a test of a guard needs.
	TestSources []pdp.Source
	Tools       []pdp.Tool
	// Schema is the generated schema that lies with the bundle, nil for none.
	Schema []byte
	// Digest is "sha256:" and hexadecimal over every file but the schema.
	Digest string

	files []File
}

// Files are what the digest covers, sorted by name.
func (b *Bundle) Files() []File { return slices.Clone(b.files) }

var (
	policyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,122}\.cedar$`)
	testPolicy = regexp.MustCompile(`^tests/[A-Za-z0-9][A-Za-z0-9._-]{0,122}\.cedar$`)
	testName   = regexp.MustCompile(`^tests/[A-Za-z0-9][A-Za-z0-9._-]{0,122}\.yaml$`)
	toolsName  = regexp.MustCompile(`^tests/tools/([a-z][a-z0-9-]{0,31})\.json$`)
)

const expectedNames = "a bundle holds *.cedar, bundle.yaml, schema.cedarschema, tests/*.yaml, tests/*.cedar and tests/tools/<server>.json"

func isName(name string) bool {
	return policyName.MatchString(name) || testName.MatchString(name) || testPolicy.MatchString(name) || toolsName.MatchString(name) ||
		name == MetaFile || name == SchemaFile
}

// New makes a bundle of files, in any order. It fails with aims.Invalid;
// Problems has the places of everything that is wrong.
func New(files []File) (*Bundle, error) {
	b := &Bundle{files: slices.Clone(files)}
	slices.SortFunc(b.files, func(x, y File) int { return cmp.Compare(x.Name, y.Name) })
	if err := b.checkFiles(); err != nil {
		return nil, err
	}
	var r reader
	for _, f := range b.files {
		switch {
		case policyName.MatchString(f.Name):
			b.Sources = append(b.Sources, pdp.Source(f))
		case f.Name == MetaFile:
			b.Meta = r.meta(f)
		case f.Name == SchemaFile:
			b.Schema = f.Text
		case testPolicy.MatchString(f.Name):
			b.TestSources = append(b.TestSources, pdp.Source(f))
		case testName.MatchString(f.Name):
			b.Tests = append(b.Tests, r.tests(f)...)
		default:
			b.Tools = append(b.Tools, r.tools(f)...)
		}
	}
	b.files = slices.DeleteFunc(b.files, func(f File) bool { return f.Name == SchemaFile })
	if len(b.Tests) > maxTests {
		r.problem(pdp.Problem{File: TestsDir, Message: fmt.Sprintf("%d tests, at most %d", len(b.Tests), maxTests)})
	}
	if !slices.ContainsFunc(b.Sources, func(s pdp.Source) bool { return !onlyComments(s.Text) }) {
		file := ""
		if len(b.Sources) > 0 {
			file = b.Sources[0].Name
		}
		r.problem(pdp.Problem{File: file, Message: "there is no policy: an empty set is more likely a mistake than a wish"})
	}
	r.twins(b.Tests)
	b.Digest = digest(b.files)
	return b, r.err()
}

// FromSources is a bundle of nothing but policies.
func FromSources(sources []pdp.Source) (*Bundle, error) {
	files := make([]File, len(sources))
	for i, s := range sources {
		files[i] = File(s)
	}
	return New(files)
}

// checkFiles refuses files that are no part of a bundle, and too many of them.
func (b *Bundle) checkFiles() error {
	all := 0
	for i, f := range b.files {
		switch {
		case !isName(f.Name):
			return aims.Errorf(aims.Invalid, nil, "%.200q is no file of a policy bundle; %s", f.Name, expectedNames)
		case i > 0 && b.files[i-1].Name == f.Name:
			return aims.Errorf(aims.Invalid, nil, "two files are named %s", f.Name)
		case len(f.Text) > maxFile:
			return aims.Errorf(aims.Invalid, nil, "%s has more than %d bytes", f.Name, maxFile)
		case !utf8.Valid(f.Text):
			return aims.Errorf(aims.Invalid, nil, "%s is not UTF-8", f.Name)
		}
		all += len(f.Text)
	}
	if len(b.files) > maxFiles {
		return aims.Errorf(aims.Invalid, nil, "%d files, at most %d", len(b.files), maxFiles)
	}
	if all > maxAll {
		return aims.Errorf(aims.Invalid, nil, "the files have %d bytes, at most %d", all, maxAll)
	}
	return nil
}

// onlyComments says whether a Cedar text holds nothing but comments and space.
func onlyComments(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			return false
		}
	}
	return true
}

// digest hashes every part with its length before it, so that no two different
// bundles are the same bytes.
func digest(files []File) string {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte("aims-policy-bundle/1"))
	for _, f := range files {
		part([]byte(f.Name))
		part(f.Text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Problems are the places at which a bundle or its policies are wrong, when
// err says that they are.
func Problems(err error) []pdp.Problem {
	if c, ok := errors.AsType[*pdp.CompileError](err); ok {
		return c.Problems
	}
	return nil
}

// reader gathers what is wrong with the files of a bundle.
type reader struct{ problems []pdp.Problem }

func (r *reader) problem(p pdp.Problem) { r.problems = append(r.problems, p) }

// yaml takes over what is wrong with a document.
func (r *reader) yaml(err error) {
	if e, ok := errors.AsType[*strict.Error](err); ok {
		for _, p := range e.Problems {
			r.problem(pdp.Problem{File: p.File, Line: p.Line, Message: p.Text})
		}
	}
}

func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b pdp.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return Failed("the policies cannot be used", r.problems)
}

// Failed is the aims.Invalid error of problems, of which there is at least
// one. Their places are the operator's own text, and safe to show.
func Failed(what string, problems []pdp.Problem) error {
	more := ""
	if len(problems) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(problems)-1)
	}
	return aims.Errorf(aims.Invalid, &pdp.CompileError{Problems: problems}, "%s: %s%s", what, strings.TrimSpace(problems[0].String()), more)
}
