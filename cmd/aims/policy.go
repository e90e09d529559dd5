package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"aims/internal/api"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

// loadBundle reads a policy bundle and says what is wrong with it, one problem a line.
func loadBundle(std streams, dir string) (*bundle.Bundle, error) {
	b, err := bundle.Load(os.DirFS(dir))
	if err == nil {
		return b, nil
	}
	problems := policy.Problems(err)
	if problems == nil {
		return nil, withCode(exitUsage, fmt.Errorf("%s: %w", dir, err))
	}
	return nil, sayProblems(std, problems, "the policy bundle in "+dir+" cannot be used")
}

func sayProblems(std streams, problems []pdp.Problem, what string) error {
	for _, p := range problems {
		fmt.Fprintln(std.err, p)
	}
	return failf(exitUsage, "%s (%d problems)", what, len(problems))
}

// policyFiles reads the files of a bundle; no directory means the server's own.
func policyFiles(std streams, dir string) (api.PolicyFiles, error) {
	var files api.PolicyFiles
	if dir == "" {
		return files, nil
	}
	b, err := loadBundle(std, dir)
	if err != nil {
		return files, err
	}
	for _, f := range b.Files() {
		files.Files = append(files.Files, api.PolicyFile{Name: f.Name, Text: string(f.Text)})
	}
	return files, nil
}

// isDigest tells a digest from a directory.
func isDigest(text string) bool { return strings.HasPrefix(text, "sha256:") }

// offline is where the tools come from when no server is asked.
type offline struct {
	Tools  []string `name:"tools" placeholder:"[SERVER=]FILE" sep:"none" help:"Work without a server, with the tools of this answer to MCP tools/list; the server's name is the file's, unless it is given. May be repeated."`
	Schema string   `name:"schema" placeholder:"FILE" help:"Work without a server, with this Cedar schema."`
}

func (o offline) given() bool { return len(o.Tools) > 0 || o.Schema != "" }

// circumstances are what a bundle is compiled for.
func (o offline) circumstances() (policy.Circumstances, error) {
	var c policy.Circumstances
	if o.Schema != "" {
		if len(o.Tools) > 0 {
			return c, failf(exitUsage, "give either --tools or --schema")
		}
		text, err := os.ReadFile(o.Schema)
		if err != nil {
			return c, withCode(exitUsage, err)
		}
		c.Schema = text
		return c, nil
	}
	if len(o.Tools) > 0 {
		c.Tools = []pdp.Tool{}
	}
	for _, given := range o.Tools {
		server, file, named := strings.Cut(given, "=")
		if !named {
			file = given
			server = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return c, withCode(exitUsage, err)
		}
		tools, err := bundle.ParseTools(server, text)
		if err != nil {
			return c, failf(exitUsage, "%s %w", file, err)
		}
		c.Tools = append(c.Tools, tools...)
		c.Known.Servers = append(c.Known.Servers, server)
	}
	return c, nil
}

// prepare compiles a bundle for review.
func (o offline) prepare(std streams, b *bundle.Bundle) (policy.Reviewed, error) {
	c, err := o.circumstances()
	if err != nil {
		return policy.Reviewed{}, err
	}
	r, err := policy.Prepare(b, c)
	if problems := policy.Problems(err); problems != nil {
		return r, sayProblems(std, problems, "the policies do not compile")
	}
	return r, err
}

type policyActivateCmd struct {
	server
	What        string `arg:"" optional:"" name:"dir|digest" help:"Directory of the policies, or the digest of a published bundle; without it, the server's own policy directory."`
	Environment string `name:"environment" help:"Environment to activate a digest in; without it, the server's."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *policyActivateCmd) Run(ctx context.Context, std streams) error {
	ask := api.PolicyActivation{Environment: c.Environment}
	if isDigest(c.What) {
		ask.Digest = c.What
	} else {
		files, err := policyFiles(std, c.What)
		if err != nil {
			return err
		}
		ask.PolicyFiles = files
	}
	return putInForce(ctx, std, c.server, "/api/v1/policy/activate", ask, c.JSON)
}

type policyRollbackCmd struct {
	server
	Environment string `name:"environment" help:"Environment to roll back; without it, the server's."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *policyRollbackCmd) Run(ctx context.Context, std streams) error {
	return putInForce(ctx, std, c.server, "/api/v1/policy/rollback", api.PolicyEnvironment{Environment: c.Environment}, c.JSON)
}

func putInForce(ctx context.Context, std streams, s server, path string, ask any, asJSON bool) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	var done api.PolicyCheck
	if err := client.Do(ctx, http.MethodPost, path, ask, &done); err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(std.out, done); err != nil {
			return err
		}
	}
	if !done.Valid {
		return sayProblems(std, done.Problems, "the policies cannot be put in force; the active set stays in force")
	}
	if !asJSON {
		_, err = fmt.Fprintf(std.out, "the policies are in force %s, compiled from the bundle %s\n", done.Digest, done.Bundle)
	}
	return err
}

type policyShowCmd struct {
	server
	asOf
	Digest string `arg:"" optional:"" help:"Digest of a bundle; without it, the policies in force."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *policyShowCmd) Run(ctx context.Context, std streams) error {
	if c.Digest != "" {
		if c.AsOf != "" {
			return failf(exitUsage, "--as-of does not go with a digest, whose content never changes; without one, it shows what was in force")
		}
		b, err := storedBundle(ctx, c.server, c.Digest)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(std.out, b)
		}
		return printFiles(std.out, b.Files)
	}
	p, err := activePolicy(ctx, c.server, c.AsOf)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, p)
	}
	fmt.Fprintf(std.out, "// in force: %s\n// compiled from the bundle %s\n", p.Digest, p.Bundle)
	return printFiles(std.out, p.Files)
}

func printFiles(w io.Writer, files []api.PolicyFile) error {
	for _, f := range files {
		comment := "#"
		if strings.HasSuffix(f.Name, ".cedar") || strings.HasSuffix(f.Name, ".json") {
			comment = "//"
		}
		if _, err := fmt.Fprintf(w, "\n%s --- %s\n%s\n", comment, f.Name, strings.TrimRight(f.Text, "\n")); err != nil {
			return err
		}
	}
	return nil
}

func storedBundle(ctx context.Context, s server, digest string) (api.PolicyBundle, error) {
	var b api.PolicyBundle
	client, err := s.client()
	if err != nil {
		return b, err
	}
	return b, client.Do(ctx, http.MethodGet, "/api/v1/policy/bundles/"+url.PathEscape(digest), nil, &b)
}

type policySchemaCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON: the schema's text and what it could not carry over."`
}

func (c *policySchemaCmd) Run(ctx context.Context, std streams) error {
	p, err := activePolicy(ctx, c.server, c.AsOf)
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

func activePolicy(ctx context.Context, s server, asOf string) (api.Policy, error) {
	var p api.Policy
	client, err := s.client()
	if err != nil {
		return p, err
	}
	return p, client.Do(ctx, http.MethodGet, "/api/v1/policy"+asOfQuery(asOf), nil, &p)
}

// plural counts things.
func plural(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return fmt.Sprint(n, " ", one)
}
