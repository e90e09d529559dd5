package aims_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// room is a package's place in the house: the floor that it stands on, the
// one thing it is responsible for, and the outside modules that it may use, so
// that a new dependency is a decision that somebody takes in this file.
type room struct {
	floor   float64
	purpose string
	outside []string
}

// house lists every package. A package may import packages on lower floors
// only. Fractions order the rooms of one floor where one is part of another.
var house = map[string]room{
	"authz":              {0, "words of an access decision as AuthZEN 1.0 names them", nil},
	"iso42001":           {0, "the 70 requirements of ISO/IEC 42001 in our own words, evidence modes, crosswalks (embedded facts)", []string{"go.yaml.in/yaml/v3"}},
	"internal/aims":      {0, "nouns every floor speaks: id, actor, error", []string{"github.com/google/uuid"}},
	"internal/leaf":      {0, "the leaves of a JSON document, without escapes, each with its place", nil},
	"internal/lookalike": {0, "the characters that deceive a reader: unseen ones, and letters that look like others", nil},

	"pdp": {1, "policies × entities × request → decision with reasons; pure, indexed",
		[]string{"github.com/cedar-policy/cedar-go"}},
	"internal/content": {1, "labels what tools return: secrets, personal data, characters that nobody sees",
		[]string{"github.com/zricethezav/gitleaks/v8", "github.com/BobuSumisu/aho-corasick", "github.com/spf13/viper"}},
	"internal/provenance": {1, "where the value of an argument came from: the prompt, earlier results, or nowhere", []string{"golang.org/x/text"}},
	"receipt": {1, "the published format: receipt, checkpoint, proof, export; offline verification",
		[]string{"golang.org/x/mod", "filippo.io/torchwood"}},

	"internal/rehearsal/trajectory": {1, "the format of recorded agent runs: what a gateway could observe of them", nil},

	"internal/progress": {1, "on a terminal, how far a long piece of work is", nil},

	"examples": {1, "a complete organisation as files of records: that of the demonstration", nil},

	"internal/strict": {1, "one YAML document into one Go value, with the line of everything that is wrong", []string{"go.yaml.in/yaml/v3"}},

	"internal/store":           {2, "a database and its transactions; knows no table", nil},
	"internal/rehearsal/score": {2, "compares what was decided of recorded runs with what they were: it alone opens the labels", nil},
	"internal/notify": {2, "tells people outside: webhook with signature and retry, mail, chat services",
		[]string{"github.com/wneessen/go-mail", "github.com/nicholas-fedor/shoutrrr"}},

	"internal/register/record": {2, "documented information as typed records: schema, files, references, differences; pure", []string{"go.yaml.in/yaml/v3"}},
	"internal/register/carryover": {3, "what an organisation with ISO/IEC 27001 has, as records: proposals with their origin, never decisions",
		[]string{"github.com/xuri/excelize/v2"}},
	"internal/evidence/observed":  {2, "folds receipts into what they show of a management system at work; pure", nil},
	"internal/evidence/sample":    {2, "draws a sample of a population that anybody draws again; pure", nil},
	"internal/evidence/measure":   {2.5, "measures of what the log shows, for a period; pure", nil},
	"internal/evidence/framework": {3, "what other frameworks find among the evidence, and what of the EU AI Act applies to a system; pure", nil},
	"internal/evidence/criteria":  {3, "what the records show towards each of the 70 requirements; pure", nil},

	"internal/lifecycle/gate": {3.2, "which preconditions of an agent's deployment hold, what of it lies beyond what was assessed; pure", nil},

	"internal/evidence/soa":   {3.5, "the statement of applicability: decisions joined with risks, rules, evidence and approval; pure", nil},
	"internal/evidence/oscal": {4, "what is known of a management system as NIST OSCAL files; pure", []string{"github.com/google/uuid"}},
	"internal/evidence/pack":  {5, "the audit pack: a log and what follows from it, written and verified; pure but for files", nil},
	"internal/evidence/own":   {3.5, "criteria that the organisation adds itself: CEL over its own records", []string{"github.com/google/cel-go"}},

	"internal/store/sqlite":      {3, "opens SQLite: migrate, who may write", []string{"modernc.org/sqlite", "modernc.org/libc", "github.com/pressly/goose/v3"}},
	"internal/store/postgres":    {3, "opens PostgreSQL: migrate, who may write", []string{"github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"}},
	"internal/store/storetest":   {3.5, "the databases of tests, on either store", nil},
	"internal/ledger":            {3, "append in group commits, sequence, sign, have witnessed, serve tiles", []string{"golang.org/x/mod", "filippo.io/torchwood"}},
	"internal/ledger/ledgertest": {4, "the logs of tests, at a time that the test moves", []string{"golang.org/x/mod"}},
	"internal/witness":           {3, "cosigns checkpoints of other logs that are consistent with what it saw (C2SP tlog-witness)", []string{"golang.org/x/mod", "filippo.io/torchwood"}},

	"internal/register/starter": {4, "the first records of an organisation, from answers to a few questions", nil},
	"internal/register":         {4, "documented information: plan, apply, marks, history, as-of, in tables that follow from the log", nil},

	"internal/policy/bundle": {4, "the format of a policy bundle: policies, their tests, whose they are", []string{"github.com/cedar-policy/cedar-go", "go.yaml.in/yaml/v3"}},
	"internal/policy/guards": {4.2, "the guards that ship: reviewed templates of policies, with their tests", nil},
	"internal/policy/review": {4.5, "what is to be said of a policy bundle before people put it in force: findings, test results, differences", []string{"github.com/cedar-policy/cedar-go"}},

	"internal/session":   {5, "what is known of a run: purpose, what it has read, spent and been refused; provenance of arguments", nil},
	"internal/identity":  {5, "who is calling: agents and people, keys, tokens, roles", []string{"github.com/go-jose/go-jose/v4"}},
	"internal/inventory": {5, "what exists: agents, MCP servers, tools with pins and labels; what of it is stopped", []string{"github.com/gowebpki/jcs"}},
	"internal/policy":    {5, "policy administration: load, check, activate", nil},
	"internal/approval":  {5, "a held action: bound to its exact call, who may release it, quorum, expiry, single use", []string{"github.com/gowebpki/jcs"}},

	"internal/policy/foreign": {5, "carries policies of other products over into the words of this one", []string{"github.com/cedar-policy/cedar-go"}},

	"internal/corrective": {5, "incidents, nonconformities with corrective actions, opportunities and concerns: what their events amount to", nil},
	"internal/assessment": {5, "the threat model: what can go wrong, what treats it, what is left", nil},

	"internal/hindsight":   {6, "judges policies by recorded calls: replay, coverage, least privilege", []string{"github.com/cedar-policy/cedar-go"}},
	"internal/enforcement": {6, "one function for agents and people: facts → decision → receipt", []string{"github.com/cedar-policy/cedar-go"}},

	"internal/lifecycle": {6.2, "an agent goes into operation through a gate; what leaves its bounds reopens their assessment", nil},

	"internal/gateway/envelope":  {6.5, "the envelope of an MCP message: decoded once, bytes kept", []string{"github.com/go-json-experiment/json"}},
	"internal/gateway/statement": {6.6, "what a caller says of its run, read the same way at every enforcement point", nil},
	"internal/gateway/hold":      {6.6, "held calls wait for people, bounded in number and time", nil},
	"internal/gateway/upstream":  {6.7, "connections to upstream MCP servers, each negotiated on its own", nil},
	"internal/gateway":           {7, "policy enforcement point for MCP: a message-level proxy", nil},
	"internal/gateway/authzen":   {7, "policy enforcement point for AuthZEN callers", []string{"github.com/go-json-experiment/json"}},
	"internal/gateway/hook":      {7, "policy enforcement point for coding-agent hooks", []string{"github.com/go-json-experiment/json"}},
	"internal/gateway/connect":   {7, "stdio bridge for clients that speak no HTTP", nil},

	"internal/rehearsal/stage":    {6.9, "an installation that is thrown away: enforcement as live, with a clock of its own", []string{"golang.org/x/mod"}},
	"internal/rehearsal":          {7, "decides recorded runs again, without knowing what they were", []string{"github.com/cedar-policy/cedar-go"}},
	"internal/rehearsal/scenario": {7.5, "runs the threat model: scripted runs against policies", nil},

	"internal/evidence": {7, "joins registers and log to what is shown of the 70 requirements, and what is to be done first", nil},
	"internal/evidence/report": {7.5, "reports that people open: PDF, XLSX, JSON; the same bytes for the same moment of a log",
		[]string{"codeberg.org/go-pdf/fpdf", "github.com/xuri/excelize/v2"}},

	"internal/evidence/audit": {7.2, "internal audits on whole populations and samples, frozen inputs of reviews, windows of certification", nil},

	"internal/api": {8, "management API over HTTP: every verb a person has, decided by the same PDP", []string{"github.com/danielgtaylor/huma/v2"}},

	"internal/app": {9, "configuration → wiring → ordered start and stop", []string{"go.yaml.in/yaml/v3", "golang.org/x/mod", "filippo.io/torchwood"}},

	"internal/demo": {10, "the demonstration: two MCP servers and a scripted agent", []string{"github.com/modelcontextprotocol/go-sdk"}},
	"internal/bench": {10, "what the product promises, timed against its bare equivalent in the same run",
		[]string{"github.com/cedar-policy/cedar-go", "github.com/modelcontextprotocol/go-sdk", "golang.org/x/mod"}},

	"cmd/aims":        {11, "the binary", []string{"github.com/alecthomas/kong"}},
	"cmd/aims-verify": {11, "the auditor's verifier, which keeps no state", []string{"github.com/alecthomas/kong"}},
}

