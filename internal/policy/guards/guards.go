// Package guards holds the guards that ship: reviewed templates of policies
// against what is known to go wrong with agents, each with its tests, to be
// adopted into a bundle and edited there (OWASP Top 10 for Agentic Applications).
package guards

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
)

//go:embed templates
var templates embed.FS

const root = "templates"

// Guard is one template.
type Guard struct {
	Name string `json:"name"`
	// About is its first sentence.
	About string `json:"about"`
	// Text is Cedar, with comments that say what to edit.
	Text string `json:"text"`
}

// List lists the guards, by name.
func List() []Guard {
	var list []Guard
	for _, f := range files() {
		name, is := strings.CutSuffix(f.Name, ".cedar")
		if !is || strings.Contains(name, "/") {
			continue
		}
		first, _, _ := strings.Cut(string(f.Text), "\n")
		list = append(list, Guard{Name: name, About: strings.TrimPrefix(first, "// "), Text: string(f.Text)})
	}
	return list
}

// Files are the files of some guards, all of them without names: the policies,
// their tests, what these need, and bundle.yaml where a budget is declared.
// It fails with aims.NotFound.
func Files(names ...string) ([]bundle.File, error) {
	known := map[string]bool{}
	for _, g := range List() {
		known[g.Name] = len(names) == 0 || slices.Contains(names, g.Name)
	}
	for _, name := range names {
		if !known[name] {
			return nil, aims.Errorf(aims.NotFound, nil, "there is no guard %q", name)
		}
	}
	var some []bundle.File
	for _, f := range files() {
		guard := strings.TrimSuffix(path.Base(f.Name), path.Ext(f.Name))
		switch chosen, is := known[guard]; {
		case is && !chosen:
		case f.Name == bundle.MetaFile && !known[budgeted]:
		default:
			some = append(some, f)
		}
	}
	return some, nil
}

// budgeted is the guard whose budgets bundle.yaml declares.
const budgeted = "guard-budget"

// Bundle is a bundle of some guards, all of them without names. It permits
// nothing.
func Bundle(names ...string) (*bundle.Bundle, error) {
	some, err := Files(names...)
	if err != nil {
		return nil, err
	}
	return bundle.New(some)
}

// files are those of all guards.
func files() []bundle.File {
	var all []bundle.File
	err := fs.WalkDir(templates, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := templates.ReadFile(name)
		all = append(all, bundle.File{Name: strings.TrimPrefix(name, root+"/"), Text: text})
		return err
	})
	if err != nil {
		// The directory is part of the program.
		panic(err)
	}
	return all
}
