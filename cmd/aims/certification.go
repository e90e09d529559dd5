package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"aims/internal/approval"
	"aims/internal/evidence/audit"
)

type certificationCmd struct {
	server
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *certificationCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var p audit.Programme
	if err := client.Do(ctx, http.MethodGet, "/api/v1/certification", nil, &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, p)
	}
	return printProgramme(std.out, p)
}

func printProgramme(w io.Writer, p audit.Programme) error {
	var failures []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		failures = append(failures, err)
	}
	line("certification body  %s, on %s\n\n", approval.Visible(p.Body), p.Today)
	t := table{heading: []string{"STAGE", "STATE", "DATE", "WINDOW", "REQUIREMENTS LACKING"}}
	for _, s := range p.Stages {
		window := "-"
		if s.After != "" || s.Before != "" {
			window = fmt.Sprintf("%s to %s", orDash(string(s.After)), orDash(string(s.Before)))
		}
		t.add(s.ID, s.State, orDash(string(s.Date)), window, fmt.Sprintf("%d of 70", len(s.Lacking)))
	}
	failures = append(failures, t.print(w))
	for _, s := range p.Stages {
		line("%s: %s\n", s.ID, s.Rule)
		if s.Consequence != "" {
			line("%s: MISSED: %s\n", s.ID, s.Consequence)
		}
		for _, m := range s.Missing {
			line("%s: missing: %s\n", s.ID, m)
		}
	}
	for _, s := range p.Stages {
		if len(s.Lacking) == 0 {
			continue
		}
		line("\n%s lacks\n", s.ID)
		for _, l := range s.Lacking {
			line("  %-9s %s\n", l.ID, approval.Visible(strings.Join(append([]string{stateText(l.State)}, l.Reasons[:min(1, len(l.Reasons))]...), ": ")))
		}
		break // the next one ahead; the others lack as much
	}
	line("\nSince %s (entry %d of %d): %d changes of records, %d policies put in force, tools changed: %s, agents changed: %s\n",
		orDash(string(p.Since)), p.FromEntry, p.Size, len(p.Changed), len(p.Policies), orDash(strings.Join(p.Tools, ", ")), orDash(strings.Join(p.Agents, ", ")))
	for _, f := range p.Findings {
		late := ""
		if f.Overdue {
			late = " OVERDUE"
		}
		line("finding %s of %s: %s, %s, due %s%s, %s: %s\n", f.ID, f.Stage, f.Grade, f.Requirement, orDash(string(f.Due)), late, orDash(f.State), approval.Visible(f.Text))
	}
	return errors.Join(failures...)
}
