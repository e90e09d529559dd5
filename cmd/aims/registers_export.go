package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aims/internal/api"
	"aims/internal/register"
	"aims/internal/register/record"
)

type exportCmd struct {
	server
	Dir string `arg:"" type:"path" help:"Directory to write; one that holds registers already gets the present ones."`
	asOf
	Force bool `name:"force" help:"Also over files with changes that are not applied."`
	JSON  bool `name:"json" help:"Print JSON."`
}

func (c *exportCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := c.clear(ctx, client); err != nil {
		return err
	}
	registers, state, err := fetch(ctx, client, c.AsOf)
	if err != nil {
		return err
	}
	files := record.Write(registers)
	old, err := recordFiles(c.Dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := writeFile(filepath.Join(c.Dir, filepath.FromSlash(name)), text); err != nil {
			return err
		}
	}
	for _, name := range old {
		if _, again := files[filepath.ToSlash(name)]; !again {
			if err := os.Remove(filepath.Join(c.Dir, name)); err != nil {
				return err
			}
		}
	}
	d := directory{path: c.Dir}
	if err := d.writeBase(state.Log, state.Base); err != nil {
		return err
	}
	return answer(std.out, c.JSON, struct {
		Dir     string        `json:"dir"`
		Records int           `json:"records"`
		Files   int           `json:"files"`
		Base    register.Base `json:"base"`
	}{c.Dir, len(state.Records), len(files), state.Base}, fmt.Sprintf("%s: %d records in %d files", c.Dir, len(state.Records), len(files)))
}

// clear refuses to write over what somebody has written and not applied.
func (c *exportCmd) clear(ctx context.Context, client *api.Client) error {
	old, err := recordFiles(c.Dir)
	if err != nil || len(old) == 0 || c.Force {
		return err
	}
	d, err := readDirectory(c.Dir)
	if err != nil {
		return failf(exitUsage, "%s holds files that cannot be read, and would be written over; --force does that:\n%w", c.Dir, err)
	}
	plan, err := d.plan(ctx, client)
	if err != nil {
		return err
	}
	if n := len(plan.Changes) + len(plan.Conflicts); n > 0 {
		return failf(exitFailed, "%s has changes of %d records that are not applied; `aims plan -f %s` shows them, --force writes over them", c.Dir, n, c.Dir)
	}
	return nil
}

// recordFiles are the files below a directory that hold records, and no others.
func recordFiles(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml":
		case ".md":
			text, err := os.ReadFile(path)
			if err != nil || !bytes.HasPrefix(text, []byte("---")) {
				return err
			}
		default:
			return nil
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}
