package enforcement_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/receipt"
)

var (
	owner  = aims.Actor{Type: aims.PersonType, ID: "olaf"}
	unable = aims.Actor{Type: aims.PersonType, ID: "una"}
)

// grant gives a person's word to an approval.
func (w *world) grant(by aims.Actor, roles []string, id string, yes bool) error {
	w.t.Helper()
	_, err := w.approvals.Vote(w.t.Context(), by, roles, w.read().Receipt, id, yes, "")
	return err
}

func (w *world) mustGrant(id string) {
	w.t.Helper()
	if err := w.grant(owner, []string{"owner"}, id, true); err != nil {
		w.t.Fatal(err)
	}
}

// events are the names of the events from an index on.
func (w *world) events(from uint64) []string {
	w.t.Helper()
	var names []string
	for _, leaf := range w.leaves(from) {
		if leaf.Kind != receipt.EventKind {
			continue
		}
		e, err := receipt.DecodeEvent(leaf.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, e.Name)
	}
	return names
}

func TestHeldCallIsReleasedOnce(t *testing.T) {
	w := newRunWorld(t, nil)
	c := call(billing, "s", "rare", `{"n":1,"to":"x"}`)
	before := w.ledger.Size()
	held := w.is(authz.Hold, c)
	if held.Approval == "" || !strings.Contains(held.Sentence(), held.Approval) {
		t.Fatalf("%q, %q", held.Approval, held.Sentence())
	}
	if again := w.is(authz.Hold, c); again.Approval != held.Approval {
		t.Errorf("asked twice: %s, %s", held.Approval, again.Approval)
	}
	w.mustGrant(held.Approval)
	same := c
	same.Input = []byte(`{ "to":"x", "n":1.0 }`) // the same arguments in other bytes
	r := w.is(authz.Allow, same)
	w.decidesAgain(r)
	if _, d := w.decision(r.Index); d.Approval != held.Approval || r.Approval != held.Approval {
		t.Errorf("the receipt names the approval %q", d.Approval)
	}
	if next := w.is(authz.Hold, c); next.Approval == held.Approval {
		t.Error("an approval was used twice")
	}
	got := strings.Join(w.events(before), " ")
	if want := "approval.requested approval.granted approval.used approval.requested"; got != want {
		t.Errorf("events: %s, want %s", got, want)
	}
}

// What was approved is this call, for this agent, under this policy, in time.
func TestApprovalIsForNothingElse(t *testing.T) {
	c := call(billing, "s", "rare", `{"n":1}`)
	for name, attack := range map[string]func(*world) enforcement.Call{
		"other arguments":  func(*world) enforcement.Call { return call(billing, "s", "rare", `{"n":2}`) },
		"an argument more": func(*world) enforcement.Call { return call(billing, "s", "rare", `{"n":1,"to":"x"}`) },
		"another session":  func(*world) enforcement.Call { return call(billing, "t", "rare", `{"n":1}`) },
		"another agent":    func(*world) enforcement.Call { return call(other, "s", "rare", `{"n":1}`) },
		"after its expiry": func(w *world) enforcement.Call { w.clock.Advance(16 * time.Minute); return c },
		"after another policy": func(w *world) enforcement.Call {
			w.activate(runPolicies + `permit (principal, action == Action::"prompts/list", resource);`)
			return c
		},
		"after it was taken back": func(w *world) enforcement.Call {
			if err := w.grant(aims.Actor{Type: aims.PersonType, ID: "oda"}, []string{"owner"}, w.asked(c), false); err != nil {
				w.t.Fatal(err)
			}
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRunWorld(t, nil)
			w.mustGrant(w.is(authz.Hold, c).Approval)
			r, err := w.Decide(t.Context(), attack(w))
			if err == nil && r.Allowed() {
				t.Fatal("it was released")
			}
			if r.Receipt == "" {
				t.Errorf("without a receipt: %v", err)
			}
		})
	}
}

// asked is the approval of a held call.
func (w *world) asked(c enforcement.Call) string {
	w.t.Helper()
	var id string
	for _, leaf := range w.leaves(0) {
		if leaf.Kind == receipt.RefusalKind {
			if d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body); err == nil && d.Approval != "" && d.Action == c.Server+"___"+c.Tool {
				id = d.Approval
			}
		}
	}
	return id
}

