package receipt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func export(t testing.TB, src receipt.Source, opt receipt.ExportOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	if _, err := receipt.Export(t.Context(), src, dir, opt); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openExport(t testing.TB, dir string) *receipt.Directory {
	t.Helper()
	d, err := receipt.OpenExport(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// all reads everything that a Source holds, from an index.
func all(t testing.TB, src receipt.Source, from uint64) map[string]any {
	t.Helper()
	ctx := t.Context()
	contents, err := src.Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{"contents": contents}
	var notes []string
	for n, err := range src.Checkpoints(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, string(n))
	}
	out["checkpoints"] = notes
	out["entries"] = string(readAll(t, src.Entries, from))
	out["hashes"] = string(readAll(t, src.Hashes, from))
	var payloads []string
	for p, err := range src.Payloads(ctx, from) {
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, fmt.Sprintf("%d %s %x %q", p.Index, p.Name, p.Salt, p.Data))
	}
	out["payloads"] = payloads
	for _, digest := range contents.Policies {
		set, err := src.Policy(ctx, digest)
		if err != nil {
			t.Fatal(err)
		}
		out[digest] = set
	}
	return out
}

func readAll(t testing.TB, open func(context.Context, uint64) (io.ReadCloser, error), from uint64) []byte {
	t.Helper()
	in, err := open(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExportHoldsTheWholeLog(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.policy("another set that decided nothing")
	l.fill(1000, 100)
	dir := export(t, l, receipt.ExportOptions{Created: start, Payloads: true})
	d := openExport(t, dir)
	for _, from := range []uint64{0, 1, 999, 1000, 2000} {
		if diff := cmp.Diff(all(t, l, from), all(t, d, from), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("from %d: %s", from, diff)
		}
	}
	m := d.Manifest()
	if !m.Created.Equal(start) || len(m.Omitted) != 0 {
		t.Errorf("manifest %+v", m)
	}
	if r := verify(t, d, receipt.Options{Trust: l.trust()}); !r.Verified() {
		t.Errorf("%q", exceptions(r))
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the export there is %v, %v", left, err)
	}
}

// TestExportSaysWhatItLeavesOut exports to an older checkpoint and without payloads.
func TestExportSaysWhatItLeavesOut(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(1000, 100)
	l.omit.hashes = true
	chosen := l.notes[4]
	dir := export(t, l, receipt.ExportOptions{Accept: func(n []byte) bool { return string(n) == string(chosen) }})
	d := openExport(t, dir)
	m := d.Manifest()
	if m.Size != 500 || m.Payloads || m.Hashes || len(m.Omitted) != 3 {
		t.Errorf("manifest %+v", m)
	}
	r := verify(t, d, receipt.Options{Trust: l.trust()})
	if !r.Verified() || r.Size != 500 {
		t.Errorf("%d entries: %q", r.Size, exceptions(r))
	}
	for _, name := range []string{"hashes", "payloads", "decisions"} {
		if c, _ := r.Check(name); c.State != receipt.Unchecked || c.Note == "" {
			t.Errorf("%+v, want it unchecked with a note", c)
		}
	}
}

func TestInterruptedExportIsNoExport(t *testing.T) {
	l := newLog(t, "example.org/log", "a")
	l.fill(10_000, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "export")
	if _, err := receipt.Export(ctx, l, dir, receipt.ExportOptions{Created: time.Now()}); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted export gives %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	empty := newLog(t, "example.org/log", "a")
	if _, err := receipt.Export(t.Context(), empty, dir, receipt.ExportOptions{}); err == nil {
		t.Error("a log without a checkpoint was exported")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.Export(t.Context(), l, dir, receipt.ExportOptions{}); err == nil {
		t.Error("an existing directory was overwritten")
	}
}
