package enforcement_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"aims/authz"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/session"
	"aims/receipt"
)

const spendingPolicies = runPolicies + `
@id("daily") @reason("an agent pays 100 in all")
forbid (principal, action == Action::"desk___pay", resource)
when { context.budget.paid.after.greaterThan(decimal("100.0")) };

@id("session-calls") @reason("a session calls send twice")
forbid (principal, action == Action::"desk___send", resource)
when { context.budget.sent.after.greaterThan(decimal("2.0")) };
`

// spendingBudgets count payments of an agent, and mails of a session.
const spendingBudgets = `
budgets:
  - {name: paid, of: sum, argument: amount, tools: [desk___pay], per: agent, window: 24h}
  - {name: sent, of: calls, tools: [desk___send], per: session}
`

func newSpendingWorld(t testing.TB) *world {
	t.Helper()
	w := newRunWorld(t, func(o *enforcement.Options) {
		o.Limits = enforcement.Limits{Burst: 1e9, TotalBurst: 1e9}
	})
	w.put(spendingPolicies, spendingBudgets)
	return w
}

// replica is another process on the world's database, as far as log, runs and
// enforcement go.
func (w *world) replica(t testing.TB) *enforcement.Enforcer {
	t.Helper()
	l := ledgertest.Open(t, w.db, w.log.Signer, w.clock.Now)
	runs, err := session.Open(t.Context(), w.db, l, session.Options{Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.others = append(w.others, runs)
	o := w.o
	o.Approvals = approval.New(w.db, l, approval.Options{Now: w.clock.Now, MaxOpen: 1000})
	return enforcement.New(l, w.inventory, w.policies, runs, o)
}

// step is one thing that somebody does.
type step struct {
	enforcer int
	call     enforcement.Call
	result   string
	list     bool // lists the runs before, for which their journal is moved into tables
}

func genStep(t *rapid.T) step {
	p := rapid.SampledFrom([]identity.Principal{billing, other}).Draw(t, "who")
	s := rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "session")
	tool := rapid.SampledFrom([]string{"pay", "pay", "pay", "secrets", "count", "send", "rare"}).Draw(t, "tool")
	input := `{}`
	if tool == "pay" {
		input = fmt.Sprintf(`{"amount":%d}`, rapid.IntRange(0, 60).Draw(t, "amount"))
	}
	if tool == "rare" {
		input = fmt.Sprintf(`{"n":%d}`, rapid.IntRange(0, 2).Draw(t, "n"))
	}
	return step{rapid.IntRange(0, 1).Draw(t, "replica"), call(p, s, tool, input), `{"x":1}`, rapid.IntRange(0, 7).Draw(t, "list") == 0}
}

func (w *world) take(enforcers []*enforcement.Enforcer, s step) error {
	e := enforcers[s.enforcer]
	if s.list {
		if _, _, err := append(w.others, w.sessions)[s.enforcer].List(context.Background(), "", 0, 0); err != nil {
			return err
		}
	}
	r, err := e.Decide(context.Background(), s.call)
	switch {
	case err != nil:
		if r.Receipt != "" {
			return nil // refused with a receipt
		}
		return err
	case r.Allowed():
		return e.Close(context.Background(), r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(s.result)})
	case r.Approval != "":
		_, err := w.approvals.Vote(context.Background(), owner, []string{"owner"}, r.Receipt, r.Approval, true, "")
		if err != nil && !strings.Contains(err.Error(), "before") && code(err) != "conflict" {
			return err
		}
	}
	return nil
}

