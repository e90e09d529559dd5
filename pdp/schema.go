package pdp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Tool is an MCP tool as its server describes it.
type Tool struct {
	// Server is the name of the server in the configuration: [a-z][a-z0-9-]{0,31}.
	Server string
	// Name is the tool's own name, verbatim.
	Name string
	// InputSchema is the JSON Schema of the arguments. It comes from the server
	// and is not trusted.
	InputSchema json.RawMessage
	// ReadOnly and Destructive are the server's hints. They are facts of a
	// request (context.tool), not part of the schema.
	ReadOnly, Destructive bool
}

// Action is the Cedar action id of a call of the tool, which is also its name
// on a merged endpoint: the server, three underscores, the tool (the form of
// Amazon Bedrock AgentCore Policy).
func (t Tool) Action() string { return t.Server + "___" + t.Name }

// Catalog is everything from which the Cedar schema is generated.
type Catalog struct {
	Tools []Tool
	// Extensions are protocol methods beyond MCP that the configuration lets through.
	Extensions []string
	// Budgets are counters that policies compare with a limit.
	Budgets []Budget
}

// Budget is a counter of what calls have spent. It stands in context.budget of
// the actions that it counts.
type Budget struct {
	Name    string
	Actions []string
}

// Loss is something that the schema could not carry over exactly. What is left
// out of context.input is never invisible: its presence in a call shows in
// context.undeclared.
type Loss struct {
	Action string `json:"action"`
	// Argument is the path of the argument, such as order.lines[].price; empty
	// where the loss concerns the whole tool.
	Argument string `json:"argument,omitempty"`
	Text     string `json:"text"`
}

// Methods returns the methods of MCP that are decided by policy, each an
// action in the group mcp_method: those of revisions 2025-11-25 and 2026-07-28,
// without the handshake (initialize, server/discover), ping and notifications,
// which a gateway answers itself, and without tools/call, whose actions are the
// tools.
func Methods() []string {
	return []string{
		"completion/complete", "elicitation/create", "logging/setLevel",
		"prompts/get", "prompts/list", "resources/list", "resources/read",
		"resources/subscribe", "resources/templates/list", "resources/unsubscribe",
		"roots/list", "sampling/createMessage", "subscriptions/listen",
		"tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tasks/update", "tools/list",
	}
}

// DeployVerb is the action that puts an agent into operation. Its context has the
// preconditions of that as well, context.gate.
const DeployVerb = "agents/deploy"

// Preconditions returns the names of what is known of an agent before it goes
// into operation (ISO 42001 A.6.2.4, A.6.2.5), each a Bool of context.gate.
// Which of them must hold is for policy to say.
func Preconditions() []string {
	return []string{
		"documented", "owner_named", "overseer_named", "impact_assessment_approved", "impact_assessment_covers",
		"risks_treated", "rehearsal_passed", "tools_pinned", "monitoring_planned", "acceptance_met",
	}
}

// Verbs returns what people and programs do to the management system, each an
// action in the group manage on the resource System.
func Verbs() []string {
	return []string{
		"actors/roles", "agents/change", DeployVerb, "agents/read", "agents/resume", "agents/suspend",
		"approvals/deny", "approvals/grant", "approvals/read", "audit/read", "audit/run",
		"concerns/handle", "concerns/open", "concerns/read", "concerns/report", "evidence/read",
		"incidents/close", "incidents/handle", "incidents/notify", "incidents/read", "incidents/reopen", "incidents/report",
		"inventory/read",
		"keys/create", "keys/read", "keys/revoke", "log/entries",
		"nonconformities/analyse", "nonconformities/close", "nonconformities/correct", "nonconformities/implement",
		"nonconformities/plan", "nonconformities/raise", "nonconformities/read", "nonconformities/reopen",
		"nonconformities/review", "nonconformities/waive", "nonconformities/withdraw",
		"pack/make", "payloads/erase", "payloads/read",
		"policy/activate", "policy/approve", "policy/check", "policy/mine", "policy/publish",
		"policy/read", "policy/replay", "policy/rollback",
		"receipts/read", "registers/apply", "registers/mark", "registers/read", "rehearsal/record", "reviews/freeze", "servers/resume", "servers/stop", "sessions/read",
		"tools/approve", "tools/forget", "tools/label", "trust/change", "trust/read",
	}
}

