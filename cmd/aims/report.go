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
	"strings"

	"aims/internal/aims"
	reports "aims/internal/evidence/report"
)

type reportCmd struct {
	server
	judged
	Report string `arg:"" help:"soa, gap, risks, measures, oscal-catalog, oscal-profile, oscal-results or oscal-poam."`
	Format string `name:"format" placeholder:"FORMAT" help:"pdf, xlsx or json; without it, the report's usual one."`
	Out    string `name:"out" short:"o" placeholder:"FILE" help:"File to write; it must not exist. Without it, aims-REPORT with the format's ending; - for standard output."`
}

func (c *reportCmd) Run(ctx context.Context, std streams) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = fmt.Sprintf("aims-%s.%s", c.Report, format)
	}
	if _, err := os.Lstat(c.Out); err == nil && c.Out != "-" {
		return exists(c.Out)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	body, err := client.Open(ctx, http.MethodGet, "/api/v1/reports/"+url.PathEscape(c.Report)+c.query("format", string(format)), nil)
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

// format is the one asked for, or the report's usual one.
func (c *reportCmd) format() (reports.Format, error) {
	var names []string
	for _, k := range reports.Kinds() {
		names = append(names, k.Name)
		switch {
		case k.Name != c.Report:
		case c.Format == "":
			return k.Formats[0], nil
		default:
			return reports.Format(c.Format), nil
		}
	}
	return "", aims.Errorf(aims.Invalid, nil, "there is no report %q; expected %s", c.Report, strings.Join(names, ", "))
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
