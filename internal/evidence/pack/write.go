package pack

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"aims/receipt"
)

// logDir is where the log lies in a pack.
const logDir = "log"

// Write writes a pack to w. The same log position and request give the same
// bytes. scratch is a directory for what has to be laid down before it is
// packed; it is left empty.
//
// The pack ends at the first checkpoint that covers the period, or at the newest
// one when there is none yet.
func Write(ctx context.Context, w io.Writer, src receipt.Source, r Request, scratch string, p Progress) (Manifest, error) {
	if err := r.Check(); err != nil {
		return Manifest{}, err
	}
	f, err := find(ctx, src, r, p)
	if err != nil {
		return Manifest{}, err
	}
	at, err := ending(ctx, src, f)
	if err != nil {
		return Manifest{}, err
	}
	view, err := derive(ctx, src, f, fetch(src), p)
	if err != nil {
		return Manifest{}, err
	}
	dir, err := os.MkdirTemp(scratch, "aims-pack-")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(dir) // an error leaves files that nobody reads
	p.at("copying the log", 0, f.size)
	part := &slice{src, f, func(digest string) bool { return view.Observed.Policies[digest] != nil }}
	export := filepath.Join(dir, logDir)
	if _, err := receipt.Export(ctx, part, export, receipt.ExportOptions{Created: f.until, Payloads: true, Accept: at}); err != nil {
		return Manifest{}, err
	}
	return view.zip(ctx, w, export, p)
}

// ending chooses the checkpoint: the first that covers the period.
func ending(ctx context.Context, src receipt.Source, f *found) (func([]byte) bool, error) {
	var chosen []byte
	size := uint64(0)
	for note, err := range src.Checkpoints(ctx) {
		if err != nil {
			return nil, err
		}
		chosen = append(chosen[:0], note...)
		if size, _ = receipt.CheckpointSize(note); size >= f.end {
			break
		}
	}
	if size < f.end {
		return nil, errors.New("no checkpoint covers the end of the period yet; sign one and try again")
	}
	f.cutAt(size)
	want := string(chosen)
	return func(note []byte) bool { return string(note) == want }, nil
}

// zip writes the archive.
func (v *View) zip(ctx context.Context, w io.Writer, export string, p Progress) (Manifest, error) {
	seal := &sealed{Writer: w, hash: sha256.New()}
	z := zip.NewWriter(seal)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	m := v.manifest()
	names, err := filesBelow(export)
	if err != nil {
		return m, err
	}
	for i, name := range names {
		p.at("packing", uint64(i), uint64(len(names)))
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if err := addFile(z, &m, filepath.Join(export, filepath.FromSlash(name)), path.Join(logDir, name)); err != nil {
			return m, err
		}
	}
	derived, err := v.files()
	if err != nil {
		return m, err
	}
	for _, f := range derived {
		if err := addData(z, &m, f); err != nil {
			return m, err
		}
	}
	return m, m.finish(z, seal)
}

// finish writes the manifest, which lies in the archive as it is: what is not
// compressed is compared byte by byte, and everything before it is sealed.
func (m Manifest) finish(z *zip.Writer, seal *sealed) error {
	text, err := jsonText(m)
	if err != nil {
		return err
	}
	out, err := z.CreateHeader(&zip.FileHeader{Name: manifestFile, Method: zip.Store})
	if err == nil {
		err = z.Flush()
	}
	if err == nil {
		err = z.SetComment(seal.sum())
	}
	if err == nil {
		_, err = out.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	return err
}

const manifestFile = "manifest.json"

func (v *View) manifest() Manifest {
	return Manifest{Format: Format, Origin: v.Origin, Size: v.Size, First: v.First, End: v.End, From: v.Request.From.UTC().Format(time.DateOnly),
		Until: v.Request.last(), Judged: v.Until.UTC().Format(time.RFC3339Nano), For: v.Request.For, Files: []ManifestFile{}}
}

// sealed hashes what passes, so that the archive ends with the digest of its
// files: a flipped bit is noticed also where decompression would not.
type sealed struct {
	io.Writer
	hash hash.Hash
}

func (s *sealed) Write(b []byte) (int, error) {
	s.hash.Write(b)
	return s.Writer.Write(b)
}

func (s *sealed) sum() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// header is that of every file: nothing in it depends on the machine.
func header(name string) *zip.FileHeader { return &zip.FileHeader{Name: name, Method: zip.Deflate} }

func addFile(z *zip.Writer, m *Manifest, from, name string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	return add(z, m, name, bufio.NewReaderSize(in, 1<<20))
}

func addData(z *zip.Writer, m *Manifest, f File) error {
	out, err := z.CreateHeader(header(f.Name))
	if err != nil {
		return err
	}
	m.Files = append(m.Files, ManifestFile{f.Name, uint64(len(f.Data)), digestOf(f.Data)})
	_, err = out.Write(f.Data)
	return err
}

func add(z *zip.Writer, m *Manifest, name string, in io.Reader) error {
	out, err := z.CreateHeader(header(name))
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), in)
	m.Files = append(m.Files, ManifestFile{name, uint64(n), "sha256:" + hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// filesBelow are the files of a directory, sorted.
func filesBelow(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, at)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}
