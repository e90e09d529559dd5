package receipt

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
)

// Directory is an export, read as a Source. Files that are missing are read as
// empty: what they should have held is then named by the verification.
type Directory struct {
	files    fs.FS
	close    func() error
	manifest Manifest
}

// OpenExport opens the directory of an export. Nothing outside of it is read,
// whatever links it holds.
func OpenExport(dir string) (*Directory, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	d, err := OpenExportFS(root.FS())
	if err != nil {
		root.Close() // nothing was written
		return nil, fmt.Errorf("receipt: %s is not an export: %w", dir, err)
	}
	d.close = root.Close
	return d, nil
}

// OpenExportFS is OpenExport for files that lie elsewhere, such as in an archive.
func OpenExportFS(files fs.FS) (*Directory, error) {
	d := &Directory{files: files, close: func() error { return nil }}
	b, err := d.readWhole(manifestFile)
	if err == nil {
		d.manifest, err = parseManifest(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestFile, err)
	}
	return d, nil
}

// Close closes the directory.
func (d *Directory) Close() error { return d.close() }

// Manifest is what the export says of itself.
func (d *Directory) Manifest() Manifest { return d.manifest }

// Contents implements Source.
func (d *Directory) Contents(context.Context) (Contents, error) { return d.manifest.Contents, nil }

func (d *Directory) readWhole(name string) ([]byte, error) {
	f, err := d.files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("larger than %d bytes", maxManifest)
	}
	return b, err
}

// open opens a stream; a missing one is empty.
func (d *Directory) open(name string) (io.ReadCloser, error) {
	f, err := d.files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return f, nil
}

// Checkpoints implements Source: the kept checkpoints, and behind them the
// file of the latest one where it is not the last of them.
func (d *Directory) Checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := d.open(checkpointsFile)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		in := bufio.NewReader(f)
		var last []byte
		for n := 1; ; n++ {
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			note, err := readFrame(in, last)
			if errors.Is(err, io.EOF) {
				break
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = &FormatError{Place: fmt.Sprintf("checkpoint %d", n), Text: "the file ends inside it"}
			}
			last = note
			if !yield(note, err) || err != nil {
				return
			}
		}
		latest, err := d.readWhole(checkpointFile)
		if errors.Is(err, fs.ErrNotExist) {
			err = &FormatError{Place: "checkpoint", Text: "the file of the latest checkpoint is missing"}
		}
		if err != nil || !bytes.Equal(latest, last) {
			yield(latest, err)
		}
	}
}

// Entries implements Source.
func (d *Directory) Entries(ctx context.Context, from uint64) (io.ReadCloser, error) {
	f, err := d.open(entriesFile)
	if err != nil || from == 0 {
		return f, err
	}
	in := bufio.NewReaderSize(f, streamBytes)
	var leaf []byte
	for range from {
		if leaf, err = readFrame(in, leaf); err != nil {
			break // what is missing is missing: the stream is empty
		}
	}
	return &skipped{Reader: in, Closer: f}, nil
}

// skipped is a stream that does not begin at the file's beginning.
type skipped struct {
	io.Reader
	io.Closer
}

// Hashes implements Source.
func (d *Directory) Hashes(_ context.Context, from uint64) (io.ReadCloser, error) {
	if !d.manifest.Hashes {
		return nil, ErrNotKept
	}
	f, err := d.open(hashesFile)
	if err != nil || from == 0 {
		return f, err
	}
	if _, err := io.CopyN(io.Discard, f, int64(from)*int64(len(Hash{}))); err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return f, nil
}

// Payloads implements Source.
func (d *Directory) Payloads(ctx context.Context, from uint64) iter.Seq2[Payload, error] {
	return func(yield func(Payload, error) bool) {
		if !d.manifest.Payloads {
			return
		}
		f, err := d.open(payloadsFile)
		if err != nil {
			yield(Payload{}, err)
			return
		}
		defer f.Close()
		in := bufio.NewReaderSize(f, streamBytes)
		for offset := int64(0); ; {
			if ctx.Err() != nil {
				yield(Payload{}, ctx.Err())
				return
			}
			p, size, err := readPayload(in, offset)
			if errors.Is(err, io.EOF) {
				return
			}
			offset += size
			if err == nil && p.Index < from {
				continue
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Policy implements Source.
func (d *Directory) Policy(_ context.Context, digest string) (PolicySet, error) {
	if !validDigest(digest) {
		return PolicySet{}, ErrNotKept
	}
	dir := policyDir(digest)
	malformed := func(err error) error {
		return &FormatError{Place: "policy set " + digest, Text: shorten(err)}
	}
	b, err := d.readWhole(path.Join(dir, policyIndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return PolicySet{}, ErrNotKept
	}
	if err != nil {
		return PolicySet{}, malformed(err)
	}
	var index policyIndex
	if err := strictJSON(b, &index); err != nil {
		return PolicySet{}, malformed(err)
	}
	set := PolicySet{Digest: digest}
	if set.Schema, err = d.readWhole(path.Join(dir, schemaFile)); err != nil {
		return PolicySet{}, malformed(err)
	}
	for _, s := range index.Sources {
		if s.File != path.Base(s.File) {
			return PolicySet{}, malformed(fmt.Errorf("a source in the file %q", s.File))
		}
		text, err := d.readWhole(path.Join(dir, s.File))
		if err != nil {
			return PolicySet{}, malformed(err)
		}
		set.Sources = append(set.Sources, PolicySource{Name: s.Name, Text: text})
	}
	return set, nil
}

// policyDir is the directory of a policy set. It is named by the digest's
// hexadecimal part, because not every file system takes a colon.
func policyDir(digest string) string {
	return path.Join(policiesDir, strings.TrimPrefix(digest, "sha256:"))
}

// policyFileName makes a file name of a source's place in its set and its name.
func policyFileName(i int, name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, path.Base(name))
	if len(safe) > 64 {
		safe = hex.EncodeToString([]byte(safe[:32]))
	}
	return fmt.Sprintf("%03d-%s", i, safe)
}
