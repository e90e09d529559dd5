package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"aims/internal/api"
)

type toolsListCmd struct {
	server
	Server string `arg:"" optional:"" help:"Only the tools of this server."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *toolsListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	tools, err := listTools(ctx, client, c.Server)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, tools)
	}
	t := table{heading: []string{"ACTION", "STATE", "KIND", "PIN"}}
	for _, tool := range tools {
		t.add(tool.Action, tool.State, toolKind(tool), shortDigest(tool.Pin))
	}
	if err := t.print(std.out); err != nil {
		return err
	}
	for _, tool := range tools {
		if tool.State != "approved" {
			printDifference(std.out, tool)
		}
	}
	return nil
}

func listTools(ctx context.Context, client *api.Client, server string) ([]api.Tool, error) {
	var tools []api.Tool
	if err := client.Do(ctx, http.MethodGet, "/api/v1/tools", nil, &tools); err != nil {
		return nil, err
	}
	if server == "" {
		return tools, nil
	}
	var some []api.Tool
	for _, t := range tools {
		if t.Server == server {
			some = append(some, t)
		}
	}
	if len(some) == 0 {
		return nil, failf(exitFailed, "no tool of a server %q is known", server)
	}
	return some, nil
}

func toolKind(t api.Tool) string {
	switch {
	case t.ReadOnly:
		return "read-only"
	case t.Destructive:
		return "destructive"
	}
	return "-"
}

// shortDigest is enough of a digest to tell two apart by eye.
func shortDigest(d string) string {
	const shown = len("sha256:") + 16
	if len(d) > shown {
		return d[:shown]
	}
	return d
}

// printDifference shows why a tool is under quarantine, field by field.
func printDifference(w io.Writer, t api.Tool) {
	fmt.Fprintf(w, "\n%s %s is %s: %s\n", t.Server, t.Name, t.State, t.Why)
	for _, d := range t.Difference {
		fmt.Fprintf(w, "  %s\n", d.Field)
		if len(d.Before) > 0 {
			fmt.Fprintf(w, "    - %s\n", oneLine(d.Before))
		}
		if len(d.After) > 0 {
			fmt.Fprintf(w, "    + %s\n", oneLine(d.After))
		}
	}
}

func oneLine(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

type toolsApproveCmd struct {
	server
	Server string `arg:"" help:"Name of the server."`
	Tool   string `arg:"" help:"Name of the tool."`
	Pin    string `name:"pin" help:"Digest that was looked at; without it, the definition that is printed now is approved."`
}

func (c *toolsApproveCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	pin := c.Pin
	if pin == "" {
		tools, err := listTools(ctx, client, c.Server)
		if err != nil {
			return err
		}
		for _, t := range tools {
			if t.Name == c.Tool {
				if pin = t.Found; pin == "" {
					return failf(exitFailed, "%s %s is not under quarantine", c.Server, c.Tool)
				}
				printDifference(std.out, t)
			}
		}
		if pin == "" {
			return failf(exitFailed, "the server %s has no tool %q", c.Server, c.Tool)
		}
	}
	ask := api.Approval{Server: c.Server, Tool: c.Tool, Pin: pin}
	if err := client.Do(ctx, http.MethodPost, "/api/v1/tools/approve", ask, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s %s is approved as %s\n", c.Server, c.Tool, shortDigest(pin))
	return err
}

type toolsForgetCmd struct {
	server
	Server string `arg:"" help:"Name of the server."`
	Tool   string `arg:"" help:"Name of the tool."`
}

func (c *toolsForgetCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ask := api.Forgetting{Server: c.Server, Tool: c.Tool}
	if err := client.Do(ctx, http.MethodPost, "/api/v1/tools/forget", ask, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s %s is forgotten; if the server lists it again, it is new\n", c.Server, c.Tool)
	return err
}
