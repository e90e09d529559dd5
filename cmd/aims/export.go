package main

import (
	"context"
	"fmt"
	"time"

	"aims/receipt"
)

type exportCmd struct {
	server
	Dir      string `arg:"" type:"path" help:"Directory to write; it must not exist."`
	Payloads bool   `name:"payloads" help:"With inputs, facts and results, for who may read them, so that decisions can be made again."`
	JSON     bool   `name:"json" help:"Print the manifest as JSON."`
}

func (c *exportCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	src, err := client.Source(ctx, c.Payloads)
	if err != nil {
		return err
	}
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
