package pack

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"time"

	"aims/receipt"
)

// Pack is a pack that was opened to be verified.
type Pack struct {
	file     *os.File
	size     int64
	zip      *zip.Reader
	log      *receipt.Directory
	manifest Manifest
}

// The largest numbers that a pack may have: beyond them it is refused before
// anything is unpacked.
const (
	maxFiles   = 10_000
	maxDerived = 512 << 20 // bytes of a file that is read as a whole
)

// IsPack says whether a file begins as a pack does.
func IsPack(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() // read only
	head := make([]byte, 4)
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, []byte("PK\x03\x04"))
}

// Open opens a pack and reads its manifest. What is wrong with it otherwise,
// Verify says.
func Open(name string) (*Pack, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	p := &Pack{file: f}
	if err := p.open(); err != nil {
		f.Close() // read only
		return nil, fmt.Errorf("%s is not an audit pack: %w", name, err)
	}
	return p, nil
}

func (p *Pack) open() error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	p.size = info.Size()
	if p.zip, err = zip.NewReader(p.file, p.size); err != nil {
		return err
	}
	if err := p.plain(); err != nil {
		return err
	}
	text, err := p.read(manifestFile)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p.manifest); err != nil {
		return fmt.Errorf("%s: %w", manifestFile, err)
	}
	if p.manifest.Format != Format {
		return fmt.Errorf("%s: format %q; this program reads %s", manifestFile, p.manifest.Format, Format)
	}
	files, err := fs.Sub(p.zip, logDir)
	if err != nil {
		return err
	}
	p.log, err = receipt.OpenExportFS(files)
	if err != nil {
		return fmt.Errorf("%s: %w", logDir, err)
	}
	return nil
}

// plain refuses archives that other programs might read otherwise than this one.
func (p *Pack) plain() error {
	if len(p.zip.File) > maxFiles {
		return fmt.Errorf("it has %d files; a pack has at most %d", len(p.zip.File), maxFiles)
	}
	seen := map[string]bool{}
	for _, f := range p.zip.File {
		switch name := strings.ToLower(f.Name); {
		case !fs.ValidPath(f.Name) || strings.ContainsAny(f.Name, "\\:") || strings.HasSuffix(f.Name, "/"):
			return fmt.Errorf("it has a file named %q", f.Name)
		case seen[name]:
			return fmt.Errorf("it has %q twice", f.Name)
		case f.Method != method(f.Name):
			return fmt.Errorf("%s is packed by method %d; in a pack it is %d", f.Name, f.Method, method(f.Name))
		default:
			seen[name] = true
		}
	}
	return nil
}

// method is how a file is packed: everything but the manifest is compressed.
func method(name string) uint16 {
	if name == manifestFile {
		return zip.Store
	}
	return zip.Deflate
}

// Close closes the file.
func (p *Pack) Close() error { return p.file.Close() }

// Manifest is what the pack says of itself.
func (p *Pack) Manifest() Manifest { return p.manifest }

func (p *Pack) read(name string) ([]byte, error) {
	f, err := p.zip.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	defer f.Close() // read only
	b, err := io.ReadAll(io.LimitReader(f, maxDerived+1))
	if err == nil && len(b) > maxDerived {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxDerived)
	}
	return b, err
}

// Line is the result of one check of a pack.
type Line struct {
	Name  string        `json:"name"`
	State receipt.State `json:"state"`
	Text  string        `json:"text"`
	// Wrong are the first things that are not as they should be.
	Wrong []string `json:"wrong,omitempty"`
}

// Report is the result of verifying a pack.
type Report struct {
	Manifest Manifest       `json:"manifest"`
	Log      receipt.Report `json:"log"`
	Lines    []Line         `json:"checks"`
}

// Verified says whether the pack is what its log's key signed and what follows
// from that.
func (r Report) Verified() bool {
	if !r.Log.Verified() || len(r.Lines) == 0 {
		return false
	}
	for _, l := range r.Lines {
		if l.State == receipt.Broken {
			return false
		}
	}
	return true
}

// Verify verifies the log of the pack, derives everything else from it again,
// and compares.
func (p *Pack) Verify(ctx context.Context, opt receipt.Options, progress Progress) (Report, error) {
	r := Report{Manifest: p.manifest}
	intact, err := p.archive()
	if err != nil {
		return r, err
	}
	r.Lines = append(r.Lines, intact)
	request, err := p.request()
	if err != nil {
		return r, err
	}
	f, err := find(ctx, p.log, request, progress)
	if err != nil {
		r.Lines = append(r.Lines, Line{"period", receipt.Broken, "the entries cannot be read to the end of the period", []string{err.Error()}})
	}
	src := &collecting{Source: p.log, want: map[uint64]bool{}, got: map[uint64][]byte{}}
	if f != nil {
		for _, e := range f.registers {
			src.want[e.index] = true
		}
	}
	opt.Compile = Compile
	opt.Progress = func(done uint64) { progress.at("verifying the log", done, p.manifest.Size) }
	if r.Log, err = receipt.Verify(ctx, src, opt); err != nil {
		return r, err
	}
	if f == nil {
		return r, nil
	}
	return r, p.compare(ctx, &r, src, f, progress)
}

