// Package foreign carries policies of Amazon Bedrock AgentCore and of ToolHive
// over into this product's words, and says what did not carry over.
//
// What is lost only narrows: a permit with a condition that has no meaning
// here is left out, because without the condition it would permit more; a
// forbid loses the condition, because without it, it forbids more.
package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// Options tell what the names of the other product mean here.
type Options struct {
	// Servers are the names that servers have here: AgentCore's targets, by their
	// name there. A target that is not listed keeps its name in lower case.
	Servers map[string]string
	// Server is the server that ToolHive's policies are about: they name none.
	Server string
	// RoleClaims are the claims whose values are roles here; nil means role, roles, groups and scope.
	RoleClaims []string
}

// Result is what came of an import.
type Result struct {
	// Text is Cedar: what carried over, and what did not as comments.
	Text string `json:"text"`
	// Carried is how many policies did, Left how many were left out.
	Carried int    `json:"carried"`
	Left    int    `json:"left"`
	Notes   []Note `json:"notes"`
}

// Note is one thing that did not carry over as it was.
type Note struct {
	// Policy counts the policies of the source from 1; Line is where it starts, 0 where the source has no lines.
	Policy int    `json:"policy"`
	Line   int    `json:"line,omitempty"`
	Text   string `json:"text"`
}

// maxSource bounds what is read.
const maxSource = 4 << 20

// AgentCore imports policies of Amazon Bedrock AgentCore Policy: Cedar with
// actions of the form Target___tool on a gateway.
func AgentCore(source []byte, o Options) (Result, error) {
	if len(source) > maxSource {
		return Result{}, fmt.Errorf("the policies have %d bytes, at most %d", len(source), maxSource)
	}
	list, err := cut(source)
	if err != nil {
		return Result{}, err
	}
	return carry(list, o, agentCoreWords), nil
}

// ToolHive imports the authorization configuration of ToolHive: JSON with
// Cedar policies on clients and tools.
func ToolHive(source []byte, o Options) (Result, error) {
	if len(source) > maxSource {
		return Result{}, fmt.Errorf("the configuration has %d bytes, at most %d", len(source), maxSource)
	}
	if o.Server == "" {
		return Result{}, fmt.Errorf("ToolHive's policies name no server: say which one they are about")
	}
	var config struct {
		Type  string `json:"type"`
		Cedar struct {
			Policies []string        `json:"policies"`
			Entities json.RawMessage `json:"entities_json"`
		} `json:"cedar"`
	}
	if err := json.Unmarshal(source, &config); err != nil {
		return Result{}, fmt.Errorf("expected ToolHive's authorization configuration in JSON: %w", err)
	}
	if config.Type != "" && config.Type != "cedarv1" {
		return Result{}, fmt.Errorf("expected a configuration of type cedarv1, got %q", config.Type)
	}
	var list []foreignPolicy
	for _, text := range config.Cedar.Policies {
		more, err := cut([]byte(text))
		if err != nil {
			return Result{}, fmt.Errorf("policy %d: %w", len(list)+1, err)
		}
		for _, p := range more {
			p.line = 0
			list = append(list, p)
		}
	}
	r := carry(list, o, toolHiveWords)
	if entities := strings.Trim(string(bytes.TrimSpace(config.Cedar.Entities)), `"`); entities != "" && entities != "[]" && entities != "null" {
		r.Notes = append(r.Notes, Note{Text: "entities_json did not carry over: agents and their roles are registered here"})
	}
	return r, nil
}

// foreignPolicy is one policy of the source.
type foreignPolicy struct {
	text string
	line int
}

// cut parses the source and gives the text of each policy with the comments before it.
func cut(source []byte) ([]foreignPolicy, error) {
	if _, err := cedar.NewPolicyListFromBytes("", source); err != nil {
		return nil, fmt.Errorf("expected Cedar policies: %w", err)
	}
	var list []foreignPolicy
	var b strings.Builder
	line, start := 1, 0
	for _, t := range lex(string(source)) {
		if start == 0 && !t.space() {
			start = line
		}
		line += strings.Count(t.text, "\n")
		b.WriteString(t.text)
		if t.text == ";" {
			list = append(list, foreignPolicy{strings.TrimSpace(b.String()), start})
			b.Reset()
			start = 0
		}
	}
	return list, nil
}

// words rewrites the tokens of one policy, and says what it could not.
type words func(p *rewriting)

func carry(list []foreignPolicy, o Options, w words) Result {
	if o.RoleClaims == nil {
		o.RoleClaims = []string{"role", "roles", "groups", "scope"}
	}
	var b strings.Builder
	r := Result{Notes: []Note{}}
	for i, p := range list {
		re := &rewriting{tokens: lex(p.text), options: o}
		w(re)
		text, carried := re.result()
		for _, lost := range re.notes {
			r.Notes = append(r.Notes, Note{Policy: i + 1, Line: p.line, Text: lost})
		}
		if carried {
			r.Carried++
		} else {
			r.Left++
			text = "// Left out: " + strings.Join(re.notes, "; ") + "\n" + commented(p.text)
		}
		b.WriteString(text + "\n\n")
	}
	r.Text = b.String()
	return r
}

func commented(text string) string {
	return "// " + strings.ReplaceAll(text, "\n", "\n// ")
}

// token is a piece of Cedar text; all of them together are the text.
type token struct{ text string }

func (t token) space() bool { return strings.TrimSpace(t.text) == "" || t.comment() }

func (t token) comment() bool {
	return strings.HasPrefix(t.text, "//") || strings.HasPrefix(t.text, "/*")
}

func (t token) str() (string, bool) {
	if len(t.text) < 2 || t.text[0] != '"' {
		return "", false
	}
	var v cedar.String
	// The text has been parsed as Cedar. Escapes that JSON does not know keep their token as it is.
	if json.Unmarshal([]byte(t.text), &v) != nil {
		return "", false
	}
	return string(v), true
}

// lexer is compiled once for each import: the package keeps no state.
func lex(text string) []token {
	pattern := regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|\s+|::|&&|\|\||==|!=|<=|>=|.`)
	var out []token
	for _, piece := range pattern.FindAllString(text, -1) {
		out = append(out, token{piece})
	}
	return out
}
