package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/register"
	"aims/internal/register/record"
)

func registerPath(kind, id string) string {
	path := "/api/v1/registers/" + url.PathEscape(kind)
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return path
}

type listCmd struct {
	server
	asOf
	Kind string `arg:"" help:"Kind of record; aims schema lists them."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *listCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var rows []api.RegisterRow
	if err := client.Do(ctx, http.MethodGet, registerPath(c.Kind, "")+asOfQuery(c.AsOf), nil, &rows); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, rows)
	}
	t := table{heading: []string{"ID", "VERSION", "CHANGED", "BY", "APPROVED", "OWNER", "WHAT"}}
	for _, row := range rows {
		fields := fieldsOf(row)
		t.add(printable(text(fields["id"])), fmt.Sprint(row.Version.Number), day(row.Version.At), row.Version.By, stated(row.Approved),
			orDash(text(fields["owner"])), orDash(shorten(what(fields))))
	}
	return t.print(std.out)
}

func fieldsOf(row api.RegisterRow) map[string]any {
	var fields map[string]any
	if json.Unmarshal(row.Record, &fields) != nil {
		return nil // the server sends objects
	}
	return fields
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// what is the field by which people know a record.
func what(fields map[string]any) string {
	for _, name := range []string{"title", "name", "text", "statement", "topic", "justification", "measure"} {
		if s := text(fields[name]); s != "" {
			return s
		}
	}
	return ""
}

func shorten(s string) string {
	if letters := []rune(s); len(letters) > 60 {
		s = string(letters[:59]) + "…"
	}
	return printable(s)
}

func day(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.DateOnly) }

func stated(m *record.Mark) string {
	if m == nil {
		return "-"
	}
	return m.By + " " + day(m.At)
}

type showCmd struct {
	server
	asOf
	Kind string `arg:"" help:"Kind of record."`
	ID   string `arg:"" help:"Id of the record."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *showCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	row, err := showRecord(ctx, client, c.Kind, c.ID, c.AsOf)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, row)
	}
	return printRecord(std.out, row)
}

func showRecord(ctx context.Context, client *api.Client, kind, id, asOf string) (api.RegisterRow, error) {
	var row api.RegisterRow
	err := client.Do(ctx, http.MethodGet, registerPath(kind, id)+asOfQuery(asOf), nil, &row)
	return row, err
}

func printRecord(w io.Writer, row api.RegisterRow) error {
	fields := fieldsOf(row)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if s, ok := v.(string); ok && strings.Contains(s, "\n") {
			fmt.Fprintf(w, "%s:\n", name)
			for line := range strings.Lines(s) {
				fmt.Fprintf(w, "    %s\n", printable(strings.TrimRight(line, "\r\n")))
			}
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %s\n", name, printable(strings.Trim(string(b), `"`)))
	}
	v := row.Version
	fmt.Fprintf(w, "\nversion   %d, %s by %s at %s [%s]\ndigest    %s\napproved  %s\n", v.Number, v.Event, v.By, instant(time.UnixMicro(v.At)), v.Receipt, v.Digest, stated(row.Approved))
	if row.Kind == "risk" || row.Kind == "treatment" {
		fmt.Fprintf(w, "accepted  %s\n", stated(row.Accepted))
	}
	for _, m := range row.Acknowledged {
		fmt.Fprintf(w, "read      %s\n", stated(&m))
	}
	return nil
}

type historyCmd struct {
	server
	asOf
	Kind string `arg:"" help:"Kind of record, or requirement."`
	ID   string `arg:"" help:"Id of the record."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *historyCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var history []register.Change
	if err := client.Do(ctx, http.MethodGet, registerPath(c.Kind, c.ID)+"/history"+asOfQuery(c.AsOf), nil, &history); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, history)
	}
	for _, h := range history {
		if m := h.Mark; m != nil {
			fmt.Fprintln(std.out, markLine(*m))
			continue
		}
		v := h.Version
		fmt.Fprintf(std.out, "%s  version %d %s by %s [%s]\n", instant(time.UnixMicro(v.At)), v.Number, v.Event, v.By, v.Receipt)
		if v.Event != record.Removed {
			printFields(std.out, h.Fields)
		}
	}
	return nil
}

// markLine says in a line what a person stated.
func markLine(m record.Mark) string {
	line := fmt.Sprintf("%s  %s by %s [%s]", instant(time.UnixMicro(m.At)), m.Kind, m.By, m.Receipt)
	if m.Until != "" {
		line += " until " + string(m.Until)
	}
	if m.Note != "" {
		line += ": " + printable(m.Note)
	}
	return line
}
