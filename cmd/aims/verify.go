package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/app"
	"aims/receipt"
)

type verifyCmd struct {
	server
	Database   string   `name:"database" help:"Verify this SQLite file or postgres:// database directly instead of a running server."`
	VKey       string   `name:"vkey" help:"Verifier key of the log, or a file that holds it. Without it: log.vkey beside the database file, or what the server says."`
	Witness    []string `name:"witness" placeholder:"VKEY" help:"Verifier key of a witness whose cosignature is required; repeat for more."`
	Checkpoint []string `name:"checkpoint" type:"existingfile" help:"Checkpoint that was kept elsewhere; repeat for more. It shows whether the end of the log was cut off."`
	Payloads   bool     `name:"payloads" default:"true" negatable:"" help:"Check payloads and decide every decision again; needs a role that may read payloads."`
	Growing    bool     `name:"growing" help:"Say, and do not refuse, entries that no checkpoint covers yet: for a database that a server is writing."`
	JSON       bool     `name:"json" help:"Print JSON."`
}

func (c *verifyCmd) Run(ctx context.Context, std streams) error {
	src, vkey, closeSource, err := c.open(ctx, std)
	if err != nil {
		return err
	}
	defer closeSource()
	options := receipt.Options{Growing: c.Growing || c.Database == "", Compile: app.Compile}
	if options.Trust, err = receipt.NewTrust(vkey, c.Witness, 0); err != nil {
		return withCode(exitUsage, err)
	}
	for _, name := range c.Checkpoint {
		text, err := os.ReadFile(name)
		if err != nil {
			return withCode(exitUsage, err)
		}
		options.Elsewhere = append(options.Elsewhere, text)
	}
	src, end, err := watched(ctx, src, std, "verifying")
	if err != nil {
		return err
	}
	report, err := receipt.Verify(ctx, src, options)
	end()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(std.out, report)
	} else {
		err = printReport(std.out, report)
	}
	if err == nil && !report.Verified() {
		return failf(exitFailed, "the log does NOT verify")
	}
	return err
}

// open is the log to verify and the key to verify it with.
func (c *verifyCmd) open(ctx context.Context, std streams) (receipt.Source, string, func(), error) {
	vkey, err := keyText(c.VKey)
	if err != nil {
		return nil, "", nil, err
	}
	if c.Database != "" {
		if vkey == "" {
			if vkey, err = keyText(filepath.Join(filepath.Dir(c.Database), app.VerifierKeyFile)); err != nil {
				return nil, "", nil, err
			}
		}
		src, closeSource, err := app.OpenSource(ctx, c.Database, time.Now)
		return src, vkey, closeSource, err
	}
	client, err := c.client()
	if err != nil {
		return nil, "", nil, err
	}
	if vkey == "" {
		var status api.Status
		if err := client.Do(ctx, http.MethodGet, "/api/v1/status", nil, &status); err != nil {
			return nil, "", nil, err
		}
		vkey = status.Verifier
		fmt.Fprintln(std.err, "verifying against the key that the server itself names; --vkey takes one that was kept elsewhere")
	}
	src, err := client.Source(ctx, c.Payloads)
	return src, vkey, func() {}, err
}

// keyText is a verifier key, given as it is or as a file that holds it.
func keyText(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	if _, err := receipt.NewTrust(given, nil, 0); err == nil {
		return given, nil
	}
	text, err := os.ReadFile(given)
	if err != nil {
		return "", failf(exitUsage, "the verifier key cannot be read: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// printReport prints one line per check, and under it what is wrong.
func printReport(w io.Writer, r receipt.Report) error {
	t := table{heading: []string{"CHECK", "RESULT", "EXAMINED", "NOTE"}}
	for _, c := range r.Checks {
		t.add(c.Name, string(c.State), fmt.Sprintf("%d %s", c.Population, c.Of), c.Note)
	}
	failures := []error{t.print(w)}
	for _, c := range r.Checks {
		for _, e := range c.First {
			_, err := fmt.Fprintf(w, "%s: %s\n", c.Name, e)
			failures = append(failures, err)
		}
		if more := c.Exceptions - uint64(len(c.First)); more > 0 {
			_, err := fmt.Fprintf(w, "%s: and %d more\n", c.Name, more)
			failures = append(failures, err)
		}
	}
	_, err := fmt.Fprintf(w, "\nlog %s, %d entries, root %s\n", r.Origin, r.Size, r.Root)
	return errors.Join(append(failures, err)...)
}
