package sqlite

import (
	"bytes"
	"io"
	"io/fs"
	"regexp"
)

// keyed shows migrations to SQLite with their BIGINT keys as INTEGER keys. Both
// words mean 64 bits, but SQLite stores a table by an INTEGER key, and beside
// any other it keeps an index, which would be one more page to write and
// sync in every commit.
type keyed struct{ fs.FS }

var bigintKey = regexp.MustCompile(`(?i)\bBIGINT((?:\s+NOT\s+NULL)?\s+PRIMARY\s+KEY)\b`)

func (k keyed) Open(name string) (fs.File, error) {
	f, err := k.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return &keyedFile{File: f, text: bytes.NewReader(bigintKey.ReplaceAll(text, []byte("INTEGER$1")))}, nil
}

type keyedFile struct {
	fs.File
	text *bytes.Reader
}

func (f *keyedFile) Read(b []byte) (int, error) { return f.text.Read(b) }
