package review_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/policy/review"
)

const tested = `
@id("clerks-pay") permit (principal in Role::"clerk", action == Action::"payments___pay", resource) when { context.input.amount < 100 };
@id("boss-releases") @hold("boss") forbid (principal, action == Action::"payments___pay", resource)
when { context.input.amount > 10 && context.budget.daily.after.greaterThan(decimal("50.0")) }
unless { context has approval && context.approval.roles.contains("boss") };
@id("no-injection") forbid (principal, action in Action::"call_tool", resource) when { !context.sinks.untrusted.isEmpty() };
@id("deployed") forbid (principal is Agent, action in Action::"call_tool", resource) when { principal.stage != "deployed" };
@id("described") forbid (principal, action in Action::"call_tool", resource) when { context.tool.destructive && context.session.purpose == "look" };
@id("overflow") forbid (principal, action in Action::"call_tool", resource) when { context.session.calls + 9223372036854775807 < 0 };
@id("authors") forbid (principal is Person, action == Action::"policy/approve", resource) when { principal in context.matter.authors };
@id("approvers") permit (principal is Person in Role::"approver", action == Action::"policy/approve", resource);
@id("read") permit (principal, action == Action::"resources/read", resource == McpServer::"mail") when { context.input has uri };
`

const dailyBudget = "budgets:\n- {name: daily, of: sum, argument: amount, tools: [payments___pay], per: agent, window: 24h}\n"

// one runs a single test, given as flow YAML, against the tested policies.
func one(t *testing.T, test string) review.Result {
	t.Helper()
	report := review.Test(subject(t, "a.cedar", tested, "bundle.yaml", dailyBudget, "tests/t.yaml", "- {name: x, "+test+"}\n"))
	if len(report.Results) != 1 || (report.Failed == 1) == report.Results[0].Passed {
		t.Fatalf("%+v", report)
	}
	return report.Results[0]
}

// pay is a payment by a clerk's agent; more adds to its request.
func pay(more, expect string) string {
	return `expect: ` + expect + `, request: {agent: billing, roles: [clerk], action: payments___pay` + more + `}`
}

func TestFactsOfTests(t *testing.T) {
	for name, c := range map[string]struct {
		test string
		by   string
	}{
		"the ordinary case":       {pay(`, input: {amount: 50}`, "allow"), "clerks-pay"},
		"input":                   {pay(`, input: {amount: 100}`, "deny"), ""},
		"roles":                   {`expect: deny, request: {agent: billing, action: payments___pay, input: {amount: 5}}`, ""},
		"budget":                  {pay(`, input: {amount: 50}, budget: {daily: {spent: 10, after: 60.5}}`, "hold"), "boss-releases"},
		"budget below":            {pay(`, input: {amount: 50}, budget: {daily: {spent: 50}}`, "allow"), "clerks-pay"},
		"approval":                {pay(`, input: {amount: 50}, budget: {daily: {after: 60}}, approval: {id: apr_1, roles: [boss]}`, "allow"), "clerks-pay"},
		"approval by another":     {pay(`, input: {amount: 50}, budget: {daily: {after: 60}}, approval: {id: apr_1, roles: [clerk]}`, "hold"), "boss-releases"},
		"untrusted sink":          {pay(`, input: {amount: 5, to: x}, provenance: {to: {result: true, labels: [untrusted], sink: recipient}}`, "deny"), "no-injection"},
		"the user named it":       {pay(`, input: {amount: 5, to: x}, provenance: {to: {user: true, labels: [untrusted], sink: recipient}}`, "allow"), "clerks-pay"},
		"sinks as given":          {pay(`, input: {amount: 5}, sinks: {untrusted: [recipient]}`, "deny"), "no-injection"},
		"stage":                   {pay(`, input: {amount: 5}, stage: development`, "deny"), "deployed"},
		"not registered":          {pay(`, input: {amount: 5}, stage: ""`, "deny"), "deployed"},
		"quarantine":              {pay(`, input: {amount: 5}, tool: {quarantined: true}`, "deny"), "house-quarantine"},
		"purpose and description": {pay(`, input: {amount: 5}, session: {purpose: look}`, "deny"), "described"},
		"another description":     {pay(`, input: {amount: 5}, session: {purpose: look}, tool: {destructive: false}`, "allow"), "clerks-pay"},
		"author":                  {`expect: deny, request: {person: ada, roles: [approver], action: policy/approve, matter: {authors: [ada]}}`, "authors"},
		"another author":          {`expect: allow, request: {person: ada, roles: [approver], action: policy/approve, matter: {authors: [bob]}}`, "approvers"},
		"method":                  {`expect: allow, request: {agent: a, action: resources/read, server: mail, input: {uri: "x:"}}`, "read"},
		"method elsewhere":        {`expect: deny, request: {agent: a, action: resources/read, input: {uri: "x:"}}`, ""},
	} {
		r := one(t, c.test)
		if got := strings.Join(r.Policies, " "); !r.Passed || got != c.by {
			t.Errorf("%s: %s, by %q, want %q", name, r.Why(), got, c.by)
		}
	}
}

