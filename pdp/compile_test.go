package pdp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	gocmp "github.com/google/go-cmp/cmp"
)

// problems compiles what should not compile.
func problems(tb testing.TB, schema []byte, sources ...Source) []Problem {
	tb.Helper()
	set, err := Compile(sources, schema)
	var all *CompileError
	if set != nil || !errors.As(err, &all) || len(all.Problems) == 0 {
		tb.Fatalf("compiled (%t): %v", set != nil, err)
	}
	return all.Problems
}

func TestCompileReportsEveryProblemAtOnce(t *testing.T) {
	got := problems(t, payments(t),
		Source{Name: "b.cedar", Text: []byte(`permit (principal, action, resource); /* never closed`)},
		Source{Name: "a.cedar", Text: []byte(`// ä comment; with a semicolon
@id("typo") permit (principal, action == Action::"payments___transfer_fund", resource);
permit (principal, action == Action::"payments___transfer_funds", resource)
when { context.input.amount == "5" };
  é permit (principal, action, resource);
@id("unclosed") permit (principal, action, resource) when { 1 == "a };
permit (principal is Robot, action, resource);
@id("ok") permit (principal, action, resource);
@id("ok") forbid (principal, action, resource);
`)})
	var lines []string
	for _, p := range got {
		lines = append(lines, p.String())
	}
	for _, w := range []string{
		`a.cedar:2:1: policy "typo": unable to find an applicable action given the policy scope constraints`,
		"a.cedar:2:1: policy \"typo\": unrecognized action `Action::\"payments___transfer_fund\"`",
		`a.cedar:3:1: policy "a.cedar#2": the types Long and String are not compatible`,
		`a.cedar:5:5: syntax error: "permit": unexpected effect: é`, // cedar-go points at the token after
		`a.cedar:6:66: syntax error: literal not terminated`,
		`a.cedar:9:1: policy "ok": the id is that of the policy at a.cedar:8:1`,
		`b.cedar:1:39: syntax error: a comment is not terminated`,
	} {
		if !containsPrefix(lines, w) {
			t.Errorf("missing: %s", w)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(lines, "\n"))
	}
}

func containsPrefix(lines []string, prefix string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			return true
		}
	}
	return false
}