func TestWhoMayNotRelease(t *testing.T) {
	w := newRunWorld(t, nil)
	if _, err := w.declare(enforcement.Declaration{Principal: billing, Session: "s", OnBehalfOf: "bea"}); err != nil {
		t.Fatal(err)
	}
	c := call(billing, "s", "rare", `{"n":1}`)
	id := w.is(authz.Hold, c).Approval
	for name, by := range map[string]aims.Actor{
		"the agent": billing.Actor, "its operator": {Type: aims.PersonType, ID: "olga"}, "for whom it acts": {Type: aims.PersonType, ID: "bea"},
	} {
		if err := w.grant(by, []string{"owner"}, id, true); code(err) != aims.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.grant(unable, []string{"treasurer"}, id, true); code(err) != aims.Denied {
		t.Errorf("without the role: %v", err)
	}
	w.is(authz.Hold, c)
	if err := w.grant(unable, []string{"owner"}, id, false); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Decide(t.Context(), c); code(err) != aims.Denied || r.Receipt == "" || !strings.Contains(r.Sentence(), "denied this call") {
		t.Errorf("after a person denied it: %q, %v", r.Sentence(), err)
	}
}

// A policy that changed decides at the release, also when it changed between
// the grant and the call.
func TestPolicyChangeWinsAtRelease(t *testing.T) {
	w := newRunWorld(t, nil)
	c := call(billing, "s", "rare", `{"n":1}`)
	w.mustGrant(w.is(authz.Hold, c).Approval)
	w.activate(runPolicies + `@id("never") @reason("never again") forbid (principal, action == Action::"desk___rare", resource);`)
	if r := w.is(authz.Deny, c); r.Reasons[0].Policy != "never" {
		t.Errorf("%+v", r.Reasons)
	}
}

func TestQuorumOfTheRules(t *testing.T) {
	w := newRunWorld(t, nil)
	w.put(runPolicies, "quorum: {owner: 2}\napproval_expiry: 1h\n")
	c := call(billing, "s", "rare", `{"n":1}`)
	id := w.is(authz.Hold, c).Approval
	w.mustGrant(id)
	w.is(authz.Hold, c)
	if err := w.grant(owner, []string{"owner"}, id, true); code(err) != aims.Conflict {
		t.Errorf("one person twice: %v", err)
	}
	w.clock.Advance(30 * time.Minute)
	if err := w.grant(unable, []string{"owner"}, id, true); err != nil {
		t.Fatal(err)
	}
	w.is(authz.Allow, c)
}

// Many callers at once with one granted approval: one of them is released.
func TestApprovalIsUsedOnceByManyAtOnce(t *testing.T) {
	w := newRunWorld(t, func(o *enforcement.Options) { o.Limits = enforcement.Limits{Burst: 1e6, TotalBurst: 1e6} })
	c := call(billing, "s", "rare", `{"n":1}`)
	w.mustGrant(w.is(authz.Hold, c).Approval)
	var released atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if r, err := w.Decide(t.Context(), c); err != nil {
				t.Error(err)
			} else if r.Allowed() {
				released.Add(1)
			}
		})
	}
	wg.Wait()
	if released.Load() != 1 {
		t.Errorf("released %d times", released.Load())
	}
}

// Numbers that two parsers read differently cannot be approved.
func TestCallThatCannotBeApprovedIsRefused(t *testing.T) {
	w := newRunWorld(t, nil)
	r, err := w.Decide(t.Context(), call(billing, "s", "rare", `{"n":9007199254740993}`))
	if code(err) != aims.Invalid || r.Receipt == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// An agent that asks all the time is refused, and asks nobody.
func TestApprovalFatigueIsBounded(t *testing.T) {
	w := newRunWorld(t, nil)
	ids := map[string]bool{}
	for n := range 30 {
		c := call(billing, "s", "rare", `{"to":"`+strings.Repeat("x", n)+`"}`)
		if r, err := w.Decide(t.Context(), c); err == nil {
			ids[r.Approval] = true
		}
	}
	if len(ids) > 20 {
		t.Errorf("%d approvals were asked for at once", len(ids))
	}
}