// The groups that actions are in. A group is not an action that anybody asks for.
const (
	callGroup      = "call_tool"
	methodGroup    = "mcp_method"
	extensionGroup = "extension"
	manageGroup    = "manage"
)

func isGroup(action string) bool {
	switch action {
	case callGroup, methodGroup, extensionGroup, manageGroup:
		return true
	}
	return false
}

// preamble declares the entity types, the groups and the types that contexts share.
const preamble = `// Generated from the tools' input schemas. Edit the tools, not this file.
entity Role;
entity Agent in [Role] = { stage: String, suspended: Bool, operator: String };
entity Person in [Role];
entity McpServer = { stopped: Bool };
entity System;

type Session = {
  id: String, channel: String, protocol: String,
  purpose: String, on_behalf_of: String, depth: Long, prompted: Bool,
  labels: Set<String>, tools: Set<String>, calls: Long, refusals: Long, established: Bool,
};
type ToolFacts = {
  pin: String, quarantined: Bool, read_only: Bool, destructive: Bool,
  effects: Set<String>, labels: Set<String>, new: Bool, used: Bool, implied: Bool, confirms: Bool,
};
type Provenance = {
  class: String, user: Bool, result: Bool, trusted: Bool, used: Bool, made_up: Bool,
  labels: Set<String>, sink: String,
};
type Sinks = {
  all: Set<String>, user: Set<String>, trusted: Set<String>, used: Set<String>, known: Set<String>,
  host: Set<String>, named: Set<String>, untrusted: Set<String>, made_up: Set<String>,
};
type Spending = { spent: decimal, after: decimal };
type Approval = { id: String, roles: Set<String> };
type Matter = { authors: Set<Person>, roles: Set<Role>, kind: String, mark: String };
type Call = { name?: String, uri?: String };

action "mcp_method";
action "manage";
`

// The names of attributes of a call's context.
const (
	// Input fills these, and facts leave them out.
	inputAttribute      = "input"
	undeclaredAttribute = "undeclared"
	// These follow from the input and the run.
	provenanceAttribute = "provenance"
	sinksAttribute      = "sinks"
	budgetAttribute     = "budget"
	approvalAttribute   = "approval"
)

// GenerateSchema makes the Cedar schema, as text, of the catalog: the same
// bytes for the same catalog in any order. Losses say what of the tools' input
// schemas a policy cannot see in context.input; a tool whose input schema is
// hostile or unusable keeps its action and loses its arguments. An error means
// that the catalog itself is wrong: a malformed server name, or two actions of
// one name.
func GenerateSchema(c Catalog) ([]byte, []Loss, error) {
	names := taken()
	tools := slices.Clone(c.Tools)
	slices.SortFunc(tools, func(a, b Tool) int { return cmp.Compare(a.Action(), b.Action()) })
	spending, err := c.spending()
	if err != nil {
		return nil, nil, err
	}
	text := append([]byte(preamble), emptyGroups(spending)...)
	text = appendGate(text)
	for _, m := range Methods() {
		text = appendMethod(text, m, methodGroup)
	}
	for _, v := range Verbs() {
		context := "{ input: {}, session: Session, matter: Matter }"
		if v == DeployVerb {
			context = "{ input: {}, session: Session, matter: Matter, gate: Gate }"
		}
		text = appendAction(text, v, manageGroup, "System", context)
	}
	for _, m := range slices.Sorted(slices.Values(c.Extensions)) {
		if m == "" || !nameable(m) {
			return nil, nil, fmt.Errorf("extension method %q is not a name", m)
		}
		if err := names.take(m); err != nil {
			return nil, nil, err
		}
		text = appendMethod(text, m, extensionGroup)
	}
	var losses []Loss
	serverName := regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	for _, t := range tools {
		if !serverName.MatchString(t.Server) {
			return nil, nil, fmt.Errorf("server name %q of tool %q: expected a lower-case letter, then at most 31 letters, digits and hyphens", t.Server, t.Name)
		}
		if !nameable(t.Name) {
			losses = append(losses, Loss{Action: fmt.Sprintf("%.300q", t.Action()), Text: fmt.Sprintf("the tool's name is not UTF-8 or has more than %d bytes: it has no action, and every call of it is refused", maxName)})
			continue
		}
		if err := names.take(t.Action()); err != nil {
			return nil, nil, err
		}
		input, lost := argumentsOf(t)
		text = appendTool(text, t, input, spending.of(t.Action()))
		losses = append(losses, lost...)
	}
	return text, losses, nil
}

