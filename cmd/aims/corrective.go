package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/approval"
	"aims/internal/corrective"
)

// caseTime is the time as of which cases are shown.
type caseTime struct{ asOf }

func (c caseTime) query() (url.Values, error) {
	q := url.Values{}
	at, err := api.AsOf(c.AsOf, time.Now())
	if err == nil && !at.IsZero() {
		q.Set("at", at.UTC().Format(time.RFC3339Nano))
	}
	return q, err
}

// caseListing is what every list of cases takes.
type caseListing struct {
	server
	caseTime
	All   bool   `name:"all" help:"Also those that are over."`
	State string `name:"state" help:"Only those in this state."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// pageOfCases is the length of a page.
const pageOfCases = 500

// listCases reads all pages of a list.
func listCases[T any](ctx context.Context, c caseListing, path string, more url.Values, id func(T) string) ([]T, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	maps.Copy(q, more)
	q.Set("open", strconv.FormatBool(!c.All && c.State == ""))
	q.Set("state", c.State)
	all := []T{}
	for {
		var page []T
		if err := client.Do(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < pageOfCases {
			return all, nil
		}
		q.Set("before", id(page[len(page)-1]))
	}
}

// oneCase is what showing a case takes.
type oneCase struct {
	server
	caseTime
	ID   string `arg:"" name:"id" help:"Id of the case."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func showCase[T any](ctx context.Context, std streams, c oneCase, path string, show func(io.Writer, T) error) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	var out T
	if err := client.Do(ctx, http.MethodGet, path+"/"+url.PathEscape(c.ID)+"?"+q.Encode(), nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, out)
	}
	return show(std.out, out)
}

// caseVerb is what every step of a case takes.
type caseVerb struct {
	server
	ID   string `arg:"" name:"id" help:"Id of the case."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// take asks for a step and says where the case is then.
func (c caseVerb) take(ctx context.Context, std streams, path, step string, in any) error {
	return takeStep(ctx, std, c.server, path+"/"+url.PathEscape(c.ID)+"/"+step, in, c.JSON)
}

// takeStep posts and says where the case is then.
func takeStep(ctx context.Context, std streams, at server, path string, in any, asJSON bool) error {
	client, err := at.client()
	if err != nil {
		return err
	}
	if asJSON {
		var out any
		if err := client.Do(ctx, http.MethodPost, path, in, &out); err != nil {
			return err
		}
		return printJSON(std.out, out)
	}
	var out corrective.Head
	if err := client.Do(ctx, http.MethodPost, path, in, &out); err != nil {
		return err
	}
	text := out.ID + " is " + string(out.State)
	if out.Due != "" {
		text += fmt.Sprintf("; due %s", out.Due)
		if out.Owner != "" {
			text += " from " + out.Owner
		}
	}
	if n := len(out.Steps); n > 0 {
		text += " [" + out.Steps[n-1].Receipt + "]"
	}
	_, err = fmt.Fprintln(std.out, text)
	return err
}

// printLines prints names and values; a value that is empty is left out. What
// does not show in people's words is escaped.
func printLines(w io.Writer, lines [][2]string) error {
	for _, line := range lines {
		if line[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-16s%s\n", line[0], approval.Visible(line[1])); err != nil {
			return err
		}
	}
	return nil
}

// printSteps prints what happened to a case, and what people wrote.
func printSteps(w io.Writer, steps []corrective.CaseStep) error {
	for _, s := range steps {
		by := ""
		if s.By != (aims.Actor{}) {
			by = " by " + s.By.String()
		}
		if _, err := fmt.Fprintf(w, "\n%s  %s%s  %s\n", instant(s.At), s.Event, by, s.Receipt); err != nil {
			return err
		}
		if s.Erased {
			fmt.Fprintln(w, "  what was written is erased")
		}
		for _, part := range slices.Sorted(maps.Keys(s.Words)) {
			for i, line := range strings.Split(s.Words[part], "\n") {
				name := strings.ReplaceAll(part, "_", " ") + ":"
				if i > 0 {
					name = ""
				}
				if _, err := fmt.Fprintf(w, "  %-14s%s\n", name, approval.Visible(line)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type overdueCmd struct {
	server
	caseTime
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *overdueCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	var owed []corrective.Duty
	if err := client.Do(ctx, http.MethodGet, "/api/v1/corrective/overdue?"+q.Encode(), nil, &owed); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, owed)
	}
	if len(owed) == 0 {
		_, err := fmt.Fprintln(std.out, "nothing is overdue")
		return err
	}
	t := table{heading: []string{"DUE", "WHAT", "OWNER", "OF"}}
	for _, d := range owed {
		t.add(instant(d.Due), d.What, orDash(d.Owner), d.ID)
	}
	return t.print(std.out)
}

// Where cases are.
const (
	nonconformityPath = "/api/v1/nonconformities"
	incidentPath      = "/api/v1/incidents"
	concernPath       = "/api/v1/concerns"
)

// textOf is a step that people say something with.
func textOf(text string) api.Text { return api.Text{Text: text} }
