package trajectory

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const oneRun = `{"id":"r1","suite":"office","model":"said otherwise","purpose":"office/t1","user_prompt":"Write to kim@office.example",
"calls":[{"tool":"read_inbox","args":{},"result":"hello"},
{"tool":"send_note","args":{"to":["kim@office.example"],"n":4.0},"result":"no","error":"refused","result_len":2,"arg_src":{"to[0]":["u",0],"n":[]}}]}`

func line(s string) string { return strings.ReplaceAll(s, "\n", "") + "\n" }

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRunsAreReadCompressedOrNotInTheOrderOfTheirModels(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "zeta.jsonl", []byte(line(oneRun)+"\n"))
	write(t, dir, "alpha.jsonl.gz", zipped(t, line(strings.Replace(oneRun, "r1", "r2", 1))+line(oneRun)))
	write(t, dir, "README.md", []byte("no run"))
	runs, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var keys []Key
	for _, r := range runs {
		keys = append(keys, r.Key)
	}
	if diff := cmp.Diff([]Key{{"alpha", "r1"}, {"alpha", "r2"}, {"zeta", "r1"}}, keys); diff != "" {
		t.Error(diff)
	}
	want := Call{Tool: "send_note", Args: []byte(`{"to":["kim@office.example"],"n":4.0}`), Result: "no", Failed: true, Sources: map[string][]Source{"to[0]": {Prompt, 0}}}
	if diff := cmp.Diff(want, runs[0].Calls[1]); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongInAFileIsNamedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ bad, want string }{
		"no JSON":                   {"{", "bad.jsonl:2:"},
		"no id":                     {line(strings.Replace(oneRun, `"id":"r1",`, "", 1)), "id, suite and purpose"},
		"a source that comes later": {line(strings.Replace(oneRun, `["u",0]`, `[1]`, 1)), "not before it"},
		"a source of another kind":  {line(strings.Replace(oneRun, `["u",0]`, `["v"]`, 1)), `expected "u"`},
		"a negative source":         {line(strings.Replace(oneRun, `["u",0]`, `[-1]`, 1)), `expected "u"`},
		"no tool":                   {line(strings.Replace(oneRun, "read_inbox", "", 1)), "names no tool"},
		"args of another kind":      {line(strings.Replace(oneRun, `"args":{}`, `"args":[]`, 1)), "no object"},
		"a run twice":               {line(oneRun), "two runs"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "bad.jsonl", []byte(line(oneRun)+c.bad))
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestADirectoryWithoutRunsIsAnError(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("got %v", err)
	}
	dir := t.TempDir()
	write(t, dir, "a.jsonl", []byte(line(oneRun)))
	write(t, dir, "a.jsonl.gz", zipped(t, line(oneRun)))
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "two files") {
		t.Errorf("got %v", err)
	}
	write(t, dir, "a.jsonl.gz", []byte("no gzip"))
	if _, err := Load(dir); err == nil {
		t.Error("two files of one model were read")
	}
}

func TestAToolOfWhichNothingIsSaidIsUntrusted(t *testing.T) {
	tools, err := parseTools([]byte(`{"tools":[{"name":"a"},{"name":"b","_meta":{"x-effect":"send","x-untrusted-output":false}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !tools[0].Untrusted || tools[1].Untrusted || tools[1].Effect != "send" {
		t.Errorf("%+v", tools)
	}
	if _, err := parseTools([]byte(`{"tools":[{"name":"a"},{"name":"a"}]}`)); err == nil {
		t.Error("two tools of one name were taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(line(oneRun)))
	f.Add([]byte(`{"id":"a","suite":"b","purpose":"c","calls":[{"tool":"t","arg_src":{"x":["u"]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		for i, c := range r.Calls {
			if len(c.Args) == 0 || c.Args[0] != '{' {
				t.Errorf("call %d has the arguments %q", i, c.Args)
			}
			for _, sources := range c.Sources {
				for _, s := range sources {
					if int(s) >= i {
						t.Errorf("call %d has the source %d", i, s)
					}
				}
			}
		}
	})
}
