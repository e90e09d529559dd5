// Package trajectory is the format of recorded agent runs: what a gateway could
// observe of them, and the tools that there were. Whether a run was an attack, or
// solved its task, it does not know.
package trajectory

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aims/authz"
)

// Key names a run: the model whose file it is in, and its id there.
type Key struct{ Model, ID string }

// Compare orders keys.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Model, o.Model), cmp.Compare(k.ID, o.ID))
}

// Run is one recorded run.
type Run struct {
	Key
	// Suite names the list of tools that the run had.
	Suite string
	// Purpose is the user's task; an attack on it has the same.
	Purpose string
	Prompt  string
	Calls   []Call
}

// Call is one call of a run.
type Call struct {
	Tool string
	// Args is a JSON object.
	Args json.RawMessage
	// Result is the beginning of what came back.
	Result string
	// Failed says that the tool answered with an error.
	Failed bool
	// Sources says of each leaf of the arguments, by its path, where its value
	// occurs word for word; a path that is missing or has none occurs nowhere.
	Sources map[string][]Source
}

// Source is a text in which a value occurs: the result of a call of the run, by
// its number, or the prompt.
type Source int

// Prompt is the user's prompt as a Source.
const Prompt Source = -1

// Judged is a run with what was decided of each of its calls.
type Judged struct {
	*Run
	Verdicts []authz.Verdict
	// Policies are those that determined a verdict which is not to allow.
	Policies [][]string
}

// The ends of the names of files: one of runs for each model, compressed or
// not, and one of tools for each suite.
const (
	plainSuffix = ".jsonl"
	gzipSuffix  = ".jsonl.gz"
	toolSuffix  = ".tools.json"
)

// named are the files of a directory that end in one of the suffixes, by the
// rest of their names.
func named(dir string, suffixes ...string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		for _, suffix := range suffixes {
			name, ok := strings.CutSuffix(e.Name(), suffix)
			if !ok || name == "" || e.IsDir() {
				continue
			}
			if files[name] != "" {
				return nil, fmt.Errorf("%s has two files of %s", dir, name)
			}
			files[name] = filepath.Join(dir, e.Name())
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no file *%s", dir, strings.Join(suffixes, " or *"))
	}
	return files, nil
}

// Load reads the runs of all models of a directory, by model and id. An error
// names file and line.
func Load(dir string) ([]Run, error) {
	files, err := named(dir, plainSuffix, gzipSuffix)
	if err != nil {
		return nil, err
	}
	var runs []Run
	for model, file := range files {
		err := lines(file, func(line []byte) error {
			r, err := parse(line)
			r.Model = model
			runs = append(runs, r)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return a.Key.Compare(b.Key) })
	for i := range runs {
		if i > 0 && runs[i].Key == runs[i-1].Key {
			return nil, fmt.Errorf("%s has two runs %q of %s", dir, runs[i].ID, runs[i].Model)
		}
	}
	return runs, nil
}

// maxLine bounds a line, maxFile the text of a file.
const (
	maxLine = 16 << 20
	maxFile = 1 << 30
)

// Lines calls do with each line that is not empty of the file of a model.
func Lines(dir, model string, do func(line []byte) error) error {
	files, err := named(dir, plainSuffix, gzipSuffix)
	if err != nil {
		return err
	}
	if files[model] == "" {
		return fmt.Errorf("%s has no file of %s", dir, model)
	}
	return lines(files[model], do)
}

func lines(file string, do func(line []byte) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: maxFile}
	if strings.HasSuffix(file, gzipSuffix) {
		if limited.R, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: expected gzip: %w", file, err)
		}
	}
	scanner := bufio.NewScanner(limited)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		if err := do(scanner.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", file, n+1, err)
	}
	if limited.N == 0 {
		return fmt.Errorf("%s has more than %d bytes", file, int64(maxFile))
	}
	return nil
}

// recorded is a run as it is written. Members that are not named here are of
// no use to a gateway.
type recorded struct {
	ID      string `json:"id"`
	Suite   string `json:"suite"`
	Purpose string `json:"purpose"`
	Prompt  string `json:"user_prompt"`
	Calls   []struct {
		Tool    string               `json:"tool"`
		Args    json.RawMessage      `json:"args"`
		Result  string               `json:"result"`
		Error   json.RawMessage      `json:"error"`
		Sources map[string][]written `json:"arg_src"`
	} `json:"calls"`
}

// written is a Source as it is written: "u" or a number.
type written Source

func (w *written) UnmarshalJSON(b []byte) error {
	if string(b) == `"u"` {
		*w = written(Prompt)
		return nil
	}
	var n int
	if err := json.Unmarshal(b, &n); err != nil || n < 0 {
		return fmt.Errorf(`arg_src has %.50s: expected "u" or the number of a call`, b)
	}
	*w = written(n)
	return nil
}

func parse(line []byte) (Run, error) {
	var w recorded
	if err := json.Unmarshal(line, &w); err != nil {
		return Run{}, err
	}
	if w.ID == "" || w.Suite == "" || w.Purpose == "" {
		return Run{}, errors.New("expected a run with id, suite and purpose")
	}
	r := Run{Key: Key{ID: w.ID}, Suite: w.Suite, Purpose: w.Purpose, Prompt: w.Prompt, Calls: make([]Call, len(w.Calls))}
	for i, c := range w.Calls {
		if c.Tool == "" {
			return Run{}, fmt.Errorf("call %d names no tool", i)
		}
		if c.Args = bytes.TrimSpace(c.Args); len(c.Args) == 0 || string(c.Args) == "null" {
			c.Args = json.RawMessage("{}")
		}
		if c.Args[0] != '{' {
			return Run{}, fmt.Errorf("the args of call %d are no object", i)
		}
		sources := make(map[string][]Source, len(c.Sources))
		for path, from := range c.Sources {
			for _, s := range from {
				if int(s) >= i {
					return Run{}, fmt.Errorf("arg_src of call %d names call %d, which is not before it", i, s)
				}
				sources[path] = append(sources[path], Source(s))
			}
		}
		failed := len(c.Error) > 0 && string(c.Error) != "null"
		r.Calls[i] = Call{Tool: c.Tool, Args: c.Args, Result: c.Result, Failed: failed, Sources: sources}
	}
	return r, nil
}
