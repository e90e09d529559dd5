package enforcement_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
	"aims/receipt"
)

// runPolicies are about what a run did before.
const runPolicies = `
@id("all") permit (principal, action in Action::"call_tool", resource);
@id("read") permit (principal, action == Action::"resources/read", resource);

@id("no-mail-after-secrets") @reason("nothing is sent after confidential content was read")
forbid (principal, action == Action::"desk___send", resource) when { context.session.labels.contains("confidential") };

@id("no-mail-after-pay") @reason("nothing is sent after a payment")
forbid (principal, action == Action::"desk___send", resource) when { context.session.tools.contains("desk___pay") };

@id("few-calls") @reason("three calls are enough")
forbid (principal, action == Action::"desk___count", resource) when { context.session.calls >= 3 };

@id("many-refusals") @reason("refused too often")
forbid (principal, action == Action::"desk___count", resource) when { context.session.refusals >= 2 };

@id("purpose") @reason("only for invoices")
forbid (principal, action == Action::"desk___invoice", resource) unless { context.session.purpose == "invoices" };

@id("new-tool") @reason("the purpose has never used this tool") @hold("owner")
forbid (principal, action == Action::"desk___rare", resource) when { context.tool.new }
unless { context has approval && context.approval.roles.contains("owner") };

@id("finance-only") @reason("only finance")
forbid (principal, action == Action::"desk___book", resource) unless { principal in Role::"finance" };
`

// newRunWorld has a desk with tools, one of which reads confidential content,
// and two registered agents.
func newRunWorld(t testing.TB, change func(*enforcement.Options)) *world {
	t.Helper()
	w := newWorld(t, change)
	tools := []inventory.Tool{pay}
	for _, name := range []string{"send", "secrets", "count", "invoice", "rare", "book"} {
		tools = append(tools, inventory.Tool{Name: name, Definition: json.RawMessage(
			`{"name":"` + name + `","description":"` + name + ` it","inputSchema":{"type":"object","properties":{"to":{"type":"string"},"n":{"type":"integer"}}}}`)})
	}
	if _, err := w.ObserveTools(t.Context(), "desk", tools); err != nil {
		t.Fatal(err)
	}
	if err := w.inventory.LabelTool(t.Context(), admin.Actor, "", "desk", "secrets", inventory.Labelling{Labels: []string{"confidential"}}); err != nil {
		t.Fatal(err)
	}
	w.activate(runPolicies)
	w.register("billing", "invoices", "travel")
	w.register("other", "invoices")
	return w
}

func (w *world) activate(text string) {
	w.t.Helper()
	if _, err := w.ActivatePolicy(w.t.Context(), admin.Actor, "", []pdp.Source{{Name: "p.cedar", Text: []byte(text)}}); err != nil {
		w.t.Fatal(err)
	}
}

