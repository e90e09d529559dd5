package receipt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ExportOptions say what goes into an export.
type ExportOptions struct {
	// Created is the time that the manifest states.
	Created time.Time
	// Payloads includes the payloads that are still kept.
	Payloads bool
	// Accept, when set, chooses the checkpoint at which the export ends: the
	// newest that it takes. An auditor who trusts a witness wants one that the
	// witness cosigned. Without it, the export ends at the newest checkpoint.
	Accept func(checkpoint []byte) bool
}

// Export copies a log into a new directory, in constant memory. It ends at a
// checkpoint, so that every entry in it is signed. The directory gets its name
// when everything is written and synced: an interrupted export is not an export.
// Export verifies nothing; what is wrong with src is then wrong with the
// export, and verifying that says so.
func Export(ctx context.Context, src Source, dir string, opt ExportOptions) (Manifest, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return Manifest{}, fmt.Errorf("receipt: %s exists", dir)
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-")
	if err != nil {
		return Manifest{}, fmt.Errorf("receipt: %w", err)
	}
	e := exporter{src: src, dir: partial, opt: opt}
	if err = e.run(ctx); err == nil {
		err = e.publish(dir)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("receipt: export: %w", errors.Join(err, os.RemoveAll(partial)))
	}
	return e.manifest, nil
}

type exporter struct {
	src      Source
	dir      string
	opt      ExportOptions
	manifest Manifest
}

func (e *exporter) run(ctx context.Context) error {
	contents, err := e.src.Contents(ctx)
	if err != nil {
		return err
	}
	e.manifest = Manifest{
		Format: exportFormat, Contents: contents,
		Created: e.opt.Created.UTC().Truncate(time.Microsecond), Omitted: []string{},
	}
	for _, step := range []func(context.Context) error{e.checkpoints, e.entries, e.hashes, e.payloads, e.policies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return e.writeManifest()
}

func (e *exporter) omit(format string, args ...any) {
	e.manifest.Omitted = append(e.manifest.Omitted, fmt.Sprintf(format, args...))
}

// checkpoints writes the kept checkpoints up to the one at which the export ends.
func (e *exporter) checkpoints(ctx context.Context) error {
	count, at := 0, 0 // how many there are, and which is the last to write
	var last []byte
	for note, err := range e.src.Checkpoints(ctx) {
		if err != nil {
			return err
		}
		count++
		if e.opt.Accept == nil || e.opt.Accept(note) {
			at, last = count, append(last[:0], note...)
		}
	}
	if at == 0 {
		return errors.New("no checkpoint to end at")
	}
	size, ok := CheckpointSize(last)
	if !ok {
		return errors.New("the checkpoint to end at is malformed")
	}
	if size > e.manifest.Size {
		// Then entries are missing, which the manifest must not hide.
		e.omit("entries from %d on, which the checkpoint of size %d covers, are not in the log", e.manifest.Size, size)
	} else if size < e.manifest.Size {
		e.omit("entries from %d on: the export ends at a checkpoint", size)
	}
	e.manifest.Size = size
	err := e.file(checkpointsFile, func(w *bufio.Writer) error {
		return e.copyCheckpoints(ctx, w, at)
	})
	if err != nil {
		return err
	}
	return e.file(checkpointFile, func(w *bufio.Writer) error {
		_, err := w.Write(last)
		return err
	})
}

func (e *exporter) copyCheckpoints(ctx context.Context, w *bufio.Writer, count int) error {
	n := 0
	var frame []byte
	for note, err := range e.src.Checkpoints(ctx) {
		if err == nil {
			frame, err = appendFrame(frame[:0], note)
		}
		if err == nil {
			_, err = w.Write(frame)
		}
		if err != nil {
			return err
		}
		if n++; n == count {
			return nil
		}
	}
	return errors.New("the checkpoints changed while they were read")
}

// entries copies the framed leaves, and counts them to end at the checkpoint.
func (e *exporter) entries(ctx context.Context) error {
	in, err := e.src.Entries(ctx, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	return e.file(entriesFile, func(w *bufio.Writer) error {
		frames := bufio.NewReaderSize(in, streamBytes)
		var leaf, frame []byte
		for n := range e.manifest.Size {
			if n%batchEntries == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			leaf, err = readFrame(frames, leaf)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil // there are fewer than the checkpoint covers: for the verifier to say
			}
			if err == nil {
				frame, err = appendFrame(frame[:0], leaf)
			}
			if err == nil {
				_, err = w.Write(frame)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *exporter) hashes(ctx context.Context) error {
	if !e.manifest.Hashes {
		e.omit("leaf hashes: the source has none")
		return nil
	}
	in, err := e.src.Hashes(ctx, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	return e.file(hashesFile, func(w *bufio.Writer) error {
		_, err := io.Copy(w, io.LimitReader(in, int64(e.manifest.Size)*int64(len(Hash{}))))
		return err
	})
}

func (e *exporter) payloads(ctx context.Context) error {
	if !e.opt.Payloads || !e.manifest.Payloads {
		if e.manifest.Payloads {
			e.omit("payloads: not asked for")
		} else {
			e.omit("payloads: the source has none")
		}
		e.manifest.Payloads = false
		return nil
	}
	return e.file(payloadsFile, func(w *bufio.Writer) error {
		var frame []byte
		for p, err := range e.src.Payloads(ctx, 0) {
			if err == nil && p.Index >= e.manifest.Size {
				return nil
			}
			if err == nil {
				frame, err = appendPayload(frame[:0], p)
			}
			if err == nil {
				_, err = w.Write(frame)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *exporter) policies(ctx context.Context) error {
	slices.Sort(e.manifest.Policies)
	for _, digest := range e.manifest.Policies {
		if !validDigest(digest) {
			return fmt.Errorf("policy set %q: no digest", digest)
		}
		set, err := e.src.Policy(ctx, digest)
		if err != nil {
			return fmt.Errorf("policy set %s: %w", digest, err)
		}
		if err := e.policy(digest, set); err != nil {
			return err
		}
	}
	if e.manifest.Policies == nil {
		e.manifest.Policies = []string{}
	}
	return nil
}

func (e *exporter) policy(digest string, set PolicySet) error {
	dir := policyDir(digest)
	if err := os.MkdirAll(filepath.Join(e.dir, filepath.FromSlash(dir)), 0o755); err != nil {
		return err
	}
	whole := func(name string, b []byte) error {
		return e.file(filepath.Join(filepath.FromSlash(dir), name), func(w *bufio.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
	index := policyIndex{Digest: digest, Sources: []policyFile{}}
	for i, s := range set.Sources {
		file := policyFileName(i, s.Name)
		index.Sources = append(index.Sources, policyFile{Name: s.Name, File: file})
		if err := whole(file, s.Text); err != nil {
			return err
		}
	}
	if err := whole(schemaFile, set.Schema); err != nil {
		return err
	}
	b, err := indented(index)
	if err != nil {
		return err
	}
	return whole(policyIndexFile, b)
}

func (e *exporter) writeManifest() error {
	b, err := indented(e.manifest)
	if err != nil {
		return err
	}
	return e.file(manifestFile, func(w *bufio.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// file writes and syncs one file. Only its owner may read it: payloads are
// what people and agents sent.
func (e *exporter) file(name string, write func(*bufio.Writer) error) (err error) {
	f, err := os.OpenFile(filepath.Join(e.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// publish gives the finished export its name.
func (e *exporter) publish(dir string) error {
	if err := syncDir(e.dir); err != nil {
		return err
	}
	if err := os.Rename(e.dir, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