// Whoever calls what, side by side, through two processes: every decision was
// made from the state at its place in the log, no budget is exceeded and no
// approval is used twice.
func TestDecisionsUseTheStateAtTheirPlace(t *testing.T) {
	w := newSpendingWorld(t)
	enforcers := []*enforcement.Enforcer{w.Enforcer, w.replica(t)}
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		workers := make([][]step, rapid.IntRange(1, 6).Draw(rt, "workers"))
		for i := range workers {
			for range rapid.IntRange(1, 6).Draw(rt, "steps") {
				s := genStep(rt)
				if s.call.Session != "" {
					s.call.Session = fmt.Sprintf("%s%d", s.call.Session, rounds)
				}
				workers[i] = append(workers[i], s)
			}
		}
		var wg sync.WaitGroup
		for _, steps := range workers {
			wg.Go(func() {
				for _, s := range steps {
					if err := w.take(enforcers, s); err != nil {
						t.Errorf("%+v: %v", s, err)
					}
				}
			})
		}
		wg.Wait()
		if rapid.Bool().Draw(rt, "pass a day") {
			w.clock.Advance(25 * 3600e9)
		}
	})
	w.rederive(t)
}

// known is what the log says of a run.
type known struct {
	calls, refusals int
	tools, labels   map[string]bool
	last            int64 // when it was concerned last, microseconds
}