// put puts a bundle in force.
func (w *world) put(policies, meta string) {
	w.t.Helper()
	b, err := bundle.New([]bundle.File{{Name: "p.cedar", Text: []byte(policies)}, {Name: "bundle.yaml", Text: []byte(meta)}})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.PutInForce(func(c pdp.Catalog) (policy.Activation, error) {
		return w.policies.Activate(w.t.Context(), admin.Actor, "", b, c)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) register(agent string, purposes ...string) {
	w.t.Helper()
	a, _ := w.inventory.Agent(agent)
	a.Stage, a.Purposes = inventory.Deployed, purposes
	a.Owner, a.Operator = "ada", "olga"
	if _, err := w.inventory.DeployAgent(w.t.Context(), admin.Actor, "", a, inventory.Gate{}); err != nil {
		w.t.Fatal(err)
	}
}

// call is a call of a tool of the desk.
func call(p identity.Principal, session, tool, input string) enforcement.Call {
	c := payment(p, input)
	c.Session, c.Tool = session, tool
	return c
}

// does makes a call that must be allowed, and hands out its result.
func (w *world) does(c enforcement.Call, result string) enforcement.Ruling {
	w.t.Helper()
	r := w.decide(c)
	if !r.Allowed() {
		w.t.Fatalf("%s: %s", c.Tool, r.Sentence())
	}
	if err := w.Close(w.t.Context(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(result)}); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// is decides a call and compares the verdict.
func (w *world) is(want authz.Verdict, c enforcement.Call) enforcement.Ruling {
	w.t.Helper()
	r := w.decide(c)
	if r.Verdict != want {
		w.t.Fatalf("%s in %q: %s (%s), want %s", c.Tool, c.Session, r.Verdict, r.Sentence(), want)
	}
	return r
}

func (w *world) declare(d enforcement.Declaration) (string, error) {
	if d.Channel == "" {
		d.Channel = enforcement.MCP
	}
	return w.Declare(w.t.Context(), d)
}

// restart ends the process and begins another one on the same database.
func (w *world) restart() {
	w.t.Helper()
	w.close()
	w.open()
	var tools []inventory.Tool
	for _, s := range w.inventory.Tools("desk") {
		tools = append(tools, inventory.Tool{Name: s.Name, Definition: s.Definition})
	}
	if _, err := w.ObserveTools(w.t.Context(), "desk", tools); err != nil {
		w.t.Fatal(err)
	}
}

func TestLabelsOfWhatWasReadStayWithTheRun(t *testing.T) {
	w := newRunWorld(t, nil)
	w.is(authz.Allow, call(billing, "s", "send", `{}`))
	r := w.does(call(billing, "s", "secrets", `{}`), `{"content":[{"type":"text","text":"the plan"}]}`)
	outcomes := w.outcomes(r.Index)
	if got := outcomes[len(outcomes)-1].Labels; !slices.Contains(got, "confidential") {
		t.Errorf("the outcome has the labels %v", got)
	}
	w.is(authz.Deny, call(billing, "s", "send", `{}`))
	w.is(authz.Allow, call(billing, "another", "send", `{}`))
	w.is(authz.Allow, call(other, "s", "send", `{}`))
	w.restart()
	w.is(authz.Deny, call(billing, "s", "send", `{}`))
}

// A stateless client's calls are one run, until it has been idle.
func TestDefaultRunEndsWhenIdle(t *testing.T) {
	w := newRunWorld(t, nil)
	w.does(call(billing, "", "secrets", `{}`), `{}`)
	w.clock.Advance(29 * time.Minute)
	w.is(authz.Deny, call(billing, "", "send", `{}`))
	w.clock.Advance(31 * time.Minute)
	w.is(authz.Allow, call(billing, "", "send", `{}`))
	w.does(call(billing, "named", "secrets", `{}`), `{}`)
	w.clock.Advance(31 * time.Minute)
	w.is(authz.Deny, call(billing, "named", "send", `{}`))
}

func TestCountersAndToolsOfARun(t *testing.T) {
	w := newRunWorld(t, nil)
	for range 3 {
		w.does(call(billing, "s", "count", `{}`), `{}`)
	}
	r := w.is(authz.Deny, call(billing, "s", "count", `{}`))
	if len(r.Reasons) != 1 || r.Reasons[0].Policy != "few-calls" {
		t.Errorf("%+v", r.Reasons)
	}
	w.does(call(billing, "s", "pay", `{"amount":1}`), `{}`)
	w.is(authz.Deny, call(billing, "s", "send", `{}`))
	w.is(authz.Deny, call(billing, "s2", "invoice", `{}`))
	w.is(authz.Deny, call(billing, "s2", "invoice", `{}`))
	if r = w.is(authz.Deny, call(billing, "s2", "count", `{}`)); r.Reasons[0].Policy != "many-refusals" {
		t.Errorf("%+v", r.Reasons)
	}
	facts := w.facts(r)
	if facts.Context.Session.Refusals != 2 || facts.Context.Session.Calls != 0 {
		t.Errorf("%+v", facts.Context.Session)
	}
}

// recorded are the facts of a decision that tests look at.
type recorded struct {
	Context struct {
		Session struct {
			Purpose     string   `json:"purpose"`
			Behalf      string   `json:"on_behalf_of"`
			Labels      []string `json:"labels"`
			Tools       []string `json:"tools"`
			Calls       int      `json:"calls"`
			Refusals    int      `json:"refusals"`
			Established bool     `json:"established"`
			Depth       int      `json:"depth"`
		} `json:"session"`
		Provenance map[string]struct {
			Class                       string `json:"class"`
			User, Result, Trusted, Used bool
			MadeUp                      bool `json:"made_up"`
			Labels                      []string
			Sink                        string
		} `json:"provenance"`
		Sinks  map[string][]string                                `json:"sinks"`
		Budget map[string]map[string]map[string]map[string]string `json:"budget"`
		Tool   struct {
			New, Used, Implied bool
		} `json:"tool"`
	} `json:"context"`
	Delegators []struct{ ID string } `json:"delegators"`
}

func (w *world) facts(r enforcement.Ruling) recorded {
	w.t.Helper()
	_, d := w.decision(r.Index)
	var f recorded
	if err := json.Unmarshal([]byte(w.payload(r.Index, receipt.FactsPayload, d.Facts)), &f); err != nil {
		w.t.Fatal(err)
	}
	return f
}

func TestPurposeIsDeclaredAndRegistered(t *testing.T) {
	w := newRunWorld(t, nil)
	d := enforcement.Declaration{Principal: billing, Session: "s", Purpose: "invoices", OnBehalfOf: "olga"}
	if id, err := w.declare(d); err != nil || id == "" {
		t.Fatal(id, err)
	}
	if id, err := w.declare(d); err != nil || id != "" {
		t.Errorf("said again: %q, %v", id, err)
	}
	r := w.does(call(billing, "s", "invoice", `{}`), `{}`)
	if _, b := w.decision(r.Index); b.Purpose != "invoices" {
		t.Errorf("the receipt names the purpose %q", b.Purpose)
	}
	for name, wrong := range map[string]enforcement.Declaration{
		"another purpose":       {Principal: billing, Session: "s", Purpose: "travel"},
		"for somebody else":     {Principal: billing, Session: "s", OnBehalfOf: "eve"},
		"an unknown purpose":    {Principal: billing, Session: "t", Purpose: "leisure"},
		"of an unknown agent":   {Principal: identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "nobody"}}, Session: "s", Purpose: "invoices"},
		"of a person":           {Principal: admin, Session: "s", Purpose: "invoices"},
		"with a made-up parent": {Principal: billing, Session: "u", Parent: aims.NewID("rcp")},
		"with a parent later":   {Principal: billing, Session: "s", Parent: r.Receipt},
		"with a long purpose":   {Principal: billing, Session: "s", Purpose: strings.Repeat("x", 300)},
	} {
		id, err := w.declare(wrong)
		if c := code(err); c != aims.Denied && c != aims.Invalid || id == "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	w.register("billing", "travel")
	if refused, err := w.Decide(t.Context(), call(billing, "s", "invoice", `{}`)); code(err) != aims.Denied || !strings.Contains(refused.Sentence(), "no longer registered") {
		t.Errorf("after the purpose was taken away: %v, %v", refused.Sentence(), err)
	}
	w.register("billing", "invoices", "travel")
	w.restart()
	w.is(authz.Allow, call(billing, "s", "invoice", `{}`))
}

// A run that would have to remember too much is refused, because what is
// forgotten would be permitted.
func TestFullRunIsRefused(t *testing.T) {
	w := newRunWorld(t, nil)
	var tools []inventory.Tool
	for i := range 260 {
		name := fmt.Sprintf("t%d", i)
		tools = append(tools, inventory.Tool{Name: name, Definition: json.RawMessage(`{"name":"` + name + `","inputSchema":{"type":"object"}}`)})
	}
	if _, err := w.ObserveTools(t.Context(), "many", tools); err != nil {
		t.Fatal(err)
	}
	allowed := 0
	for i := range tools {
		c := call(billing, "s", tools[i].Name, `{}`)
		c.Server = "many"
		if r, err := w.Decide(t.Context(), c); err == nil && r.Allowed() {
			allowed++
		}
	}
	if allowed != 257 {
		t.Errorf("%d different tools were called", allowed)
	}
	if r, err := w.Decide(t.Context(), call(billing, "s", "count", `{}`)); code(err) != aims.Denied {
		t.Errorf("%+v, %v", r, err)
	}
	w.is(authz.Allow, call(billing, "s2", "count", `{}`))
}

// Who acts by itself has read the result whether or not it says so.
func TestResultsThatDoNotPassHereLabelTheRunAtOnce(t *testing.T) {
	w := newRunWorld(t, nil)
	c := call(billing, "s", "secrets", `{}`)
	c.Channel = enforcement.AuthZEN
	w.is(authz.Allow, c)
	w.is(authz.Deny, call(billing, "s", "send", `{}`))
}

func TestUnregisteredRunIsAsBefore(t *testing.T) {
	w := newRunWorld(t, nil)
	r := w.is(authz.Hold, call(billing, "s", "rare", `{}`))
	if f := w.facts(r); !f.Context.Tool.New || f.Context.Tool.Used {
		t.Errorf("%+v", f.Context.Tool)
	}
}

// A tool is new for a purpose until a call of it succeeded, and stays known
// for other runs of the purpose.
func TestPurposeRemembersToolsThatItUsed(t *testing.T) {
	w := newRunWorld(t, nil)
	for _, s := range []string{"s", "t"} {
		if _, err := w.declare(enforcement.Declaration{Principal: billing, Session: s, Purpose: "invoices"}); err != nil {
			t.Fatal(err)
		}
	}
	r := w.does(call(billing, "s", "count", `{}`), `{}`)
	if f := w.facts(r); f.Context.Tool.Used {
		t.Error("used before the first call")
	}
	for range 2 {
		if f := w.facts(w.is(authz.Allow, call(billing, "t", "count", `{}`))); !f.Context.Tool.Used || f.Context.Tool.New {
			t.Errorf("%+v", f.Context.Tool)
		}
		w.restart()
	}
	if f := w.facts(w.is(authz.Allow, call(other, "t", "count", `{}`))); f.Context.Tool.Used {
		t.Error("another agent's use counts")
	}
}

// Suspension holds from the next decision on, and is judged at its place in the log.
func TestSuspendedAgentAndStoppedServer(t *testing.T) {
	w := newRunWorld(t, nil)
	w.is(authz.Allow, call(billing, "s", "count", `{}`))
	if err := w.inventory.SuspendAgent(t.Context(), admin.Actor, "", "billing", "odd"); err != nil {
		t.Fatal(err)
	}
	w.is(authz.Deny, call(billing, "s", "count", `{}`))
	w.is(authz.Allow, call(other, "s", "count", `{}`))
	if err := w.inventory.StopServer(t.Context(), admin.Actor, "", "desk", "odd"); err != nil {
		t.Fatal(err)
	}
	w.is(authz.Deny, call(other, "s", "count", `{}`))
}

func TestDelegationIsNeverWider(t *testing.T) {
	w := newRunWorld(t, nil)
	plain := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "plain"}}
	w.register("plain", "invoices")
	w.is(authz.Deny, call(plain, "p", "book", `{}`))
	w.does(call(plain, "p", "secrets", `{}`), `{}`)
	if _, err := w.declare(enforcement.Declaration{Principal: plain, Session: "p", OnBehalfOf: "olga"}); err != nil {
		t.Fatal(err)
	}
	parent := w.is(authz.Allow, call(plain, "p", "count", `{}`))
	w.is(authz.Allow, call(billing, "alone", "book", `{}`))
	d := enforcement.Declaration{Principal: billing, Session: "child", Parent: parent.Receipt}
	if _, err := w.declare(d); err != nil {
		t.Fatal(err)
	}
	r := w.is(authz.Deny, call(billing, "child", "book", `{}`))
	f := w.facts(r)
	if len(f.Delegators) != 1 || f.Delegators[0].ID != "plain" || f.Context.Session.Depth != 1 || f.Context.Session.Behalf != "olga" {
		t.Errorf("%+v", f)
	}
	if _, b := w.decision(r.Index); b.Parent != parent.Receipt {
		t.Errorf("the receipt names the parent %q", b.Parent)
	}
	w.decidesAgain(r)
	w.is(authz.Deny, call(billing, "child", "send", `{}`)) // what the parent has read, the child has
	if err := w.inventory.SuspendAgent(t.Context(), admin.Actor, "", "plain", "odd"); err != nil {
		t.Fatal(err)
	}
	w.is(authz.Deny, call(billing, "child", "count", `{}`))
	w.is(authz.Allow, call(billing, "alone", "count", `{}`))
}

