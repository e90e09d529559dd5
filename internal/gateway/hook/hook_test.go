package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/hold"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/session"
	"aims/internal/store/sqlite"
	"aims/pdp"
	"aims/receipt"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"
)

const policies = `
@id("coder") permit (principal in Role::"coder", action in [
  Action::"claude-code___Bash", Action::"claude-code___UserPromptSubmit", Action::"payments___list.accounts", Action::"payments___pay"], resource);
@id("no-rm") @reason("Nothing is deleted.") forbid (principal, action == Action::"claude-code___Bash", resource)
when { context.input.command like "*rm -rf*" };
@id("no-secrets") @reason("Secrets stay out of prompts.") forbid (principal, action == Action::"claude-code___UserPromptSubmit", resource)
when { context.input.prompt like "*BEGIN PRIVATE KEY*" };
@id("push") @reason("A maintainer looks first.") @hold("maintainer") forbid (principal, action == Action::"claude-code___Bash", resource)
when { context.input.command like "git push*" } unless { context has approval && context.approval.roles.contains("maintainer") };
@id("purpose") @reason("Only for maintaining.") forbid (principal, action == Action::"claude-code___Bash", resource)
when { context.input.command like "make*" } unless { context.session.purpose == "maintaining" && context.session.prompted };
`

type installation struct {
	t         testing.TB
	ledger    *ledger.Ledger
	directory *identity.Directory
	approvals *approval.Approvals
	endpoint  *Endpoint
	url       string
	key       string // of agent coder-1
}

