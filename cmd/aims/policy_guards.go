package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aims/internal/policy/bundle"
	"aims/internal/policy/guards"
)

type guardsListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *guardsListCmd) Run(std streams) error {
	if c.JSON {
		return printJSON(std.out, guards.List())
	}
	t := table{heading: []string{"GUARD", "WHAT IT IS ABOUT"}}
	for _, g := range guards.List() {
		t.add(g.Name, g.About)
	}
	return t.print(std.out)
}

type guardsShowCmd struct {
	Names []string `arg:"" name:"name" help:"Names of guards."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

func (c *guardsShowCmd) Run(std streams) error {
	all, named := guards.List(), []guards.Guard{}
	for _, name := range c.Names {
		i := slices.IndexFunc(all, func(g guards.Guard) bool { return g.Name == name })
		if i < 0 {
			return failf(exitUsage, "there is no guard %q; `aims policy guards list` names them", name)
		}
		named = append(named, all[i])
	}
	if c.JSON {
		return printJSON(std.out, named)
	}
	for _, g := range named {
		fmt.Fprint(std.out, g.Text)
	}
	return nil
}

type guardsWriteCmd struct {
	Dir   string   `arg:"" help:"Directory of the policies; it is made where there is none."`
	Names []string `arg:"" optional:"" name:"name" help:"Names of guards; without them, all."`
}

// Run writes guards into a bundle. It overwrites nothing: what is there by
// the same name and other than what it would write is said, and nothing is
// written then.
func (c *guardsWriteCmd) Run(std streams) error {
	files, err := guards.Files(c.Names...)
	if err != nil {
		return withCode(exitUsage, err)
	}
	missing, differing, err := compareFiles(c.Dir, files)
	if err != nil {
		return err
	}
	kept := slices.IndexFunc(differing, func(f bundle.File) bool { return f.Name == bundle.MetaFile })
	if kept >= 0 {
		differing = slices.Delete(slices.Clone(differing), kept, kept+1)
	}
	if len(differing) > 0 {
		for _, f := range differing {
			fmt.Fprintf(std.err, "%s is there already, and is another\n", filepath.Join(c.Dir, f.Name))
		}
		return failf(exitFailed, "nothing was written")
	}
	for _, f := range missing {
		name := filepath.Join(c.Dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(std.out, "wrote "+name)
	}
	if kept >= 0 {
		i := slices.IndexFunc(files, func(f bundle.File) bool { return f.Name == bundle.MetaFile })
		_, budgets, _ := strings.Cut(string(files[i].Text), "budgets:\n")
		fmt.Fprintf(std.out, "%s stays as it is; guard-budget needs these budgets in it:\n\nbudgets:\n%s", filepath.Join(c.Dir, bundle.MetaFile), budgets)
	}
	return nil
}

// compareFiles gives the files that are not in a directory, and those of which
// it has another version.
func compareFiles(dir string, files []bundle.File) (missing, differing []bundle.File, err error) {
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
		case err != nil:
			return nil, nil, err
		case !bytes.Equal(text, f.Text):
			differing = append(differing, f)
		}
	}
	return missing, differing, nil
}
