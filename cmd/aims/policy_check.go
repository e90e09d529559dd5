package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"aims/internal/api"
	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
)

type policyCheckCmd struct {
	server
	offline
	Dir         string `arg:"" optional:"" help:"Directory of the policies; without it, the server's own policy directory."`
	Strict      bool   `name:"strict" help:"Fail on warnings too."`
	WriteSchema bool   `name:"write-schema" help:"Write the Cedar schema beside the policies, for editors."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *policyCheckCmd) Run(ctx context.Context, std streams) error {
	if c.Dir == "" && (c.given() || c.WriteSchema) {
		return failf(exitUsage, "name the directory of the policies")
	}
	check := c.ask
	if c.given() {
		check = c.local
	}
	result, err := check(ctx, std)
	if err != nil {
		return err
	}
	if c.JSON {
		shown := result
		shown.Schema = ""
		if err := printJSON(std.out, shown); err != nil {
			return err
		}
	}
	if !result.Valid {
		return sayProblems(std, result.Problems, "the policies do not compile; the active set stays in force")
	}
	if c.WriteSchema {
		if err := os.WriteFile(filepath.Join(c.Dir, bundle.SchemaFile), []byte(result.Schema), 0o644); err != nil {
			return err
		}
	}
	return c.conclude(std, result.Findings)
}

// ask has the server check the policies against the tools that it knows.
func (c *policyCheckCmd) ask(ctx context.Context, std streams) (api.PolicyCheck, error) {
	var check api.PolicyCheck
	client, err := c.client()
	if err != nil {
		return check, err
	}
	files, err := policyFiles(std, c.Dir)
	if err != nil {
		return check, err
	}
	path := "/api/v1/policy/check"
	if c.WriteSchema {
		path += "?schema=true"
	}
	return check, client.Do(ctx, http.MethodPost, path, files, &check)
}

func (c *policyCheckCmd) local(_ context.Context, std streams) (api.PolicyCheck, error) {
	b, err := loadBundle(std, c.Dir)
	if err != nil {
		return api.PolicyCheck{}, err
	}
	r, err := c.prepare(std, b)
	if err != nil {
		return api.PolicyCheck{}, err
	}
	return api.PolicyCheck{Valid: true, Bundle: b.Digest, Losses: r.Losses, Findings: r.Check(), Schema: string(r.Set.Schema())}, nil
}

// conclude prints the findings and makes the exit code of them.
func (c *policyCheckCmd) conclude(std streams, findings []review.Finding) error {
	count := map[review.Severity]int{}
	for _, f := range findings {
		count[f.Severity]++
		if !c.JSON {
			fmt.Fprintln(std.out, f)
		}
	}
	words := strings.Join([]string{plural(count[review.Error], "error"), plural(count[review.Warning], "warning"), plural(count[review.Note], "note")}, ", ")
	if count[review.Error] > 0 || c.Strict && count[review.Warning] > 0 {
		return failf(exitFailed, "the policies compile and need a look: %s", words)
	}
	if !c.JSON {
		fmt.Fprintf(std.out, "the policies are good: %s\n", words)
	}
	return nil
}

type policyTestCmd struct {
	server
	offline
	Dir  string `arg:"" optional:"" help:"Directory of the policies; default the working directory, with --live the server's own policy directory."`
	Live bool   `name:"live" help:"Test with the tools that the server knows."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *policyTestCmd) Run(ctx context.Context, std streams) error {
	test := c.local
	if c.Live {
		test = c.ask
	}
	report, err := test(ctx, std)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(std.out, report); err != nil {
			return err
		}
	} else {
		printTests(std, report)
	}
	if report.Failed > 0 {
		return failf(exitFailed, "%s failed", plural(report.Failed, "test"))
	}
	return nil
}

func printTests(std streams, report review.Report) {
	for _, r := range report.Results {
		if r.Passed {
			fmt.Fprintf(std.out, "ok    %s:%d  %s\n", r.File, r.Line, r.Name)
		} else {
			fmt.Fprintf(std.out, "FAIL  %s:%d  %s: %s\n", r.File, r.Line, r.Name, r.Why())
		}
	}
	fmt.Fprintf(std.out, "%s, %d failed; %d of %s determined an outcome\n", plural(len(report.Results), "test"), report.Failed,
		report.Rules-len(report.Untested), plural(report.Rules, "rule"))
	for _, id := range report.Untested {
		fmt.Fprintf(std.out, "not tested: %s\n", id)
	}
}

func (c *policyTestCmd) ask(ctx context.Context, std streams) (review.Report, error) {
	client, err := c.client()
	if err != nil {
		return review.Report{}, err
	}
	files, err := policyFiles(std, c.Dir)
	if err != nil {
		return review.Report{}, err
	}
	var tests api.PolicyTests
	if err := client.Do(ctx, http.MethodPost, "/api/v1/policy/test", files, &tests); err != nil {
		return review.Report{}, err
	}
	if tests.Report == nil {
		return review.Report{}, sayProblems(std, tests.Problems, "the policies do not compile")
	}
	return *tests.Report, nil
}