func TestFailuresSayWhy(t *testing.T) {
	for name, c := range map[string]struct{ test, why string }{
		"outcome":            {pay(`, input: {amount: 500}`, "allow"), "expected allow, got deny by no policy"},
		"policies":           {`policies: [read, clerks-pay], ` + pay(`, input: {amount: 5}`, "allow"), "allow as expected, but expected by clerks-pay, read, got by clerks-pay"},
		"no policy":          {`policies: [], ` + pay(`, input: {amount: 5}`, "allow"), "but expected by no policy, got by clerks-pay"},
		"both":               {`policies: [read], ` + pay(`, input: {amount: 500}`, "hold"), "expected hold by read, got deny by no policy"},
		"a fault":            {pay(`, input: {amount: 5}, session: {calls: 1}`, "allow"), "forbid overflow cannot be evaluated"},
		"unknown action":     {`expect: deny, request: {agent: a, action: payments___pray}`, `no action "payments___pray"`},
		"a group":            {`expect: deny, request: {agent: a, action: call_tool}`, `no action "call_tool"`},
		"input of a type":    {pay(`, input: {amount: many}`, "deny"), "argument amount: expected an integer"},
		"missing input":      {pay(``, "deny"), "argument amount: expected an integer of 64 bits, got nothing"},
		"unknown provenance": {pay(`, input: {amount: 5}, provenance: {tto: {user: true}}`, "allow"), "does not declare"},
		"unknown budget":     {pay(`, input: {amount: 5}, budget: {dayly: {spent: 1}}`, "allow"), `no budget "dayly"`},
		"another's budget":   {`expect: deny, request: {agent: a, action: mail___send, budget: {daily: {spent: 1}}}`, "does not count mail___send"},
	} {
		if r := one(t, c.test); r.Passed || !strings.Contains(r.Why(), c.why) {
			t.Errorf("%s: %s, want %s", name, r.Why(), c.why)
		}
	}
}

func TestReport(t *testing.T) {
	report := review.Test(subject(t, "a.cedar", tested, "bundle.yaml", dailyBudget,
		"tests/t.yaml", "- {name: good, "+pay(`, input: {amount: 5}`, "allow")+"}\n- {name: bad, "+pay(`, input: {amount: 5}`, "deny")+"}\n"))
	if report.Failed != 1 || report.Rules != 9 {
		t.Errorf("%+v", report)
	}
	want := []string{"approvers", "authors", "boss-releases", "deployed", "described", "no-injection", "overflow", "read"}
	if d := cmp.Diff(want, report.Untested); d != "" {
		t.Error(d)
	}
	failures := report.Failures()
	if len(failures) != 1 || failures[0].String() != "tests/t.yaml:2:0: the test bad fails: expected deny, got allow by clerks-pay" && failures[0].Line != 2 {
		t.Errorf("%v", failures)
	}
	if report.Results[0].Expect != authz.Allow {
		t.Errorf("%+v", report.Results[0])
	}
}
