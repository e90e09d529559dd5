package pdp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// one generates the schema of a single tool and gives its input type and losses.
func one(tb testing.TB, inputSchema string) (string, []Loss) {
	tb.Helper()
	schema, losses, err := GenerateSchema(Catalog{Tools: []Tool{{Server: "s", Name: "t", InputSchema: json.RawMessage(inputSchema)}}})
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, found := strings.Cut(string(schema), `action "s___t" in [Action::"call_tool"] appliesTo { principal: [Agent, Person], resource: [McpServer], context: { input: `)
	input, _, ended := strings.Cut(rest, `, undeclared: Set<String>, tool: ToolFacts, session: Session, provenance: {`)
	if !found || !ended {
		tb.Fatalf("no action in\n%s", schema)
	}
	if _, problem := parseModel(schema); problem != nil {
		tb.Fatalf("Cedar does not read the schema: %v\n%s", problem, schema)
	}
	return input, losses
}

func TestArgumentTypes(t *testing.T) {
	const decimals, millis, lengths = "a number is a decimal", "whole milliseconds", "whole milliseconds"
	tests := []struct {
		name, schema string // of the one property a
		want         string
		losses       []string // each "argument: start of text"
	}{
		{"string", `{"type":"string"}`, `"a"?: String`, nil},
		{"boolean", `{"type":"boolean"}`, `"a"?: Bool`, nil},
		{"integer", `{"type":"integer","minimum":1,"format":"int32"}`, `"a"?: Long`, nil},
		{"number", `{"type":"number"}`, `"a"?: decimal`, []string{"a: " + decimals}},
		{"date-time", `{"type":"string","format":"date-time"}`, `"a"?: datetime`, []string{"a: a date and time is carried in " + millis}},
		{"date", `{"type":"string","format":"date"}`, `"a"?: datetime`, nil},
		{"duration", `{"type":"string","format":"duration"}`, `"a"?: duration`, []string{"a: a duration is carried in " + lengths}},
		{"ipv4", `{"type":"string","format":"ipv4"}`, `"a"?: ipaddr`, nil},
		{"ipv6", `{"type":"string","format":"ipv6"}`, `"a"?: ipaddr`, nil},
		{"unknown format", `{"type":"string","format":"uri"}`, `"a"?: String`, nil},
		{"array", `{"type":"array","items":{"type":"string"}}`, `"a"?: Set<String>`, nil},
		{"array of arrays", `{"type":"array","items":{"type":"array","items":{"type":"integer"}}}`, `"a"?: Set<Set<Long>>`, nil},
		{"array of objects", `{"type":"array","items":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}`, `"a"?: Set<{ "n": Long }>`, nil},
		{"array of anything", `{"type":"array"}`, ``, []string{"a: an array of anything"}},
		{"array of nullable", `{"type":"array","items":{"type":["string","null"]}}`, ``, []string{"a: an array whose elements may be null"}},
		{"array of unions", `{"type":"array","items":{"type":["string","boolean"]}}`, ``, []string{"a: an array whose elements differ in type"}},
		{"tuple", `{"type":"array","prefixItems":[{"type":"string"}]}`, ``, []string{"a: an array whose elements differ by position"}},
		{"old tuple", `{"type":"array","items":[{"type":"string"}]}`, ``, []string{"a: an array whose elements differ by position"}},
		{"array of the inexpressible", `{"type":"array","items":{}}`, ``, []string{"a: an array whose elements have no type", "a[]: the schema has no type"}},
		{"enum of strings", `{"enum":["x","y"]}`, `"a"?: String`, nil},
		{"enum of integers", `{"enum":[1,2.0]}`, `"a"?: Long`, nil},
		{"enum of numbers", `{"enum":[1,2.5]}`, `"a"?: decimal`, []string{"a: " + decimals}},
		{"enum with null", `{"enum":["x",null]}`, `"a"?: String`, nil},
		{"enum of kinds", `{"enum":["x",true]}`, `@union "a"?: { "typeChoice0"?: String, "typeChoice1"?: Bool }`, nil},
		{"enum of objects", `{"enum":[{}]}`, ``, []string{"a: an alternative has no type in Cedar", "a: an enumeration of objects"}},
		{"enum of nothing", `{"enum":[]}`, ``, []string{"a: no value but null"}},
		{"const", `{"const":5}`, `"a"?: Long`, nil},
		{"closed object", `{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":"string"}},"required":["n"],"additionalProperties":false}`, `"a"?: { "n": Long, "s"?: String }`, nil},
		{"open object", `{"type":"object","properties":{"n":{"type":"integer"}}}`, `"a"?: { "n"?: Long }`, nil},
		{"closed empty object", `{"type":"object","additionalProperties":false}`, `"a"?: { }`, nil},
		{"map", `{"type":"object","additionalProperties":{"type":"string"}}`, ``, []string{"a: an object without declared properties"}},
		{"map beside properties", `{"type":"object","properties":{"n":{"type":"integer"}},"additionalProperties":{"type":"string"}}`, `"a"?: { "n"?: Long }`, []string{"a: members beyond the declared ones"}},
		{"inexpressible member", `{"type":"object","properties":{"n":{"type":"integer"},"x":{}},"required":["n","x"]}`, `"a"?: { "n": Long }`, []string{"a.x: the schema has no type"}},
		{"nullable by type", `{"type":["string","null"]}`, `"a"?: String`, nil},
		{"nullable by anyOf", `{"anyOf":[{"type":"integer"},{"type":"null"}]}`, `"a"?: Long`, nil},
		{"nullable by OpenAPI", `{"type":"integer","nullable":true}`, `"a"?: Long`, nil},
		{"only null", `{"type":"null"}`, ``, []string{"a: only null is allowed"}},
		{"union by type", `{"type":["string","integer"]}`, `@union "a"?: { "typeChoice0"?: String, "typeChoice1"?: Long }`, nil},
		{"union by anyOf", `{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}},{"type":"null"}]}`, `@union "a"?: { "typeChoice0"?: String, "typeChoice1"?: Set<String> }`, nil},
		{"union with null first", `{"oneOf":[{"type":"null"},{"type":"boolean"},{"type":"string"}]}`, `@union "a"?: { "typeChoice1"?: Bool, "typeChoice2"?: String }`, nil},
		{"union of one type", `{"anyOf":[{"type":"string","format":"email"},{"type":"string"}]}`, `"a"?: String`, nil},
		{"union of strings", `{"anyOf":[{"type":"string","format":"ipv4"},{"type":"string"}]}`, `"a"?: String`, nil},
		{"union of numbers", `{"anyOf":[{"type":"integer"},{"type":"number"}]}`, `"a"?: decimal`, []string{"a: " + decimals}},
		{"union of objects", `{"anyOf":[{"type":"object","properties":{"x":{"type":"string"}}},{"type":"object","properties":{"y":{"type":"string"}}}]}`, ``, []string{"a: alternatives that cannot be told apart"}},
		{"union with the inexpressible", `{"anyOf":[{"type":"string"},{}]}`, ``, []string{"a: an alternative has no type in Cedar", "a: the schema has no type"}},
		{"union in a union", `{"anyOf":[{"type":["string","integer"]},{"type":"boolean"}]}`, ``, []string{"a: alternatives within alternatives"}},
		{"allOf of one", `{"allOf":[{"$ref":"#/$defs/n"}]}`, `"a"?: Long`, nil},
		{"allOf of two", `{"allOf":[{"type":"string"},{"minLength":1}]}`, ``, []string{"a: the schema has no type"}},
		{"constraints", `{"type":"string","anyOf":[{"pattern":"a"}],"not":{"const":"b"},"if":{}}`, `"a"?: String`, nil},
		{"reference", `{"$ref":"#/$defs/n","description":"x"}`, `"a"?: Long`, nil},
		{"reference with escapes", `{"$ref":"#/$defs/a~1b%20c"}`, `"a"?: Bool`, nil},
		{"old reference", `{"$ref":"#/definitions/n"}`, `"a"?: String`, nil},
		{"reference to nothing", `{"$ref":"#/$defs/none"}`, ``, []string{"a: a reference to nothing"}},
		{"reference elsewhere", `{"$ref":"https://example.com/a.json"}`, ``, []string{"a: a reference to another document"}},
		{"reference to itself", `{"$ref":"#/properties/a"}`, ``, []string{"a: a reference to itself"}},
		{"recursive type", `{"$ref":"#/$defs/tree"}`, `"a"?: { "v"?: Long }`, []string{"a.kids: an array whose elements have no type", "a.kids[]: a reference to itself"}},
		{"no type but properties", `{"properties":{"n":{"type":"integer"}}}`, `"a"?: { "n"?: Long }`, nil},
		{"no type but items", `{"items":{"type":"integer"}}`, `"a"?: Set<Long>`, nil},
		{"no type", `{"description":"anything"}`, ``, []string{"a: the schema has no type"}},
		{"anything", `true`, ``, []string{"a: any value is allowed"}},
		{"nothing", `false`, ``, []string{"a: no value is allowed"}},
		{"malformed", `"string"`, ``, []string{"a: no value is allowed, or the schema is malformed"}},
		{"unknown type", `{"type":"float"}`, ``, []string{"a: the type is unknown"}},
		{"malformed type", `{"type":5}`, ``, []string{"a: the type is malformed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			input, losses := one(t, `{"type":"object","properties":{"a":`+test.schema+`},"$defs":{"n":{"type":"integer"},"a/b c":{"type":"boolean"},`+
				`"tree":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}},"definitions":{"n":{"type":"string"}}}`)
			want := "{ }"
			if test.want != "" {
				want = "{ " + test.want + " }"
			}
			if input != want {
				t.Errorf("got %s, want %s", input, want)
			}
			if len(losses) != len(test.losses) {
				t.Fatalf("losses %v, want %v", losses, test.losses)
			}
			for i, l := range losses {
				if got := l.Argument + ": " + l.Text; !strings.HasPrefix(got, test.losses[i]) || l.Action != "s___t" {
					t.Errorf("loss %s %q, want %q", l.Action, got, test.losses[i])
				}
			}
		})
	}
}

