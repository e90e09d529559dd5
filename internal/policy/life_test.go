package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/google/go-cmp/cmp"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

var (
	bob = aims.Actor{Type: aims.PersonType, ID: "bob"}
	cyd = aims.Actor{Type: aims.PersonType, ID: "cyd"}
)

// paying is a bundle that permits payments below a limit.
func paying(t testing.TB, limit int, more ...string) *bundle.Bundle {
	t.Helper()
	files := []bundle.File{{Name: "pay.cedar", Text: fmt.Appendf(nil,
		`@id("pay") @reason("small payments") permit (principal, action == Action::"desk___pay", resource) when { context.input.amount < %d };`, limit)}}
	for i := 0; i < len(more); i += 2 {
		files = append(files, bundle.File{Name: more[i], Text: []byte(more[i+1])})
	}
	b, err := bundle.New(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) publish(by aims.Actor, b *bundle.Bundle) string {
	w.t.Helper()
	done, err := w.Publish(w.t.Context(), by, "", b, catalog)
	if err != nil {
		w.t.Fatal(err)
	}
	return done.Digest
}

// names are the names of the receipts so far.
func (w *world) names() string {
	var names []string
	for _, e := range w.events() {
		names = append(names, strings.TrimPrefix(e.Name, "policy."))
	}
	return strings.Join(names, " ")
}

func TestLifeCycle(t *testing.T) {
	states := []policy.State{policy.Unpublished, policy.Published, policy.Approved, policy.Idle, policy.Active, policy.Replaced, policy.Withdrawn, "nonsense"}
	got := map[string]policy.State{}
	for _, in := range states {
		for _, on := range policy.Occurrences {
			if to, err := policy.Next(in, on); err == nil {
				got[string(in)+" "+string(on)] = to
			} else if code(err) != aims.Conflict || to != in {
				t.Errorf("%s %s: %s, %v", in, on, to, err)
			}
		}
	}
	want := map[string]policy.State{
		"unpublished publish": policy.Published, "published approve": policy.Approved, "approved approve": policy.Approved,
		"idle activate": policy.Active, "replaced activate": policy.Active, "withdrawn activate": policy.Active,
		"active replace": policy.Replaced, "active withdraw": policy.Withdrawn, "replaced restore": policy.Active, "withdrawn restore": policy.Active,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestOnlyABundleWhoseTestsPassIsPublished(t *testing.T) {
	w := newWorld(t, policy.Options{})
	test := func(expect string) string {
		return "- {name: fifty, expect: " + expect + ", request: {agent: a, action: desk___pay, input: {amount: 50}}}\n"
	}
	hold := `@id("wait") @reason("r") @hold("boss") forbid (principal, action == Action::"desk___pay", resource);`
	for name, c := range map[string]struct {
		b     *bundle.Bundle
		place string
	}{
		"a failing test":  {paying(t, 100, "tests/t.yaml", "\n"+test("deny")), "tests/t.yaml:2"},
		"a void rule":     {paying(t, 100, "wait.cedar", hold), "wait.cedar:1:1"},
		"an unknown tool": {paying(t, 100, "more.cedar", `permit (principal, action == Action::"desk___pray", resource);`), "more.cedar:1:1"},
	} {
		if _, err := w.Publish(t.Context(), person, "", c.b, catalog); code(err) != aims.Invalid || !strings.Contains(err.Error(), c.place) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Bundle(t.Context(), c.b.Digest); code(err) != aims.NotFound {
			t.Errorf("%s is stored: %v", name, err)
		}
	}
	if _, err := w.Activate(t.Context(), person, "", paying(t, 100, "tests/t.yaml", test("deny")), catalog); code(err) != aims.Invalid || w.Active() != nil {
		t.Errorf("a failing test is no obstacle to an activation: %v", err)
	}
	good := paying(t, 100, "tests/t.yaml", test("allow"), "bundle.yaml", "name: payments\n")
	digest := w.publish(person, good)
	if again, err := w.Publish(t.Context(), bob, "", good, catalog); err != nil || again.Changed || again.Digest != digest {
		t.Errorf("published twice: %+v, %v", again, err)
	}
	stored, err := w.Bundle(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(good.Files(), stored.Files()); d != "" {
		t.Error(d)
	}
	if got := w.names(); got != "published" {
		t.Errorf("receipts %s", got)
	}
	if authors, err := w.Authors(t.Context(), digest); err != nil || len(authors) != 1 || authors[0] != person {
		t.Errorf("authors %v, %v", authors, err)
	}
}

func TestTestsBringTheirOwnToolsAndPolicies(t *testing.T) {
	w := newWorld(t, policy.Options{})
	b := paying(t, 100,
		"tests/tools/example.json", `{"tools":[{"name":"erase","annotations":{"destructiveHint":true}}]}`,
		"guard.cedar", `@id("destroys") forbid (principal, action in Action::"call_tool", resource) when { context.tool.destructive };`,
		"tests/permit.cedar", `@id("everything") permit (principal, action, resource);`,
		"tests/t.yaml", "- {name: erase, expect: deny, policies: [destroys], request: {agent: a, action: example___erase}}\n"+
			"- {name: pay, expect: allow, policies: [everything], request: {agent: a, action: desk___pay, input: {amount: 5000}, tool: {destructive: false}}}\n")
	w.activate(b.Files(), catalog)
	if w.Active().Has("example___erase") {
		t.Error("a tool of a test is a tool of the installation")
	}
	if w.pay(5000, false) != authz.Deny {
		t.Error("a permit of a test is in force")
	}
}

func TestReview(t *testing.T) {
	w := newWorld(t, policy.Options{ReviewRequired: true})
	ctx := t.Context()
	starter, err := bundle.FromSources([]pdp.Source{{Name: "starter.cedar", Text: policy.Starter()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Activate(ctx, person, "", starter, catalog); code(err) != aims.Conflict {
		t.Errorf("a person activates past the review: %v", err)
	}
	if _, err := w.Activate(ctx, aims.System, "", starter, catalog); err != nil {
		t.Errorf("the program's first policies: %v", err)
	}
	if _, err := w.Activate(ctx, aims.System, "", paying(t, 1), catalog); code(err) != aims.Conflict {
		t.Errorf("the policy directory goes past the review: %v", err)
	}
	activate := func(digest string) error {
		_, err := w.ActivateDigest(ctx, cyd, "", digest, policy.DefaultEnvironment, catalog)
		return err
	}
	digest := w.publish(person, paying(t, 100))
	if err := activate(digest); code(err) != aims.Conflict {
		t.Errorf("activated without approval: %v", err)
	}
	if err := w.Approve(ctx, person, "", digest); code(err) != aims.Conflict {
		t.Errorf("approved by its author: %v", err)
	}
	if err := activate(digest); code(err) != aims.Conflict {
		t.Errorf("activated after a refused approval: %v", err)
	}
	if err := w.Approve(ctx, bob, "", digest); err != nil {
		t.Fatal(err)
	}
	if err := w.Approve(ctx, bob, "", digest); code(err) != aims.Conflict {
		t.Errorf("approved twice by one: %v", err)
	}
	if err := w.Approve(ctx, cyd, "", digest); err != nil {
		t.Errorf("one more approval: %v", err)
	}
	if err := w.Approve(ctx, bob, "", "sha256:none"); code(err) != aims.NotFound {
		t.Errorf("nothing was approved: %v", err)
	}
	if err := activate(digest); err != nil || w.InForce().Bundle != digest || w.pay(99, false) != authz.Allow {
		t.Errorf("an approved bundle: %v", err)
	}
	if err := activate("sha256:none"); code(err) != aims.NotFound {
		t.Errorf("an unknown bundle: %v", err)
	}
	if got := w.names(); got != "activated published approved approved activated" {
		t.Errorf("receipts %s", got)
	}
	if err := w.Approve(ctx, bob, "", starter.Digest); code(err) != aims.Conflict {
		t.Errorf("approved what nobody published: %v", err)
	}
	list, err := w.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(l policy.Listed) bool { return l.Digest == digest })
	at := w.clock.Now()
	want := policy.Listed{
		Digest: digest, State: policy.Approved, Author: "person:ada", Created: at, Activated: &at,
		Approvals: []policy.Given{{By: "person:bob", At: at}, {By: "person:cyd", At: at}}, Environments: map[string]policy.State{"production": policy.Active},
	}
	if d := cmp.Diff(want, list[i]); d != "" {
		t.Error(d)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(t, policy.Options{})
	ctx := t.Context()
	back := func() (policy.Activation, error) {
		return w.Rollback(ctx, bob, "", policy.DefaultEnvironment, catalog)
	}
	if _, err := back(); code(err) != aims.Conflict {
		t.Errorf("nothing was ever active: %v", err)
	}
	var digests []string
	for _, limit := range []int{10, 20, 30} {
		w.activate(paying(t, limit).Files(), catalog)
		digests = append(digests, w.InForce().Bundle)
	}
	for i, want := range []string{digests[1], digests[0]} {
		done, err := back()
		if err != nil || w.InForce().Bundle != want || done.Bundle != want || !done.Changed {
			t.Fatalf("rollback %d: %+v, %v", i, done, err)
		}
		w.reopen()
		if w.InForce().Bundle != want {
			t.Errorf("rollback %d did not outlast a restart", i)
		}
	}
	if _, err := back(); code(err) != aims.Conflict || w.InForce().Bundle != digests[0] {
		t.Errorf("past the first: %v", err)
	}
	// What was rolled back can be activated again, and rolled back again.
	w.activate(paying(t, 30).Files(), catalog)
	if _, err := back(); err != nil || w.InForce().Bundle != digests[0] {
		t.Errorf("after another activation: %v", err)
	}
	if _, err := w.Rollback(ctx, bob, "", policy.DefaultEnvironment, pdp.Catalog{}); code(err) != aims.Conflict {
		t.Errorf("nothing before: %v", err)
	}
	w.activate(paying(t, 20).Files(), catalog)
	before := w.Active().Digest()
	if _, err := w.Rollback(ctx, bob, "", policy.DefaultEnvironment, pdp.Catalog{}); code(err) != aims.Invalid || w.Active().Digest() != before {
		t.Errorf("back to policies that no longer compile: %v", err)
	}
	if got := w.names(); got != "activated activated activated rolled_back rolled_back activated rolled_back activated" {
		t.Errorf("receipts %s", got)
	}
	last := w.events()[6]
	if !strings.Contains(string(last.Detail), `"bundle":"`+digests[0]) || !strings.Contains(string(last.Detail), `"bundle_before":"`+digests[2]) || last.Actor.ID != "bob" {
		t.Errorf("the receipt of a rollback: %s", last.Detail)
	}
}

func TestEnvironmentsAreApart(t *testing.T) {
	w := newWorld(t, policy.Options{})
	ctx := t.Context()
	staging, err := policy.Open(ctx, w.db, w.ledger, policy.Options{Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	w.activate(paying(t, 10).Files(), catalog)
	here := w.Active()
	digest := w.publish(person, paying(t, 20))
	done, err := w.ActivateDigest(ctx, person, "", digest, "staging", catalog)
	if err != nil || done.Environment != "staging" || w.Active() != here {
		t.Fatalf("%+v, %v", done, err)
	}
	if changed, err := staging.Refresh(ctx); err != nil || !changed || staging.InForce().Bundle != digest {
		t.Errorf("staging: %v, %v", changed, err)
	}
	if _, err := w.Rollback(ctx, person, "", "staging", catalog); code(err) != aims.Conflict {
		t.Errorf("production's history is staging's: %v", err)
	}
	for _, bad := range []string{"", "Production", "a b", strings.Repeat("a", 40)} {
		if _, err := w.ActivateDigest(ctx, person, "", digest, bad, catalog); code(err) != aims.Invalid {
			t.Errorf("environment %q: %v", bad, err)
		}
	}
}

// Several processes share one database. What one activates reaches the others,
// and what they compile alike is recorded once.
func TestSeveralProcesses(t *testing.T) {
	w := newWorld(t, policy.Options{})
	ctx := t.Context()
	other, err := policy.Open(ctx, w.db, w.ledger, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.activate(paying(t, 10).Files(), catalog)
	if changed, err := other.Refresh(ctx); err != nil || !changed || other.Active().Digest() != w.Active().Digest() {
		t.Fatalf("%v, %v", changed, err)
	}
	if changed, err := other.Refresh(ctx); err != nil || changed {
		t.Errorf("nothing changed: %v, %v", changed, err)
	}
	larger := pdp.Catalog{Tools: append([]pdp.Tool{{Server: "desk", Name: "read"}}, catalog.Tools...)}
	first, err := w.Recompile(ctx, larger)
	if err != nil || !first.Changed {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := other.Recompile(ctx, larger); err != nil || again.Changed || other.Active().Digest() != first.Digest {
		t.Errorf("the same again in another process: %+v, %v", again, err)
	}
	// One activates while the other recompiles what was before.
	w.activate(paying(t, 20).Files(), catalog)
	if _, err := other.Recompile(ctx, catalog); code(err) != aims.Conflict {
		t.Errorf("another process's activation is undone: %v", err)
	}
	if _, err := other.Refresh(ctx); err != nil || other.InForce().Bundle != w.InForce().Bundle {
		t.Errorf("%v", err)
	}
	if got := w.names(); got != "activated activated activated" {
		t.Errorf("receipts %s", got)
	}
}

func TestShadow(t *testing.T) {
	w := newWorld(t, policy.Options{})
	ctx := t.Context()
	digest := w.publish(person, paying(t, 500))
	if err := w.Shadow(ctx, person, "", digest, catalog); code(err) != aims.Conflict {
		t.Errorf("beside nothing: %v", err)
	}
	w.activate(paying(t, 10).Files(), catalog)
	if err := w.Shadow(ctx, person, "", digest, catalog); err != nil || w.Candidate() == nil || w.pay(99, false) != authz.Deny {
		t.Fatalf("the candidate has an effect: %v", err)
	}
	if err := w.Shadow(ctx, person, "", digest, catalog); code(err) != aims.Conflict {
		t.Errorf("twice: %v", err)
	}
	w.reopen()
	if _, err := w.Recompile(ctx, catalog); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Refresh(ctx); err != nil || w.Candidate() == nil {
		t.Errorf("after a restart: %v", err)
	}
	larger := pdp.Catalog{Tools: append([]pdp.Tool{{Server: "desk", Name: "read"}}, catalog.Tools...)}
	if _, err := w.Recompile(ctx, larger); err != nil || !w.Candidate().Has("desk___read") {
		t.Errorf("the candidate does not know the tools that there are now: %v", err)
	}
	if _, err := w.Recompile(ctx, pdp.Catalog{}); code(err) != aims.Invalid || w.Candidate() == nil {
		t.Errorf("a candidate that does not compile: %v", err)
	}
	if err := w.Shadow(ctx, person, "", "", catalog); err != nil || w.Candidate() != nil {
		t.Errorf("off: %v", err)
	}
	if err := w.Shadow(ctx, person, "", "sha256:none", catalog); code(err) != aims.NotFound {
		t.Errorf("unknown: %v", err)
	}
	if got := w.names(); got != "published activated shadow_started activated shadow_ended" {
		t.Errorf("receipts %s", got)
	}
}

func TestBudgetsOfTheBundleInForce(t *testing.T) {
	w := newWorld(t, policy.Options{})
	if w.Budgets() != nil || w.InForce() != nil {
		t.Error("budgets of nothing")
	}
	w.activate(paying(t, 10, "bundle.yaml", `
budgets: [{name: daily, of: sum, argument: amount, tools: ["desk___*"], per: agent, window: 24h}]
quorum: {boss: 2}
approval_expiry: 5m
`, "limit.cedar", `forbid (principal, action == Action::"desk___pay", resource) when { context.budget.daily.after.greaterThan(decimal("100.0")) };`).Files(), catalog)
	for _, when := range []string{"at once", "after a restart"} {
		in := w.InForce()
		if b := w.Budgets(); len(b) != 1 || b[0].Name != "daily" || !b[0].Counts("desk___pay") {
			t.Errorf("%s: %+v", when, b)
		}
		if in.Quorum("boss") != 2 || in.Quorum("other") != 1 || in.ApprovalExpiry(time.Hour) != 5*time.Minute {
			t.Errorf("%s: %+v", when, in.Meta)
		}
		w.reopen()
	}
	w.activate(paying(t, 10).Files(), catalog)
	if in := w.InForce(); len(w.Budgets()) != 0 || in.ApprovalExpiry(time.Hour) != time.Hour {
		t.Error("the budgets of the bundle before")
	}
}

// Whoever published a bundle is refused by policy, administrators too.
func TestWhoMayReviewPolicies(t *testing.T) {
	w := newWorld(t, policy.Options{})
	w.activate(source("pay.cedar", permitPay), catalog)
	ada, agent := cedar.NewEntityUID("Person", "ada"), cedar.NewEntityUID("Agent", "ada")
	for _, c := range []struct {
		who                  cedar.EntityUID
		role, action, author string
		want                 authz.Verdict
	}{
		{ada, "policy-author", "policy/publish", "", authz.Allow}, {ada, "policy-author", "policy/approve", "bob", authz.Deny}, {ada, "policy-author", "policy/activate", "", authz.Deny},
		{ada, "policy-approver", "policy/approve", "bob", authz.Allow}, {ada, "policy-approver", "policy/approve", "ada", authz.Deny},
		{ada, "policy-approver", "policy/publish", "", authz.Deny}, {ada, "policy-approver", "policy/activate", "", authz.Deny}, {ada, "policy-approver", "policy/rollback", "", authz.Deny},
		{ada, "admin", "policy/approve", "bob", authz.Allow}, {ada, "admin", "policy/approve", "ada", authz.Deny}, {ada, "admin", "policy/rollback", "", authz.Allow},
		{agent, "policy-approver", "policy/approve", "bob", authz.Deny},
	} {
		var authors []cedar.Value
		if c.author != "" {
			authors = append(authors, cedar.NewEntityUID("Person", cedar.String(c.author)))
		}
		got := w.verdict(c.who, []string{c.role}, c.action, cedar.NewEntityUID("System", "aims"), cedar.RecordMap{
			"input": cedar.NewRecord(nil), "matter": cedar.NewRecord(cedar.RecordMap{"authors": cedar.NewSet(authors...), "roles": cedar.NewSet()}),
		})
		if got.Verdict != c.want {
			t.Errorf("%s as %s does %s of %q: %s, want %s", c.who, c.role, c.action, c.author, got.Verdict, c.want)
		}
	}
}
