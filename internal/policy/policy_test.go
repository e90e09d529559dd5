package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

var person = aims.Actor{Type: aims.PersonType, ID: "ada"}

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}

func source(name, text string) []bundle.File { return []bundle.File{{Name: name, Text: []byte(text)}} }

// activateFiles makes a bundle of files and activates it.
func (w *world) activateFiles(files []bundle.File, c pdp.Catalog) (policy.Activation, error) {
	b, err := bundle.New(files)
	if err != nil {
		return policy.Activation{}, err
	}
	return w.Activate(w.t.Context(), person, "", b, c)
}

var catalog = pdp.Catalog{Tools: []pdp.Tool{{
	Server: "desk", Name: "pay",
	InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"integer"}},"required":["amount"]}`),
}}}

const permitPay = `@id("pay") @reason("small payments") permit (principal, action == Action::"desk___pay", resource) when { context.input.amount < 100 };`

func (w *world) activate(files []bundle.File, c pdp.Catalog) policy.Activation {
	w.t.Helper()
	done, err := w.activateFiles(files, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// verdict asks the active set about one request.
func (w *world) verdict(principal cedar.EntityUID, roles []string, action string, resource cedar.EntityUID, context cedar.RecordMap) authz.Decision {
	var parents []cedar.EntityUID
	for _, r := range roles {
		parents = append(parents, cedar.NewEntityUID("Role", cedar.String(r)))
	}
	entity := cedar.Entity{UID: principal, Parents: cedar.NewEntityUIDSet(parents...)}
	if principal.Type == "Agent" {
		entity.Attributes = cedar.NewRecord(cedar.RecordMap{
			"stage": cedar.String(""), "operator": cedar.String(""), "suspended": cedar.Boolean(slices.Contains(w.stopped, principal)),
		})
	}
	on := cedar.Entity{UID: resource}
	if resource.Type == "McpServer" {
		on.Attributes = cedar.NewRecord(cedar.RecordMap{"stopped": cedar.Boolean(slices.Contains(w.stopped, resource))})
	}
	return w.Active().Decide(cedar.Request{
		Principal: principal, Action: cedar.NewEntityUID("Action", cedar.String(action)), Resource: resource, Context: cedar.NewRecord(context),
	}, cedar.EntityMap{principal: entity, resource: on})
}

func (w *world) pay(amount int64, quarantined bool) authz.Verdict {
	return w.verdict(cedar.NewEntityUID("Agent", "billing"), nil, "desk___pay", cedar.NewEntityUID("McpServer", "desk"), cedar.RecordMap{
		"input":      cedar.NewRecord(cedar.RecordMap{"amount": cedar.Long(amount)}),
		"undeclared": cedar.NewSet(),
		"tool": cedar.NewRecord(cedar.RecordMap{
			"pin": cedar.String("sha256:0"), "quarantined": cedar.Boolean(quarantined), "read_only": cedar.False, "destructive": cedar.True,
		}),
	}).Verdict
}

func TestActivationDecidesFromThenOnAndSurvivesARestart(t *testing.T) {
	w := newWorld(t, policy.Options{})
	if w.Active() != nil || w.Own() != nil {
		t.Fatal("a set is active that nobody activated")
	}
	done := w.activate(source("pay.cedar", permitPay), catalog)
	for _, when := range []string{"at once", "after a restart"} {
		if got := w.Active().Digest(); got != done.Digest || !done.Changed {
			t.Errorf("%s: digest %s, want %s", when, got, done.Digest)
		}
		if w.pay(99, false) != authz.Allow || w.pay(100, false) != authz.Deny {
			t.Errorf("%s: it does not decide", when)
		}
		if d := cmp.Diff(source("pay.cedar", permitPay), w.Own().Files()); d != "" {
			t.Errorf("%s: %s", when, d)
		}
		w.reopen()
	}
	if again := w.activate(source("pay.cedar", permitPay), catalog); again.Changed || w.ledger.Size() != 1 {
		t.Errorf("activating the active set: %+v, %d receipts", again, w.ledger.Size())
	}
	e := w.events()[0]
	if e.Name != "policy.activated" || e.Object.ID != done.Digest || e.Actor.ID != "ada" {
		t.Errorf("receipt %+v", e)
	}
}

func TestBadPolicyIsRefusedWithItsPlaceAndTheActiveOneStays(t *testing.T) {
	w := newWorld(t, policy.Options{})
	before := w.activate(source("pay.cedar", permitPay), catalog).Digest
	for name, c := range map[string]struct {
		text    string
		line    int
		message string
	}{
		"syntax":         {"permit (principal, action, resource)\nwhen {", 2, ""},
		"type":           {"\n" + strings.Replace(permitPay, "< 100", `< "100"`, 1), 2, ""},
		"unknown action": {`@id("x") permit (principal, action == Action::"desk___pray", resource);`, 1, "desk___pray"},
		"unknown input":  {strings.Replace(permitPay, "amount", "amuont", 1), 1, "amuont"},
		"annotation":     {`@resaon("x") permit (principal, action, resource);`, 1, "resaon"},
		"house id":       {`@id("house-quarantine") permit (principal, action, resource);`, 1, "house"},
		"only comments":  {"// nothing\n\n  // at all\n", 0, "no policy"},
		"nothing":        {"", 0, "no policy"},
	} {
		_, err := w.activateFiles(source("new.cedar", c.text), catalog)
		if code(err) != aims.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		problems := policy.Problems(err)
		if !slices.ContainsFunc(problems, func(p pdp.Problem) bool {
			return p.File == "new.cedar" && p.Line == c.line && strings.Contains(p.Message, c.message)
		}) {
			t.Errorf("%s: problems %v, want new.cedar:%d and %q", name, problems, c.line, c.message)
		}
		if _, text := aims.Public(err); !strings.Contains(text, "new.cedar") {
			t.Errorf("%s: the sentence does not name the place: %s", name, text)
		}
	}
	if w.Active().Digest() != before || w.ledger.Size() != 1 {
		t.Error("the active set changed")
	}
	w.reopen()
	if w.Active().Digest() != before {
		t.Error("the active set changed with a restart")
	}
}

func TestUnrecordedActivationDoesNotDecide(t *testing.T) {
	w := newWorld(t, policy.Options{})
	before := w.activate(source("pay.cedar", permitPay), catalog).Digest
	if err := w.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.activateFiles(source("pay.cedar", `@id("all") permit (principal, action, resource);`), catalog); code(err) != aims.Unavailable {
		t.Errorf("got %v", err)
	}
	if w.Active().Digest() != before {
		t.Error("a set decides that nobody can look up")
	}
}

func TestQuarantineStandsAboveEveryPermit(t *testing.T) {
	w := newWorld(t, policy.Options{})
	w.activate(source("all.cedar", `@id("all") permit (principal, action, resource);`), catalog)
	if w.pay(1, false) != authz.Allow || w.pay(1, true) != authz.Deny {
		t.Error("a quarantined tool is permitted")
	}
}

func TestStoppingStandsAboveEveryPermit(t *testing.T) {
	w := newWorld(t, policy.Options{Extensions: []string{"x/search"}})
	w.activate(source("all.cedar", `@id("all") permit (principal, action, resource);`), catalog)
	agent, server, elsewhere := cedar.NewEntityUID("Agent", "billing"), cedar.NewEntityUID("McpServer", "desk"), cedar.NewEntityUID("McpServer", "other")
	method := func(action string, on cedar.EntityUID) authz.Verdict {
		return w.verdict(agent, nil, action, on, cedar.RecordMap{"input": cedar.NewRecord(nil)}).Verdict
	}
	for _, c := range []struct {
		stopped   []cedar.EntityUID
		here, far authz.Verdict
	}{
		{nil, authz.Allow, authz.Allow},
		{[]cedar.EntityUID{server}, authz.Deny, authz.Allow},
		{[]cedar.EntityUID{agent}, authz.Deny, authz.Deny},
	} {
		w.stopped = c.stopped
		if got := w.pay(1, false); got != c.here {
			t.Errorf("with %v stopped a call is answered with %s", c.stopped, got)
		}
		for _, action := range []string{"tools/list", "resources/read", "x/search"} {
			if here, far := method(action, server), method(action, elsewhere); here != c.here || far != c.far {
				t.Errorf("with %v stopped, %s is answered with %s there and %s elsewhere", c.stopped, action, here, far)
			}
		}
	}
}

func TestWhoMayManage(t *testing.T) {
	w := newWorld(t, policy.Options{})
	w.activate(source("pay.cedar", permitPay), catalog)
	system := cedar.NewEntityUID("System", "aims")
	ada, bot := cedar.NewEntityUID("Person", "ada"), cedar.NewEntityUID("Agent", "bot")
	for _, c := range []struct {
		who    cedar.EntityUID
		role   string
		action string
		want   authz.Verdict
	}{
		{ada, "admin", "policy/activate", authz.Allow}, {ada, "admin", "keys/create", authz.Allow}, {ada, "admin", "payloads/read", authz.Allow},
		{ada, "auditor", "receipts/read", authz.Allow}, {ada, "auditor", "log/entries", authz.Allow}, {ada, "auditor", "inventory/read", authz.Allow},
		{ada, "auditor", "agents/read", authz.Allow}, {ada, "auditor", "agents/resume", authz.Deny}, {ada, "auditor", "servers/resume", authz.Deny},
		{ada, "auditor", "payloads/read", authz.Deny}, {ada, "auditor", "payloads/erase", authz.Deny}, {ada, "auditor", "tools/approve", authz.Deny},
		{ada, "auditor", "keys/create", authz.Deny}, {ada, "clerk", "receipts/read", authz.Deny}, {ada, "clerk", "tools/approve", authz.Deny},
		{bot, "admin", "policy/activate", authz.Deny}, {bot, "auditor", "receipts/read", authz.Deny},
	} {
		got := w.verdict(c.who, []string{c.role}, c.action, system, cedar.RecordMap{"input": cedar.NewRecord(nil)})
		if got.Verdict != c.want {
			t.Errorf("%s as %s does %s: %s, want %s", c.who, c.role, c.action, got.Verdict, c.want)
		}
	}
}

func TestExtensionsAreLetThroughByName(t *testing.T) {
	w := newWorld(t, policy.Options{Extensions: []string{"x/search", "vendor.do_it", "x/search"}})
	w.activate(source("pay.cedar", permitPay), catalog)
	server := cedar.NewEntityUID("McpServer", "desk")
	if got := w.verdict(cedar.NewEntityUID("Agent", "bot"), nil, "x/search", server, cedar.RecordMap{"input": cedar.NewRecord(nil)}); got.Verdict != authz.Allow {
		t.Errorf("a named extension: %+v", got)
	}
	if w.Active().Has("x/other") {
		t.Error("an extension that is not named exists")
	}
	for _, bad := range []string{"", "a b", `x"], resource); permit(principal, action, resource`, "desk___pay"} {
		if _, err := policy.Open(t.Context(), w.db, w.ledger, policy.Options{Extensions: []string{bad}}); code(err) != aims.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRecompileIsASetOfItsOwn(t *testing.T) {
	w := newWorld(t, policy.Options{})
	first := w.activate(source("pay.cedar", permitPay), catalog)
	if done, err := w.Recompile(t.Context(), catalog); err != nil || done.Changed {
		t.Errorf("nothing changed: %+v, %v", done, err)
	}
	larger := pdp.Catalog{Tools: append([]pdp.Tool{{Server: "desk", Name: "read"}}, catalog.Tools...)}
	done, err := w.Recompile(t.Context(), larger)
	if err != nil || !done.Changed || done.Before != first.Digest || !w.Active().Has("desk___read") {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := w.Recompile(t.Context(), pdp.Catalog{}); code(err) != aims.Invalid || w.Active().Digest() != done.Digest {
		t.Errorf("a catalog without the tool that a policy names: %v", err)
	}
	events := w.events()
	if len(events) != 2 || events[1].Actor.Type != "system" || !strings.Contains(string(events[1].Detail), `"cause"`) {
		t.Errorf("receipts %+v", events)
	}
	digests, err := w.Digests(t.Context())
	if err != nil || !cmp.Equal(digests, slices.Sorted(slices.Values([]string{first.Digest, done.Digest}))) {
		t.Errorf("sets %v, %v", digests, err)
	}
	for _, d := range digests { // whoever has a receipt can have the text that decided
		stored, err := w.Stored(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		set, err := pdp.Compile(stored.Sources, stored.Schema)
		if err != nil || set.Digest() != d {
			t.Errorf("%s: compiled again %v", d, err)
		}
	}
	if _, err := w.Stored(t.Context(), "sha256:none"); code(err) != aims.NotFound {
		t.Errorf("unknown digest: %v", err)
	}
}

func TestStarterCompilesWithoutToolsAndDeniesThem(t *testing.T) {
	w := newWorld(t, policy.Options{})
	w.activate([]bundle.File{{Name: "starter.cedar", Text: policy.Starter()}}, pdp.Catalog{})
	w.activate([]bundle.File{{Name: "starter.cedar", Text: policy.Starter()}}, catalog)
	if w.pay(1, false) != authz.Deny {
		t.Error("the starter permits a tool")
	}
}

// The examples in the starter's comments are policies that compile.
func TestStarterExamplesCompile(t *testing.T) {
	w := newWorld(t, policy.Options{})
	var text strings.Builder
	for line := range strings.Lines(string(policy.Starter())) {
		if rest, ok := strings.CutPrefix(line, "//   "); ok && !strings.HasPrefix(rest, "principal  ") && !strings.HasPrefix(rest, "action  ") &&
			!strings.HasPrefix(rest, "resource  ") && !strings.HasPrefix(rest, "context") && !strings.HasPrefix(rest, "      ") {
			text.WriteString(rest)
		} else if ok && strings.HasPrefix(rest, "    ") && !strings.HasPrefix(rest, "           ") {
			text.WriteString(rest)
		}
	}
	c := pdp.Catalog{Tools: []pdp.Tool{
		{Server: "payments", Name: "get_account"}, {Server: "files", Name: "read"},
		{Server: "payments", Name: "transfer_funds", InputSchema: json.RawMessage(`{"type":"object","properties":{"amount":{"type":"number"}},"required":["amount"]}`)},
	}}
	b, err := bundle.New(source("examples.cedar", text.String()))
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := w.Compile(b, c.Tools)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	if n := strings.Count(text.String(), "@id("); n != 4 || set == nil {
		t.Errorf("%d examples were checked, want 4", n)
	}
}
