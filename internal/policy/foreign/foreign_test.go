package foreign_test

import (
	"encoding/json"
	"strings"
	"testing"

	"aims/internal/policy/foreign"
	"aims/pdp"

	"github.com/cedar-policy/cedar-go"
)

// flat is a text with all space made one blank.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestAgentCore(t *testing.T) {
	tests := []struct {
		name, source, want string // want is in the text
		notes              []string
		left               int
	}{
		{"a claim that is a role", `permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"Refund___process", resource == AgentCore::Gateway::"arn:x")
when { principal.hasTag("role") && principal.getTag("role") == "finance" && context.input.amount < 500 };`,
			`permit(principal is Agent, action == Action::"refund___process", resource) when { (principal in Role::"finance") && context.input.amount < 500 };`,
			[]string{`the target "Refund"`, `the gateway "arn:x"`}, 0},
		{"a negated claim keeps its meaning", `permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"R___p", resource) when { !(principal.getTag("role") == "guest") };`,
			`when { !((principal in Role::"guest")) };`, nil, 0},
		{"the subject", `forbid(principal == AgentCore::OAuthUser::"billing", action in [AgentCore::Action::"R___a", AgentCore::Action::"R___b"], resource);`,
			`forbid(principal == Agent::"billing", action in [Action::"r___a", Action::"r___b"], resource);`, nil, 0},
		{"a claim without a meaning, in a permit", `permit(principal, action == AgentCore::Action::"R___a", resource) when { principal.hasTag("department") && principal.getTag("department") == "x" };`,
			`// permit(principal`, []string{"a tag of the caller has no meaning here"}, 1},
		{"a claim without a meaning, in a forbid", `@id("f") forbid(principal, action == AgentCore::Action::"R___a", resource) when { principal.getTag("department") == "x" };`,
			`@id("f") forbid ( principal, action == Action::"r___a", resource );`, []string{"forbids more"}, 0},
		{"a lone hasTag is no claim", `permit(principal, action == AgentCore::Action::"R___a", resource) when { principal.hasTag("role") && true };`,
			`// Left out`, []string{"a tag of the caller"}, 1},
		{"hasTag of one and getTag of another", `permit(principal, action == AgentCore::Action::"R___a", resource) when { principal.hasTag("x") && principal.getTag("role") == "y" };`,
			`// Left out`, []string{"a tag of the caller"}, 1},
		{"an action of no target", `permit(principal, action == AgentCore::Action::"odd", resource);`, `// Left out`, []string{`AgentCore::Action::"odd"`}, 1},
		{"words within a string and a comment", `// AgentCore::Action::"R___a"
@reason("say AgentCore::OAuthUser::\"x\"") permit(principal, action == AgentCore::Action::"R___a", resource) when { context.input.text == "principal.getTag(\"role\") == \"x\"" };`,
			`@reason("say AgentCore::OAuthUser::\"x\"") permit(principal, action == Action::"r___a", resource) when { context.input.text == "principal.getTag(\"role\") == \"x\"" };`, nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := foreign.AgentCore([]byte(test.source), foreign.Options{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, test.want, test.notes, test.left)
		})
	}
}

func check(t *testing.T, got foreign.Result, want string, notes []string, left int) {
	t.Helper()
	if !strings.Contains(flat(got.Text), flat(want)) {
		t.Errorf("got\n%s\nwant\n%s", got.Text, want)
	}
	all, _ := json.Marshal(got.Notes)
	for _, n := range notes {
		quoted, _ := json.Marshal(n)
		if !strings.Contains(string(all), strings.Trim(string(quoted), `"`)) {
			t.Errorf("notes %s, want %q", all, n)
		}
	}
	if got.Left != left {
		t.Errorf("%d left out, want %d", got.Left, left)
	}
	if _, err := cedar.NewPolicyListFromBytes("", []byte(got.Text)); err != nil {
		t.Errorf("what came out is no Cedar: %v\n%s", err, got.Text)
	}
}