func (p *Pack) request() (Request, error) {
	from, err := time.Parse(time.DateOnly, p.manifest.From)
	if err != nil {
		return Request{}, fmt.Errorf("%s: from: %w", manifestFile, err)
	}
	last, err := time.Parse(time.DateOnly, p.manifest.Until)
	if err != nil {
		return Request{}, fmt.Errorf("%s: until: %w", manifestFile, err)
	}
	r := Request{From: from, Until: last.AddDate(0, 0, 1), For: p.manifest.For}
	return r, r.Check()
}

// collecting keeps the payloads of some entries while all of them pass by.
type collecting struct {
	receipt.Source
	want map[uint64]bool
	got  map[uint64][]byte
}

func (c *collecting) Payloads(ctx context.Context, from uint64) iter.Seq2[receipt.Payload, error] {
	return func(yield func(receipt.Payload, error) bool) {
		for p, err := range c.Source.Payloads(ctx, from) {
			if err == nil && p.Name == receipt.InputPayload && c.want[p.Index] {
				c.got[p.Index] = bytes.Clone(p.Data)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// compare derives the files again. That the log verified is a condition of what
// follows: from a log that was changed, anything follows.
func (p *Pack) compare(ctx context.Context, r *Report, src *collecting, f *found, progress Progress) error {
	if !r.Log.Verified() {
		r.Lines = append(r.Lines, Line{"derived", receipt.Unchecked, "what follows from the log was not compared, because the log itself does not verify", nil})
		return nil
	}
	view, err := derive(ctx, p.log, f, func(context.Context, []uint64) (map[uint64][]byte, error) { return src.got, nil }, progress)
	if err != nil {
		r.Lines = append(r.Lines, Line{"derived", receipt.Broken, "what follows from the log cannot be derived", []string{err.Error()}})
		return nil
	}
	derived, err := view.files()
	if err != nil {
		return err
	}
	r.Lines = append(r.Lines, p.manifestLine(view, derived))
	r.Lines = append(r.Lines, p.derivedLines(view, derived)...)
	r.Lines = append(r.Lines, view.unseen()...)
	return nil
}

// groups are the derived files by what they are, in the order of the report.
func groups() []struct{ name, file, text string } {
	return []struct{ name, file, text string }{
		{"registers", "registers.json", "the registers, rebuilt from the receipts of their changes"},
		{"criteria", "criteria.json", "what is shown of the 70 requirements, evaluated again"},
		{"statement", "soa.json", "the statement of applicability, joined again"},
		{"findings", "findings.json", "nonconformities, incidents and concerns, from their events"},
		{"sample", "sample.json", "the sample, drawn again"},
		{"pages", "pages/", "the pages, written again"},
		{"readme", "README.txt", "the text that explains the pack"},
	}
}

func (p *Pack) derivedLines(v *View, derived []File) (lines []Line) {
	for _, g := range groups() {
		l := Line{Name: g.name, State: receipt.Passed, Text: g.text}
		for _, f := range derived {
			if f.Name != g.file && !(strings.HasSuffix(g.file, "/") && strings.HasPrefix(f.Name, g.file)) {
				continue
			}
			kept, err := p.read(f.Name)
			switch {
			case err != nil:
				l.Wrong = append(l.Wrong, err.Error())
			case !bytes.Equal(kept, f.Data):
				l.Wrong = append(l.Wrong, fmt.Sprintf("%s is not what follows from the log: %s", f.Name, difference(kept, f.Data)))
			}
		}
		if len(l.Wrong) > 0 {
			l.State = receipt.Broken
		}
		lines = append(lines, l)
	}
	return lines
}

// difference names the first line in which two texts differ.
func difference(kept, derived []byte) string {
	a, b := bytes.Split(kept, []byte{'\n'}), bytes.Split(derived, []byte{'\n'})
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d says %.80q, derived is %.80q", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("it has %d lines, derived are %d", len(a), len(b))
}

// manifestLine compares the manifest with what is in the archive.
func (p *Pack) manifestLine(v *View, derived []File) Line {
	l := Line{Name: "manifest", State: receipt.Passed, Text: fmt.Sprintf("%d files, each with its digest", len(p.manifest.Files))}
	want := v.manifest()
	want.Files = p.manifest.Files
	mine, err := jsonText(want)
	kept, err2 := p.read(manifestFile)
	if err != nil || err2 != nil || !bytes.Equal(mine, kept) {
		l.Wrong = append(l.Wrong, "what it says of the log and the period is not what the log says")
	}
	listed := map[string]ManifestFile{}
	for _, f := range p.manifest.Files {
		listed[f.Name] = f
	}
	for _, f := range p.zip.File {
		entry, ok := listed[f.Name]
		delete(listed, f.Name)
		switch digest, err := p.digest(f); {
		case f.Name == manifestFile:
		case !ok:
			l.Wrong = append(l.Wrong, f.Name+" is not listed")
		case err != nil:
			l.Wrong = append(l.Wrong, f.Name+": "+err.Error())
		case digest != entry.Digest || f.UncompressedSize64 != entry.Bytes:
			l.Wrong = append(l.Wrong, f.Name+" is not the file that it lists")
		}
	}
	for name := range listed {
		l.Wrong = append(l.Wrong, name+" is listed and missing")
	}
	known := map[string]bool{manifestFile: true}
	for _, f := range derived {
		known[f.Name] = true
	}
	for _, f := range p.zip.File {
		if !known[f.Name] && path.Dir(f.Name) != logDir && !strings.HasPrefix(f.Name, logDir+"/policies/") {
			l.Wrong = append(l.Wrong, f.Name+" belongs to no pack")
		}
	}
	if len(l.Wrong) > 0 {
		l.State = receipt.Broken
	}
	return l
}

func (p *Pack) digest(f *zip.File) (string, error) {
	in, err := f.Open()
	if err != nil {
		return "", err
	}
	defer in.Close() // read only
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// unseen says what the pack cannot show, and why.
func (v *View) unseen() []Line {
	var lines []Line
	if len(v.Own) > 0 {
		lines = append(lines, Line{"own criteria", receipt.Unchecked, fmt.Sprintf("%d criteria of the organisation's own (%s) are evaluated by the installation only", len(v.Own), strings.Join(v.Own, ", ")), nil})
	}
	for _, e := range v.Observed.Erasures {
		lines = append(lines, Line{"erased", receipt.Unchecked, fmt.Sprintf("payloads of entries %d to %d were erased under rule %q on %s", e.From, e.To, e.Rule, dayOf(e.At)), nil})
	}
	if len(v.Lost) > 0 {
		lines = append(lines, Line{"registers", receipt.Unchecked, fmt.Sprintf("%d changes of registers cannot be rebuilt: their content was erased", len(v.Lost)), nil})
	}
	return append(lines, Line{"beyond", receipt.Unchecked, "actions that bypass the enforcement points, and what happens inside models, are in no log", nil})
}

// archive checks that the file is the archive that this program writes: laid
// out byte by byte as it would be, and up to the manifest with the seal that
// stands at its end. A flipped bit in compressed content may unpack to the same.
func (p *Pack) archive() (Line, error) {
	l := Line{Name: "archive", State: receipt.Passed, Text: fmt.Sprintf("%d bytes, written as packs are, and sealed", p.size)}
	same := &comparing{file: bufio.NewReaderSize(io.NewSectionReader(p.file, 0, p.size), 1<<20)}
	z := zip.NewWriter(same)
	for i, f := range p.zip.File {
		if f.Comment != "" || len(f.Extra) > 0 || f.ExternalAttrs != 0 || f.ModifiedTime != 0 || f.ModifiedDate != 0 {
			l.Wrong = append(l.Wrong, f.Name+" has attributes that packs do not have")
		}
		if (f.Name == manifestFile) != (i == len(p.zip.File)-1) {
			l.Wrong = append(l.Wrong, "the manifest is not its last file")
		}
		if err := z.Copy(f); err != nil {
			l.Wrong = append(l.Wrong, fmt.Sprintf("%s: %v", f.Name, err))
			break
		}
	}
	if err := errors.Join(z.SetComment(p.zip.Comment), z.Close()); err != nil || same.differs || same.written != p.size {
		l.Wrong = append(l.Wrong, fmt.Sprintf("it is not laid out as packs are, from byte %d on", same.first))
	}
	if err := p.sealed(); err != nil {
		l.Wrong = append(l.Wrong, err.Error())
	}
	if len(l.Wrong) > 0 {
		l.State = receipt.Broken
	}
	return l, nil
}

// sealed compares the digest of everything before the manifest's content with
// the archive's comment.
func (p *Pack) sealed() error {
	last := p.zip.File[len(p.zip.File)-1]
	until, err := last.DataOffset()
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.file, 0, until)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != p.zip.Comment {
		return errors.New("its seal is not that of its bytes: something in it was changed")
	}
	return nil
}

// comparing compares what is written with a file.
type comparing struct {
	file    io.Reader
	buf     []byte
	written int64
	first   int64
	differs bool
}

func (c *comparing) Write(b []byte) (int, error) {
	if len(c.buf) < len(b) {
		c.buf = make([]byte, len(b))
	}
	n, err := io.ReadFull(c.file, c.buf[:len(b)])
	if !c.differs && (err != nil || !bytes.Equal(b, c.buf[:n])) {
		c.differs, c.first = true, c.written
	}
	c.written += int64(len(b))
	return len(b), nil
}
