package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/hindsight"
)

// period bounds recorded calls by their time.
type period struct {
	Days  float64   `name:"days" help:"Only the last days."`
	Since time.Time `name:"since" help:"Only from this time on (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
	Until time.Time `name:"until" help:"Only before this time (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
}

func (p period) query() (url.Values, error) {
	q := url.Values{}
	if p.Days < 0 || p.Days > 0 && !p.Since.IsZero() {
		return nil, failf(exitUsage, "give either --days, more than 0, or --since")
	}
	if p.Days > 0 {
		p.Since = time.Now().Add(-time.Duration(p.Days * float64(24*time.Hour)))
	}
	if !p.Since.IsZero() {
		q.Set("since", p.Since.Format(time.RFC3339))
	}
	if !p.Until.IsZero() {
		q.Set("until", p.Until.Format(time.RFC3339))
	}
	return q, nil
}

type policyReplayCmd struct {
	server
	period
	Dir  string `arg:"" optional:"" help:"Directory of the candidate's *.cedar files; without it, the server's own policy directory."`
	JSON bool   `name:"json" help:"Print one JSON object a line: each call that would end otherwise, then the result."`
}

func (c *policyReplayCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	files, err := policyFiles(std, c.Dir)
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	body, err := client.Open(ctx, http.MethodPost, "/api/v1/policy/replay?"+q.Encode(), files)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := json.NewDecoder(body)
	for {
		var line api.ReplayLine
		if err := lines.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it ended early")
			}
			return failf(exitFailed, "the replay broke off: %w", err)
		}
		done, err := c.print(std, line)
		if done || err != nil {
			return err
		}
	}
}

// print prints one line of a replay and says whether it is the last.
func (c *policyReplayCmd) print(std streams, line api.ReplayLine) (done bool, err error) {
	switch {
	case line.Check != nil:
		for _, p := range line.Check.Problems {
			fmt.Fprintln(std.err, p)
		}
		return true, failf(exitUsage, "the candidate does not compile (%d problems)", len(line.Check.Problems))
	case line.Progress != nil:
		_, err = fmt.Fprintf(std.err, "%d of %d entries read\n", line.Progress.Read, line.Progress.Of)
		return false, err
	case c.JSON:
		enc := json.NewEncoder(std.out)
		enc.SetEscapeHTML(false)
		return line.Result != nil, enc.Encode(line)
	case line.Change != nil:
		d := line.Change
		why := strings.Join(d.Rules, ", ")
		if d.Cause != "" {
			why = d.Cause
		} else if why == "" {
			why = "no rule speaks of it"
		}
		_, err = fmt.Fprintf(std.out, "%s  %s  %s %s  %s → %s  (%s)\n", d.Receipt, d.Time.Format(time.RFC3339), d.Agent, d.Action, d.Before, d.After, why)
		return false, err
	case line.Result != nil:
		return true, printReplay(std.out, *line.Result)
	}
	return false, nil
}

func printReplay(w io.Writer, r hindsight.Replay) error {
	fmt.Fprintf(w, "%d calls decided again under %s: %d would end otherwise\n", r.Decided, r.Policy, r.Changed)
	if r.NotKept > 0 {
		fmt.Fprintf(w, "%d calls could not be decided again: their arguments or facts are erased\n", r.NotKept)
	}
	t := table{heading: []string{"", "", "BEFORE", "AFTER", "CALLS"}}
	for _, group := range []struct {
		name   string
		counts []hindsight.Count
	}{{"agent", r.ByAgent}, {"tool", r.ByTool}, {"rule", r.ByRule}} {
		for _, c := range group.counts {
			t.add(group.name, c.Name, string(c.Before), string(c.After), fmt.Sprint(c.Calls))
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	return t.print(w)
}

type policyCoverageCmd struct {
	server
	period
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *policyCoverageCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	var got hindsight.Coverage
	if err := client.Do(ctx, http.MethodGet, "/api/v1/policy/coverage?"+q.Encode(), nil, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, got)
	}
	t := table{heading: []string{"RULE", "EFFECT", "IN FORCE", "DECIDED", "ALLOWED", "DENIED", "HELD", "FAULTS", "LAST"}}
	for _, r := range got.Rules {
		inForce, last := "no", "never"
		if r.InForce {
			inForce = "yes"
		}
		if r.Last != nil {
			last = r.Last.Format(time.RFC3339)
		}
		t.add(r.Policy, r.Effect, inForce, fmt.Sprint(r.Decided), fmt.Sprint(r.Allowed), fmt.Sprint(r.Denied), fmt.Sprint(r.Held), fmt.Sprint(r.Faults), last)
	}
	if err := t.print(std.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%d decisions; %d were denied because no rule spoke of them\n", got.Decisions, got.Unmatched)
	return err
}

type policyMineCmd struct {
	server
	period
	Purpose string   `name:"purpose" required:"" help:"The purpose whose recorded work is to be covered."`
	Without []string `name:"without" help:"Receipts and sessions that were no benign work."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

func (c *policyMineCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	q.Set("purpose", c.Purpose)
	if len(c.Without) > 0 {
		q.Set("without", strings.Join(c.Without, ","))
	}
	var mined hindsight.Mined
	if err := client.Do(ctx, http.MethodGet, "/api/v1/policy/mine?"+q.Encode(), nil, &mined); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, mined)
	}
	if mined.Failed+mined.NotKept > 0 {
		fmt.Fprintf(std.err, "not learnt from: %d calls that did not succeed, %d whose arguments are erased\n", mined.Failed, mined.NotKept)
	}
	_, err = io.WriteString(std.out, mined.Text)
	return err
}
