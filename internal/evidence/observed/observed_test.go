package observed

import (
	"strings"
	"testing"
	"time"

	"aims/authz"
	"aims/receipt"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// seen is a decision in a form that can be compared.
func seen(d decision) map[string]any {
	m := map[string]any{
		"id": string(d.id), "actor": string(d.actor) + ":" + string(d.actorID), "channel": string(d.channel), "purpose": string(d.purpose),
		"action": string(d.action), "resource": string(d.resourceType) + ":" + string(d.resourceID), "verdict": string(d.verdict),
		"caused": d.caused, "count": d.count, "policy": string(d.policy), "pin": string(d.pin),
	}
	var why []string
	for _, r := range d.reasons {
		why = append(why, string(r.rule))
		for _, c := range r.controls {
			why = append(why, "control "+string(c))
		}
		for _, c := range r.threats {
			why = append(why, "threat "+string(c))
		}
	}
	for _, f := range d.faults {
		why = append(why, "fault "+string(f))
	}
	m["why"] = strings.Join(why, "\n")
	return m
}

// checkBody compares the fast reader with package receipt, whatever the bytes are.
func checkBody(t interface {
	Helper()
	Fatalf(string, ...any)
}, kind receipt.Kind, body []byte) {
	t.Helper()
	if kind == receipt.OutcomeKind {
		fast, ok := scanOutcome(body)
		slow, err := receipt.DecodeOutcome(body)
		if ok && err != nil {
			t.Fatalf("taken fast, and refused by package receipt: %v\n%s", err, body)
		}
		if want := (outcome{err == nil && slow.Status == receipt.Succeeded, 0}); ok {
			if want.micros = uint64(slow.Micros); fast != want {
				t.Fatalf("read fast as %v, slowly as %v", fast, want)
			}
		}
		return
	}
	var fast, slow decision
	ok := fast.scan(kind, body)
	read, err := receipt.DecodeDecision(kind, body)
	if ok && err != nil {
		t.Fatalf("taken fast, and refused by package receipt: %v\n%s", err, body)
	}
	if !ok {
		return
	}
	slow.take(read)
	if diff := cmp.Diff(seen(slow), seen(fast)); diff != "" {
		t.Fatalf("read fast otherwise than slowly (-slow +fast):\n%s", diff)
	}
}

func TestFastReaderAgreesWithReceipt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]receipt.Kind{receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind}).Draw(t, "kind")
		if kind == receipt.OutcomeKind {
			checkBody(t, kind, encode(t, genOutcome.Draw(t, "outcome")))
			return
		}
		checkBody(t, kind, encode(t, genDecision(kind).Draw(t, "decision")))
	})
}

// The usual bodies must not fall back to the slow reader, or a status takes a
// minute instead of seconds.
func TestUsualBodiesAreReadFast(t *testing.T) {
	d := decision{}
	usual := receipt.Decision{
		ID: "rcp_00000000-0000-7000-8000-000000000001", Actor: &receipt.Party{Type: "agent", ID: "billing"}, Via: &receipt.Party{Type: "system", ID: "hook"},
		Session: "s-1", Purpose: "invoices", Parent: "rcp_00000000-0000-7000-8000-000000000002", Channel: "mcp", Method: "tools/call",
		Action: "desk___pay", Resource: &receipt.Object{Type: "McpServer", ID: "desk"}, Verdict: authz.Hold, Approval: "apr_1",
		Reasons: []authz.Reason{{Policy: "role-0 much", Effect: "forbid", Text: `über <1000> & "more"`, Controls: []string{"A.9.2"}, Threats: []string{"ASI02"}, Hold: "approver"}},
		Policy:  policyDigest, Pin: policyDigest, Input: policyDigest, Facts: policyDigest,
	}
	if !d.scan(receipt.RefusalKind, encode(t, usual)) {
		t.Error("a usual refusal is read slowly")
	}
	if _, ok := scanOutcome(encode(t, receipt.Outcome{ID: usual.ID, Decision: usual.Parent, Status: receipt.Failed, Detail: "it said \"no\"", Result: policyDigest, Bytes: 5, Labels: []string{"a", "b"}})); !ok {
		t.Error("a usual outcome is read slowly")
	}
}