func newInstallation(t testing.TB, o Options) *installation {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "aims.db"), time.Now,
		ledger.Schema(), identity.Schema(), inventory.Schema(), policy.Schema(), session.Schema(), approval.Schema())
	must(t, err)
	private, _, err := note.GenerateKey(nil, "example.org/log")
	must(t, err)
	signer, err := note.NewSigner(private)
	must(t, err)
	in := &installation{t: t}
	in.ledger, err = ledger.Open(ctx, db, ledger.Options{Origin: "example.org/log", Signer: signer, Now: time.Now, Log: log})
	must(t, err)
	in.directory, err = identity.Open(ctx, db, in.ledger, identity.Options{Now: time.Now, Log: log})
	must(t, err)
	tools, err := inventory.Open(ctx, db, in.ledger, inventory.Options{Log: log})
	must(t, err)
	administration, err := policy.Open(ctx, db, in.ledger, policy.Options{Log: log})
	must(t, err)
	runs, err := session.Open(ctx, db, in.ledger, session.Options{Now: time.Now, Log: log})
	must(t, err)
	in.approvals = approval.New(db, in.ledger, approval.Options{Now: time.Now, Log: log})
	enforcer := enforcement.New(in.ledger, tools, administration, runs, enforcement.Options{Now: time.Now, Log: log, Approvals: in.approvals})
	_, err = tools.DeployAgent(ctx, aims.System, "", inventory.Agent{ID: "coder-1", Stage: "deployed", Purposes: []string{"maintaining"}}, inventory.Gate{})
	must(t, err)
	for server, names := range map[string][]string{"claude-code": {"Bash command", "UserPromptSubmit prompt"}, "payments": {"list.accounts x", "pay x", "a.b x", "a/b x"}} {
		var listed []inventory.Tool
		for _, n := range names {
			name, argument, _ := strings.Cut(n, " ")
			listed = append(listed, inventory.Tool{Name: name, Definition: json.RawMessage(
				fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object","properties":{%q:{"type":"string"}},"required":[]}}`, name, argument))})
		}
		_, err = enforcer.ObserveTools(ctx, server, listed)
		must(t, err)
	}
	text := strings.NewReplacer("context.input.command like", "context.input has command && context.input.command like",
		"context.input.prompt like", "context.input has prompt && context.input.prompt like").Replace(policies)
	_, err = enforcer.ActivatePolicy(ctx, aims.System, "", []pdp.Source{{Name: "test.cedar", Text: []byte(text)}})
	must(t, err)
	in.key = in.newKey("coder-1", "coder")
	o.Inventory = tools
	if o.Held == nil {
		o.Held = hold.New(in.approvals, hold.Options{})
	}
	in.endpoint = New(in.directory, enforcer, o)
	server := httptest.NewServer(in.endpoint)
	in.url = server.URL
	t.Cleanup(func() {
		server.Close()
		in.ledger.Close(ctx)
		db.Close()
	})
	return in
}

func (in *installation) newKey(id string, roles ...string) string {
	in.t.Helper()
	_, secret, err := in.directory.CreateKey(context.Background(), aims.System, "", identity.NewKey{Actor: aims.Actor{Type: aims.AgentType, ID: id}, Roles: roles})
	must(in.t, err)
	return secret.Reveal()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what Claude Code makes of an answer.
type answer struct {
	Decision, Reason, SystemMessage string
	HookSpecificOutput              struct {
		HookEventName, PermissionDecision, PermissionDecisionReason string
	}
}

func (in *installation) post(key, body string) answer {
	in.t.Helper()
	req, err := http.NewRequest(http.MethodPost, in.url+Pattern, strings.NewReader(body))
	must(in.t, err)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	must(in.t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		in.t.Fatalf("HTTP %d: Claude Code would go on", resp.StatusCode)
	}
	var a answer
	must(in.t, json.NewDecoder(resp.Body).Decode(&a))
	return a
}

// last is the newest leaf that is no event.
func (in *installation) last() ledger.Leaf {
	in.t.Helper()
	for i := in.ledger.Size(); ; i-- {
		leaf, err := in.ledger.Entry(in.t.Context(), i-1)
		must(in.t, err)
		if leaf.Kind != receipt.EventKind {
			return leaf
		}
	}
}

func (in *installation) payloads(index uint64) map[string]string {
	in.t.Helper()
	kept, err := in.ledger.Payloads(in.t.Context(), index)
	must(in.t, err)
	all := map[string]string{}
	for _, p := range kept {
		all[p.Name] = string(p.Data)
	}
	return all
}

func call(event, tool, use, more string) string {
	return `{"session_id":"s","transcript_path":"/t","cwd":"/w","permission_mode":"default","hook_event_name":"` + event + `","tool_name":"` + tool + `","tool_use_id":"` + use + `"` + more + `}`
}

func TestToolCall(t *testing.T) {
	in := newInstallation(t, Options{})
	for name, test := range map[string]struct {
		tool, input string
		want, says  string
		action      string
	}{
		"allowed":                           {"Bash", `{"command":"ls"}`, "allow", "aims allows it (rcp_", "claude-code___Bash"},
		"forbidden":                         {"Bash", `{"command":"rm -rf /"}`, "deny", "aims: denied: Nothing is deleted. (rcp_", "claude-code___Bash"},
		"held":                              {"Bash", `{"command":"git push"}`, "deny", "aims: held until somebody releases it: A maintainer looks first. Approval apr_", "claude-code___Bash"},
		"arguments that do not fit":         {"Bash", `{"command":7}`, "deny", "aims: argument command: expected", "claude-code___Bash"},
		"a tool that nobody declared":       {"Write", `{}`, "deny", "aims: there is no such tool (rcp_", "claude-code___Write"},
		"a tool of a server":                {"mcp__payments__pay", `{}`, "allow", "aims allows it", "payments___pay"},
		"of the merged endpoint":            {"mcp__aims__payments___pay", `{}`, "allow", "aims allows it", "payments___pay"},
		"a name that is written otherwise":  {"mcp__payments__list_accounts", `{}`, "allow", "aims allows it", "payments___list.accounts"},
		"of the merged endpoint, otherwise": {"mcp__aims__payments___list_accounts", `{}`, "allow", "aims allows it", "payments___list.accounts"},
		"a name that may be either of two":  {"mcp__payments__a_b", `{}`, "deny", "aims: there is no such tool", "payments___a_b"},
		"another server's look-alike":       {"mcp__evil__payments___pay", `{}`, "deny", "aims: there is no such tool", ""},
		"no tool of a server":               {"mcp__payments", `{}`, "deny", "aims: ", ""},
		"not by its qualified name":         {"payments___pay", `{}`, "deny", "aims: there is no such tool", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := in.post(in.key, call("PreToolUse", test.tool, "u-"+name, `,"tool_input":`+test.input))
			out := a.HookSpecificOutput
			if out.HookEventName != "PreToolUse" || out.PermissionDecision != test.want || !strings.HasPrefix(out.PermissionDecisionReason, test.says) {
				t.Fatalf("%+v", a)
			}
			leaf := in.last()
			if (leaf.Kind == receipt.DecisionKind) != (test.want == "allow") || leaf.Kind == receipt.OutcomeKind {
				t.Errorf("recorded as %s", leaf.Kind)
			}
			d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
			must(t, err)
			if d.Channel != "hook" || d.Method != "PreToolUse" || d.Session != "s" || d.Actor.ID != "coder-1" || test.action != "" && d.Action != test.action {
				t.Errorf("recorded %+v", d)
			}
			if got := in.payloads(leaf.Index)[receipt.InputPayload]; got != test.input {
				t.Errorf("recorded input %s", got)
			}
			if !strings.Contains(out.PermissionDecisionReason, d.ID) {
				t.Errorf("the answer does not name the receipt %s: %s", d.ID, out.PermissionDecisionReason)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	in := newInstallation(t, Options{})
	for name, test := range map[string]struct {
		event, more string
		want        receipt.Status
		result      string
	}{
		"done":        {"PostToolUse", `,"tool_response":{"stdout":"a","interrupted":false,"isError":false}`, receipt.Succeeded, `{"stdout":"a","interrupted":false,"isError":false}`},
		"text":        {"PostToolUse", `,"tool_response":"a"`, receipt.Succeeded, `"a"`},
		"nothing":     {"PostToolUse", ``, receipt.Succeeded, ""},
		"error":       {"PostToolUse", `,"tool_response":{"isError":true}`, receipt.Failed, `{"isError":true}`},
		"interrupted": {"PostToolUse", `,"tool_response":{"interrupted":true}`, receipt.Cancelled, `{"interrupted":true}`},
		"failure":     {"PostToolUseFailure", `,"error":"exit 1"`, receipt.Failed, `"exit 1"`},
		"user":        {"PostToolUseFailure", `,"error":"x","is_interrupt":true`, receipt.Cancelled, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			in.post(in.key, call("PreToolUse", "Bash", name, `,"tool_input":{"command":"ls"}`))
			decided := in.last()
			if a := in.post(in.key, call(test.event, "Bash", name, `,"tool_input":{"command":"ls"}`+test.more)); a != (answer{}) {
				t.Errorf("%+v", a)
			}
			leaf := in.last()
			if leaf.Kind != receipt.OutcomeKind || leaf.Closes != decided.Index || !strings.Contains(string(leaf.Body), `"status":"`+string(test.want)+`"`) {
				t.Errorf("recorded %s %s", leaf.Kind, leaf.Body)
			}
			if got := in.payloads(leaf.Index)[receipt.ResultPayload]; got != test.result {
				t.Errorf("recorded result %s", got)
			}
		})
	}
}

// A tool that ran without a decision of this installation is on record.
func TestUndecidedToolCallIsRecorded(t *testing.T) {
	in := newInstallation(t, Options{})
	in.post(in.key, call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls"}`))
	other := in.newKey("coder-2", "coder")
	for name, post := range map[string]func() answer{
		"never asked":   func() answer { return in.post(in.key, call("PostToolUse", "Bash", "v", "")) },
		"another tool":  func() answer { return in.post(in.key, call("PostToolUse", "Write", "u", "")) },
		"another agent": func() answer { return in.post(other, call("PostToolUse", "Bash", "u", "")) },
	} {
		t.Run(name, func(t *testing.T) {
			if a := post(); !strings.Contains(a.SystemMessage, "was not decided here") {
				t.Errorf("%+v", a)
			}
			if leaf := in.last(); leaf.Kind != receipt.RefusalKind || !strings.Contains(string(leaf.Body), "a tool ran whose decision is not known here") {
				t.Errorf("recorded %s %s", leaf.Kind, leaf.Body)
			}
		})
	}
	if a := in.post(in.key, call("PostToolUse", "Bash", "u", "")); a != (answer{}) {
		t.Errorf("the call's own outcome: %+v", a)
	}
	if a := in.post(in.key, call("PostToolUse", "Bash", "u", "")); a.SystemMessage == "" {
		t.Error("a second outcome was taken")
	}
}

func TestPrompt(t *testing.T) {
	in := newInstallation(t, Options{})
	prompt := func(key, text string) answer {
		return in.post(key, `{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":`+text+`}`)
	}
	a := prompt(in.key, `"do \u0069t"`)
	if a.Decision != "" || a.HookSpecificOutput.HookEventName != "UserPromptSubmit" {
		t.Errorf("%+v", a)
	}
	leaf := in.last()
	if leaf.Kind != receipt.OutcomeKind {
		t.Fatalf("recorded %s", leaf.Kind)
	}
	if strings.Contains(string(leaf.Body), "do it") || in.payloads(leaf.Closes)[receipt.InputPayload] != `{"prompt":"do \u0069t"}` {
		t.Errorf("recorded %s, %v", leaf.Body, in.payloads(leaf.Closes))
	}
	if a := prompt(in.key, `"-----BEGIN PRIVATE KEY-----"`); a.Decision != "block" || !strings.HasPrefix(a.Reason, "aims: denied: Secrets stay out of prompts. (rcp_") {
		t.Errorf("%+v", a)
	}
	if a := prompt(in.newKey("nobody"), `"hello"`); a.Decision != "block" {
		t.Errorf("%+v", a)
	}
}

// Whatever is wrong, the answer is one that stops what is about to happen.
func TestEverythingElseIsDenied(t *testing.T) {
	in := newInstallation(t, Options{MaxBody: 1 << 12})
	pre := call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls"}`)
	padding := strings.Repeat("x", 1<<13)
	for name, test := range map[string]struct {
		key, body string
		says      string
	}{
		"no key":              {"", pre, "credentials"},
		"wrong key":           {"aims_wrong", pre, "credentials"},
		"too large":           {in.key, call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"`+padding+`"}`), "at most 4096 bytes"},
		"cut off":             {in.key, pre[:len(pre)-3], "expected a JSON object"},
		"not JSON":            {in.key, "hello", "expected a JSON object"},
		"empty":               {in.key, "", "expected a JSON object"},
		"trailing":            {in.key, pre + "{}", "expected nothing after"},
		"argument twice":      {in.key, call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls","command":"rm -rf /"}`), "once in its object"},
		"input is a list":     {in.key, call("PreToolUse", "Bash", "u", `,"tool_input":[]`), "expected tool_input"},
		"no session":          {in.key, strings.Replace(pre, `"session_id":"s",`, ``, 1), "expected session_id"},
		"no tool":             {in.key, `{"session_id":"s","hook_event_name":"PreToolUse"}`, "expected tool_name"},
		"tool is a number":    {in.key, `{"session_id":"s","hook_event_name":"PreToolUse","tool_name":7}`, "expected tool_name"},
		"another event":       {in.key, `{"session_id":"s","hook_event_name":"Stop"}`, "expected hook_event_name"},
		"event in other case": {in.key, strings.Replace(pre, "PreToolUse", "pretooluse", 1), "expected hook_event_name"},
	} {
		t.Run(name, func(t *testing.T) {
			a := in.post(test.key, test.body)
			if a.HookSpecificOutput.PermissionDecision != "deny" || !strings.Contains(a.HookSpecificOutput.PermissionDecisionReason, test.says) {
				t.Errorf("%+v", a)
			}
			if leaf := in.last(); leaf.Kind != receipt.RefusalKind {
				t.Errorf("recorded %s %s", leaf.Kind, leaf.Body)
			}
		})
	}
	t.Run("prompt without key", func(t *testing.T) {
		if a := in.post("", `{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"x"}`); a.Decision != "block" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("no POST", func(t *testing.T) {
		resp, err := http.Get(in.url + Pattern)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("HTTP %d", resp.StatusCode)
		}
	})
	t.Run("unrecordable", func(t *testing.T) {
		must(t, in.ledger.Close(t.Context()))
		if a := in.post(in.key, pre); a.HookSpecificOutput.PermissionDecision != "deny" {
			t.Errorf("%+v", a)
		}
	})
}

// What is remembered of open calls is bounded, and one agent's calls do not
// push out another's.
func TestOpenCallsAreBounded(t *testing.T) {
	agent := func(n int) aims.Actor { return aims.Actor{Type: aims.AgentType, ID: fmt.Sprint(n)} }
	var o open
	o.add(agent(0), "mine", enforcement.Ruling{Receipt: "r"})
	for i := range 10 * maxOpen {
		if !o.add(agent(1), fmt.Sprint(i), enforcement.Ruling{}) {
			t.Fatal("not remembered")
		}
	}
	if o.total != maxOpen+1 || len(o.agents[agent(1)].order) > 2*maxOpen+1 {
		t.Errorf("%d calls, %d in order", o.total, len(o.agents[agent(1)].order))
	}
	if _, ok := o.take(agent(1), "0"); ok {
		t.Error("the oldest is still there")
	}
	if _, ok := o.take(agent(1), fmt.Sprint(10*maxOpen-1)); !ok {
		t.Error("the newest is gone")
	}
	if r, ok := o.take(agent(0), "mine"); !ok || r.Receipt != "r" {
		t.Error("another agent's call is gone")
	}
	for a := range maxOpenAll/maxOpen + 2 {
		for i := range maxOpen {
			o.add(agent(a), fmt.Sprint(i), enforcement.Ruling{})
		}
	}
	if o.total != maxOpenAll {
		t.Errorf("%d calls in all", o.total)
	}
}

func TestOpenCallsAreTakenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o open
		model := map[string]string{}
		agents := []aims.Actor{{ID: "a"}, {ID: "b"}}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			agent := rapid.SampledFrom(agents).Draw(t, "agent")
			key := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "key")
			if rapid.Bool().Draw(t, "add") {
				o.add(agent, key, enforcement.Ruling{Receipt: fmt.Sprint(i)})
				model[agent.ID+key] = fmt.Sprint(i)
				continue
			}
			r, ok := o.take(agent, key)
			want, had := model[agent.ID+key]
			if ok != had || r.Receipt != want {
				t.Fatalf("took %q %v, want %q %v", r.Receipt, ok, want, had)
			}
			delete(model, agent.ID+key)
		}
		if o.total != len(model) {
			t.Fatalf("%d calls, want %d", o.total, len(model))
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		call("PreToolUse", "Bash", "u", `,"tool_input":{"command":"ls"}`), call("PostToolUse", "mcp__a__b", "u", `,"tool_response":{"isError":true}`),
		`{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"\ud83d\ude00"}`, `{"hook_event_name":"PreToolUse"`, `[]`, "{\"a\":\"\xff\"}", `{"tool_input":{"a":1,"a":2}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := parseEvent(b)
		if denial := ev.denial("no", "rcp_1"); !json.Valid(denial) {
			t.Fatalf("the denial is not JSON: %s", denial)
		} else if err == nil && checkAnswer(ev, denial) != nil {
			t.Fatalf("the denial is no answer to its event: %s", denial)
		}
		if err != nil {
			return
		}
		if !json.Valid(b) || !known(ev.name) || ev.session == "" || ev.input != nil && ev.input[0] != '{' {
			t.Fatalf("accepted %q as %+v", b, ev)
		}
		if ev.name == userPromptSubmit && !json.Valid(ev.promptInput()) {
			t.Fatalf("prompt %s", ev.promptInput())
		}
		ev.outcome()
	})
}
