package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"aims/internal/api"
	"aims/internal/evidence/soa"
	"aims/internal/register/record"
)

type soaShowCmd struct {
	server
	asOf
	Compare string `name:"compare" placeholder:"DATE" help:"What changed since the end of a day or a moment, instead of the statement."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

func (c *soaShowCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var s api.Applicability
	q := url.Values{"as_of": {c.AsOf}, "compare": {c.Compare}}
	if err := client.Do(ctx, http.MethodGet, "/api/v1/soa?"+q.Encode(), nil, &s); err != nil {
		return err
	}
	switch {
	case c.JSON:
		return printJSON(std.out, s)
	case c.Compare != "":
		return printStatementChanges(std.out, s)
	}
	return printStatement(std.out, s)
}

type soaApproveCmd struct {
	server
	Digest string `name:"digest" required:"" help:"The statement that you have seen, as aims soa prints it."`
	Note   string `name:"note" help:"Why; it is kept beside the log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (c *soaApproveCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return state(ctx, std, client, c.JSON, api.RegisterMark{Mark: string(record.Approve), Kind: soa.On, ID: soa.ID, Digest: c.Digest, Note: c.Note})
}

// printStatement prints a line for each control, and below it what the row lacks.
func printStatement(w io.Writer, s api.Applicability) error {
	fmt.Fprintf(w, "Statement of applicability, %s\ndigest    %s\napproved  %s\n\n", instant(s.At), s.Digest, statementApproval(s))
	t := table{heading: []string{"CONTROL", "DECISION", "IMPLEMENTED", "EVIDENCE", "RISKS", "RULES", "OWNER", "APPROVED", "TITLE"}}
	for _, r := range s.Rows {
		approved := "-"
		if r.Approval != nil {
			approved = r.Approval.By
		}
		t.add(r.Control, r.Decision, orDash(r.Implementation), stateText(r.Evidence.State), fmt.Sprint(len(r.Risks)), fmt.Sprint(len(r.Rules)),
			orDash(r.Owner), approved, clipped(r.Title, 30))
	}
	if err := t.print(w); err != nil {
		return err
	}
	printWanting(w, s.Rows)
	if s.Stale {
		fmt.Fprintln(w)
		if err := printStatementChanges(w, s); err != nil {
			return err
		}
	}
	if s.Approval == nil {
		fmt.Fprintf(w, "\nTo approve it: aims soa approve --digest %s\n", s.Digest)
	}
	return nil
}

func statementApproval(s api.Applicability) string {
	switch {
	case s.Approval != nil:
		return fmt.Sprintf("by %s at %s, %s", s.Approval.By, s.Approval.At, s.Approval.Receipt)
	case s.Approved != nil:
		return fmt.Sprintf("stale: %s approved another statement at %s, %s", s.Approved.By, s.Approved.At, s.Approved.Receipt)
	}
	return "not yet"
}

// printWanting groups the controls by what their rows lack.
func printWanting(w io.Writer, rows []soa.Row) {
	var order []string
	controls := map[string][]string{}
	for _, r := range rows {
		for _, what := range r.Wanting {
			if controls[what] == nil {
				order = append(order, what)
			}
			controls[what] = append(controls[what], r.Control)
		}
	}
	if len(order) > 0 {
		fmt.Fprint(w, "\nWHAT IS WANTING\n")
	}
	for _, what := range order {
		fmt.Fprintf(w, "%s (%d)\n", what, len(controls[what]))
		for list := controls[what]; len(list) > 0; {
			n := min(len(list), 14)
			fmt.Fprintf(w, "    %s\n", strings.Join(list[:n], " "))
			list = list[n:]
		}
	}
}

func printStatementChanges(w io.Writer, s api.Applicability) error {
	if s.Since == nil {
		return nil
	}
	fmt.Fprintf(w, "WHAT CHANGED SINCE %s\n", instant(*s.Since))
	for _, c := range s.Changes {
		fmt.Fprintf(w, "%-7s %-15s %s → %s\n", c.Control, c.What, orDash(clipped(c.Before, 40)), orDash(clipped(c.After, 40)))
	}
	if len(s.Changes) == 0 {
		fmt.Fprintln(w, "nothing that the statement joins")
	}
	return nil
}

// clipped is a text of at most n letters.
func clipped(s string, n int) string {
	letters := []rune(printable(s))
	if len(letters) <= n {
		return string(letters)
	}
	return string(letters[:n-1]) + "…"
}