func FuzzBodies(f *testing.F) {
	f.Add(uint8(0), encode(f, receipt.Decision{
		ID: "rcp_00000000-0000-7000-8000-000000000001", Actor: &receipt.Party{Type: "agent", ID: "billing"}, Channel: "mcp", Action: "a___b",
		Verdict: authz.Allow, Policy: policyDigest, Reasons: []authz.Reason{{Policy: "p", Effect: "permit", Text: "<>", Controls: []string{"A.9.2", "x"}}},
	}))
	f.Add(uint8(1), encode(f, receipt.Decision{
		ID: "rcp_00000000-0000-7000-8000-000000000001", Channel: "hook", Verdict: authz.Deny, Cause: "no valid credentials", Count: 7,
		Faults: []authz.Fault{{Policy: "p", Effect: "forbid", Message: "é\u2028"}},
	}))
	f.Add(uint8(2), encode(f, receipt.Outcome{ID: "rcp_00000000-0000-7000-8000-000000000001", Decision: "rcp_00000000-0000-7000-8000-000000000002",
		Status: receipt.Failed, Detail: "no", Bytes: 1, Labels: []string{"a", "b"}, Micros: 5}))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		checkBody(t, []receipt.Kind{receipt.DecisionKind, receipt.RefusalKind, receipt.OutcomeKind}[kind%3], body)
	})
}

func FuzzFoldPart(f *testing.F) {
	w := newWritten(f)
	w.call("billing", "desk___pay", authz.Allow)
	w.stage("agent.registered", "billing", "deployed")
	f.Add(w.frames)
	f.Fuzz(func(t *testing.T, frames []byte) {
		p, err := FoldPart(0, frames)
		if err == nil {
			err = New().Add(p)
			if err != nil {
				t.Error(err)
			}
		} else if !strings.HasPrefix(err.Error(), "entry ") {
			t.Errorf("%v: names no entry", err)
		}
	})
}

// anything appends one entry of those that depend on one another across parts.
func (w *written) anything(t *rapid.T) {
	agent := rapid.SampledFrom([]string{"billing", "support"}).Draw(t, "agent")
	stages := []string{"design", "verification", "deployed", "suspended", ""}
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1, 2, 3:
		w.call(agent, "desk___pay", rapid.SampledFrom([]authz.Verdict{authz.Allow, authz.Allow, authz.Deny, authz.Hold}).Draw(t, "verdict"))
	case 4:
		w.append(receipt.OutcomeKind, receipt.Outcome{ID: w.id(), Decision: w.id(), Status: receipt.Failed, Micros: 7})
	case 5:
		name := rapid.SampledFrom([]string{"agent.registered", "agent.changed", "agent.suspended", "agent.resumed"}).Draw(t, "event")
		w.stage(name, agent, rapid.SampledFrom(stages).Draw(t, "stage"))
	case 6:
		name := rapid.SampledFrom([]string{"approval.requested", "approval.granted", "approval.denied", "approval.used"}).Draw(t, "event")
		w.event(ben, name, receipt.Object{Type: "approval", ID: agent}, map[string]any{"hold": "rcp_", "state": rapid.SampledFrom([]string{"pending", "granted"}).Draw(t, "state")})
	case 7:
		name := rapid.SampledFrom([]string{"policy.published", "policy.approved", "policy.activated"}).Draw(t, "event")
		w.event(anna, name, receipt.Object{Type: "policy", ID: agent}, map[string]any{"set": "set " + agent, "bundle": agent, "environment": "here"})
	case 8:
		name := rapid.SampledFrom([]string{"nonconformity.raised", "nonconformity.closed", "tool.changed", "actor.roles", "payload.erased", "session.declared"}).Draw(t, "event")
		w.event(anna, name, receipt.Object{Type: "nonconformity", ID: agent}, map[string]any{"state": strings.TrimPrefix(name, "nonconformity.")})
	case 9:
		w.at = w.at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
	}
}

