// Package examples holds a complete organisation as the files that aims plan
// and aims apply read: a printing house of 25 people with two agents, those of
// the demonstration. Everybody and everything in it is made up.
package examples

import (
	"embed"
	"io/fs"
	"regexp"
	"time"
)

//go:embed *.yaml documents/*.md
var files embed.FS

// Written is the day on which the files are true: what they call done lies
// before it, what they plan after it.
const Written = "2026-11-23"

var dates = regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b`)

// Files are the files by their names, as they would have been written on a day:
// every date moves by as much. Written leaves them as they are.
func Files(on time.Time) (map[string][]byte, error) {
	written, err := time.Parse(time.DateOnly, Written)
	if err != nil {
		return nil, err
	}
	days := int(on.UTC().Truncate(24*time.Hour).Sub(written).Hours() / 24)
	out := map[string][]byte{}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		out[name] = dates.ReplaceAllFunc(text, func(date []byte) []byte { return move(date, days) })
		return err
	})
	return out, err
}

func move(date []byte, days int) []byte {
	t, err := time.Parse(time.DateOnly, string(date))
	if err != nil {
		return date
	}
	return t.AddDate(0, 0, days).AppendFormat(nil, time.DateOnly)
}
