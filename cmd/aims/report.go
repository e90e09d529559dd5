package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"

	"aims/internal/aims"
	reports "aims/internal/evidence/report"
)

type reportCmd struct {
	server
	judged
	Report string `arg:"" help:"soa, gap, risks, measures, audit, samples, review, oscal-catalog, oscal-profile, oscal-results or oscal-poam."`
	ID     string `arg:"" optional:"" help:"Id of the audit or review that it is about, for audit, samples and review."`
	Format string `name:"format" placeholder:"FORMAT" help:"pdf, xlsx or json; without it, the report's usual one."`
	Out    string `name:"out" short:"o" placeholder:"FILE" help:"File to write; it must not exist. Without it, aims-REPORT, or aims-REPORT-ID, with the format's ending; - for standard output."`
}

func (c *reportCmd) Run(ctx context.Context, std streams) error {
	asked, _, err := reports.Request{Report: c.Report, ID: c.ID, Format: reports.Format(c.Format)}.Settled()
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = usualName(asked)
	}
	if _, err := os.Lstat(c.Out); err == nil && c.Out != "-" {
		return exists(c.Out)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	body, err := client.Open(ctx, http.MethodGet, "/api/v1/reports/"+url.PathEscape(c.Report)+c.query("format", string(asked.Format), "id", c.ID), nil)
	if err != nil {
		return err
	}
	defer body.Close() // read only
	content, err := io.ReadAll(body)
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "the report broke off; nothing was written")
	}
	if c.Out == "-" {
		_, err = std.out.Write(content)
		return err
	}
	if err := writeReport(c.Out, content); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, c.Out)
	return err
}

// usualName is the file of a report for which nobody named one. A file is only
// written for an id that a record has, and those name no folder.
func usualName(q reports.Request) string {
	name := "aims-" + q.Report
	if q.ID != "" {
		name += "-" + q.ID
	}
	return name + "." + string(q.Format)
}

func exists(name string) error {
	return aims.Errorf(aims.Conflict, nil, "%s exists; nothing was written", name)
}

// writeReport writes a file that did not exist.
func writeReport(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return exists(name)
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