func TestEveryCutGivesTheSameFacts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWritten(t)
		for range rapid.IntRange(1, 40).Draw(rt, "entries") {
			w.anything(rt)
		}
		var cuts []int
		for at := 0; at < len(w.ends); {
			at += rapid.IntRange(0, 7).Draw(rt, "cut")
			cuts = append(cuts, min(at, len(w.ends)))
			if len(cuts) > 50 {
				break
			}
		}
		whole, parts := w.facts(), w.facts(cuts...)
		if diff := cmp.Diff(whole, parts); diff != "" {
			rt.Fatalf("cut at %v (-whole +parts):\n%s", cuts, diff)
		}
		kept, err := parts.MarshalBinary()
		if err != nil {
			rt.Fatal(err)
		}
		again := New()
		if err := again.UnmarshalBinary(kept); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(whole, again); diff != "" {
			rt.Fatalf("kept and read again (-whole +read):\n%s", diff)
		}
	})
}

func TestFactsOfAnotherVersionAreNotRead(t *testing.T) {
	if err := New().UnmarshalBinary([]byte("aims-observed/0\n{}")); err == nil {
		t.Error("facts of another version were read")
	}
}

// What an agent did before it was registered, and while it was registered but
// not deployed, is told apart, also where its stage changed in an earlier part.
func TestCallsOutsideOfDeployment(t *testing.T) {
	w := newWritten(t)
	w.call("billing", "desk___pay", authz.Allow) // not registered yet
	w.call("billing", "desk___pay", authz.Deny)
	w.stage("agent.registered", "billing", "verification")
	w.call("billing", "desk___pay", authz.Allow)
	w.call("billing", "desk___pay", authz.Hold)
	w.stage("agent.changed", "billing", "deployed")
	w.call("billing", "desk___pay", authz.Allow)
	w.stage("agent.suspended", "billing", "suspended")
	last := w.call("billing", "desk___pay", authz.Allow)
	for cut := range w.ends {
		f := w.facts(cut)
		if got := f.Agents["billing"].AllowedWithoutDeployed; got != 2 {
			t.Fatalf("cut at %d: %d calls allowed while not deployed, want 2", cut, got)
		}
		if got := f.Days[0].Unregistered; got != 2 {
			t.Fatalf("cut at %d: %d decisions about an unregistered agent, want 2", cut, got)
		}
		if got := f.Agents["billing"].Receipt; got != last {
			t.Errorf("the newest decision is %s, want %s", got, last)
		}
		if l := f.Lives["billing"]; l.Stage != "suspended" || !l.Suspended || l.Deployed != 0 || l.FirstDeploy == 0 || l.Owner != "olga" {
			t.Errorf("its life is %+v", l)
		}
	}
}

// Who wrote and who approved a bundle is known of the set that decides.
func TestAuthorsOfAPolicyInForce(t *testing.T) {
	w := newWritten(t)
	w.event(anna, "policy.published", receipt.Object{Type: "policy_bundle", ID: "bundle"}, map[string]any{"set": "tested"})
	w.event(ben, "policy.approved", receipt.Object{Type: "policy_bundle", ID: "bundle"}, map[string]any{})
	w.event(anna, "policy.activated", receipt.Object{Type: "policy", ID: policyDigest}, map[string]any{"bundle": "bundle", "environment": "production"})
	w.call("billing", "desk___pay", authz.Allow)
	p := w.facts(2).Policies[policyDigest]
	if p.Author != "anna" || p.Approver != "ben" || p.Decisions != 1 || p.Environments["production"] == 0 {
		t.Errorf("the policy in force: %+v", p)
	}
}

