package app

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return ParseConfig(t.Context(), filepath.Join(t.TempDir(), "aims.yaml"), []byte(text), Overrides{})
}

// problems are the lines and texts of what is wrong with a configuration.
func problems(t *testing.T, text string) []Problem {
	t.Helper()
	_, err := parse(t, text)
	var e *ConfigError
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("an error that is no list of problems: %v", err)
	}
	if e == nil {
		return nil
	}
	return e.Problems
}

func TestEmptyConfigurationIsAllDefaults(t *testing.T) {
	c, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8642" || c.PublicURL != "http://127.0.0.1:8642" || time.Duration(c.Limits.CallTimeout) != time.Minute ||
		c.Database != filepath.Join(c.dir, "aims-data", "aims.db") || c.PolicyDir != filepath.Join(c.dir, "policies") {
		t.Errorf("unexpected defaults: %+v", c)
	}
}

func TestConfigurationIsStrict(t *testing.T) {
	t.Setenv("AIMS_TEST_EMPTY", "")
	for _, c := range []struct {
		name, text string
		line       int
		say        []string
	}{
		{"unknown key", "listen: 127.0.0.1:1\nlisten_adress: x\n", 2, []string{`"listen_adress"`, "listen"}},
		{"unknown nested key", "servers:\n  - name: a\n    command: x\n    arg: [y]\n", 4, []string{`"arg"`, "servers[0]", "args"}},
		{"duplicate key", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", 2, []string{"already defined"}},
		{"not YAML", "listen: [\n", 1, nil},
		{"wrong kind", "servers: files\n", 1, []string{"list"}},
		{"wrong number", "limits:\n  request_bytes: many\n", 2, []string{"many"}},
		{"limit out of range", "limits:\n  request_bytes: 1\n", 2, []string{"limits.request_bytes", "4096"}},
		{"duration", "limits:\n\n  call_timeout: 5 minutes\n", 3, []string{"5 minutes", "30s"}},
		{"negative duration", "limits:\n  call_timeout: -5s\n", 2, []string{"-5s"}},
		{"address", "listen: localhost\n", 1, []string{"host:port"}},
		{"plain HTTP for others", "listen: 0.0.0.0:8642\n", 1, []string{"allow_plain_http", "tls.cert"}},
		{"plain HTTP for others, empty host", "listen: \":8642\"\n", 1, []string{"allow_plain_http"}},
		{"anonymous for others", "allow_plain_http: true\nlisten: 0.0.0.0:1\nanonymous_agent: x\n", 3, []string{"loopback"}},
		{"anonymous is no id", "anonymous_agent: Some Body\n", 1, []string{"Some Body"}},
		{"missing TLS key", "tls:\n  cert: /nonexistent\n", 1, []string{"tls.key"}},
		{"server without name", "servers:\n  - command: x\n", 2, []string{"servers[0].name"}},
		{"server name", "servers:\n  - name: A_B\n    command: x\n", 2, []string{`"A_B"`}},
		{"server twice", "servers:\n  - name: a\n    command: x\n  - name: a\n    command: y\n", 4, []string{"earlier"}},
		{"server of no kind", "servers:\n  - name: a\n", 2, []string{"command", "url", "tools"}},
		{"server of two kinds", "servers:\n  - name: a\n    command: x\n    url: http://h/mcp\n", 2, []string{"exactly one"}},
		{"server address", "servers:\n  - name: a\n    url: h/mcp\n", 3, []string{"http://"}},
		{"address with password", "servers:\n  - name: a\n    url: http://u:hunter2@h/mcp\n", 3, []string{"without a user"}},
		{"secret in the file", "servers:\n  - name: a\n    url: http://h/mcp\n    credentials:\n      - header: Authorization\n        from: hunter2\n", 6, []string{"env:NAME"}},
		{"secret not set", "servers:\n  - name: a\n    command: x\n    env_from:\n      TOKEN: env:AIMS_TEST_UNSET\n", 5, []string{"AIMS_TEST_UNSET"}},
		{"secret empty", "servers:\n  - name: a\n    command: x\n    env_from:\n      TOKEN: env:AIMS_TEST_EMPTY\n", 5, []string{"empty"}},
		{"secret file missing", "database_from: file:nowhere\n", 1, []string{"nowhere"}},
		{"preset", "servers:\n  - name: a\n    preset: emacs\n", 3, []string{"claude-code"}},
		{"tool without name", "servers:\n  - name: a\n    tools:\n      - description: x\n", 4, []string{"tools[0].name"}},
		{"witness", "witnesses:\n  - url: https://w\n    vkey: abc\n", 3, []string{"verifier key"}},
		{"origin", "origin: a b\n", 1, []string{"space"}},
		{"log level", "log:\n  level: loud\n", 2, []string{"loud", "debug"}},
		{"second document", "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n", 2, []string{"second"}},
		{"alias", "listen: &a 127.0.0.1:1\npublic_url: *a\n", 2, []string{"alias"}},
		{"issuer", "oauth:\n  issuer: ftp://x\n", 2, []string{"oauth.issuer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := problems(t, c.text)
			if len(found) == 0 {
				t.Fatal("accepted")
			}
			if found[0].Line != c.line {
				t.Errorf("line %d, want %d: %s", found[0].Line, c.line, found[0].Text)
			}
			for _, s := range c.say {
				if !strings.Contains(found[0].Text, s) {
					t.Errorf("%q does not say %q", found[0].Text, s)
				}
			}
			if strings.Contains(found[0].Text, "hunter2") && strings.Contains(c.name, "secret") {
				t.Errorf("a secret is repeated: %q", found[0].Text)
			}
		})
	}
}

func TestEveryProblemIsSaidAtOnce(t *testing.T) {
	var lines []int
	for _, p := range problems(t, "listen: nowhere\nlog: {level: loud}\nservers:\n  - name: A\n    command: x\n") {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 4}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsComeFromElsewhere(t *testing.T) {
	t.Setenv("AIMS_TEST_TOKEN", "from-env")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `servers:
  - name: a
    url: http://127.0.0.1:1/mcp
    credentials:
      - {header: Authorization, prefix: "Bearer ", from: "file:token"}
  - name: b
    command: x
    env_from: {TOKEN: "env:AIMS_TEST_TOKEN"}
`
	c, err := ParseConfig(t.Context(), filepath.Join(dir, "aims.yaml"), []byte(text), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Servers[0].Credentials[0].secret.Reveal(); got != "from-file" {
		t.Errorf("the file's secret is %q", got)
	}
	if got := c.Servers[1].secrets["TOKEN"].Reveal(); got != "from-env" {
		t.Errorf("the environment's secret is %q", got)
	}
}

// The commented starter is the documentation of the keys: it must be accepted
// as it is, and also with every comment that is YAML made live.
func TestStarterIsValidAndNamesEveryKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "aims.yaml")
	written, err := WriteStarter(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 2 {
		t.Errorf("written: %v", written)
	}
	if _, err := LoadConfig(t.Context(), path, Overrides{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for field := range fieldsOf(reflect.TypeFor[Config]()) {
		if key := field.Tag.Get("yaml"); !strings.Contains(string(text), key+":") {
			t.Errorf("the starter does not mention %s", key)
		}
	}
	if _, err := WriteStarter(path); err == nil {
		t.Error("a configuration was overwritten")
	}
}

func TestDeclaredToolsAreMCPDefinitions(t *testing.T) {
	c, err := parse(t, "servers:\n  - name: cc\n    preset: claude-code\n  - name: robot\n    tools:\n      - name: move\n        input: {properties: {x: {type: number}}, required: [x]}\n        destructive: true\n")
	if err != nil {
		t.Fatal(err)
	}
	preset, err := declaredTools(c.Servers[0])
	if err != nil || len(preset) < 10 {
		t.Fatalf("%d tools of Claude Code: %v", len(preset), err)
	}
	own, err := declaredTools(c.Servers[1])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"annotations":{"destructiveHint":true,"readOnlyHint":false},"description":"","inputSchema":{"properties":{"x":{"type":"number"}},"required":["x"],"type":"object"},"name":"move"}`
	if diff := cmp.Diff(want, string(own[0].Definition)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("servers:\n  - name: a\n    tools:\n      - {name: t, input: {type: object}}\n")
	f.Add("a: &a [*a]\n")
	f.Add("limits: {call_timeout: 1d}\nretention: {payloads: 180d}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "command:") || strings.Contains(text, "file:") {
			t.Skip("would run or read what the fuzzer made up")
		}
		c, err := ParseConfig(t.Context(), "aims.yaml", []byte(text), Overrides{})
		if err == nil && (c.Listen == "" || c.PublicURL == "") {
			t.Errorf("accepted without an address: %q", text)
		}
	})
}