func TestRequiredAndNullable(t *testing.T) {
	input, _ := one(t, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"type":["string","null"]}},"required":["a","c",5,"missing"]}`)
	if want := `{ "a": String, "b"?: String, "c"?: String }`; input != want {
		t.Errorf("got %s, want %s", input, want)
	}
}

// A hostile or useless input schema costs its tool the arguments, says so by
// the tool's name, and leaves the other tools alone.
func TestHostileInputSchemas(t *testing.T) {
	deep := strings.Repeat(`{"type":"object","properties":{"a":`, 100) + `{"type":"string"}` + strings.Repeat(`}}`, 100)
	laughs := `{"type":"object","properties":{"a":{"$ref":"#/$defs/l30"}},"$defs":{"l0":{"type":"string"}`
	for i := 1; i <= 30; i++ {
		laughs += fmt.Sprintf(`,"l%d":{"type":"object","properties":{"x":{"$ref":"#/$defs/l%d"},"y":{"$ref":"#/$defs/l%d"}}}`, i, i-1, i-1)
	}
	laughs += "}}"
	wide := `{"type":"object","properties":{`
	for i := range 5000 {
		wide += fmt.Sprintf(`"p%d":{"type":"string"},`, i)
	}
	wide += `"last":{"type":"string"}}}`
	tests := []struct{ name, schema, input, loss string }{
		{"none", ``, `{ }`, "no input schema"},
		{"not JSON", `{"type":`, `{ }`, "not JSON"},
		{"a name twice", `{"type":"object","properties":{"a":{"type":"string"},"a":{"type":"integer"}}}`, `{ }`, "given twice"},
		{"an array", `[]`, `{ }`, "not an object"},
		{"a string", `{"type":"string"}`, `{ }`, "does not describe an object"},
		{"a reference to a string", `{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`, `{ }`, "does not describe an object"},
		{"a circle of references", `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`, `{ }`, "reference to itself"},
		{"huge", `{"type":"object","description":"` + strings.Repeat("a", 1<<20) + `"}`, `{ }`, "bytes, at most"},
		{"brackets", strings.Repeat(`[`, 1<<19), `{ }`, "nested more than"},
		{"a billion laughs", laughs, `{ }`, "more than 2000 values"},
		{"wide", wide, `{ }`, "more than 2000 values"},
		{"deep", deep, ``, "nested more than 32 deep"},
		{"under anyOf", `{"type":"object","anyOf":[{"properties":{"a":{"type":"string"}}}]}`, `{ }`, "only under anyOf"},
		{"an endless name", `{"type":"object","properties":{"` + strings.Repeat("a", 300) + `":{"type":"string"}}}`, `{ }`, "more than 256 bytes"},
		{"properties that are none", `{"type":"object","properties":[1]}`, `{ }`, ""},
		{"a referenced object", `{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"n":{"type":"integer"}}}}}`, `{ "n"?: Long }`, ""},
		{"no type", `{"properties":{"n":{"type":"integer"}}}`, `{ "n"?: Long }`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			input, losses := one(t, test.schema)
			if test.input != "" && input != test.input {
				t.Errorf("got %s, want %s", input, test.input)
			}
			all := ""
			for _, l := range losses {
				all += l.Action + " " + l.Text + "\n"
			}
			if test.loss == "" && all != "" || !strings.Contains(all, test.loss) || test.loss != "" && !strings.HasPrefix(all, "s___t ") {
				t.Errorf("losses %.300q, want %q", all, test.loss)
			}
			if len(all) > 1<<20 {
				t.Errorf("%d bytes of losses", len(all))
			}
		})
	}
}

var hostileNames = []string{"get-sum", "a.b/c", "with space", `qu"ote`, `back\slash`, "if", "__cedar", "true", "née", "ü\u200b", "日本", "line\nbreak", "tab\t", "\x00", "'", "}", "*", "a\u202eb", "\U0001f600", ""}

// Names that MCP allows and Cedar's own generator refuses stand verbatim in
// action ids and attributes, and policies can name them.
func TestNames(t *testing.T) {
	var catalog Catalog
	for _, name := range hostileNames {
		properties, err := json.Marshal(map[string]any{name: map[string]string{"type": "integer"}})
		if err != nil {
			t.Fatal(err)
		}
		catalog.Tools = append(catalog.Tools, Tool{Server: "s", Name: name, InputSchema: json.RawMessage(`{"type":"object","properties":` + string(properties) + `}`)})
	}
	schema, losses, err := GenerateSchema(catalog)
	if err != nil || len(losses) != 0 {
		t.Fatal(err, losses)
	}
	for _, b := range schema {
		if b >= 0x7f || b < 0x20 && b != '\n' {
			t.Fatalf("the schema has the byte %#x", b)
		}
	}
	var policies []string
	for _, name := range hostileNames {
		attribute := string(appendQuoted(nil, name))
		policies = append(policies, fmt.Sprintf(`permit (principal, action == Action::%s, resource) when { context.input has %s && context.input[%s] == 5 };`,
			appendQuoted(nil, "s___"+name), attribute, attribute))
	}
	set := mustCompile(t, schema, policies...)
	for _, name := range hostileNames {
		if !set.Has("s___" + name) {
			t.Errorf("no action for %q", name)
		}
		arguments, err := json.Marshal(map[string]int{name: 5})
		if err != nil {
			t.Fatal(err)
		}
		req := transfer(t, mustCompile(t, payments(t), permitAll), `{"amount":1}`)
		req.Action.ID = cedarString("s___" + name)
		if req, err = set.Complete(req, arguments); err != nil {
			t.Fatal(err)
		}
		if got := set.Decide(req, nil); !got.Allowed() || len(got.Reasons) != 1 {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

func TestCatalogErrors(t *testing.T) {
	object := json.RawMessage(`{"type":"object"}`)
	tests := []struct {
		name    string
		catalog Catalog
	}{
		{"a server name that could hold the separator", Catalog{Tools: []Tool{{Server: "a___b", Name: "c", InputSchema: object}}}},
		{"a server without name", Catalog{Tools: []Tool{{Name: "c", InputSchema: object}}}},
		{"a long server name", Catalog{Tools: []Tool{{Server: strings.Repeat("a", 33), Name: "c", InputSchema: object}}}},
		{"a tool twice", Catalog{Tools: []Tool{{Server: "a", Name: "c", InputSchema: object}, {Server: "a", Name: "c", InputSchema: object}}}},
		{"an extension that is a method", Catalog{Extensions: []string{"tools/list"}}},
		{"an extension that is a verb", Catalog{Extensions: []string{"keys/create"}}},
		{"an extension that is a group", Catalog{Extensions: []string{"call_tool"}}},
		{"an extension that is a tool", Catalog{Tools: []Tool{{Server: "a", Name: "c", InputSchema: object}}, Extensions: []string{"a___c"}}},
		{"an extension twice", Catalog{Extensions: []string{"x/y", "x/y"}}},
		{"an extension without name", Catalog{Extensions: []string{""}}},
	}
	for _, test := range tests {
		if schema, _, err := GenerateSchema(test.catalog); err == nil || schema != nil {
			t.Errorf("%s: no error", test.name)
		}
	}
	// Names that only an attack has do not stop the catalog: the tool has no
	// action, so every call of it is refused.
	for _, name := range []string{"\xff", strings.Repeat("a", 257)} {
		schema, losses, err := GenerateSchema(Catalog{Tools: []Tool{{Server: "a", Name: name, InputSchema: object}, {Server: "a", Name: "good", InputSchema: object}}})
		if err != nil || len(losses) != 1 || !strings.Contains(losses[0].Text, "has no action") {
			t.Fatal(err, losses)
		}
		set := mustCompile(t, schema, permitAll)
		if set.Has("a___"+name) || !set.Has("a___good") {
			t.Errorf("actions with %.10q", name)
		}
	}
}

func TestHas(t *testing.T) {
	set := mustCompile(t, mustSchema(t, Catalog{Tools: []Tool{{Server: "a", Name: "b", InputSchema: json.RawMessage(`{"type":"object"}`)}}, Extensions: []string{"x/y"}}), permitAll)
	for _, action := range slices.Concat(Methods(), Verbs(), []string{"a___b", "x/y"}) {
		if !set.Has(action) {
			t.Errorf("no action %s", action)
		}
	}
	for _, action := range []string{"", "b", "a___c", "tools/call", "call_tool", "mcp_method", "manage", "extension", "x/z"} {
		if set.Has(action) {
			t.Errorf("action %s", action)
		}
	}
}

func TestGenerateSchemaIsDeterministic(t *testing.T) {
	var catalog Catalog
	for i := range 30 {
		catalog.Tools = append(catalog.Tools, Tool{Server: fmt.Sprint("s", i%3), Name: fmt.Sprint("t", i), InputSchema: json.RawMessage(`{"type":"object","properties":{"c":{"type":"number"},"a":{"type":["string","integer"]},"b":{}}}`)})
		catalog.Extensions = append(catalog.Extensions, fmt.Sprint("x/", i))
	}
	schema, losses, err := GenerateSchema(catalog)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		rand.Shuffle(len(catalog.Tools), func(i, j int) { catalog.Tools[i], catalog.Tools[j] = catalog.Tools[j], catalog.Tools[i] })
		rand.Shuffle(len(catalog.Extensions), func(i, j int) {
			catalog.Extensions[i], catalog.Extensions[j] = catalog.Extensions[j], catalog.Extensions[i]
		})
		again, lost, err := GenerateSchema(catalog)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(schema) || !slices.Equal(lost, losses) {
			t.Fatal("the order of the catalog shows in the schema")
		}
	}
}

// The example of the conventions that policies are written against.
func TestConventionsExample(t *testing.T) {
	input, _ := one(t, `{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":"string"}},"required":["amount"]}`)
	if want := `{ "amount": decimal, "to"?: String }`; input != want {
		t.Errorf("got %s, want %s", input, want)
	}
}

func genShape(depth int) *rapid.Generator[shape] {
	return rapid.Custom(func(t *rapid.T) shape {
		kind := shapeKind(rapid.IntRange(0, int(ipaddrShape)).Draw(t, "scalar"))
		if depth > 0 {
			kind = shapeKind(rapid.IntRange(0, int(recordShape)).Draw(t, "kind"))
		}
		s := shape{kind: kind}
		switch kind {
		case setShape:
			elem := genShape(depth-1).Draw(t, "elem")
			s.elem = &elem
		case recordShape:
			s.fields = genFields(depth-1).Draw(t, "fields")
		}
		return s
	})
}

func genFields(depth int) *rapid.Generator[map[string]field] {
	return rapid.Custom(func(t *rapid.T) map[string]field {
		fields := map[string]field{}
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			name := rapid.OneOf(rapid.SampledFrom(hostileNames), rapid.String()).Draw(t, "name")
			f := field{shape: genShape(depth).Draw(t, "field"), optional: rapid.Bool().Draw(t, "optional")}
			if depth > 0 && rapid.IntRange(0, 4).Draw(t, "union") == 0 {
				f.shape = shape{kind: unionShape, fields: map[string]field{
					"typeChoice0": {shape{kind: stringShape}, true}, "typeChoice1": {shape{kind: longShape}, true},
				}}
			}
			fields[name] = f
		}
		return fields
	})
}

// Whatever shape the generator writes, the compiled schema reads back the same.
func TestShapesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := shape{kind: recordShape, fields: genFields(3).Draw(t, "input")}
		text := appendTool([]byte(preamble), Tool{Server: "s", Name: "t"}, want, nil)
		m, problem := parseModel(append(text, emptyGroups(spending{})...))
		if problem != nil {
			t.Fatalf("%v\n%s", problem, text)
		}
		if got := m.requests["s___t"].input; !got.equal(want) || !m.requests["s___t"].takesUndeclared {
			t.Fatal(gocmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)))
		}
	})
}

