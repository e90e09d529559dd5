package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"aims/internal/api"
	"aims/internal/app"
	"aims/receipt"
)

// verify verifies the log of the running server and an export of it, and then
// shows that a changed export does not verify.
func (d *demonstration) verify(ctx context.Context, manage *api.Client) (bool, error) {
	d.chapter("Anybody can check the record.")
	var status api.Status
	if err := manage.Do(ctx, http.MethodGet, "/api/v1/status", nil, &status); err != nil {
		return false, err
	}
	trust, err := receipt.NewTrust(status.Verifier, nil, 0)
	if err != nil {
		return false, err
	}
	live, err := manage.Source(ctx, true)
	if err != nil {
		return false, err
	}
	good, err := d.report(ctx, "the live log", live, receipt.Options{Trust: trust, Growing: true, Compile: app.Compile})
	if err != nil {
		return false, err
	}
	if _, err := receipt.Export(ctx, live, d.path("export"), receipt.ExportOptions{Created: d.Now(), Payloads: true}); err != nil {
		return false, err
	}
	export, err := receipt.OpenExport(d.path("export"))
	if err != nil {
		return false, err
	}
	exported, err := d.report(ctx, "the export", export, receipt.Options{Trust: trust, Compile: app.Compile})
	if err != nil {
		return false, err
	}
	noticed, err := d.tamper(ctx, trust)
	return good && exported && noticed, err
}

// report verifies a source and prints what came of it.
func (d *demonstration) report(ctx context.Context, what string, src receipt.Source, o receipt.Options) (bool, error) {
	r, err := receipt.Verify(ctx, src, o)
	if err != nil {
		return false, fmt.Errorf("verifying %s: %w", what, err)
	}
	decided, _ := r.Check("decisions")
	paired, _ := r.Check("outcomes")
	signed, _ := r.Check("signatures")
	d.check(r.Verified(), "%s: %d entries, %d signed checkpoints, %d decisions with their outcomes, %d decided again with the same verdict",
		what, r.Size, signed.Population, paired.Population, decided.Population)
	if !r.Verified() {
		for _, c := range r.Checks {
			for _, e := range c.First {
				d.note("    %s: %s", c.Name, e)
			}
		}
	}
	return r.Verified(), nil
}

// tamper turns a refusal in a copy of the export into an approval and expects
// that verification names it.
func (d *demonstration) tamper(ctx context.Context, trust receipt.Trust) (bool, error) {
	dir := d.path("export-tampered")
	if err := os.CopyFS(dir, os.DirFS(d.path("export"))); err != nil {
		return false, err
	}
	changed, err := rewrite(dir, []byte(`"verdict":"deny"`), []byte(`"verdict":"hold"`))
	if err != nil || !changed {
		return false, fmt.Errorf("no refusal was found to change in %s: %w", dir, err)
	}
	export, err := receipt.OpenExport(dir)
	if err != nil {
		return false, err
	}
	r, err := receipt.Verify(ctx, export, receipt.Options{Trust: trust, Compile: app.Compile})
	if err != nil {
		return false, err
	}
	for _, c := range r.Checks {
		if len(c.First) > 0 {
			d.check(!r.Verified(), "a copy of the export with one word changed does not verify: %s", c.First[0])
			return !r.Verified(), nil
		}
	}
	d.check(false, "a copy of the export with one word changed still verifies")
	return false, nil
}

// rewrite replaces the first occurrence in the first file that has one.
func rewrite(dir string, before, after []byte) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return false, err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // a directory
		}
		if bytes.Contains(text, before) {
			return true, os.WriteFile(f, bytes.Replace(text, before, after, 1), 0o644)
		}
	}
	return false, nil
}