// decidesAgain decides a receipt again from what is kept of it.
func (w *world) decidesAgain(r enforcement.Ruling) {
	w.t.Helper()
	_, d := w.decision(r.Index)
	stored, err := w.policies.Stored(w.t.Context(), d.Policy)
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := pdp.Compile(stored.Sources, stored.Schema)
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := set.Redecide([]byte(w.payload(r.Index, receipt.FactsPayload, d.Facts)), []byte(w.payload(r.Index, receipt.InputPayload, d.Input)))
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(r.Decision, again); diff != "" {
		w.t.Fatal(diff)
	}
}

func TestDelegationThatMayNotBe(t *testing.T) {
	w := newRunWorld(t, nil)
	root := w.is(authz.Allow, call(billing, "root", "count", `{}`))
	chain := []identity.Principal{other}
	for i := range 5 {
		p := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: fmt.Sprintf("sub%d", i)}, Roles: []string{"finance"}}
		w.register(p.ID, "invoices")
		chain = append(chain, p)
	}
	parent := root
	for i, p := range chain {
		_, err := w.declare(enforcement.Declaration{Principal: p, Session: "c", Parent: parent.Receipt})
		if i == 5 {
			if code(err) != aims.Denied || !strings.Contains(err.Error(), "at most 5") {
				t.Errorf("depth 6: %v", err)
			}
			break
		}
		if err != nil {
			t.Fatal(i, err)
		}
		parent = w.is(authz.Allow, call(p, "c", "count", `{}`))
	}
	for name, d := range map[string]enforcement.Declaration{
		"back to the root":         {Principal: billing, Session: "root", Parent: parent.Receipt},
		"back to the root's agent": {Principal: billing, Session: "fresh", Parent: parent.Receipt},
		"to itself":                {Principal: chain[4], Session: "c", Parent: parent.Receipt},
		"another parent":           {Principal: other, Session: "c", Parent: parent.Receipt},
		"for somebody else":        {Principal: other, Session: "c", OnBehalfOf: "eve"},
		"by a refusal":             {Principal: other, Session: "d", Parent: w.is(authz.Deny, call(billing, "root", "invoice", `{}`)).Receipt},
		"by a person's management": {Principal: other, Session: "e", Parent: w.read().Receipt},
	} {
		if id, err := w.declare(d); code(err) != aims.Denied || id == "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	a, _ := w.inventory.Agent("billing")
	a.Delegates = []string{"sub0"}
	if _, err := w.inventory.PutAgent(t.Context(), admin.Actor, "", a); err != nil {
		t.Fatal(err)
	}
	if _, err := w.declare(enforcement.Declaration{Principal: other, Session: "f", Parent: root.Receipt}); code(err) != aims.Denied {
		t.Errorf("to an agent that is not on the list: %v", err)
	}
	if _, err := w.declare(enforcement.Declaration{Principal: chain[1], Session: "f", Parent: root.Receipt}); err != nil {
		t.Errorf("to an agent on the list: %v", err)
	}
}

func (w *world) read() enforcement.Ruling {
	w.t.Helper()
	r, err := w.Management(w.t.Context(), auditor, "receipts/read")
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}
