package main

import (
	"fmt"
	"os"
	"path/filepath"

	"aims/internal/register/carryover"
	"aims/internal/register/record"
)

type importISO27001Cmd struct {
	SoA       string `name:"soa" type:"existingfile" help:"Statement of applicability, XLSX or CSV."`
	Documents string `name:"documents" type:"existingfile" help:"List of documents, XLSX or CSV."`
	Out       string `name:"out" required:"" help:"Directory for the records; it must not exist or be empty."`
	JSON      bool   `name:"json" help:"Print the report as JSON."`
}

func (c *importISO27001Cmd) Run(std streams) error {
	if c.SoA == "" && c.Documents == "" {
		return failf(exitUsage, "nothing to import; expected --soa FILE, --documents FILE or both")
	}
	soa, err := sheetOf(c.SoA)
	if err != nil {
		return err
	}
	documents, err := sheetOf(c.Documents)
	if err != nil {
		return err
	}
	got, err := carryover.ISO27001(soa, documents)
	if err != nil {
		return withCode(exitUsage, err)
	}
	if err := writeFresh(c.Out, record.Write(got.Registers)); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, got.Report)
	}
	for _, l := range got.Report.Left {
		fmt.Fprintf(std.err, "%s: %s\n", l.Place, l.Text)
	}
	_, err = fmt.Fprintf(std.out, "%d documents and proposals for %d of 38 controls written to %s; %d rows did not carry over\nEvery proposal waits for a decision: set applicable, and say why.\n",
		got.Report.Documents, got.Report.Proposals, c.Out, len(got.Report.Left))
	return err
}

// sheetOf reads a table; none for an empty name.
func sheetOf(name string) (*carryover.Sheet, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	sheet, err := carryover.Read(filepath.Base(name), text)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return sheet, nil
}

// writeFresh writes files into a directory that has none yet.
func writeFresh(dir string, files map[string][]byte) error {
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return failf(exitUsage, "%s is not empty; expected a directory of its own", dir)
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
