package foreign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// rewriting is one policy on its way into the words of this product.
type rewriting struct {
	tokens  []token
	options Options
	notes   []string
	// added are conditions that stood in the scope there.
	added []string
}

func (r *rewriting) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}

// match compares the tokens from i on, leaving space out, with a pattern in
// which "$" stands for any string literal and "@" for any name. It gives what these stood for and
// the index after the match.
func (r *rewriting) match(i int, pattern ...string) (found []string, end int, ok bool) {
	for _, want := range pattern {
		for i < len(r.tokens) && r.tokens[i].space() {
			i++
		}
		if i == len(r.tokens) {
			return nil, 0, false
		}
		t := r.tokens[i]
		switch want {
		case "$":
			s, isString := t.str()
			if !isString {
				return nil, 0, false
			}
			found = append(found, s)
		case "@":
			if !named(t.text) {
				return nil, 0, false
			}
			found = append(found, t.text)
		default:
			if t.text != want {
				return nil, 0, false
			}
		}
		i++
	}
	return found, i, true
}

func named(text string) bool {
	c := text[0] | 0x20
	return c >= 'a' && c <= 'z' || text[0] == '_'
}

// rule is a pattern and what stands in its place. with gives ok false for what
// it does not know, which then stays.
type rule struct {
	pattern []string
	with    func(found []string) (text string, ok bool)
}

// rewrite applies the first rule that matches at each place.
func (r *rewriting) rewrite(rules []rule) {
	var out []token
	for i := 0; i < len(r.tokens); {
		next := i + 1
		replaced := r.tokens[i]
		if !replaced.space() {
			for _, rule := range rules {
				found, end, ok := r.match(i, rule.pattern...)
				if !ok {
					continue
				}
				if text, known := rule.with(found); known {
					replaced, next = token{text}, end
					break
				}
			}
		}
		out = append(out, replaced)
		i = next
	}
	r.tokens = out
}

func always(text string) func([]string) (string, bool) {
	return func([]string) (string, bool) { return text, true }
}

func quoted(s string) string { return string(cedar.String(s).MarshalCedar()) }

// claim is the condition that a claim of the caller has a value.
func (r *rewriting) claim(name, value string) (string, bool) {
	switch {
	case slices.Contains(r.options.RoleClaims, name):
		return "(principal in Role::" + quoted(value) + ")", true
	case name == "sub" || name == "username" || name == "client_id":
		return "(principal == Agent::" + quoted(value) + ")", true
	}
	return "", false
}

// agentCoreWords are the words of Amazon Bedrock AgentCore Policy.
func agentCoreWords(r *rewriting) {
	tag := func(f []string) (string, bool) { return r.claim(f[0], f[1]) }
	r.rewrite([]rule{
		{[]string{"principal", ".", "hasTag", "(", "$", ")", "&&", "principal", ".", "getTag", "(", "$", ")", "==", "$"}, func(f []string) (string, bool) {
			if f[0] != f[1] {
				return "", false
			}
			return r.claim(f[1], f[2])
		}},
		{[]string{"principal", ".", "getTag", "(", "$", ")", "==", "$"}, tag},
		{[]string{"AgentCore", "::", "OAuthUser", "::", "$"}, func(f []string) (string, bool) { return "Agent::" + quoted(f[0]), true }},
		{[]string{"AgentCore", "::", "IamEntity", "::", "$"}, func(f []string) (string, bool) { return "Agent::" + quoted(f[0]), true }},
		{[]string{"is", "AgentCore", "::", "OAuthUser"}, always("is Agent")},
		{[]string{"is", "AgentCore", "::", "IamEntity"}, always("is Agent")},
		{[]string{"resource", "==", "AgentCore", "::", "Gateway", "::", "$"}, func(f []string) (string, bool) {
			r.note("the gateway %q is this installation: the resource is any server", f[0])
			return "resource", true
		}},
		{[]string{"resource", "is", "AgentCore", "::", "Gateway"}, always("resource")},
		{[]string{"AgentCore", "::", "Action", "::", "$"}, r.action},
	})
}

// action is the action of a target's tool.
func (r *rewriting) action(f []string) (string, bool) {
	target, tool, ok := strings.Cut(f[0], "___")
	if !ok {
		return "", false
	}
	server, known := r.options.Servers[target]
	if !known {
		server = strings.ToLower(target)
		r.note("the target %q is taken for the server %q: name another with --server", target, server)
	}
	return "Action::" + quoted(server+"___"+tool), true
}