func TestApprovalTimes(t *testing.T) {
	w := newWritten(t)
	about := receipt.Object{Type: "approval", ID: "apr_1"}
	w.event(receipt.Party{Type: "agent", ID: "billing"}, "approval.requested", about, map[string]any{"action": "desk___pay", "quorum": 2, "state": "pending"})
	w.event(anna, "approval.granted", about, map[string]any{"state": "pending", "given": []string{"approver"}})
	w.event(ben, "approval.granted", about, map[string]any{"state": "granted", "given": []string{"approver"}})
	w.event(receipt.Party{Type: "agent", ID: "billing"}, "approval.used", about, map[string]any{"state": "used"})
	a := w.facts().Approvals["apr_1"]
	if a.Ended-a.Requested != 2*time.Minute.Microseconds() || a.Used-a.Ended != time.Minute.Microseconds() || a.State != "used" || len(a.Given) != 2 {
		t.Errorf("the approval: %+v", a)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	w := newWritten(t)
	w.call("billing", "desk___pay", authz.Allow)
	whole := len(w.frames)
	w.call("billing", "desk___pay", authz.Allow)
	broken := append([]byte{}, w.frames...)
	broken[len(broken)-2] = '}'
	for name, frames := range map[string][]byte{"changed": broken, "cut off": w.frames[:len(w.frames)-1], "another index": w.frames[whole:]} {
		_, err := FoldPart(0, frames)
		want := "entry 1"
		if name == "another index" {
			want = "entry 0: it says that it is entry 1"
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func BenchmarkFoldPart(b *testing.B) {
	w := newWritten(b)
	for range 1000 {
		w.call("billing", "desk___pay", authz.Allow)
		w.append(receipt.OutcomeKind, receipt.Outcome{ID: w.id(), Decision: w.id(), Status: receipt.Succeeded, Result: policyDigest, Bytes: 100, Micros: 300})
	}
	b.SetBytes(int64(len(w.frames)))
	for b.Loop() {
		p, err := FoldPart(0, w.frames)
		if err == nil {
			err = New().Add(p)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/entry")
}

// A corrective action is done when its own receipt says so, and effective when
// the review found it so; a new plan replaces what was not done.
func TestCorrectiveActions(t *testing.T) {
	w := newWritten(t)
	nc := receipt.Object{Type: "nonconformity", ID: "nc_1"}
	step := func(event, state string, change map[string]any) {
		w.event(anna, "nonconformity."+event, nc, map[string]any{"state": state, "grade": "major", "requirement": "8.3", "owner": "ben", "change": change})
	}
	step("raised", "raised", map[string]any{"evidence": []string{"rcp_x"}, "scope": map[string]any{"agents": []string{"billing"}}})
	step("planned", "planned", map[string]any{"actions": []map[string]any{{"id": "a1", "owner": "ben", "due": "2026-12-01"}, {"id": "a2", "owner": "anna", "due": "2026-12-02"}}})
	step("acted", "planned", map[string]any{"action": "a1"})
	step("planned", "planned", map[string]any{"actions": []map[string]any{{"id": "a3", "owner": "ben", "due": "2027-01-01"}}})
	step("implemented", "implemented", map[string]any{"action": "a3"})
	step("verified", "verified", nil)
	c := w.facts(3).Cases["nc_1"]
	if len(c.Actions) != 2 || c.Actions[0].ID != "a1" || c.Actions[1].ID != "a3" || c.Actions[1].Implemented == 0 || c.Actions[1].Effective == 0 {
		t.Errorf("the actions: %+v", c.Actions)
	}
	if c.Grade != "major" || c.Requirement != "8.3" || c.Closed != 0 || strings.Join(c.About, " ") != "rcp_x agent/billing" {
		t.Errorf("the case: %+v", c)
	}
	step("closed", "closed", nil)
	if c := w.facts().Cases["nc_1"]; c.Closed == 0 {
		t.Errorf("the closed case: %+v", c)
	}
}

// What the installation tries of itself at each start is no agent's doing; an
// agent that takes the name hides nothing that it was allowed.
func TestSelfCheckIsNoTraffic(t *testing.T) {
	w := newWritten(t)
	system := receipt.Party{Type: "system", ID: "aims"}
	w.event(system, "tool.quarantined", receipt.Object{Type: "tool", ID: SelfCheckServer + "___probe"}, map[string]any{})
	w.call(SelfCheckAgent, SelfCheckServer+"___probe", authz.Deny)
	if f := w.facts(); len(f.Agents)+len(f.Tools)+len(f.Days)+len(f.Pins) != 0 {
		t.Errorf("the self-check counts: %+v", f)
	}
	w.call(SelfCheckAgent, "desk___pay", authz.Allow)
	w.event(anna, "tool.approved", receipt.Object{Type: "tool", ID: SelfCheckServer + "___probe"}, map[string]any{})
	if f := w.facts(); f.Agents[SelfCheckAgent] == nil || f.Days[0].Allowed != 1 || len(f.Pins) != 1 {
		t.Errorf("an agent hides behind the self-check: %+v", f)
	}
}

// When a rule decided on agents and when it held a call, which purposes were
// allowed, and when a call went without a pin: all are known by their newest time.
func TestNewestTimes(t *testing.T) {
	w := newWritten(t)
	decide := func(channel, purpose, pin string, v authz.Verdict) int64 {
		at := w.at.UnixMicro()
		w.decide(receipt.Decision{
			Actor: &receipt.Party{Type: "agent", ID: "billing"}, Channel: channel, Action: "desk___pay", Purpose: purpose, Pin: pin,
			Resource: &receipt.Object{Type: "McpServer", ID: "desk"}, Verdict: v, Policy: policyDigest, Reasons: []authz.Reason{{Policy: "rule", Effect: "permit"}},
		})
		return at
	}
	unpinned := decide("mcp", "refunds", "", authz.Allow)
	held := decide("hook", "refunds", policyDigest, authz.Hold)
	allowed := decide("authzen", "refunds", policyDigest, authz.Allow)
	called := decide("mcp", "marketing", policyDigest, authz.Deny)
	last := decide("management", "", "", authz.Allow)
	for cut := range w.ends {
		f := w.facts(cut)
		if r := f.Rules["rule"]; r.HeldLast != held || r.Called != called || r.Last != last {
			t.Errorf("cut at %d: the rule: %+v", cut, r)
		}
		if tool := f.Tools["desk___pay"]; tool.UnpinnedLast != unpinned || tool.Unpinned != 1 {
			t.Errorf("cut at %d: the tool: %+v", cut, tool)
		}
		if a := f.Agents["billing"]; a.PurposeAllowed["refunds"] != allowed || len(a.PurposeAllowed) != 1 || a.PurposeLast["marketing"] != called {
			t.Errorf("cut at %d: the agent: %+v", cut, a)
		}
	}
}

// The newest answer on an item of a sample counts; one of no sample is nothing.
func TestSamplesOfAudits(t *testing.T) {
	w := newWritten(t)
	audit := receipt.Object{Type: "audit", ID: "ia-1"}
	w.event(anna, "audit.sampled", audit, map[string]any{"sample": "smp_1", "query": map[string]any{"kind": "decisions"}, "items": 2})
	for _, item := range []struct {
		sample, id string
		conforms   bool
	}{{"smp_1", "rcp_a", false}, {"smp_1", "rcp_a", true}, {"smp_1", "rcp_b", false}, {"smp_2", "rcp_c", true}} {
		w.event(anna, "audit.judged", audit, map[string]any{"sample": item.sample, "item": item.id, "conforms": item.conforms})
	}
	want := []Sample{{Audit: "ia-1", ID: "smp_1", Kind: OfDecisions, Items: 2, Judged: map[string]bool{"rcp_a": true, "rcp_b": false}}}
	got := w.facts(2).Samples
	for i := range got {
		got[i].Receipt, got[i].At = "", 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the samples (-want +got):\n%s", diff)
	}
}