// FuzzGenerateSchema: no input schema makes a panic, a schema that Cedar does
// not read, or arguments that are neither seen nor reported.
func FuzzGenerateSchema(f *testing.F) {
	for _, seed := range []string{
		`{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":["string","null"]}},"required":["amount"]}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"x":{"$ref":"#/$defs/a"}}}}}`,
		`{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"array","items":{"enum":[1,2]}}]},"b":{"allOf":[{"const":1.5}]}}}`,
		`{"type":"object","additionalProperties":false,"patternProperties":{}}`, `true`, `[]`, `{"properties":{"":{"type":"object","properties":{"":{}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, inputSchema []byte) {
		schema, losses, err := GenerateSchema(Catalog{Tools: []Tool{{Server: "s", Name: "t", InputSchema: inputSchema}}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := Compile([]Source{{Name: "a", Text: []byte(permitAll)}}, schema)
		if err != nil {
			t.Fatalf("%v\n%s", err, schema)
		}
		if root, err := parseJSON(inputSchema); err == nil {
			properties, _ := root.get("properties")
			for _, m := range properties.members {
				_, seen := set.model.requests["s___t"].input.fields[m.name]
				if !seen && len(losses) == 0 {
					t.Fatalf("the argument %q is left out without a word", m.name)
				}
			}
		}
		if len(losses) > maxShapes+10 {
			t.Fatalf("%d losses", len(losses))
		}
	})
}

// A budget is there where it counts, and can be asked for everywhere else.
func TestBudgetsInTheSchema(t *testing.T) {
	schema, _, err := GenerateSchema(Catalog{
		Tools:   []Tool{{Server: "a", Name: "pay"}, {Server: "a", Name: "read"}},
		Budgets: []Budget{{Name: "daily", Actions: []string{"a___pay"}}, {Name: "calls"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	compiles := func(policy string) bool {
		_, err := Compile([]Source{{Name: "p.cedar", Text: []byte(policy)}}, schema)
		return err == nil
	}
	for policy, want := range map[string]bool{
		`forbid (principal, action == Action::"a___pay", resource) when { context.budget.daily.after.greaterThan(decimal("1.0")) };`:                                         true,
		`forbid (principal, action == Action::"a___read", resource) when { context.budget.daily.after.greaterThan(decimal("1.0")) };`:                                        false,
		`forbid (principal, action in Action::"call_tool", resource) when { context.budget has daily && context.budget.daily.after.greaterThan(decimal("1.0")) };`:           true,
		`forbid (principal, action in Action::"call_tool", resource) when { context.budget has calls && context.budget.calls.after.greaterThan(decimal("1.0")) };`:           true,
		`forbid (principal, action in Action::"call_tool", resource) when { context.budget has weekly && context.budget.weekly.after.greaterThan(decimal("1.0")) };`:         false,
		`forbid (principal, action in Action::"call_tool", resource) when { context.budget.daily.after.greaterThan(decimal("1.0")) };`:                                       false,
		`forbid (principal, action in [Action::"a___pay", Action::"a___read"], resource) when { context.budget has daily && context.budget.daily.after == decimal("1.0") };`: true,
	} {
		if got := compiles(policy); got != want {
			t.Errorf("%s: compiles %v", policy, got)
		}
	}
	for _, bad := range []Catalog{{Budgets: []Budget{{}}}, {Budgets: []Budget{{Name: "a"}, {Name: "a"}}}} {
		if _, _, err := GenerateSchema(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