// rederive reads the log from its beginning and compares the facts of each
// decision with what stands before it.
func (w *world) rederive(t *testing.T) {
	t.Helper()
	runs := map[string]*known{}
	open := map[uint64]*receipt.Decision{}
	paid := map[string][]paidAt{}
	sent := map[string]int{}
	used := map[string]bool{}
	decisions := 0
	for _, leaf := range w.leaves(0) {
		at := leaf.Time.UnixMicro()
		switch leaf.Kind {
		case receipt.EventKind:
			e, _ := receipt.DecodeEvent(leaf.Body)
			if e.Name == "approval.used" {
				if used[e.Object.ID] {
					t.Errorf("approval %s was used twice", e.Object.ID)
				}
				used[e.Object.ID] = true
			}
		case receipt.OutcomeKind:
			o, _ := receipt.DecodeOutcome(leaf.Body)
			d := open[leaf.Closes]
			if d == nil || !strings.HasPrefix(d.Action, "desk___") {
				continue
			}
			r := runs[d.Actor.ID+"/"+d.Session]
			if d.Session == "" && at-r.last > 1800e6 {
				*r = known{tools: map[string]bool{}, labels: map[string]bool{}}
			}
			r.last = at
			for _, l := range o.Labels {
				r.labels[l] = true
			}
		case receipt.DecisionKind, receipt.RefusalKind:
			d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(d.Action, "desk___") || d.Facts == "" {
				continue
			}
			decisions++
			open[leaf.Index] = d
			key := d.Actor.ID + "/" + d.Session
			r := runs[key]
			if r == nil || d.Session == "" && at-r.last > 1800e6 {
				r = &known{tools: map[string]bool{}, labels: map[string]bool{}}
				runs[key] = r
				delete(sent, key)
			}
			f := w.facts(enforcement.Ruling{Index: leaf.Index})
			got := f.Context.Session
			want := got
			want.Calls, want.Refusals = r.calls, r.refusals
			want.Tools, want.Labels = slices.Sorted(maps.Keys(r.tools)), slices.Sorted(maps.Keys(r.labels))
			if want.Tools == nil {
				want.Tools = []string{}
			}
			if want.Labels == nil {
				want.Labels = []string{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("entry %d (%s of %s): %s", leaf.Index, d.Action, key, diff)
			}
			w.checkBudgets(t, leaf, d, f, paid, sent)
			allowed := d.Verdict == authz.Allow
			if allowed {
				r.calls++
				r.tools[d.Action] = true
			}
			if d.Verdict == authz.Deny {
				r.refusals++
			}
			if d.Verdict != authz.Hold {
				r.last = at
			}
		}
	}
	if decisions == 0 {
		t.Error("nothing was decided")
	}
	t.Logf("%d decisions, %d approvals used", decisions, len(used))
}

type paidAt struct{ at, amount int64 }

// checkBudgets compares what a decision saw as spent with the log before it.
func (w *world) checkBudgets(t *testing.T, leaf ledger.Leaf, d *receipt.Decision, f recorded, paid map[string][]paidAt, sent map[string]int) {
	t.Helper()
	key := d.Actor.ID + "/" + d.Session
	number := func(budget, field string) float64 {
		var v float64
		if _, err := fmt.Sscan(f.Context.Budget[budget][field]["__extn"]["arg"], &v); err != nil {
			t.Fatalf("entry %d: %v in %v", leaf.Index, err, f.Context.Budget)
		}
		return v
	}
	switch d.Action {
	case "desk___pay":
		var input struct{ Amount int64 }
		if err := json.Unmarshal([]byte(w.payload(leaf.Index, receipt.InputPayload, d.Input)), &input); err != nil {
			t.Fatal(err)
		}
		within := int64(0)
		for _, p := range paid[d.Actor.ID] {
			if leaf.Time.UnixMicro()-p.at < 24*3600e6 {
				within += p.amount
			}
		}
		if spent := number("paid", "spent"); spent < float64(within) {
			t.Fatalf("entry %d: %v spent, the log says %d", leaf.Index, spent, within)
		}
		if d.Verdict == authz.Allow {
			if paid[d.Actor.ID] = append(paid[d.Actor.ID], paidAt{leaf.Time.UnixMicro(), input.Amount}); within+input.Amount > 100 {
				t.Fatalf("entry %d: the budget is exceeded: %d", leaf.Index, within+input.Amount)
			}
		}
	case "desk___send":
		if spent := number("sent", "spent"); spent != float64(sent[key]) {
			t.Fatalf("entry %d: %v sent, the log says %d", leaf.Index, spent, sent[key])
		}
		if d.Verdict == authz.Allow {
			if sent[key]++; sent[key] > 2 {
				t.Fatalf("entry %d: the budget is exceeded", leaf.Index)
			}
		}
	}
}

// Amounts that are missing, negative or beyond all numbers make a call
// impossible. None of them gives a budget back.
func TestBudgetCannotBeCheated(t *testing.T) {
	w := newSpendingWorld(t)
	w.is(authz.Allow, call(billing, "s", "pay", `{"amount":60}`))
	for _, input := range []string{`{"amount":-50}`, `{"amount":9223372036854775807}`, `{"amount":922337203685477}`} {
		r, err := w.Decide(t.Context(), call(billing, "s", "pay", input))
		if r.Receipt == "" || r.Allowed() || err == nil && r.Verdict != authz.Deny {
			t.Errorf("%s: %+v, %v", input, r, err)
		}
	}
	w.is(authz.Deny, call(billing, "t", "pay", `{"amount":41}`))
	w.is(authz.Allow, call(billing, "t", "pay", `{"amount":40}`))
	w.restart()
	w.is(authz.Deny, call(billing, "u", "pay", `{"amount":1}`))
	w.is(authz.Allow, call(other, "u", "pay", `{"amount":100}`))
	w.clock.Advance(24*3600e9 + 1800e9)
	w.is(authz.Allow, call(billing, "u", "pay", `{"amount":100}`))
}

// Who delegates spends from its own budget.
func TestDelegationHasNoSecondBudget(t *testing.T) {
	w := newSpendingWorld(t)
	parent := w.is(authz.Allow, call(billing, "p", "pay", `{"amount":90}`))
	if _, err := w.declare(enforcement.Declaration{Principal: other, Session: "c", Parent: parent.Receipt}); err != nil {
		t.Fatal(err)
	}
	w.is(authz.Deny, call(other, "c", "pay", `{"amount":11}`))
	w.is(authz.Allow, call(other, "c", "pay", `{"amount":10}`))
	w.is(authz.Deny, call(billing, "p", "pay", `{"amount":1}`))
	w.is(authz.Allow, call(other, "own", "pay", `{"amount":90}`))
}

// The last unit of a budget goes to one of many, whichever process is asked.
func TestRaceForTheLastUnit(t *testing.T) {
	w := newSpendingWorld(t)
	enforcers := []*enforcement.Enforcer{w.Enforcer, w.replica(t)}
	var mu sync.Mutex
	allowed := 0
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			r, err := enforcers[i%2].Decide(context.Background(), call(billing, fmt.Sprint("s", i%5), "pay", `{"amount":60}`))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if r.Allowed() {
				allowed++
			}
		})
	}
	wg.Wait()
	if allowed != 1 {
		t.Errorf("%d payments of 60 out of 100", allowed)
	}
	w.rederive(t)
}
