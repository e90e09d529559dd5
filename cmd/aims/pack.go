package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/evidence/pack"
	"aims/internal/progress"
)

type packCmd struct {
	server
	Period string `name:"period" required:"" placeholder:"A..B" help:"First and last day of the period, such as 2026-01-01..2026-12-31."`
	For    string `name:"for" enum:",stage1,stage2,surveillance" default:"" help:"The audit that it is made for: stage1, stage2 or surveillance."`
	Out    string `name:"out" short:"o" type:"path" placeholder:"FILE" help:"File to write; it must not exist. Default: aims-pack-A-B.zip."`
	JSON   bool   `name:"json" help:"Print the manifest as JSON."`
}

func (c *packCmd) Run(ctx context.Context, std streams) error {
	from, until, ok := strings.Cut(c.Period, "..")
	if !ok {
		return aims.Errorf(aims.Invalid, nil, "--period %s: expected two days, such as 2026-01-01..2026-12-31", c.Period)
	}
	if c.Out == "" {
		c.Out = fmt.Sprintf("aims-pack-%s-%s.zip", from, until)
	}
	if _, err := os.Lstat(c.Out); err == nil {
		return aims.Errorf(aims.Conflict, nil, "%s exists; nothing was written", c.Out)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{"from": {from}, "until": {until}}
	if c.For != "" {
		query.Set("for", c.For)
	}
	bar := progress.New(std.err, "making the pack, bytes received", 0, time.Now)
	defer watch(bar)()
	body, err := client.Open(ctx, http.MethodGet, "/api/v1/pack?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close() // read only
	if err := writeWhole(c.Out, io.TeeReader(body, received{bar})); err != nil {
		return err
	}
	p, err := pack.Open(c.Out)
	if err != nil {
		return err
	}
	defer p.Close() // read only
	m := p.Manifest()
	if c.JSON {
		return printJSON(std.out, m)
	}
	_, err = fmt.Fprintf(std.out, "%s: %d entries of the log %s, %s to %s\nThe auditor verifies it with: aims-verify %s --trust KEY\n", c.Out, m.Size, m.Origin, m.From, m.Until, filepath.Base(c.Out))
	return err
}

// received tells a bar how much was written to it.
type received struct{ bar *progress.Bar }

func (c received) Write(b []byte) (int, error) {
	c.bar.Add(uint64(len(b)))
	return len(b), nil
}

// watch lets a bar appear also while nothing arrives. The function that it
// returns ends both.
func watch(bar *progress.Bar) func() {
	if bar == nil {
		return func() {}
	}
	tick, done := time.NewTicker(500*time.Millisecond), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				bar.Add(0)
			case <-done:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
		bar.End()
	}
}

// writeWhole writes a file that gets its name when all of it is there.
func writeWhole(name string, from io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".partial-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name()) // what is left of a failure
		}
	}()
	if _, err = io.Copy(f, from); err != nil {
		f.Close()
		return aims.Errorf(aims.Unavailable, err, "the pack broke off; the server's log says why")
	}
	if err = f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