func toolHive(t *testing.T, policies ...string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"version": "1.0", "type": "cedarv1", "cedar": map[string]any{"policies": policies, "entities_json": "[]"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestToolHive(t *testing.T) {
	tests := []struct {
		name, source, want string
		notes              []string
		left               int
	}{
		{"a tool", `permit(principal, action == Action::"call_tool", resource == Tool::"weather");`,
			`permit(principal, action == Action::"w___weather", resource == McpServer::"w");`, nil, 0},
		{"every tool", `permit(principal == Client::"ada", action == Action::"call_tool", resource) when { resource has arg_city && resource.arg_city == "Rome" };`,
			`permit(principal == Agent::"ada", action in Action::"call_tool", resource == McpServer::"w") when { context.input has city && context.input.city == "Rome" };`, nil, 0},
		{"a prompt", `permit(principal, action == Action::"get_prompt", resource == Prompt::"greeting");`,
			`permit(principal, action == Action::"prompts/get", resource == McpServer::"w") when { context.input has name && context.input.name == "greeting" };`, nil, 0},
		{"a resource in a condition", `permit(principal, action == Action::"read_resource", resource == Resource::"data") when { principal.claim_roles.contains("reader") };`,
			`when { (principal in Role::"reader") } when { context.input has uri && context.input.uri == "data" };`, nil, 0},
		{"a claim", `permit(principal, action == Action::"call_tool", resource) when { principal has claim_role && principal.claim_role == "x" };`,
			`when { (principal in Role::"x") };`, nil, 0},
		{"a claim without a meaning", `permit(principal, action == Action::"call_tool", resource) when { principal.claim_city == "Rome" };`,
			`// Left out`, []string{"principal.claim_city"}, 1},
		{"a forbid that loses its condition", `forbid(principal, action == Action::"call_tool", resource == Tool::"rm") unless { principal.claim_city == "Rome" };`,
			`forbid ( principal, action == Action::"w___rm", resource == McpServer::"w" );`, []string{"forbids more"}, 0},
		{"lists", `permit(principal, action == Action::"list_tools", resource);`, `action == Action::"tools/list", resource == McpServer::"w"`, nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := foreign.ToolHive(toolHive(t, test.source), foreign.Options{Server: "w"})
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, test.want, test.notes, test.left)
		})
	}
}

// What was imported compiles for the tools that it is about.
func TestImportedCompiles(t *testing.T) {
	schema, _, err := pdp.GenerateSchema(pdp.Catalog{Tools: []pdp.Tool{{Server: "w", Name: "weather", InputSchema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := foreign.ToolHive(toolHive(t,
		`permit(principal, action == Action::"call_tool", resource == Tool::"weather") when { context has arg_city && context.arg_city == "Rome" && principal.claim_role == "x" };`,
		`forbid(principal, action == Action::"get_prompt", resource == Prompt::"p");`,
		`permit(principal, action == Action::"list_tools", resource);`), foreign.Options{Server: "w"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pdp.Compile([]pdp.Source{{Name: "imported.cedar", Text: []byte(got.Text)}}, schema); err != nil || got.Carried != 3 {
		t.Errorf("%d carried: %v\n%s", got.Carried, err, got.Text)
	}
}

func TestBadSources(t *testing.T) {
	for name, source := range map[string]string{
		"no JSON": `permit(principal, action, resource);`, "another type": `{"type":"rego"}`, "no Cedar": `{"type":"cedarv1","cedar":{"policies":["permit("]}}`,
	} {
		if got, err := foreign.ToolHive([]byte(source), foreign.Options{Server: "w"}); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := foreign.ToolHive(toolHive(t), foreign.Options{}); err == nil || !strings.Contains(err.Error(), "server") {
		t.Errorf("without a server: %v", err)
	}
	if _, err := foreign.AgentCore([]byte(`permit(`), foreign.Options{}); err == nil {
		t.Error("no Cedar")
	}
}

// Whatever the source is, what comes out is Cedar, and no permit in it has
// words of the other product left.
func FuzzAgentCore(f *testing.F) {
	f.Add([]byte(`permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::"R___p", resource == AgentCore::Gateway::"g") when { principal.hasTag("role") && principal.getTag("role") == "finance" };`))
	f.Add([]byte(`@a("b;") forbid(principal, action, resource) unless { context has "x y" && [1, 2].contains(context.input.n) }; // end`))
	f.Fuzz(func(t *testing.T, source []byte) {
		got, err := foreign.AgentCore(source, foreign.Options{})
		if err != nil {
			return
		}
		list, err := cedar.NewPolicyListFromBytes("", []byte(got.Text))
		if err != nil {
			t.Fatalf("%v\n%s", err, got.Text)
		}
		if len(list) != got.Carried {
			t.Errorf("%d policies in the text, %d carried\n%s", len(list), got.Carried, got.Text)
		}
	})
}
