package receipt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aims/receipt"
)

// smallExport is the files of a small export.
func smallExport(t testing.TB) (l *testLog, dir string, files map[string][]byte) {
	l = newLog(t, "example.org/log", "a")
	l.fill(10, 4)
	l.event(receipt.ErasedEvent, receipt.Erasure{From: 1, To: 1, Names: []string{"input"}, Rule: "r"})
	l.payloads = append(l.payloads[:1], l.payloads[2:]...)
	l.checkpoint()
	dir = export(t, l, receipt.ExportOptions{Created: start, Payloads: true})
	files = map[string][]byte{}
	for _, name := range []string{"manifest.json", "checkpoint", "checkpoints", "entries", "hashes", "payloads"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	return l, dir, files
}

// FuzzVerifyExport replaces one file of an export by foreign bytes. Nothing
// panics, and no log verifies that is not the one that was signed.
func FuzzVerifyExport(f *testing.F) {
	l, dir, files := smallExport(f)
	names := []string{"entries", "checkpoints", "checkpoint", "hashes", "payloads", "manifest.json"}
	for i, name := range names {
		b := files[name]
		f.Add(uint8(i), b)
		f.Add(uint8(i), b[:len(b)/2])
		f.Add(uint8(i), b[:len(b)-1])
		f.Add(uint8(i), []byte{})
		f.Add(uint8(i), bytes.Repeat([]byte{0}, 100))
		f.Add(uint8(i), bytes.Repeat([]byte{0xff}, 100))
		f.Add(uint8(i), append(bytes.Clone(b), b...))
	}
	trust := l.trust()
	signed := verify(f, l, receipt.Options{Trust: trust}).Root
	work := filepath.Join(f.TempDir(), "work")
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		name := names[int(which)%len(names)]
		if err := os.WriteFile(filepath.Join(work, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.WriteFile(filepath.Join(work, name), files[name], 0o600)
		d, err := receipt.OpenExport(work)
		if err != nil {
			return // not an export
		}
		defer d.Close()
		r, err := receipt.Verify(t.Context(), d, receipt.Options{Trust: trust, Compile: testCompiler, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verified() && r.Root != signed {
			t.Fatalf("%s = %q verifies", name, b)
		}
		if r.Verified() && name == "entries" && !bytes.Equal(b, files[name]) {
			t.Fatalf("other entries verify: %q", b)
		}
	})
}

// FuzzPayloads reads foreign bytes as a payloads file. What is read is what a
// payloads file of these payloads holds.
func FuzzPayloads(f *testing.F) {
	_, dir, files := smallExport(f)
	b := files["payloads"]
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte{})
	f.Add(binary.BigEndian.AppendUint64(nil, 1<<63))
	f.Add(append(append(make([]byte, 8), "\x05input"...), bytes.Repeat([]byte{0xff}, 36)...))
	work := filepath.Join(f.TempDir(), "work")
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(work, "payloads"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := receipt.OpenExport(work)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		read := 0
		for p, err := range d.Payloads(t.Context(), 0) {
			var malformed *receipt.FormatError
			if errors.As(err, &malformed) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			read += 8 + 1 + len(p.Name) + len(p.Salt) + 4 + len(p.Data)
		}
		if read != len(b) {
			t.Fatalf("%d of %d bytes are payloads", read, len(b))
		}
	})
}

// FuzzManifest opens an export whose manifest is foreign bytes.
func FuzzManifest(f *testing.F) {
	_, _, files := smallExport(f)
	good := string(files["manifest.json"])
	f.Add(good)
	f.Add("{}")
	f.Add(strings.Replace(good, `"size": 11`, `"size": -1`, 1))
	f.Add(strings.Replace(good, `"size": 11`, `"size": 11, "size": 12`, 1))
	f.Add(strings.Replace(good, `"aims-export/1"`, `"aims-export/2"`, 1))
	f.Add(good + good)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, manifest string) {
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := receipt.OpenExport(dir)
		if err != nil {
			return
		}
		defer d.Close()
		if m := d.Manifest(); m.Format != "aims-export/1" {
			t.Fatalf("%q was read as %+v", manifest, m)
		}
	})
}

// TestManifestIsReadStrictly names manifests that are none.
func TestManifestIsReadStrictly(t *testing.T) {
	_, dir, files := smallExport(t)
	good := string(files["manifest.json"])
	for _, edit := range [][2]string{
		{`"size": 11`, `"size": -1`},
		{`"size": 11`, `"size": 11, "size": 12`},
		{`"size": 11`, `"size": 11, "note": "x"`},
		{`"aims-export/1"`, `"aims-export/2"`},
		{`"sha256:`, `"../sha256:`},
		{"}\n", "}\n}"},
		{good, ""},
		{good, "[]"},
	} {
		edited := strings.Replace(good, edit[0], edit[1], 1)
		if edited == good {
			t.Fatalf("%q is not in %s", edit[0], good)
		}
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := receipt.OpenExport(dir); err == nil {
			t.Errorf("%s was taken for a manifest", edited)
		}
	}
	if _, err := receipt.OpenExport(t.TempDir()); err == nil {
		t.Error("an empty directory was taken for an export")
	}
}

// TestExportReadsNothingOutside puts a link to a file elsewhere into an export.
func TestExportReadsNothingOutside(t *testing.T) {
	l, dir, files := smallExport(t)
	outside := filepath.Join(t.TempDir(), "entries")
	if err := os.WriteFile(outside, files["entries"], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "entries")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "entries")); err != nil {
		t.Skip("this file system has no symbolic links")
	}
	if r, err := receipt.Verify(t.Context(), openExport(t, dir), receipt.Options{Trust: l.trust()}); err == nil {
		t.Errorf("a link out of the export was followed: %+v", r)
	}
}
