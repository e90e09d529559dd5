package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"aims/internal/register"
	"aims/receipt"
)

type logExportCmd struct {
	server
	Dir      string `arg:"" type:"path" help:"Directory to write; it must not exist."`
	Payloads bool   `name:"payloads" help:"With inputs, facts and results, for who may read them, so that decisions can be made again."`
	JSON     bool   `name:"json" help:"Print the manifest as JSON."`
}

func (c *logExportCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	src, err := client.Source(ctx, c.Payloads)
	if err != nil {
		return err
	}
	src, end, err := watched(ctx, src, std, "exporting")
	if err != nil {
		return err
	}
	defer end()
	manifest, err := receipt.Export(ctx, src, c.Dir, receipt.ExportOptions{Created: time.Now(), Payloads: c.Payloads})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, manifest)
	}
	_, err = fmt.Fprintf(std.out, "%s: %d entries of the log %s\n", c.Dir, manifest.Size, manifest.Origin)
	return err
}

type logRegistersCmd struct {
	server
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *logRegistersCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var v register.Verification
	if err := client.Do(ctx, http.MethodGet, "/api/v1/registers-verification", nil, &v); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(std.out, v)
	} else {
		_, err = fmt.Fprintf(std.out, "%d receipts in %d entries of the log give %d records and %d marks; the content of %d receipts is erased\n",
			v.Receipts, v.Size, v.Records, v.Marks, len(v.Erased))
	}
	if err == nil && len(v.Differences) > 0 {
		return failf(exitFailed, "the registers are NOT what the log says:\n%s", strings.Join(v.Differences, "\n"))
	}
	return err
}
