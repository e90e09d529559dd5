package bundle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

const permitAll = `@id("all") permit (principal, action, resource);`

func files(pairs ...string) []bundle.File {
	var out []bundle.File
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, bundle.File{Name: pairs[i], Text: []byte(pairs[i+1])})
	}
	return out
}

func mustNew(t *testing.T, pairs ...string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.New(files(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}

const wholeMeta = `name: payments
description: What the bookkeeper may pay.
owner: finance
requirements: [A.9.2, "8.1"]
budgets:
  - {name: daily, of: sum, argument: amount, tools: ["payments___*"], per: agent, window: 24h}
  - {name: steps, of: calls, tools: ["*"], per: session}
quorum: {treasurer: 2}
approval_expiry: 15m
`

const wholeTests = `- name: a small payment
  request:
    agent: billing
    roles: [clerk]
    action: payments___pay
    input: {amount: 100.50, to: "alice", tags: [a, 2, null, true], at: 2026-11-23}
    session: {purpose: invoices, labels: [untrusted], calls: 3}
    tool: {destructive: false, effects: [pay]}
    provenance: {to: {user: true, sink: recipient}}
    budget: {daily: {spent: 10, after: 110.5}}
    approval: {id: apr_1, roles: [treasurer]}
  expect: allow
  policies: [all]
- name: nobody
  request: {person: ada, action: policy/approve, matter: {authors: [ada]}}
  expect: deny
`

func TestLoad(t *testing.T) {
	b, err := bundle.Load(fstest.MapFS{
		"b.cedar": {Data: []byte("// later\n")}, "a.cedar": {Data: []byte(permitAll)}, "bundle.yaml": {Data: []byte(wholeMeta)},
		"tests/t.yaml": {Data: []byte(wholeTests)}, "tests/tools/payments.json": {Data: []byte(`{"tools":[{"name":"pay","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}`)},
		"schema.cedarschema": {Data: []byte("entity A;")}, ".git/config": {Data: []byte("x")}, "tests/.swp": {Data: []byte("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantMeta := bundle.Meta{
		Name: "payments", Description: "What the bookkeeper may pay.", Owner: "finance", Requirements: []string{"A.9.2", "8.1"},
		Budgets: []bundle.Budget{
			{Name: "daily", Of: bundle.Sum, Argument: "amount", Tools: []string{"payments___*"}, Per: bundle.PerAgent, Window: 24 * time.Hour},
			{Name: "steps", Of: bundle.Calls, Tools: []string{"*"}, Per: bundle.PerSession},
		},
		Quorum: map[string]int{"treasurer": 2}, ApprovalExpiry: 15 * time.Minute,
	}
	if d := cmp.Diff(wantMeta, b.Meta); d != "" {
		t.Error(d)
	}
	if len(b.Sources) != 2 || b.Sources[0].Name != "a.cedar" || len(b.Tests) != 2 || string(b.Schema) != "entity A;" {
		t.Errorf("%+v", b)
	}
	if want := []pdp.Tool{{Server: "payments", Name: "pay", InputSchema: []byte(`{"type":"object"}`), ReadOnly: true}}; !cmp.Equal(want, b.Tools) {
		t.Error(cmp.Diff(want, b.Tools))
	}
	first := b.Tests[0]
	if first.File != "tests/t.yaml" || first.Line != 1 || b.Tests[1].Line != 14 {
		t.Errorf("places %s:%d, %d", first.File, first.Line, b.Tests[1].Line)
	}
	if got, want := string(first.Request.Input), `{"amount":100.50,"to":"alice","tags":["a",2,null,true],"at":"2026-11-23"}`; got != want {
		t.Errorf("input %s, want %s", got, want)
	}
	want := bundle.Request{
		Agent: "billing", Roles: []string{"clerk"}, Action: "payments___pay", Input: first.Request.Input,
		Session:    bundle.Session{Purpose: "invoices", Labels: []string{"untrusted"}, Calls: 3},
		Tool:       bundle.Tool{Destructive: new(bool), Effects: []string{"pay"}},
		Provenance: map[string]bundle.Provenance{"to": {User: true, Sink: "recipient"}},
		Budget:     map[string]bundle.Spending{"daily": {Spent: "10", After: "110.5"}},
		Approval:   &bundle.Approval{ID: "apr_1", Roles: []string{"treasurer"}},
	}
	if d := cmp.Diff(want, first.Request); d != "" {
		t.Error(d)
	}
}

// The digest names the content: neither the order nor the generated schema
// matters, and every byte and name of the rest does.
func TestDigest(t *testing.T) {
	all := files("a.cedar", permitAll, "b.cedar", "// b", "bundle.yaml", wholeMeta, "tests/t.yaml", wholeTests)
	digest := func(in []bundle.File) string {
		t.Helper()
		b, err := bundle.New(in)
		if err != nil {
			t.Fatal(err)
		}
		return b.Digest
	}
	want := digest(all)
	if len(want) != len("sha256:")+64 {
		t.Fatalf("digest %q", want)
	}
	for range 10 {
		other := slices.Clone(all)
		rand.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		if digest(append(other, files("schema.cedarschema", "entity A;")...)) != want {
			t.Fatal("order or schema matters")
		}
	}
	if got := mustNew(t, "a.cedar", permitAll).Files(); len(got) != 1 || digest(got) != mustNew(t, "a.cedar", permitAll, "schema.cedarschema", "x").Digest {
		t.Errorf("what the digest covers is not what Files gives: %v", got)
	}
	seen := map[string]string{want: "all"}
	for i, f := range all {
		changed, renamed := slices.Clone(all), slices.Clone(all)
		changed[i].Text = append(slices.Clone(f.Text), '\n')
		renamed[i].Name = strings.Replace(f.Name, ".", "2.", 1)
		variants := map[string][]bundle.File{"changed " + f.Name: changed}
		if f.Name != bundle.MetaFile {
			variants["renamed "+f.Name] = renamed
		}
		for name, in := range variants {
			if before, same := seen[digest(in)]; same {
				t.Errorf("%s is the same as %s", name, before)
			}
			seen[digest(in)] = name
		}
	}
	// Text must not move from one file to the next unnoticed.
	if mustNew(t, "a.cedar", permitAll+"x", "b.cedar", "y").Digest == mustNew(t, "a.cedar", permitAll, "b.cedar", "xy").Digest {
		t.Error("files run into one another")
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	one := func(request string) string { return "- {name: x, expect: deny, request: " + request + "}\n" }
	for name, c := range map[string]struct {
		files []bundle.File
		place string
		text  string
	}{
		"no policy":           {files("a.cedar", "// nothing\n"), "a.cedar", "there is no policy"},
		"nothing":             {nil, "", "there is no policy"},
		"meta key":            {files("bundle.yaml", "nmae: x\n"), "bundle.yaml:1", `unknown key "nmae"`},
		"meta twice":          {files("bundle.yaml", "name: x\nname: y\n"), "bundle.yaml:2", "stands on line 1"},
		"quorum":              {files("bundle.yaml", "quorum:\n  a: 1\n  b: 0\n"), "bundle.yaml:3", "1 to 20"},
		"budget name":         {files("bundle.yaml", "budgets:\n- {name: A, of: calls, tools: [x], per: session}\n"), "bundle.yaml:2", "lower-case"},
		"budget twice":        {files("bundle.yaml", "budgets:\n- {name: a, of: calls, tools: [x], per: session}\n- {name: a, of: calls, tools: [x], per: session}\n"), "bundle.yaml:3", "earlier budget"},
		"budget of":           {files("bundle.yaml", "budgets:\n- {name: a, of: call, tools: [x], per: session}\n"), "bundle.yaml:2", "calls or sum"},
		"budget argument":     {files("bundle.yaml", "budgets:\n- {name: a, of: sum, tools: [x], per: session}\n"), "bundle.yaml:2", "a sum is that of an argument"},
		"budget per":          {files("bundle.yaml", "budgets:\n- {name: a, of: calls, tools: [x], per: day}\n"), "bundle.yaml:2", "session, agent"},
		"budget window":       {files("bundle.yaml", "budgets:\n- {name: a, of: calls, tools: [x], per: agent}\n"), "bundle.yaml:2", "only a session"},
		"budget long":         {files("bundle.yaml", "budgets:\n- {name: a, of: calls, tools: [x], per: agent, window: 4000d}\n"), "bundle.yaml:2", "a year"},
		"budget tools":        {files("bundle.yaml", "budgets:\n- {name: a, of: calls, per: session}\n"), "bundle.yaml:2", "expected 1 to"},
		"test syntax":         {files("tests/t.yaml", "- name: [x\n"), "tests/t.yaml:", ""},
		"test key":            {files("tests/t.yaml", "- name: x\n  expects: deny\n"), "tests/t.yaml:2", `unknown key "expects"`},
		"test fact":           {files("tests/t.yaml", one("{agent: a, action: x, session: {lables: [untrusted]}}")), "tests/t.yaml:1", "lables"},
		"test not a list":     {files("tests/t.yaml", "name: x\n"), "tests/t.yaml:1", "expected a list"},
		"test name":           {files("tests/t.yaml", "- expect: deny\n  request: {agent: a, action: x}\n"), "tests/t.yaml:1", "expected one line"},
		"test expect":         {files("tests/t.yaml", "- name: x\n  request: {agent: a, action: x}\n  expect: refuse\n"), "tests/t.yaml:3", "allow, deny or hold"},
		"test nobody":         {files("tests/t.yaml", one("{action: x}")), "tests/t.yaml:1", "either agent or person"},
		"test both":           {files("tests/t.yaml", one("{agent: a, person: b, action: x}")), "tests/t.yaml:1", "either agent or person"},
		"test person's stage": {files("tests/t.yaml", one("{person: b, action: x, stage: deployed}")), "tests/t.yaml:1", "only an agent"},
		"test action":         {files("tests/t.yaml", one("{agent: a}")), "tests/t.yaml:1", "missing"},
		"test server":         {files("tests/t.yaml", one("{agent: a, action: s___t, server: s}")), "tests/t.yaml:1", "in its action"},
		"test amount":         {files("tests/t.yaml", one("{agent: a, action: x, budget: {d: {spent: 1.00001}}}")), "tests/t.yaml:1", "four places"},
		"test twice":          {files("tests/t.yaml", one("{agent: a, action: x}")+one("{agent: a, action: x}")), "tests/t.yaml:2", "on line 1 already"},
		"test number":         {files("tests/t.yaml", "- name: x\n  expect: deny\n  request:\n    agent: a\n    action: x\n    input: {n: .inf}\n"), "tests/t.yaml:6", "no form in JSON"},
		"tools":               {files("tests/tools/s.json", `{"tool":[]}`), "tests/tools/s.json", "tools/list"},
		"tools syntax":        {files("tests/tools/s.json", `{"tools":`), "tests/tools/s.json", "is not JSON"},
		"tools name":          {files("tests/tools/s.json", `[{"inputSchema":{}}]`), "tests/tools/s.json", "without a name"},
	} {
		in := c.files
		if name != "nothing" && name != "no policy" {
			in = append(slices.Clone(in), files("p.cedar", permitAll)...)
		}
		_, err := bundle.New(in)
		if code(err) != aims.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(bundle.Problems(err), func(p pdp.Problem) bool {
			place := p.File
			if p.Line > 0 {
				place = fmt.Sprintf("%s:%d", p.File, p.Line)
			}
			return (place == c.place || strings.HasSuffix(c.place, ":") && strings.HasPrefix(place, strings.TrimSuffix(c.place, ":"))) && strings.Contains(p.Message, c.text)
		}) {
			t.Errorf("%s: %v\nwant %s and %q", name, bundle.Problems(err), c.place, c.text)
		}
		if _, text := aims.Public(err); !strings.Contains(text, strings.TrimSuffix(c.place, ":")) {
			t.Errorf("%s: the sentence does not name the place: %s", name, text)
		}
	}
}

func TestOnlyFilesOfABundle(t *testing.T) {
	for name, in := range map[string][]bundle.File{
		"another kind": files("readme.md", "x"), "another ending": files("tests/a.yml", "x"), "below": files("sub/a.cedar", "x"),
		"outside": files("../a.cedar", "x"), "absolute": files("/a.cedar", "x"), "tools' server": files("tests/tools/A.json", "[]"),
		"twice": files("a.cedar", permitAll, "a.cedar", permitAll), "not UTF-8": files("a.cedar", "\xff"), "large": files("a.cedar", strings.Repeat(" ", 1<<20+1)),
		"house": files("house/house.cedar", permitAll),
	} {
		if _, err := bundle.New(in); code(err) != aims.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadFromDisk(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (*bundle.Bundle, error) { return bundle.Load(os.DirFS(dir)) }
	if _, err := load(); code(err) != aims.Invalid {
		t.Errorf("an empty directory: %v", err)
	}
	write("..data/real.cedar", permitAll)
	if err := os.Symlink("..data/real.cedar", filepath.Join(dir, "linked.cedar")); err != nil {
		t.Fatal(err)
	}
	if b, err := load(); err != nil || len(b.Sources) != 1 || string(b.Sources[0].Text) != permitAll {
		t.Errorf("a link as mounts make it: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.cedar"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); code(err) != aims.Invalid {
		t.Errorf("a directory: %v", err)
	}
	os.Remove(filepath.Join(dir, "dir.cedar"))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.cedar"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); code(err) != aims.Invalid { // and does not hang
		t.Errorf("a pipe: %v", err)
	}
	os.Remove(filepath.Join(dir, "pipe.cedar"))
	write("notes.txt", "x")
	if _, err := load(); code(err) != aims.Invalid || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("a foreign file: %v", err)
	}
	if _, err := bundle.Load(os.DirFS(filepath.Join(dir, "nowhere"))); code(err) != aims.Invalid {
		t.Errorf("no directory: %v", err)
	}
}

func TestBudgetCounts(t *testing.T) {
	for _, c := range []struct {
		glob, action string
		want         bool
	}{
		{"*", "a___b", true}, {"a___b", "a___b", true}, {"a___b", "a___bc", false}, {"a___*", "a___", true}, {"a___*", "b___a___", false},
		{"*___pay", "x___pay", true}, {"*___pay", "x___pay2", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"", "", true}, {"", "a", false},
	} {
		if got := (bundle.Budget{Tools: []string{"no", c.glob}}).Counts(c.action); got != c.want {
			t.Errorf("%q counts %q: %v", c.glob, c.action, got)
		}
	}
	tools := []pdp.Tool{{Server: "a", Name: "pay"}, {Server: "b", Name: "pay"}}
	got := bundle.Meta{Budgets: []bundle.Budget{{Name: "x", Tools: []string{"a___*"}}, {Name: "y", Tools: []string{"c"}}}}.Counted(tools)
	if want := []pdp.Budget{{Name: "x", Actions: []string{"a___pay"}}, {Name: "y"}}; !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestParseTools(t *testing.T) {
	for _, text := range []string{`{"tools":[{"name":"a"}]}`, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}`, ` [{"name":"a"}]`} {
		tools, err := bundle.ParseTools("s", []byte(text))
		if err != nil || len(tools) != 1 || tools[0].Action() != "s___a" || tools[0].ReadOnly || !tools[0].Destructive {
			t.Errorf("%s: %+v, %v", text, tools, err)
		}
	}
	if tools, err := bundle.ParseTools("s", []byte(`{"tools":[]}`)); err != nil || len(tools) != 0 {
		t.Errorf("a server without tools: %v", err)
	}
}

// Whatever bytes a file has, there is a bundle or an error with its place, and
// what is accepted is accepted again from its own files.
func FuzzNew(f *testing.F) {
	f.Add([]byte(wholeMeta), []byte(wholeTests), []byte(`{"tools":[{"name":"a"}]}`))
	f.Add([]byte("budgets: [{name: a}]"), []byte("- {request: {input: {a: 0x10}}}"), []byte(`{"result":null}`))
	f.Add([]byte("{}"), []byte("[]"), []byte("[]"))
	f.Fuzz(func(t *testing.T, meta, tests, tools []byte) {
		in := []bundle.File{{Name: "p.cedar", Text: []byte(permitAll)}, {Name: "bundle.yaml", Text: meta}, {Name: "tests/t.yaml", Text: tests}, {Name: "tests/tools/s.json", Text: tools}}
		b, err := bundle.New(in)
		if err != nil {
			if code(err) != aims.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := bundle.New(b.Files())
		if err != nil || again.Digest != b.Digest || !cmp.Equal(again.Tests, b.Tests) {
			t.Errorf("accepted once and not again: %v", err)
		}
	})
}
