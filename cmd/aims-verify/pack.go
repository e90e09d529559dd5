package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"aims/internal/evidence/pack"
	"aims/receipt"
)

// verifyPack verifies an audit pack.
func (c *logCmd) verifyPack(ctx context.Context, env environment, opt receipt.Options, verified *bool) error {
	p, err := pack.Open(c.Export)
	if err != nil {
		return c.damaged(env, err)
	}
	defer p.Close() // read only
	shown := progress{env: env, of: p.Manifest().Size, started: env.now()}
	var step func(string, uint64, uint64)
	if env.terminal {
		step = shown.step
	}
	report, err := p.Verify(ctx, opt, step)
	shown.clear()
	if err != nil {
		return err
	}
	*verified = report.Verified()
	if c.JSON {
		return printJSON(env.out, report)
	}
	return printPack(env.out, report)
}

// damaged reports a pack that cannot even be opened: that it was changed or cut
// off is a finding, and no mistake of the caller.
func (c *logCmd) damaged(env environment, why error) error {
	report := pack.Report{Lines: []pack.Line{{Name: "archive", State: receipt.Broken, Text: "it cannot be opened", Wrong: []string{why.Error()}}}}
	if c.JSON {
		return printJSON(env.out, report)
	}
	_, err := fmt.Fprintf(env.out, "%-11s  %-10s  %s\n\nNOT VERIFIED\n", "FAILED", "archive", printable(why.Error()))
	return err
}

// step is at for work of several steps.
func (p *progress) step(name string, done, of uint64) {
	now := p.env.now()
	if now.Sub(p.started).Seconds() < 1 || now.Sub(p.last).Seconds() < 1 {
		return
	}
	p.last = now
	fmt.Fprintf(p.env.err, "\r\x1b[K%s: %d of %d ", name, done, of)
}

// printPack prints the log's checks and then those of what follows from it.
func printPack(w io.Writer, r pack.Report) error {
	var b strings.Builder
	m := r.Manifest
	fmt.Fprintf(&b, "pack of %s, %s to %s", printable(m.Origin), printable(m.From), printable(m.Until))
	if m.For != "" {
		fmt.Fprintf(&b, ", for %s", printable(m.For))
	}
	b.WriteString("\n\n")
	for _, c := range r.Log.Checks {
		printCheck(&b, c)
	}
	for _, l := range r.Lines {
		word := map[receipt.State]string{receipt.Passed: "ok", receipt.Broken: "FAILED", receipt.Unchecked: "not checked"}[l.State]
		fmt.Fprintf(&b, "%-11s  %-10s  %s\n", word, l.Name, printable(l.Text))
		for _, wrong := range l.Wrong {
			fmt.Fprintf(&b, "%13s%s\n", "", printable(wrong))
		}
	}
	verdict := "verified"
	if !r.Verified() {
		verdict = "NOT VERIFIED"
	}
	fmt.Fprintf(&b, "\n%s: log %s, %d entries, root %s\n", verdict, r.Log.Origin, r.Log.Size, r.Log.Root)
	_, err := io.WriteString(w, b.String())
	return err
}
