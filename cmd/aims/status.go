package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
)

type statusCmd struct {
	server
	judged
	Requirement string `arg:"" optional:"" help:"Id of a requirement, such as 6.1.2 or A.6.2.8: what is shown of it. Without it, the state of the server."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *statusCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if c.Requirement == "" {
		if c.query() != "" {
			return failf(exitUsage, "--as-of, --from and --until go with a requirement: aims status 6.1.2 --as-of DATE")
		}
		return c.ofServer(ctx, client, std)
	}
	var r evidence.Requirement
	if err := client.Do(ctx, http.MethodGet, "/api/v1/evidence/requirements/"+url.PathEscape(c.Requirement)+c.query(), nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	return printRequirement(std.out, r)
}

// ofServer prints the state of the server.
func (c *statusCmd) ofServer(ctx context.Context, client *api.Client, std streams) error {
	var s api.Status
	if err := client.Do(ctx, http.MethodGet, "/api/v1/status", nil, &s); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, s)
	}
	return printServer(std.out, s)
}

// printRequirement prints how the state of a requirement comes about, from the
// results of its criteria down to receipts.
func printRequirement(w io.Writer, r evidence.Requirement) error {
	fmt.Fprintf(w, "%s  %s\n%s\n\nstate        %s\n", r.ID, r.Title, r.Summary, stateText(r.State))
	if r.Since != "" {
		fmt.Fprintf(w, "since        %s\n", r.Since)
	}
	fmt.Fprintf(w, "owner        %s\ndue          %s\n", orDash(r.Owner), orDash(r.Due))
	if r.Text != "" {
		fmt.Fprintf(w, "own text     %s\n", r.Text)
	}
	for _, why := range r.Reasons {
		fmt.Fprintf(w, "because      %s\n", why)
	}
	for _, result := range r.Results {
		printResult(w, result)
	}
	fmt.Fprintln(w)
	if m := r.Attestation; m != nil {
		fmt.Fprintf(w, "attested by  %s on %s until %s [%s]\n", m.By, time.UnixMicro(m.At).UTC().Format(time.DateOnly), orDash(string(m.Until)), m.Receipt)
		if m.Note != "" {
			fmt.Fprintf(w, "             %s\n", m.Note)
		}
	} else if r.Ceiling != "automatic" {
		fmt.Fprintf(w, "attested by  nobody; `aims attest %s` does it\n", r.ID)
	}
	_, err := fmt.Fprintf(w, "not shown    %s\n", r.NotShown)
	return err
}

// mostExceptions is how many exceptions of a result are printed.
const mostExceptions = 10

func printResult(w io.Writer, r criteria.Result) {
	fmt.Fprintf(w, "\n%-12s %s\n", strings.ReplaceAll(string(r.Outcome), "_", " "), r.Text)
	fmt.Fprintf(w, "             %s: %d of %d %s; %s to %s\n", r.Criterion, r.Population-len(r.Exceptions), r.Population, r.Of, date(r.From), date(r.Until))
	for i, e := range r.Exceptions {
		if i == mostExceptions {
			fmt.Fprintf(w, "             … and %d more; --json has all\n", len(r.Exceptions)-i)
			break
		}
		fmt.Fprintf(w, "             %s %s\n", e.On, e.Text)
	}
	if r.Newest != "" {
		fresh := ""
		if r.FreshUntil != "" {
			fresh = ", counts until " + date(r.FreshUntil)
		}
		fmt.Fprintf(w, "             newest evidence %s%s\n", r.Newest, fresh)
	}
	for _, id := range r.Receipts {
		fmt.Fprintf(w, "             aims receipts show %s\n", id)
	}
	if r.Note != "" {
		fmt.Fprintf(w, "             %s\n", r.Note)
	}
}

// date is the day of a moment.
func date(moment string) string {
	day, _, _ := strings.Cut(moment, "T")
	return day
}