// names are the action ids that are in use.
type names map[string]bool

func taken() names {
	n := names{callGroup: true, methodGroup: true, extensionGroup: true, manageGroup: true}
	for _, m := range Methods() {
		n[m] = true
	}
	for _, v := range Verbs() {
		n[v] = true
	}
	return n
}

func (n names) take(id string) error {
	if n[id] {
		return fmt.Errorf("two actions are named %q", id)
	}
	n[id] = true
	return nil
}

// emptyGroups declares the groups that may have no member, with the context
// that every member has. A policy on such a group is so checked before there
// is a tool, and one that counts on an argument without asking whether the tool
// has it is refused before the tool comes that has not.
func emptyGroups(s spending) []byte {
	text := appendAction(nil, callGroup, "", "McpServer", callContext(shape{kind: recordShape}, s.of("")))
	return appendAction(text, extensionGroup, "", "McpServer", methodContext)
}

const methodContext = "{ input: Call, session: Session }"

// callContext is the context of a tool's calls: what is known of the tool, of
// the run, of where each argument came from, and of what was spent.
func callContext(input shape, budgets []attribute) string {
	text := append([]byte("{ input: "), input.appendCedar(nil)...)
	text = append(text, ", undeclared: Set<String>, tool: ToolFacts, session: Session, provenance: "...)
	var arguments []attribute
	for _, name := range slices.Sorted(maps.Keys(input.fields)) {
		arguments = append(arguments, attribute{name, true})
	}
	text = appendAttributes(text, arguments, "Provenance")
	text = append(text, ", sinks: Sinks, budget: "...)
	text = appendAttributes(text, budgets, "Spending")
	return string(append(text, ", approval?: Approval }"...))
}

// attribute is an attribute of a record type.
type attribute struct {
	name     string
	optional bool
}

// appendAttributes appends a record type whose attributes are all of one type.
func appendAttributes(dst []byte, attributes []attribute, of string) []byte {
	dst = append(dst, '{')
	for i, a := range attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(dst, ' '), a.name)
		if a.optional {
			dst = append(dst, '?')
		}
		dst = append(append(dst, ": "...), of...)
	}
	return append(dst, " }"...)
}

// spending are the budgets of a catalog, and what they count.
type spending struct {
	names  []string // sorted
	counts map[string]map[string]bool
}

// of are the budgets as attributes of an action. One that does not count it is
// optional, so that a policy on all tools can ask whether there is a budget
// also where there is no tool yet that it counts.
func (s spending) of(action string) []attribute {
	var all []attribute
	for _, name := range s.names {
		all = append(all, attribute{name, !s.counts[name][action]})
	}
	return all
}

func (c Catalog) spending() (spending, error) {
	s := spending{counts: map[string]map[string]bool{}}
	for _, b := range c.Budgets {
		if b.Name == "" || !nameable(b.Name) {
			return s, fmt.Errorf("budget %q is not a name", b.Name)
		}
		if s.counts[b.Name] != nil {
			return s, fmt.Errorf("two budgets are named %q", b.Name)
		}
		s.names = append(s.names, b.Name)
		s.counts[b.Name] = map[string]bool{}
		for _, action := range b.Actions {
			s.counts[b.Name][action] = true
		}
	}
	slices.Sort(s.names)
	return s, nil
}

// appendGate declares the type of context.gate.
func appendGate(dst []byte) []byte {
	var facts []attribute
	for _, name := range Preconditions() {
		facts = append(facts, attribute{name, false})
	}
	return append(appendAttributes(append(dst, "type Gate = "...), facts, "Bool"), ";\n"...)
}

func appendMethod(dst []byte, method, group string) []byte {
	return appendAction(dst, method, group, "McpServer", methodContext)
}

func appendTool(dst []byte, t Tool, input shape, budgets []attribute) []byte {
	return appendAction(dst, t.Action(), callGroup, "McpServer", callContext(input, budgets))
}

func appendAction(dst []byte, id, group, resource, context string) []byte {
	dst = append(dst, "action "...)
	dst = appendQuoted(dst, id)
	if group != "" {
		dst = append(dst, " in [Action::"...)
		dst = appendQuoted(dst, group)
		dst = append(dst, ']')
	}
	dst = append(dst, " appliesTo { principal: [Agent, Person], resource: ["...)
	dst = append(dst, resource...)
	dst = append(dst, "], context: "...)
	dst = append(dst, context...)
	return append(dst, " };\n"...)
}
