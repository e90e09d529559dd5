package inventory_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/inventory"
)

const decision = "rcp_019bb0a0-0000-7000-8000-000000000001"

func (w *world) put(a inventory.Agent) inventory.Agent {
	w.t.Helper()
	done, err := w.tryPut(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// tryPut puts an agent, through the gate where that is the way.
func (w *world) tryPut(a inventory.Agent) (inventory.Agent, error) {
	if a.Stage == inventory.Deployed {
		return w.DeployAgent(w.t.Context(), person, decision, a, inventory.Gate{})
	}
	return w.PutAgent(w.t.Context(), person, decision, a)
}

func (w *world) agent(id string) inventory.Agent {
	w.t.Helper()
	a, ok := w.Agent(id)
	if !ok {
		w.t.Fatalf("the agent %s is not known", id)
	}
	return a
}

func TestAgentIsRegisteredChangedAndOutlivesARestart(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	if a, ok := w.Agent("billing"); ok || a.Registered() || a.Stage != "" || a.ID != "billing" {
		t.Errorf("an agent that nobody registered: %+v, %v", a, ok)
	}
	w.put(inventory.Agent{ID: "clerk", Stage: inventory.Deployed})
	a := w.put(inventory.Agent{
		ID: "billing", Stage: inventory.Design, Operator: "ada", Owner: "grace",
		Purposes: []string{"pay-invoices", "answer"}, PurposeTexts: map[string]string{"pay-invoices": "Pays what was ordered."}, Delegates: []string{"clerk"},
	})
	if a.Created.IsZero() || !a.Created.Equal(a.Changed) || cmp.Diff([]string{"answer", "pay-invoices"}, a.Purposes) != "" {
		t.Errorf("registered: %+v", a)
	}
	for _, stage := range []string{inventory.Development, inventory.Verification, inventory.Deployed} {
		a.Stage = stage
		a = w.put(a)
	}
	a.Owner = "lin"
	a = w.put(a)
	for range 2 {
		if d := cmp.Diff(a, w.agent("billing")); d != "" {
			t.Error(d)
		}
		if agents := w.Agents(); len(agents) != 2 || agents[0].ID != "billing" || agents[1].ID != "clerk" {
			t.Errorf("the agents are %+v", agents)
		}
		w.reopen()
	}
	before := w.ledger.Size()
	if again := w.put(a); cmp.Diff(a, again) != "" || w.ledger.Size() != before {
		t.Errorf("putting an agent as it is changed something: %+v", again)
	}
	want := []string{
		"gate.evaluated clerk", "agent.registered clerk", "agent.registered billing", "agent.changed billing", "agent.changed billing",
		"gate.evaluated billing", "agent.changed billing", "agent.changed billing",
	}
	if d := cmp.Diff(want, w.names()); d != "" {
		t.Error(d)
	}
	e := w.events()[6]
	if e.Decision != decision || e.Actor.ID != "ada" || e.Object.Type != "agent" || !strings.Contains(string(e.Detail), `"event":"deploy"`) ||
		!strings.Contains(string(e.Detail), `"before":{"stage":"verification"`) {
		t.Errorf("the receipt of a deployment: %+v %s", e, e.Detail)
	}
}

func TestAgentsThatAreRefused(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	clerk := w.put(inventory.Agent{ID: "clerk", Stage: inventory.Design})
	gone := w.put(inventory.Agent{ID: "gone", Stage: inventory.Design})
	gone.Stage = inventory.Retired
	gone = w.put(gone)
	size := w.ledger.Size()
	stale := clerk
	stale.Changed, stale.Owner = clerk.Changed.Add(-1), "eve"
	moved := func(a inventory.Agent, stage string) inventory.Agent { a.Stage = stage; return a }
	many := make([]string, 65)
	for n := range many {
		many[n] = strings.Repeat("p", n+1)
	}
	for name, c := range map[string]struct {
		agent inventory.Agent
		code  aims.Code
		say   string
	}{
		"no id":              {inventory.Agent{Stage: inventory.Design}, aims.Invalid, "id of an agent"},
		"an id of two lines": {inventory.Agent{ID: "a\nb", Stage: inventory.Design}, aims.Invalid, "id of an agent"},
		"no stage":           {inventory.Agent{ID: "x"}, aims.Invalid, "design, development"},
		"unknown stage":      {inventory.Agent{ID: "x", Stage: "production"}, aims.Invalid, "production"},
		"registered gone":    {inventory.Agent{ID: "x", Stage: inventory.Retired}, aims.Conflict, "registered in one of the stages"},
		"registered stopped": {inventory.Agent{ID: "x", Stage: inventory.Suspended}, aims.Conflict, "registered in one of the stages"},
		"registered twice":   {inventory.Agent{ID: "clerk", Stage: inventory.Design}, aims.Conflict, "already"},
		"unknown, changed":   {inventory.Agent{ID: "x", Stage: inventory.Design, Changed: clerk.Changed}, aims.NotFound, "no agent"},
		"changed meanwhile":  {stale, aims.Conflict, "meanwhile"},
		"straight to use":    {moved(clerk, inventory.Deployed), aims.Conflict, "from which it goes to development or retired"},
		"suspended by hand":  {moved(clerk, inventory.Suspended), aims.Conflict, "agents suspend"},
		"back from retired":  {moved(gone, inventory.Design), aims.Conflict, "retired"},
		"operator":           {inventory.Agent{ID: "x", Stage: inventory.Design, Operator: "Ada Lovelace"}, aims.Invalid, "operator"},
		"purpose":            {inventory.Agent{ID: "x", Stage: inventory.Design, Purposes: []string{"Pay!"}}, aims.Invalid, "Pay!"},
		"too many purposes":  {inventory.Agent{ID: "x", Stage: inventory.Design, Purposes: many}, aims.Invalid, "at most 64"},
		"text of no purpose": {inventory.Agent{ID: "x", Stage: inventory.Design, PurposeTexts: map[string]string{"pay": "x"}}, aims.Invalid, "not among"},
		"hidden text":        {inventory.Agent{ID: "x", Stage: inventory.Design, Purposes: []string{"pay"}, PurposeTexts: map[string]string{"pay": "pay\u200bs"}}, aims.Invalid, "cannot be shown"},
		"delegates to none":  {inventory.Agent{ID: "x", Stage: inventory.Design, Delegates: []string{"nobody"}}, aims.Invalid, "no such agent"},
		"delegates to self":  {inventory.Agent{ID: "x", Stage: inventory.Design, Delegates: []string{"x"}}, aims.Conflict, "x → x"},
	} {
		if _, err := w.PutAgent(t.Context(), person, "", c.agent); code(err) != c.code || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %s that says %q", name, err, c.code, c.say)
		}
	}
	if w.ledger.Size() != size {
		t.Error("something refused left a receipt of a change")
	}
}

func TestNoDelegationInACircle(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	c := w.put(inventory.Agent{ID: "c", Stage: inventory.Design})
	b := w.put(inventory.Agent{ID: "b", Stage: inventory.Design, Delegates: []string{"c"}})
	w.put(inventory.Agent{ID: "a", Stage: inventory.Design, Delegates: []string{"b", "c"}}) // two ways are no circle
	c.Delegates = []string{"a"}
	if _, err := w.PutAgent(t.Context(), person, "", c); code(err) != aims.Conflict || !strings.Contains(err.Error(), "c → a → b → c") {
		t.Errorf("a circle: %v", err)
	}
	b.Delegates = nil
	w.put(b)
	c.Delegates = []string{"b"}
	w.put(c)
}
