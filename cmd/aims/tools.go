package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"aims/internal/api"
)

type toolsListCmd struct {
	server
	asOf
	Server string `arg:"" optional:"" help:"Only the tools of this server."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *toolsListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	tools, err := listTools(ctx, client, c.Server, c.AsOf)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, tools)
	}
	t := table{heading: []string{"ACTION", "STATE", "KIND", "PIN", "EFFECTS", "RESULTS", "SINKS"}}
	for _, tool := range tools {
		t.add(tool.Action, tool.State, toolKind(tool), shortDigest(tool.Pin),
			orDash(strings.Join(tool.Effects, ",")), orDash(strings.Join(tool.Labels, ",")), orDash(sinksText(tool.Sinks)))
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

func listTools(ctx context.Context, client *api.Client, server, asOf string) ([]api.Tool, error) {
	var tools []api.Tool
	if err := client.Do(ctx, http.MethodGet, "/api/v1/tools"+asOfQuery(asOf), nil, &tools); err != nil {
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
	case t.Unknown:
		return "unknown"
	case t.ReadOnly:
		return "read-only"
	case t.Destructive:
		return "destructive"
	}
	return "-"
}

// sinksText is the sinks of a tool as ARGUMENT=KIND, in the order of the arguments.
func sinksText(sinks map[string]string) string {
	var words []string
	for _, path := range slices.Sorted(maps.Keys(sinks)) {
		words = append(words, path+"="+sinks[path])
	}
	return strings.Join(words, ",")
}

// printFacts prints what policies know of a tool, and who said it.
func printFacts(w io.Writer, t api.Tool) {
	fmt.Fprintf(w, "  effects  %s\n  results  %s\n  sinks    %s\n",
		orDash(strings.Join(t.Effects, ", ")), orDash(strings.Join(t.Labels, ", ")), orDash(sinksText(t.Sinks)))
	if t.Said == nil {
		fmt.Fprintln(w, "  nobody labelled it: all of this follows from its definition, which its server wrote")
		return
	}
	by := "a person"
	if t.Said.Source == "configuration" {
		by = "the configuration"
	}
	said := "effects " + orDash(strings.Join(t.Said.Effects, ", ")) + "; results " + orDash(strings.Join(t.Said.Labels, ", ")) +
		"; sinks " + orDash(sinksText(t.Said.Sinks))
	fmt.Fprintf(w, "  of this %s said, on %s, about the tool of this name: %s\n", by, instant(t.Said.Changed), said)
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
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *toolsApproveCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	pin := c.Pin
	if pin == "" {
		tools, err := listTools(ctx, client, c.Server, "")
		if err != nil {
			return err
		}
		for _, t := range tools {
			if t.Name == c.Tool {
				if pin = cmp.Or(t.Found, t.Pin); t.State == api.ToolApproved && t.Explicit {
					return failf(exitFailed, "%s %s is not under quarantine, and a person has approved it", c.Server, c.Tool)
				}
				if t.State == api.ToolQuarantined && !c.JSON {
					printDifference(std.out, t)
				}
			}
		}
		if pin == "" {
			return failf(exitFailed, "the server %s has no tool %q", c.Server, c.Tool)
		}
	}
	ask := api.Approval{Server: c.Server, Tool: c.Tool, Pin: pin}
	var done api.ToolDone
	if err := client.Do(ctx, http.MethodPost, "/api/v1/tools/approve", ask, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, done)
	}
	fmt.Fprintf(std.out, "%s %s is approved as %s; what policies know of it now, does it still fit?\n", c.Server, c.Tool, shortDigest(pin))
	printFacts(std.out, done.Tool)
	_, err = fmt.Fprintf(std.out, "if not: aims tools label %s %s …\n", c.Server, c.Tool)
	return err
}

type toolsLabelCmd struct {
	server
	Server string   `arg:"" help:"Name of the server."`
	Tool   string   `arg:"" help:"Name of the tool."`
	Effect []string `name:"effect" help:"What calls do: read, write, send, pay, credential, delete, execute; repeat for more. Replaces what was said."`
	Label  []string `name:"label" help:"What results carry: confidential, directory, one of your own; untrusted besides, unless it is trusted. Replaces what was said."`
	Sink   []string `name:"sink" placeholder:"ARGUMENT=KIND" help:"Kind of an argument that decides where something goes: recipient, account, url, path, repository, credential; nothing when it is none."`
	Clear  bool     `name:"clear" help:"First take back all that was said."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

func (c *toolsLabelCmd) Run(ctx context.Context, std streams) error {
	ask := api.Labelling{Server: c.Server, Tool: c.Tool, Effects: c.Effect, Labels: c.Label, Clear: c.Clear, Sinks: map[string]string{}}
	for _, sink := range c.Sink {
		path, kind, ok := strings.Cut(sink, "=")
		if !ok {
			return failf(exitUsage, "%q is no sink; expected ARGUMENT=KIND, or ARGUMENT= when it is none", sink)
		}
		ask.Sinks[path] = kind
	}
	if !c.Clear && len(c.Effect)+len(c.Label)+len(c.Sink) == 0 {
		return failf(exitUsage, "nothing to say; give --effect, --label, --sink or --clear")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var done api.ToolDone
	if err := client.Do(ctx, http.MethodPost, "/api/v1/tools/label", ask, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, done)
	}
	fmt.Fprintf(std.out, "%s %s: policies know of it from the next decision on [%s]\n", c.Server, c.Tool, done.Receipt)
	printFacts(std.out, done.Tool)
	return nil
}

type toolsForgetCmd struct {
	server
	JSON   bool   `name:"json" help:"Print JSON."`
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
	return answer(std.out, c.JSON, map[string]string{"server": c.Server, "tool": c.Tool, "state": "forgotten"},
		fmt.Sprintf("%s %s is forgotten; if the server lists it again, it is new", c.Server, c.Tool))
}
