package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aims/internal/approval"
	"aims/internal/evidence/audit"
	"aims/internal/evidence/criteria"
)

const reviewsPath = "/api/v1/reviews"

// reviewCmds is `aims review`.
type reviewCmds struct {
	List   reviewListCmd   `cmd:"" help:"List the management reviews and what is not as it should be."`
	Freeze reviewFreezeCmd `cmd:"" help:"Freeze the inputs of a review, with a digest, before it is held."`
	Show   reviewShowCmd   `cmd:"" help:"Print a review: its inputs, decisions, and those that are overdue."`
}

type reviewListCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *reviewListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var list []audit.Review
	if err := client.Do(ctx, http.MethodGet, reviewsPath+asOfQuery(c.AsOf), nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	t := table{heading: []string{"REVIEW", "PLANNED", "HELD", "FROZEN", "DECISIONS", "EXCEPTIONS"}}
	for _, r := range list {
		frozen := "-"
		if r.Frozen != nil {
			frozen = instant(r.Frozen.Paper.At)
		}
		t.add(r.ID, string(r.Planned), orDash(string(r.Held)), frozen, fmt.Sprint(len(r.Decisions)), approval.Visible(orDash(strings.Join(r.Exceptions, "; "))))
	}
	return t.print(std.out)
}

type reviewFreezeCmd struct {
	server
	ID   string `arg:"" name:"review" help:"Id of the review's record."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *reviewFreezeCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var f audit.Frozen
	if err := client.Do(ctx, http.MethodPost, reviewsPath+"/"+url.PathEscape(c.ID)+"/freeze", nil, &f); err != nil {
		return err
	}
	return answer(std.out, c.JSON, f, fmt.Sprintf("frozen: %s [%s]\nname this digest as inputs in the record of the review", f.Digest, f.Paper.Receipt))
}

type reviewShowCmd struct {
	server
	asOf
	ID   string `arg:"" name:"review" help:"Id of the review's record."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *reviewShowCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var r audit.Review
	if err := client.Do(ctx, http.MethodGet, reviewsPath+"/"+url.PathEscape(c.ID)+asOfQuery(c.AsOf), nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	return printReview(std.out, r)
}

func printReview(w io.Writer, r audit.Review) error {
	lines := [][2]string{
		{"review", r.ID}, {"planned", string(r.Planned)}, {"held", string(r.Held)}, {"chair", r.Chair}, {"took part", strings.Join(r.Attended, ", ")}, {"inputs", r.Inputs},
	}
	if f := r.Frozen; f != nil {
		lines = append(lines, [2]string{"frozen", fmt.Sprintf("%s at %s by %s [%s]", f.Digest, instant(f.Paper.At), f.Paper.By, f.Paper.Receipt)})
		lines = append(lines, frozenLines(f.Inputs)...)
	} else {
		lines = append(lines, [2]string{"frozen", "nothing yet: aims review freeze " + r.ID})
	}
	for _, e := range r.Exceptions {
		lines = append(lines, [2]string{"EXCEPTION", e})
	}
	err := printLines(w, lines)
	if len(r.Followed) == 0 {
		return err
	}
	t := table{heading: []string{"DECISION", "OWNER", "DUE", "DONE", "TEXT"}}
	for _, d := range r.Followed {
		due := orDash(string(d.Due))
		if d.Overdue {
			due += " OVERDUE"
		}
		t.add(d.ID, orDash(d.Owner), due, orDash(string(d.Done)), approval.Visible(d.Text))
	}
	return errors.Join(err, t.print(w))
}

// frozenLines say in numbers what lay before a review.
func frozenLines(in audit.Inputs) [][2]string {
	states := map[criteria.State]int{}
	for _, r := range in.Requirements {
		states[r.State]++
	}
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%d %s", states[s], stateText(s)))
	}
	late := 0
	for _, d := range in.Decisions {
		if d.Overdue {
			late++
		}
	}
	return [][2]string{
		{"  requirements", fmt.Sprintf("%d: %s", len(in.Requirements), strings.Join(parts, ", "))},
		{"  corrective", fmt.Sprintf("%d nonconformities open, %d things overdue", len(in.Nonconformities), len(in.Overdue))},
		{"  measures", fmt.Sprint(len(in.Measures))}, {"  audits", fmt.Sprint(len(in.Audits))}, {"  objectives", fmt.Sprint(len(in.Objectives))},
		{"  context", fmt.Sprintf("%d changes of context, parties, obligations and scope since the last review", len(in.Context))},
		{"  decisions", fmt.Sprintf("%d of earlier reviews, %d overdue", len(in.Decisions), late)},
	}
}