// verifierOnly are the packages that the auditor's verifier may reach, directly
// or not: it must stay small enough to be read by whoever has to trust it.
// For packs it derives what is shown again, by packages that keep no state.
var verifierOnly = []string{"authz", "pdp", "receipt", "internal/strict", "iso42001", "internal/register/record",
	"internal/evidence/observed", "internal/evidence/measure", "internal/evidence/criteria", "internal/evidence/sample", "internal/evidence/soa", "internal/evidence/pack"}

// testsOnly are the rooms that tests share. Nothing that is shipped has them.
var testsOnly = []string{"internal/store/storetest", "internal/ledger/ledgertest"}

const module = "aims/"

type source struct {
	imports []string
	files   []*ast.File
}

// packages parses every package of the module without its tests.
func packages(t *testing.T, fset *token.FileSet) map[string]*source {
	t.Helper()
	found := map[string]*source{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || name == "tools" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if found[dir] == nil {
			found[dir] = &source{}
		}
		found[dir].files = append(found[dir].files, file)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[dir].imports = append(found[dir].imports, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestImportsGoDownwards(t *testing.T) {
	for dir, src := range packages(t, token.NewFileSet()) {
		r, ok := house[dir]
		if !ok {
			t.Errorf("%s has no room in the house: say in house_test.go what it alone is responsible for", dir)
			continue
		}
		used := map[string]bool{}
		for _, name := range src.imports {
			if inner, ok := strings.CutPrefix(name, module); ok {
				if other, ok := house[inner]; ok && other.floor >= r.floor {
					t.Errorf("%s (floor %v) imports %s (floor %v): imports go downwards only", dir, r.floor, inner, other.floor)
				}
				continue
			}
			if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			i := slices.IndexFunc(r.outside, func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") })
			if i < 0 {
				t.Errorf("%s imports %s, which its room does not list", dir, name)
				continue
			}
			used[r.outside[i]] = true
		}
		for _, m := range r.outside {
			if !used[m] {
				t.Errorf("%s no longer uses %s: take it off its room", dir, m)
			}
		}
	}
}

func TestEveryRoomExists(t *testing.T) {
	found := packages(t, token.NewFileSet())
	for dir := range house {
		if found[dir] == nil {
			t.Errorf("house_test.go lists %s, which does not exist", dir)
		}
	}
}

// Only tests, and rooms that tests share, import the rooms that tests share; and
// nothing else knows the package testing.
func TestRoomsOfTestsServeTestsOnly(t *testing.T) {
	for dir, src := range packages(t, token.NewFileSet()) {
		if slices.Contains(testsOnly, dir) {
			continue
		}
		for _, name := range src.imports {
			if inner, _ := strings.CutPrefix(name, module); name == "testing" || slices.Contains(testsOnly, inner) {
				t.Errorf("%s imports %s, which is for tests", dir, name)
			}
		}
	}
}

func TestVerifierStaysSmall(t *testing.T) {
	found := packages(t, token.NewFileSet())
	reached := map[string]bool{}
	var walk func(string)
	walk = func(dir string) {
		src := found[dir]
		if src == nil || reached[dir] {
			return
		}
		reached[dir] = true
		for _, name := range src.imports {
			if inner, ok := strings.CutPrefix(name, module); ok {
				walk(inner)
			}
		}
	}
	walk("cmd/aims-verify")
	delete(reached, "cmd/aims-verify")
	var got []string
	for dir := range reached {
		got = append(got, dir)
	}
	sort.Strings(got)
	for _, dir := range got {
		if !slices.Contains(verifierOnly, dir) {
			t.Errorf("cmd/aims-verify reaches %s; it may reach %v only", dir, verifierOnly)
		}
	}
}

// TestNoPackageState refuses init functions and variables that could hold
// state between calls: time, context and collaborators are handed in.
func TestNoPackageState(t *testing.T) {
	fset := token.NewFileSet()
	for _, src := range packages(t, fset) {
		for _, file := range src.files {
			for _, decl := range file.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					if d.Name.Name == "init" && d.Recv == nil {
						t.Errorf("%s: an init function", fset.Position(d.Pos()))
					}
				case *ast.GenDecl:
					if d.Tok == token.VAR {
						checkVariables(t, fset, d)
					}
				}
			}
		}
	}
}

func checkVariables(t *testing.T, fset *token.FileSet, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		embedded := embeds(d.Doc) || embeds(v.Doc)
		for _, name := range v.Names {
			if name.Name == "_" || embedded {
				continue
			}
			if len(v.Values) == 0 {
				t.Errorf("%s: variable %s has no value at the start, so it is state", fset.Position(v.Pos()), name.Name)
			}
		}
	}
}

func embeds(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	return slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}
