package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/approval"
)

type approvalsListCmd struct {
	server
	presentOnly
	All  bool `name:"all" help:"Also those that are used, denied or over."`
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *approvalsListCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("the arguments of a held call lie beside the log and can be erased; `aims receipts list --as-of DATE --action approval.requested` shows who asked"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	all := []api.ApprovalRequest{}
	for q := (url.Values{"all": {strconv.FormatBool(c.All)}}); ; {
		var page api.ApprovalPage
		if err := client.Do(ctx, http.MethodGet, "/api/v1/approvals?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		if all = append(all, page.Approvals...); page.Next == "" {
			break
		}
		q.Set("before", page.Next)
	}
	if c.JSON {
		return printJSON(std.out, all)
	}
	t := table{heading: []string{"APPROVAL", "STATE", "AGENT", "ACTION", "NEEDS", "UNTIL"}}
	for _, r := range all {
		t.add(r.ID, r.State, approval.Visible(r.Agent), approval.Visible(r.Action), needs(r), instant(r.Expires))
	}
	return t.print(std.out)
}

// needs are the roles of which somebody is still needed.
func needs(r api.ApprovalRequest) string {
	if len(r.Remaining) == 0 {
		return "-"
	}
	return strings.Join(r.Remaining, ",")
}

func approvalPath(id, rest string) string { return "/api/v1/approvals/" + url.PathEscape(id) + rest }

type approvalsShowCmd struct {
	server
	presentOnly
	ID   string `arg:"" name:"approval" help:"Id of the approval (apr_…)."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *approvalsShowCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("the arguments of a held call lie beside the log and can be erased; `aims receipts list --as-of DATE --action approval.requested` shows who asked"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var r api.ApprovalRequest
	if err := client.Do(ctx, http.MethodGet, approvalPath(c.ID, ""), nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	return printApproval(std.out, r)
}

// printApproval prints what a person needs to judge a held call. Names and
// texts are others' words: what does not show is escaped.
func printApproval(w io.Writer, r api.ApprovalRequest) error {
	lines := [][2]string{
		{"approval", r.ID}, {"state", r.State}, {"agent", r.Agent}, {"for", r.OnBehalfOf}, {"operator", r.Operator}, {"purpose", r.Purpose},
		{"session", r.Session}, {"action", r.Action}, {"roles", strings.Join(r.Roles, ", ")}, {"needs", needs(r)}, {"quorum", strconv.Itoa(r.Quorum)},
		{"asked", instant(r.Requested)}, {"until", instant(r.Expires)}, {"receipt", r.Decision},
	}
	for _, v := range r.Votes {
		verdict := "granted"
		if !v.Grant {
			verdict = "denied"
		}
		lines = append(lines, [2]string{verdict, fmt.Sprintf("by %s as %s at %s", v.Person, strings.Join(v.Roles, ", "), instant(v.Time))})
		if v.Note != "" {
			lines = append(lines, [2]string{"", v.Note})
		}
	}
	for _, line := range lines {
		if line[1] != "" {
			if _, err := fmt.Fprintf(w, "%-10s%s\n", line[0], approval.Visible(line[1])); err != nil {
				return err
			}
		}
	}
	for line := range strings.SplitSeq(r.Summary, "\n") {
		if _, err := fmt.Fprintln(w, approval.Visible(line)); err != nil {
			return err
		}
	}
	return nil
}

type approvalsGrantCmd struct {
	server
	ID   string `arg:"" name:"approval" help:"Id of the approval (apr_…)."`
	Note string `name:"note" help:"Why; kept beside the log."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *approvalsGrantCmd) Run(ctx context.Context, std streams) error {
	return c.vote(ctx, std, c.ID, "grant", c.Note, c.JSON)
}

type approvalsDenyCmd struct {
	server
	ID   string `arg:"" name:"approval" help:"Id of the approval (apr_…)."`
	Note string `name:"note" help:"Why; kept beside the log."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *approvalsDenyCmd) Run(ctx context.Context, std streams) error {
	return c.vote(ctx, std, c.ID, "deny", c.Note, c.JSON)
}

func (s server) vote(ctx context.Context, std streams, id, verdict, note string, asJSON bool) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	var r api.ApprovalRequest
	if err := client.Do(ctx, http.MethodPost, approvalPath(id, "/"+verdict), api.ApprovalNote{Note: note}, &r); err != nil {
		return err
	}
	text := r.ID + " is " + r.State
	if len(r.Remaining) > 0 {
		text += "; still needed: " + needs(r)
	}
	return answer(std.out, asJSON, r, text)
}

type approvalsWaitCmd struct {
	server
	ID      string        `arg:"" name:"approval" help:"Id of the approval (apr_…)."`
	JSON    bool          `name:"json" help:"Print JSON, of an approval that is granted, denied or over."`
	Timeout time.Duration `name:"timeout" help:"Give up after this time; without it, when the approval expires."`
}

// Run waits in rounds that the server answers in time.
func (c *approvalsWaitCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		ctx = limited
	}
	round := approvalPath(c.ID, fmt.Sprintf("?wait=%d", int(api.MaxApprovalWait.Seconds())))
	for {
		var r api.ApprovalRequest
		if err := client.Do(ctx, http.MethodGet, round, nil, &r); errors.Is(err, context.DeadlineExceeded) {
			return failf(exitFailed, "%s still waits", c.ID)
		} else if err != nil {
			return err
		}
		if r.State != "pending" && c.JSON {
			if err := printJSON(std.out, r); err != nil {
				return err
			}
		}
		switch r.State {
		case "pending":
			continue
		case "granted", "used":
			if c.JSON {
				return nil
			}
			_, err := fmt.Fprintln(std.out, r.ID+" is "+r.State)
			return err
		case "denied":
			return failf(exitRefused, "%s is denied", r.ID)
		}
		return failf(exitFailed, "%s is %s", r.ID, r.State)
	}
}
