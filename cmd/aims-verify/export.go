package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"aims/internal/evidence/pack"
	"aims/receipt"
)

type logCmd struct {
	Export string `arg:"" placeholder:"EXPORT" help:"Directory that aims log export wrote."`
	keys
	Checkpoint    []string      `name:"checkpoint" sep:"none" placeholder:"FILE" help:"Checkpoint of this log that was kept elsewhere, such as by you at the last audit; repeat for more. It shows that the end was cut off."`
	CosignedSince time.Time     `name:"cosigned-since" placeholder:"TIME" help:"Count only witnesses' signatures from then on (RFC 3339)."`
	OutcomeWithin time.Duration `name:"outcome-within" default:"1h" help:"How old a decision without outcome may be at the end of the log."`
	Integrity     bool          `name:"integrity" help:"Verify signatures, tree, order and pairing only: leave out bodies, payloads and decisions."`
	JSON          bool          `name:"json" help:"Print the report as JSON."`
}

// Run verifies an export.
func (c *logCmd) Run(ctx context.Context, env environment, verified *bool) error {
	opt := receipt.Options{
		CosignedSince: c.CosignedSince, OutcomeWithin: c.OutcomeWithin, Integrity: c.Integrity, Compile: pack.Compile,
	}
	var err error
	if opt.Trust, err = c.trust(); err != nil {
		return err
	}
	for _, name := range c.Checkpoint {
		signed, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		opt.Elsewhere = append(opt.Elsewhere, signed)
	}
	if pack.IsPack(c.Export) {
		return c.verifyPack(ctx, env, opt, verified)
	}
	export, err := receipt.OpenExport(c.Export)
	if err != nil {
		return err
	}
	defer export.Close() // read only
	p := progress{env: env, of: export.Manifest().Size, started: env.now()}
	if env.terminal {
		opt.Progress = p.at
	}
	report, err := receipt.Verify(ctx, export, opt)
	p.clear()
	if err != nil {
		return err
	}
	*verified = report.Verified()
	if c.JSON {
		return printJSON(env.out, report)
	}
	return printReport(env.out, report, export.Manifest())
}

// printReport prints one line for each check, and under it what is wrong.
func printReport(w io.Writer, r receipt.Report, m receipt.Manifest) error {
	var b strings.Builder
	for _, c := range r.Checks {
		printCheck(&b, c)
	}
	for _, what := range m.Omitted {
		fmt.Fprintf(&b, "left out     %s\n", printable(what))
	}
	verdict := "verified"
	if !r.Verified() {
		verdict = "NOT VERIFIED"
	}
	fmt.Fprintf(&b, "\n%s: log %s, %d entries, root %s\n", verdict, r.Origin, r.Size, r.Root)
	_, err := io.WriteString(w, b.String())
	return err
}

func printCheck(b *strings.Builder, c receipt.Check) {
	word := map[receipt.State]string{receipt.Passed: "ok", receipt.Broken: "FAILED", receipt.Unchecked: "not checked"}[c.State]
	fmt.Fprintf(b, "%-11s  %-10s  ", word, c.Name)
	if c.State == receipt.Unchecked {
		fmt.Fprintf(b, "%s\n", c.Note)
		return
	}
	fmt.Fprintf(b, "%d %s", c.Population, c.Of)
	if c.Exceptions > 0 {
		fmt.Fprintf(b, ", %d exceptions", c.Exceptions)
	}
	if c.Note != "" {
		fmt.Fprintf(b, " (%s)", c.Note)
	}
	b.WriteByte('\n')
	for _, e := range c.First {
		fmt.Fprintf(b, "%13s%s\n", "", e)
	}
	if more := c.Exceptions - min(c.Exceptions, uint64(len(c.First))); len(c.First) > 0 && more > 0 {
		fmt.Fprintf(b, "%13sand %d more\n", "", more)
	}
}

// printable keeps the export's own words from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progress says on a terminal how far a long run is.
type progress struct {
	env     environment
	of      uint64
	started time.Time
	last    time.Time
}

// at prints at most once a second, and nothing in the first.
func (p *progress) at(entries uint64) {
	now := p.env.now()
	if now.Sub(p.started) < time.Second || now.Sub(p.last) < time.Second {
		return
	}
	p.last = now
	fmt.Fprintf(p.env.err, "\r%d of %d entries ", entries, p.of)
}

func (p *progress) clear() {
	if !p.last.IsZero() {
		fmt.Fprint(p.env.err, "\r\x1b[K")
	}
}