// Each of these is refused at load, because its author believes something that is not so.
func TestCompileRefuses(t *testing.T) {
	const transfer = `action == Action::"payments___transfer_funds"`
	tests := []struct {
		name, policy, want string
	}{
		{"a misspelt action", `permit (principal, action == Action::"payments___pay", resource);`, "unrecognized action"},
		{"a misspelt action in a condition", `permit (principal, action, resource) when { action == Action::"payments___pay" };`, "unrecognized action"},
		{"a misspelt entity type", `forbid (principal in Rolle::"a", action, resource);`, "unrecognized entity type"},
		{"a misspelt attribute", `forbid (principal, ` + transfer + `, resource) when { context.input.amuont > 5 };`, "amuont"},
		{"an optional argument without asking for it", `forbid (principal, ` + transfer + `, resource) when { context.input.to == "x" };`, "optional"},
		{"two types compared", `forbid (principal, ` + transfer + `, resource) when { context.input.amount == "5" };`, "not compatible"},
		{"a condition that is no boolean", `forbid (principal, ` + transfer + `, resource) when { context.input.amount };`, "expected Bool"},
		{"a role as principal", `permit (principal == Role::"a", action, resource);`, "applicable action"},
		{"a tool on the wrong kind of resource", `permit (principal, ` + transfer + `, resource is System);`, "applicable action"},
		{"a group as an action", `permit (principal, action == Action::"call_tool", resource);`, "which is a group"},
		{"a group as an action in a condition", `permit (principal, action in Action::"call_tool", resource) when { action == Action::"call_tool" };`, "which is a group"},
		{"an empty list", `permit (principal, action in [], resource);`, "empty set"},
		{"a condition that is false", `forbid (principal, action, resource) when { false };`, "never match"},
		{"a condition that is false by its types", `forbid (principal, ` + transfer + `, resource) when { context.input has amount && context.input has nothing };`, "never match"},
		{"an exception that is everything", `forbid (principal, ` + transfer + `, resource) unless { context.input has amount };`, "never match"},
		{"conditions that exclude each other", `forbid (principal, action, resource) when { principal is Agent } when { principal is Person };`, "never match"},
		{"an unguarded argument on all tools", `forbid (principal, action in Action::"call_tool", resource) when { context.input.amount > 5 };`, "not found"},
		{"a bad literal", `forbid (principal, ` + transfer + `, resource) when { ip("10.0.0.256").isLoopback() };`, "IP address"},
		{"a hold on a permit", `@hold("boss") permit (principal, action, resource);`, "@hold on a permit"},
		{"a hold by nobody", `@hold("") forbid (principal, action, resource);`, "@hold is empty"},
		{"a hold by space", `@hold(" ") forbid (principal, action, resource);`, "@hold is empty"},
		{"a bare hold", `@hold forbid (principal, action, resource);`, "@hold is empty"},
		{"a misspelt hold", `@hodl("boss") forbid (principal, action, resource);`, "unknown annotation @hodl"},
		{"an obligation, which is not supported", `@obligation("log:all") permit (principal, action, resource);`, "unknown annotation"},
		{"an empty id", `@id("") permit (principal, action, resource);`, "@id is empty"},
		{"an empty control", `@control("A.9.2,,8.1") permit (principal, action, resource);`, "empty item"},
		{"an endless reason", `@reason("` + strings.Repeat("a", 1001) + `") permit (principal, action, resource);`, "more than 1000 bytes"},
		{"one annotation twice", `@id("a") @id("b") permit (principal, action, resource);`, "duplicate annotation"},
		{"deep brackets", `permit (principal, action, resource) when { ` + strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200) + ` };`, "nested more than"},
		{"an endless policy", `permit (principal, action, resource) when { ` + strings.Repeat("!", 130<<10) + `true };`, "more than 131072 bytes"},
		{"an endless chain", `permit (principal, action, resource) when { context has a` + strings.Repeat(" . /* ; */ a", 40) + ` };`, "chain of more than 32"},
		{"a template", `permit (principal == ?principal, action, resource);`, "syntax error"},
		{"no end", `permit (principal, action, resource)`, "syntax error"},
		{"not UTF-8", "permit (principal, action, resource) when { \"\xff\" == \"\" };", "syntax error"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := problems(t, payments(t), Source{Name: "a.cedar", Text: []byte(permitAll + "\n" + test.policy)})
			var messages []string
			for _, p := range got {
				messages = append(messages, p.Message)
				if p.File != "a.cedar" || p.Line != 2 || p.Column < 1 {
					t.Errorf("at %s:%d:%d, want a.cedar:2", p.File, p.Line, p.Column)
				}
			}
			if all := strings.Join(messages, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}

func TestCompileRefusesTheSetAsAWhole(t *testing.T) {
	good := Source{Name: "a.cedar", Text: []byte(permitAll)}
	tests := []struct {
		name    string
		schema  []byte
		sources []Source
		want    string
	}{
		{"no source", payments(t), nil, "no policy"},
		{"only comments", payments(t), []Source{{Name: "a.cedar", Text: []byte("// nothing\n/* ; */\n")}}, "no policy"},
		{"two files of one name", payments(t), []Source{good, {Name: "a.cedar", Text: []byte(`permit (principal, action, resource);`)}}, "two files"},
		{"one id in two files", payments(t), []Source{good, {Name: "b.cedar", Text: []byte(permitAll)}}, "the policy at a.cedar:1:1"},
		{"an id that is another's name", payments(t), []Source{{Name: "b.cedar", Text: []byte(`permit (principal, action, resource); @id("b.cedar#1") permit (principal, action, resource);`)}}, "the policy at b.cedar:1:1"},
		{"no schema", nil, []Source{good}, "never match"},
		{"a broken schema", []byte("entity Agent\n in [Role;"), []Source{good}, "expected"},
		{"an unknown type in the schema", []byte("entity Agent in [Role];"), []Source{good}, "Role"},
		{"a namespace in the schema", []byte("namespace A { entity B; }"), []Source{good}, "namespace"},
		{"a schema that is its own type", []byte("type A = { a: A }; entity B { a: A };"), []Source{good}, "cycle"},
		{"a schema that explodes", exploding(), []Source{good}, "more than"},
		{"a schema that is a well", []byte("entity A { a: " + strings.Repeat("Set<", 1<<20) + "};"), []Source{good}, "nested more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "no schema" { // an empty schema has no actions: every policy is about nothing
				problems(t, test.schema, Source{Name: "a.cedar", Text: []byte(`permit (principal, action == Action::"a", resource);`)})
				return
			}
			var messages []string
			for _, p := range problems(t, test.schema, test.sources...) {
				messages = append(messages, p.String())
			}
			if all := strings.Join(messages, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}

// exploding is a small schema that is a large one when written out.
func exploding() []byte {
	text := "type T0 = { a: Long };\n"
	for i := 1; i <= 60; i++ {
		text += fmt.Sprintf("type T%d = { a: T%d, b: T%d };\n", i, i-1, i-1)
	}
	return []byte(text)
}

func TestCompileAccepts(t *testing.T) {
	for _, policy := range []string{
		`permit (principal, action, resource);`,
		`permit (principal is Agent in Role::"finance", action in [Action::"payments___transfer_funds", Action::"mcp_method"], resource == McpServer::"payments");`,
		`forbid (principal, action in Action::"call_tool", resource) when { context.input has amount && context.input.amount > 5 };`,
		`forbid (principal, action in Action::"call_tool", resource) unless { context.undeclared.isEmpty() };`,
		`forbid (principal, action, resource) when { action in Action::"call_tool" && context has session && context.session.channel == "hook" };`,
		`permit (principal, action in Action::"extension", resource);`,
		`permit (principal, action == Action::"payments___get-account", resource);`,
		`permit (principal is Person in Role::"admin", action in Action::"manage", resource == System::"aims") when { context.session.channel == "management" };`,
		`permit (principal, action == Action::"resources/read", resource) when { context.input has uri && context.input.uri like "file:///srv/*" };`,
		`@id("a b/ü") @reason("r") @control("A.9.2, 8.1") @threat("ASI02") @hold("treasurer") @doc @description("d") forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.input.amount > 5 };`,
		`forbid (principal, action == Action::"payments___transfer_funds", resource) when { principal is Person } unless { principal in Role::"x" };`,
	} {
		if _, err := Compile([]Source{{Name: "a.cedar", Text: []byte(policy)}}, payments(t)); err != nil {
			t.Errorf("%s\n%v", policy, err)
		}
	}
}

// Before the first tool is seen, policies on all tools are checked all the same.
func TestCompileWithoutTools(t *testing.T) {
	schema := mustSchema(t, Catalog{})
	const good = `forbid (principal, action in Action::"call_tool", resource) when { context.tool.quarantined };`
	if _, err := Compile([]Source{{Name: "a", Text: []byte(good)}}, schema); err != nil {
		t.Error(err)
	}
	problems(t, schema, Source{Name: "a", Text: []byte(`forbid (principal, action in Action::"call_tool", resource) when { context.tool.quarantine };`)})
}

func TestDigest(t *testing.T) {
	schema := payments(t)
	a, b := Source{Name: "a", Text: []byte(permitAll)}, Source{Name: "b", Text: []byte(`@id("other") permit (principal, action, resource);`)}
	digestOf := func(schema []byte, sources ...Source) string {
		set, err := Compile(sources, schema)
		if err != nil {
			t.Fatal(err)
		}
		return set.Digest()
	}
	base := digestOf(schema, a, b)
	if !strings.HasPrefix(base, "sha256:") || len(base) != len("sha256:")+64 {
		t.Errorf("digest %q", base)
	}
	if digestOf(schema, b, a) != base {
		t.Error("the order of the files changes the digest")
	}
	moved := Source{Name: "a", Text: append(append([]byte{}, a.Text...), b.Text...)}
	renamed := Source{Name: "c", Text: b.Text}
	for name, other := range map[string]string{
		"a policy moved to another file": digestOf(schema, moved),
		"a file renamed":                 digestOf(schema, a, renamed),
		"a comment added":                digestOf(schema, a, Source{Name: "b", Text: append([]byte("//\n"), b.Text...)}),
		"another schema":                 digestOf(append([]byte("//\n"), schema...), a, b),
		"a file dropped":                 digestOf(schema, a),
	} {
		if other == base {
			t.Errorf("%s leaves the digest", name)
		}
	}
}

// What a Set gives out or was made from is not a way to change it.
func TestSetIsImmutable(t *testing.T) {
	text, schema := []byte(permitAll), payments(t)
	set, err := Compile([]Source{{Name: "a", Text: text}}, schema)
	if err != nil {
		t.Fatal(err)
	}
	text[0], schema[0] = 'X', 'X'
	set.Sources()[0].Text[0] = 'Y'
	set.Schema()[0] = 'Y'
	again, err := Compile(set.Sources(), set.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest() != set.Digest() {
		t.Error("the set changed")
	}
}

// Policies on all tools, where there are many tools, are checked against one
// tool of each kind; this would take minutes otherwise.
func TestCompileManyBroadPolicies(t *testing.T) {
	var catalog Catalog
	for i := range 1000 {
		catalog.Tools = append(catalog.Tools, Tool{Server: fmt.Sprint("s", i/100), Name: fmt.Sprint("t", i),
			InputSchema: json.RawMessage(fmt.Sprintf(`{"type":"object","properties":{"p%d":{"type":"string"},"amount":{"type":"integer"}}}`, i))})
	}
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "forbid (principal in Role::\"r%d\", action in Action::\"call_tool\", resource) when { context.input has amount && context.input.amount > %d };\n", i, i)
	}
	if _, err := Compile([]Source{{Name: "a", Text: []byte(text.String())}}, mustSchema(t, catalog)); err != nil {
		t.Fatal(err)
	}
	// One tool of another type is found among the thousand, and named.
	catalog.Tools = append(catalog.Tools, Tool{Server: "odd", Name: "one", InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"string"}}}`)})
	got := problems(t, mustSchema(t, catalog), Source{Name: "a", Text: []byte(`forbid (principal, action in Action::"call_tool", resource) when { context.input has amount && context.input.amount > 5 };`)})
	if len(got) != 1 || !strings.Contains(got[0].Message, `Action::"odd___one"`) {
		t.Errorf("%v", got)
	}
}

// Two tools that differ only in whether an argument may be left out are not alike.
func TestCompileTellsOptionalFromRequired(t *testing.T) {
	schema := mustSchema(t, Catalog{Tools: []Tool{
		{Server: "a", Name: "must", InputSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)},
		{Server: "a", Name: "or-not", InputSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)},
	}})
	const policy = `forbid (principal, action in [Action::"a___must", Action::"a___or-not"], resource) when { context.input.n > 5 };`
	got := problems(t, schema, Source{Name: "a", Text: []byte(policy)})
	if len(got) != 1 || !strings.Contains(got[0].Message, "optional") || !strings.Contains(got[0].Message, "a___or-not") {
		t.Errorf("%v", got)
	}
}

// Just within the bounds, the parser and the type checker still come to an end.
func TestCompileAtTheBounds(t *testing.T) {
	const room = maxPolicyBytes - 200
	set := mustCompile(t, payments(t),
		`permit (principal, action, resource) when { `+strings.Repeat("!", room/2*2)+`true };`,
		`permit (principal, action, resource) when { `+strings.Repeat("if principal is Person then true else ", room/38)+`true };`,
		`permit (principal, action, resource) when { `+strings.Repeat("(", 120)+"true"+strings.Repeat(")", 120)+` };`,
		`forbid (principal, action in Action::"call_tool", resource) when { `+strings.Repeat("context.tool.destructive && context.tool.read_only || ", room/55)+`false };`)
	if got := set.Decide(transfer(t, set, `{"amount":1}`), nil); !got.Allowed() || len(got.Reasons) != 3 {
		t.Errorf("%s %d", got.Verdict, len(got.Reasons))
	}
}

// Cutting a file into statements must agree with Cedar's own idea of one.
func TestStatements(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{" // a;\n/* b; */ ", nil},
		{`a; b;c`, []string{"a;", "b;", "c"}},
		{`a ";" b; c`, []string{`a ";" b;`, "c"}},
		{`a "\";" b; c`, []string{`a "\";" b;`, "c"}},
		{"a \"; b\nc;d", []string{"a \"; b\nc;", "d"}},
		{"a /* ; */ b; // ;\n c;", []string{"a /* ; */ b;", "c;"}},
		{"a // \" ;\n;b", []string{"a // \" ;\n;", "b"}},
		{`a "\\"; b`, []string{`a "\\";`, "b"}},
	}
	for _, test := range tests {
		var got []string
		for _, st := range statements([]byte(test.text)) {
			got = append(got, string(st.text))
		}
		if diff := gocmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q\n%s", test.text, diff)
		}
	}
}

func TestPositions(t *testing.T) {
	set := mustCompile(t, payments(t), "// é\n  @id(\"x\")\npermit (principal, action, resource);", "é"[:0]+"permit (principal, action, resource);")
	if set.rules[0].id != "test.cedar#2" || set.rules[1].id != "x" {
		t.Errorf("ids %q %q", set.rules[0].id, set.rules[1].id)
	}
}

// FuzzCompile: whatever the policies are, there is a set or a list of problems
// with places, and a set decides without panic. Cedar's parser and ours agree.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		permitAll, `forbid(principal in Role::"a",action in [Action::"x"],resource)unless{context.input.amount<5};`, `permit(`, "/*", "//", `"`, `@id("a\u{1f600}")permit(principal,action,resource);`,
		`permit (principal, action, resource) when { {a:1,"b c":[decimal("1.0"),ip("::1")]}.a == -9223372036854775808 && principal has a.b.c };;`,
		`permit (principal, action, resource) when { if principal is Agent in Role::"x" then context.input like "a\*b*" else !!true };`,
	} {
		f.Add([]byte(seed))
	}
	schema := payments(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := Compile([]Source{{Name: "fuzz", Text: text}}, schema)
		_, plain := cedar.NewPolicyListFromBytes("fuzz", text)
		if err == nil {
			if plain != nil {
				t.Fatalf("Cedar does not parse what we accept: %v", plain)
			}
			req := transfer(t, set, `{"amount":1}`)
			if diff := gocmp.Diff(reference(set, req, overlay{set.model, nil}), set.Decide(req, nil)); diff != "" {
				t.Fatal(diff)
			}
			if set.Decide(req, nil).Allowed() && !set.Possible(req, nil) {
				t.Fatal("allowed and not possible")
			}
			return
		}
		var all *CompileError
		if !errors.As(err, &all) || len(all.Problems) == 0 {
			t.Fatalf("%T %v", err, err)
		}
		lines := strings.Count(string(text), "\n") + 1
		for _, p := range all.Problems {
			if p.Line > lines || p.Line < 0 || p.File == "fuzz" && p.Line > 0 && p.Column < 1 || p.Message == "" {
				t.Fatalf("%+v in %d lines", p, lines)
			}
		}
	})
}

func TestRules(t *testing.T) {
	schema, _, err := GenerateSchema(Catalog{Tools: []Tool{{Server: "s", Name: "t"}}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := Compile([]Source{
		{Name: "b.cedar", Text: []byte("\n@id(\"z\") @reason(\"why\") permit (principal, action == Action::\"s___t\", resource);")},
		{Name: "a.cedar", Text: []byte("forbid (principal, action == Action::\"s___t\", resource);")},
	}, schema)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range set.Rules() {
		got = append(got, fmt.Sprintf("%s %s %q %s:%d:%d", r.Policy, r.Effect, r.Text, r.File, r.Line, r.Column))
	}
	want := []string{`a.cedar#1 forbid "" a.cedar:1:1`, `z permit "why" b.cedar:2:1`}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
