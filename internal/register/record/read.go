package record

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"aims/internal/strict"
)

// maxFile bounds a file of records, in bytes; attachments may be of any size.
const maxFile = 8 << 20

// ReadDir reads every record below a directory: YAML files, whose keys are kinds
// (see Kind.Key), and documents, which are Markdown files that begin with front
// matter. Other files, and what begins with a dot, are left alone; attachments
// are read for their digests. It checks each record for itself; Check does the
// rest. The error is a *strict.Error with everything that is wrong.
func ReadDir(fsys fs.FS) (Registers, error) {
	r := reader{fsys: fsys}
	r.out.places = map[Key]place{}
	if err := fs.WalkDir(fsys, ".", r.visit); err != nil {
		return Registers{}, err
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b strict.Problem) int {
			return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
		})
		return Registers{}, &strict.Error{Problems: r.problems}
	}
	return r.out, nil
}

type reader struct {
	fsys     fs.FS
	out      Registers
	problems []strict.Problem
}

func (r *reader) wrong(file string, line int, format string, args ...any) {
	r.problems = append(r.problems, strict.Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if name != "." && strings.HasPrefix(d.Name(), ".") {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	read := r.yaml
	switch path.Ext(name) {
	case ".yaml", ".yml":
	case ".md":
		read = r.markdown
	default:
		return nil
	}
	if !d.Type().IsRegular() {
		return nil
	}
	text, err := r.readFile(name)
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		r.wrong(name, 0, "is larger than %d MiB; expected records, with large files as attachments", maxFile>>20)
		return nil
	}
	read(name, text)
	return nil
}

func (r *reader) readFile(name string) (text []byte, err error) {
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func (r *reader) yaml(name string, text []byte) {
	doc, root := strict.Parse(name, text)
	if root != nil {
		doc.Keys(root, func(key string, value *yaml.Node) { r.kind(name, doc, key, value) })
	}
	r.take(doc)
}

// take keeps what a document found wrong.
func (r *reader) take(doc *strict.Document) {
	if e, ok := errors.AsType[*strict.Error](doc.Err()); ok {
		r.problems = append(r.problems, e.Problems...)
	}
}

// kind reads the records under one key of a file.
func (r *reader) kind(name string, doc *strict.Document, key string, value *yaml.Node) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.Key == key })
	if i < 0 {
		keys := make([]string, len(kinds))
		for i, k := range kinds {
			keys[i] = k.Key
		}
		doc.Wrong(key, "no kind of record has this key%s; expected one of %s", strict.Suggest(key, keys), strings.Join(keys, ", "))
		return
	}
	k := kinds[i]
	if k.Single && value.Kind == yaml.MappingNode {
		rec := reflect.New(k.typ)
		if doc.Into(value, key, rec.Interface()) {
			r.record(k, rec.Elem(), place{name, key, doc})
		}
		return
	}
	list := reflect.New(reflect.SliceOf(k.typ))
	if !doc.Into(value, key, list.Interface()) {
		return
	}
	for i := range list.Elem().Len() {
		r.record(k, list.Elem().Index(i), place{name, fmt.Sprintf("%s[%d]", key, i), doc})
	}
}

// markdown reads a document. A file that does not begin with front matter is
// none.
func (r *reader) markdown(name string, text []byte) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	rest, ok := strings.CutPrefix(s, "---\n")
	if !ok {
		r.out.aside = append(r.out.aside, name)
		return
	}
	front, body, ok := strings.Cut("\n"+rest, "\n---\n")
	if !ok {
		if front, ok = strings.CutSuffix("\n"+rest, "\n---"); !ok {
			r.wrong(name, 1, "the front matter has no end; expected a line that is ---")
			return
		}
	}
	// The empty line at its beginning stands for the first ---, so that lines
	// count right.
	doc, root := strict.Parse(name, []byte(front+"\n"))
	k, _ := kindNamed("document")
	rec := reflect.New(k.typ)
	if root != nil && doc.Into(root, "", rec.Interface()) {
		rec.Interface().(*Document).Body = trimBody(body)
		r.record(k, rec.Elem(), place{name, "", doc})
	} else if doc.Err() == nil {
		r.wrong(name, 1, "the front matter is empty; expected the fields of a document: id, title, type, version")
	}
	r.take(doc)
}

// record takes a record that was read.
func (r *reader) record(k kind, rec reflect.Value, at place) {
	if k.Single && idOf(rec) == "" {
		rec.Field(0).Field(0).SetString(k.Name)
	}
	r.attachments(rec, at)
	id := idOf(rec)
	report := func(field, format string, args ...any) {
		p := Problem{Kind: k.Name, ID: id, Field: field, Text: fmt.Sprintf(format, args...)}
		r.wrong(at.file, at.line(field), "%s", p.sentence())
	}
	checkForm(k, rec, report)
	list := r.out.list(k)
	if k.Single && list.Len() > 0 {
		first := r.out.places[Key{k.Name, idOf(list.Index(0))}]
		report("", "there is one %s, and it stands in %s:%d already", k.Name, first.file, first.line("id"))
		return
	}
	if first, twice := r.out.places[Key{k.Name, id}]; twice {
		report("id", "this id stands in %s:%d already", first.file, first.line("id"))
		return
	}
	r.out.put(k, rec)
	r.out.places[Key{k.Name, id}] = at
}

// attachments computes the digests of files that lie beside the record.
func (r *reader) attachments(rec reflect.Value, at place) {
	list := rec.Field(0).Addr().Interface().(*Base).Attachments
	for i := range list {
		a := &list[i]
		name := path.Join(path.Dir(at.file), a.File)
		if a.File == "" || path.IsAbs(a.File) || !fs.ValidPath(name) {
			continue // the form, or the missing digest, is reported
		}
		digest, err := r.digest(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		field := fmt.Sprintf("attachments[%d]", i)
		switch {
		case err != nil:
			r.wrong(at.file, at.line(field), "%s: the file %.100q cannot be read", field, a.File)
		case a.Digest == "":
			a.Digest = digest
		case a.Digest != digest:
			r.wrong(at.file, at.line(field+".digest"), "%s.digest: the file %.100q has the digest %s", field, a.File, digest)
		}
	}
}

func (r *reader) digest(name string) (digest string, err error) {
	f, err := r.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