// toolHiveWords are the words of ToolHive.
func toolHiveWords(r *rewriting) {
	server := r.options.Server
	argument := func(f []string) (string, bool) {
		name, ok := strings.CutPrefix(f[0], "arg_")
		return "context.input." + name, ok
	}
	has := func(f []string) (string, bool) {
		name, ok := strings.CutPrefix(f[0], "arg_")
		return "context.input has " + name, ok
	}
	claim := func(f []string) (string, bool) {
		name, ok := strings.CutPrefix(f[0], "claim_")
		if !ok {
			return "", false
		}
		return r.claim(name, f[1])
	}
	method := func(here string) func([]string) (string, bool) {
		return func(f []string) (string, bool) {
			member := map[string]string{"prompts/get": "name", "resources/read": "uri"}[here]
			r.added = append(r.added, fmt.Sprintf("context.input has %[1]s && context.input.%[1]s == %[2]s", member, quoted(f[0])))
			return "action == Action::" + quoted(here) + ", resource == McpServer::" + quoted(server), true
		}
	}
	tool := func(f []string) (string, bool) {
		return "action == Action::" + quoted(server+"___"+f[0]) + ", resource == McpServer::" + quoted(server), true
	}
	of := func(action string) []string {
		return []string{"action", "==", "Action", "::", quoted(action), ",", "resource"}
	}
	on := func(action, kind string) []string {
		return append(of(action), "==", kind, "::", "$")
	}
	here := ", resource == McpServer::" + quoted(server)
	r.rewrite([]rule{
		{on("call_tool", "Tool"), tool},
		{on("get_prompt", "Prompt"), method("prompts/get")},
		{on("read_resource", "Resource"), method("resources/read")},
		{of("call_tool"), always(`action in Action::"call_tool"` + here)},
		{of("get_prompt"), always(`action == Action::"prompts/get"` + here)},
		{of("read_resource"), always(`action == Action::"resources/read"` + here)},
		{of("list_tools"), always(`action == Action::"tools/list"` + here)},
		{of("list_prompts"), always(`action == Action::"prompts/list"` + here)},
		{of("list_resources"), always(`action == Action::"resources/list"` + here)},
		{[]string{"Client", "::", "$"}, func(f []string) (string, bool) { return "Agent::" + quoted(f[0]), true }},
		{[]string{"is", "Client"}, always("is Agent")},
		{[]string{"principal", ".", "@", ".", "contains", "(", "$", ")"}, claim},
		{[]string{"principal", "has", "@", "&&", "principal", ".", "@", "==", "$"}, func(f []string) (string, bool) {
			if f[0] != f[1] {
				return "", false
			}
			return claim(f[1:])
		}},
		{[]string{"principal", ".", "@", "==", "$"}, claim},
		{[]string{"resource", ".", "@"}, argument},
		{[]string{"context", ".", "@"}, argument},
		{[]string{"resource", "has", "@"}, has},
		{[]string{"context", "has", "@"}, has},
	})
}

// result is the rewritten policy, and whether it carried over.
func (r *rewriting) result() (string, bool) {
	var b strings.Builder
	for _, t := range r.tokens {
		b.WriteString(t.text)
	}
	text := b.String()
	for _, condition := range r.added {
		text = strings.TrimSuffix(strings.TrimSpace(text), ";") + "\nwhen { " + condition + " };"
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil || len(list) != 1 {
		r.note("the words of the other product cannot be told apart")
		return "", false
	}
	p := list[0]
	policy := (*ast.Policy)(p.AST())
	if strange := strangeScope(policy); len(strange) > 0 {
		r.note("%s has no meaning here", strings.Join(strange, " and "))
		return "", false
	}
	strange := strangeConditions(policy)
	if len(strange) == 0 {
		return text, true
	}
	r.note("%s has no meaning here", strings.Join(strange, " and "))
	if p.Effect() == cedar.Permit {
		return "", false
	}
	r.note("the forbid carried over without its conditions, so that it forbids more")
	bare := *policy
	bare.Conditions = nil
	return string(cedar.NewPolicyFromAST((*cedarast.Policy)(&bare)).MarshalCedar()), true
}

// The words that mean something here.
func knownType(t types.EntityType) bool {
	return slices.Contains([]types.EntityType{"Action", "Agent", "McpServer", "Person", "Role", "System"}, t)
}

func knownAttribute(variable, name types.String) bool {
	switch variable {
	case "principal":
		return slices.Contains([]types.String{"operator", "stage", "suspended"}, name)
	case "resource":
		return name == "stopped"
	case "context":
		return slices.Contains([]types.String{"approval", "budget", "input", "provenance", "session", "sinks", "tool", "undeclared"}, name)
	}
	return true
}

// strangeScope is what of a policy's scope has no meaning here.
func strangeScope(p *ast.Policy) []string {
	var strange strangers
	for _, scope := range []any{p.Principal, p.Action, p.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			strange.entity(s.Entity)
		case ast.ScopeTypeIn:
			strange.entity(s.Entity)
		case ast.ScopeTypeInSet:
			for _, e := range s.Entities {
				strange.entity(e)
			}
		case ast.ScopeTypeIs:
			strange.kind(s.Type)
		case ast.ScopeTypeIsIn:
			strange.kind(s.Type)
			strange.entity(s.Entity)
		}
	}
	return strange
}

// strangeConditions is what of a policy's conditions has no meaning here.
func strangeConditions(p *ast.Policy) []string {
	var strange strangers
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeValue:
				if e, ok := n.Value.(types.EntityUID); ok {
					strange.entity(e)
				}
			case ast.NodeTypeIs:
				strange.kind(n.EntityType)
			case ast.NodeTypeIsIn:
				strange.kind(n.EntityType)
			case ast.NodeTypeGetTag, ast.NodeTypeHasTag:
				strange.add("a tag of the caller")
			case ast.NodeTypeAccess:
				strange.attribute(n.StrOpNode)
			case ast.NodeTypeHas:
				strange.attribute(n.StrOpNode)
			}
			return true
		})
	}
	return strange
}

// strangers are words without a meaning here, each once.
type strangers []string

func (s *strangers) add(text string) {
	if !slices.Contains(*s, text) {
		*s = append(*s, text)
	}
}

func (s *strangers) entity(e types.EntityUID) {
	if !knownType(e.Type) {
		s.add(e.String())
	}
}

func (s *strangers) kind(t types.EntityType) {
	if !knownType(t) {
		s.add(string(t))
	}
}

func (s *strangers) attribute(n ast.StrOpNode) {
	if v, ok := n.Arg.(ast.NodeTypeVariable); ok && !knownAttribute(v.Name, n.Value) {
		s.add(string(v.Name) + "." + string(n.Value))
	}
}
