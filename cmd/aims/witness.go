package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"aims/internal/app"
)

type witnessCmd struct {
	Name    string   `name:"name" required:"" help:"Name of the witness, a URL without scheme, such as witness.example.com; it is part of its key."`
	Log     []string `name:"log" required:"" placeholder:"VKEY" help:"Verifier key of a log to watch (log.vkey in its data directory); repeat for more."`
	Listen  string   `name:"listen" default:"127.0.0.1:8643" help:"Address to listen on."`
	DataDir string   `name:"data-dir" default:"aims-witness" type:"path" help:"Directory of the witness's key and of what it has seen."`
}

func (c *witnessCmd) Run(ctx context.Context, std streams) error {
	return app.RunWitness(ctx, app.WitnessConfig{
		Listen: c.Listen, DataDir: c.DataDir, Name: c.Name, Logs: c.Log,
		Log: slog.NewTextHandler(std.err, nil), Now: time.Now,
		Ready: func(url, vkey string) {
			fmt.Fprintf(std.err, "witness on %s; in the configuration of the log:\n", url)
			fmt.Fprintf(std.out, "witnesses:\n  - {url: %q, vkey: %q}\n", url, vkey)
		},
	})
}
