package main

import (
	"fmt"
	"io"
	"os"

	"aims/internal/policy/foreign"
)

// importing is what both imports share.
type importing struct {
	File string   `arg:"" type:"existingfile" help:"The policies of the other product."`
	Role []string `name:"role-claim" help:"Claims whose values are roles here; by default role, roles, groups and scope."`
	JSON bool     `name:"json" help:"Print JSON: the text and the report."`
}

type importAgentCoreCmd struct {
	importing
	Server map[string]string `name:"server" help:"What a target is called here, TARGET=SERVER."`
}

func (c *importAgentCoreCmd) Run(std streams) error {
	return c.run(std, foreign.AgentCore, foreign.Options{Servers: c.Server})
}

type importToolHiveCmd struct {
	importing
	Server string `name:"server" required:"" help:"The server that the policies are about."`
}

func (c *importToolHiveCmd) Run(std streams) error {
	return c.run(std, foreign.ToolHive, foreign.Options{Server: c.Server})
}

// run prints the policies on standard output and what did not carry over on
// standard error.
func (c *importing) run(std streams, read func([]byte, foreign.Options) (foreign.Result, error), o foreign.Options) error {
	o.RoleClaims = c.Role
	source, err := os.ReadFile(c.File)
	if err != nil {
		return withCode(exitUsage, err)
	}
	got, err := read(source, o)
	if err != nil {
		return failf(exitUsage, "%s: %w", c.File, err)
	}
	if c.JSON {
		return printJSON(std.out, got)
	}
	for _, n := range got.Notes {
		place := c.File
		if n.Line > 0 {
			place = fmt.Sprintf("%s:%d", c.File, n.Line)
		}
		if n.Policy > 0 {
			place += fmt.Sprintf(": policy %d", n.Policy)
		}
		fmt.Fprintf(std.err, "%s: %s\n", place, n.Text)
	}
	fmt.Fprintf(std.err, "%d policies carried over, %d left out\n", got.Carried, got.Left)
	_, err = io.WriteString(std.out, got.Text)
	return err
}
