package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"aims/internal/api"
	"aims/internal/policy"
	"aims/pdp"
)

// policyFiles reads the *.cedar files of a directory; no directory means the server's own.
func policyFiles(dir string) (api.PolicyFiles, error) {
	var files api.PolicyFiles
	if dir == "" {
		return files, nil
	}
	sources, err := policy.LoadDir(dir)
	if err != nil {
		return files, withCode(exitUsage, err)
	}
	for _, s := range sources {
		files.Files = append(files.Files, api.PolicyFile{Name: s.Name, Text: string(s.Text)})
	}
	if len(files.Files) == 0 {
		return files, failf(exitUsage, "%s holds no *.cedar file", dir)
	}
	return files, nil
}

type policyCheckCmd struct {
	server
	Dir  string `arg:"" optional:"" help:"Directory of the *.cedar files; without it, the server's own policy directory."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *policyCheckCmd) Run(ctx context.Context, std streams) error {
	return askPolicy(ctx, std, c.server, "/api/v1/policy/check", c.Dir, c.JSON, "the policies are good")
}

type policyActivateCmd struct {
	server
	Dir  string `arg:"" optional:"" help:"Directory of the *.cedar files; without it, the server's own policy directory."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *policyActivateCmd) Run(ctx context.Context, std streams) error {
	return askPolicy(ctx, std, c.server, "/api/v1/policy/activate", c.Dir, c.JSON, "the policies are in force")
}

func askPolicy(ctx context.Context, std streams, s server, path, dir string, asJSON bool, good string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	files, err := policyFiles(dir)
	if err != nil {
		return err
	}
	var check api.PolicyCheck
	if err := client.Do(ctx, http.MethodPost, path, files, &check); err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(std.out, check); err != nil {
			return err
		}
	}
	if !check.Valid {
		if !asJSON {
			for _, p := range check.Problems {
				fmt.Fprintln(std.err, p)
			}
		}
		return failf(exitUsage, "the policies do not compile (%d problems); the active set stays in force", len(check.Problems))
	}
	if !asJSON {
		_, err = fmt.Fprintln(std.out, strings.TrimSpace(good+" "+check.Digest))
	}
	return err
}

type policyShowCmd struct {
	server
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *policyShowCmd) Run(ctx context.Context, std streams) error {
	p, err := activePolicy(ctx, c.server)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, p)
	}
	fmt.Fprintf(std.out, "// in force: %s\n", p.Digest)
	for _, f := range p.Files {
		fmt.Fprintf(std.out, "\n// --- %s\n%s\n", f.Name, strings.TrimRight(f.Text, "\n"))
	}
	return nil
}

type policySchemaCmd struct {
	server
	JSON bool `name:"json" help:"Print JSON: the schema's text and what it could not carry over."`
}

func (c *policySchemaCmd) Run(ctx context.Context, std streams) error {
	p, err := activePolicy(ctx, c.server)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, struct {
			Schema string     `json:"schema"`
			Losses []pdp.Loss `json:"losses"`
		}{p.Schema, p.Losses})
	}
	for _, l := range p.Losses {
		fmt.Fprintf(std.err, "note: %s %s: %s\n", l.Action, l.Argument, l.Text)
	}
	_, err = io.WriteString(std.out, p.Schema)
	return err
}

func activePolicy(ctx context.Context, s server) (api.Policy, error) {
	var p api.Policy
	client, err := s.client()
	if err != nil {
		return p, err
	}
	return p, client.Do(ctx, http.MethodGet, "/api/v1/policy", nil, &p)
}