// local runs the tests without a server: with the tools or the schema that are
// given, else with the schema that lies with the bundle, else with the tools of
// its tests alone.
func (c *policyTestCmd) local(_ context.Context, std streams) (review.Report, error) {
	if c.Dir == "" {
		c.Dir = "."
	}
	b, err := loadBundle(std, c.Dir)
	if err != nil {
		return review.Report{}, err
	}
	if !c.given() && b.Schema != nil {
		c.Schema = filepath.Join(c.Dir, bundle.SchemaFile)
	}
	r, err := c.prepare(std, b)
	if err != nil {
		return review.Report{}, err
	}
	return r.Test(), nil
}

type policyDiffCmd struct {
	server
	offline
	Old  string `arg:"" help:"Directory or digest of the bundle to compare with; active is the one in force."`
	New  string `arg:"" help:"Directory or digest of the other bundle."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *policyDiffCmd) Run(ctx context.Context, std streams) error {
	diff := c.ask
	if c.given() {
		diff = c.local
	}
	d, err := diff(ctx, std)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, d)
	}
	return printDiff(std, d)
}

func (c *policyDiffCmd) ask(ctx context.Context, std streams) (review.Difference, error) {
	var pair api.PolicyPair
	for side, text := range map[*api.PolicyRef]string{&pair.Before: c.Old, &pair.After: c.New} {
		digest, err := c.digest(ctx, text)
		if err == nil && digest == "" {
			side.PolicyFiles, err = policyFiles(std, text)
		}
		if side.Digest = digest; err != nil {
			return review.Difference{}, err
		}
	}
	client, err := c.client()
	if err != nil {
		return review.Difference{}, err
	}
	var answer api.PolicyDiff
	if err := client.Do(ctx, http.MethodPost, "/api/v1/policy/diff", pair, &answer); err != nil {
		return review.Difference{}, err
	}
	if answer.Difference == nil {
		return review.Difference{}, sayProblems(std, answer.Problems, "the policies do not compile")
	}
	return *answer.Difference, nil
}

// digest is the bundle that a word means; empty for a directory.
func (c *policyDiffCmd) digest(ctx context.Context, text string) (string, error) {
	if text == "active" {
		p, err := activePolicy(ctx, c.server, "")
		return p.Bundle, err
	}
	if isDigest(text) {
		return text, nil
	}
	return "", nil
}

func (c *policyDiffCmd) local(ctx context.Context, std streams) (review.Difference, error) {
	before, err := c.bundle(ctx, std, c.Old)
	if err != nil {
		return review.Difference{}, err
	}
	after, err := c.bundle(ctx, std, c.New)
	if err != nil {
		return review.Difference{}, err
	}
	r1, err := c.prepare(std, before)
	if err != nil {
		return review.Difference{}, err
	}
	r2, err := c.prepare(std, after)
	if err != nil {
		return review.Difference{}, err
	}
	return r1.Diff(r2), nil
}

func (c *policyDiffCmd) bundle(ctx context.Context, std streams, text string) (*bundle.Bundle, error) {
	digest, err := c.digest(ctx, text)
	if err != nil || digest == "" {
		return loadBundle(std, text)
	}
	stored, err := storedBundle(ctx, c.server, digest)
	if err != nil {
		return nil, err
	}
	files := make([]bundle.File, len(stored.Files))
	for i, f := range stored.Files {
		files[i] = bundle.File{Name: f.Name, Text: []byte(f.Text)}
	}
	return bundle.New(files)
}

func printDiff(std streams, d review.Difference) error {
	if d.Empty() {
		_, err := fmt.Fprintln(std.out, "nothing differs")
		return err
	}
	for _, part := range []struct {
		what    string
		changes []review.Change
	}{{"rule", d.Rules}, {"budget", d.Budgets}, {"setting", d.Settings}, {"test", d.Tests}} {
		for _, c := range part.changes {
			printChange(std, part.what, c)
		}
	}
	for _, o := range d.Outcomes {
		fmt.Fprintf(std.out, "outcome  %s: %s: %s → %s\n", o.File, o.Name, verdictBy(string(o.Before), o.PoliciesBefore), verdictBy(string(o.After), o.PoliciesAfter))
	}
	for _, t := range d.Tools {
		fmt.Fprintf(std.out, "tool     %s: %s → %s\n", t.Action, t.Before, t.After)
	}
	return nil
}

func printChange(std streams, what string, c review.Change) {
	sign := map[string]string{review.Added: "+", review.Removed: "-", review.Changed: "~"}[c.Kind]
	line := fmt.Sprintf("%s %s %s", sign, what, c.Name)
	if len(c.Parts) > 0 {
		line += ": " + strings.Join(c.Parts, ", ")
	}
	fmt.Fprintln(std.out, line)
	for _, side := range []struct{ sign, text string }{{"-", c.Before}, {"+", c.After}} {
		if side.text == "" {
			continue
		}
		for l := range strings.Lines(side.text) {
			fmt.Fprintf(std.out, "    %s %s\n", side.sign, strings.TrimRight(l, "\n"))
		}
	}
}

func verdictBy(verdict string, policies []string) string {
	if verdict == "" {
		return "not decidable"
	}
	if len(policies) == 0 {
		return verdict
	}
	return verdict + " by " + strings.Join(policies, ", ")
}
