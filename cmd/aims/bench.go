package main

import (
	"context"

	"aims/internal/bench"
)

type benchCmd struct {
	Only  []string `name:"only" placeholder:"MEASURE" help:"Only these measures; repeat for more."`
	Large bool     `name:"large" help:"Verify an export of ten million receipts too."`
	Dir   string   `name:"dir" type:"existingdir" help:"Directory on the disk to measure; the one for temporary files without it."`
	JSON  bool     `name:"json" help:"Print JSON: an array of {name, value, unit, ratio, bound, holds}."`
}

func (c *benchCmd) Run(ctx context.Context, std streams) error {
	holds, err := bench.Run(ctx, bench.Options{JSON: c.JSON, Large: c.Large, Only: c.Only, Dir: c.Dir}, std.out, std.err)
	if err == nil && !holds {
		return failf(exitFailed, "a bound does not hold on this machine")
	}
	return err
}

// benchChildCmd plays a part of a measure in a process of its own; `aims
// bench` starts it.
type benchChildCmd struct {
	Args []string `arg:"" optional:"" passthrough:""`
}

func (c *benchChildCmd) Run(ctx context.Context, std streams) error {
	return bench.Child(ctx, c.Args, std.in, std.out)
}
