package inventory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/inventory"
)

// What the receipts give as of now is what there is; as of earlier, what there was.
func TestAsOf(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx, ada := t.Context(), aims.Actor{Type: aims.PersonType, ID: "ada"}
	var moments []time.Time
	var agents [][]inventory.Agent
	var tools [][]inventory.State
	step := func(do func() error) {
		t.Helper()
		w.clock.Advance(time.Hour)
		if err := do(); err != nil {
			t.Fatal(err)
		}
		moments, agents, tools = append(moments, w.clock.Now()), append(agents, w.Agents()), append(tools, w.Tools(""))
	}
	list := func(names ...string) func() error {
		return func() error {
			var all []inventory.Tool
			for i := 0; i < len(names); i += 2 {
				all = append(all, inventory.Tool{Name: names[i], Definition: fmt.Appendf(nil, `{"name":%q,"description":%q,"inputSchema":{"type":"object","properties":{"to":{"type":"string"}}}}`, names[i], names[i+1])})
			}
			_, err := w.Observe(ctx, "mail", all)
			return err
		}
	}
	step(list("send", "Sends.", "read", "Reads."))
	step(func() error {
		_, err := w.PutAgent(ctx, ada, "", inventory.Agent{ID: "billing", Stage: inventory.Design, Owner: "ada", Purposes: []string{"pay"}, PurposeTexts: map[string]string{"pay": "Pays."}})
		return err
	})
	step(func() error {
		a, _ := w.Agent("billing")
		a.Stage, a.Owner = "development", "eve"
		_, err := w.PutAgent(ctx, ada, "", a)
		return err
	})
	step(func() error { return w.SuspendAgent(ctx, ada, "", "billing", "odd") })
	step(func() error { return w.SuspendAgent(ctx, ada, "", "stranger", "odd") })
	step(func() error { return w.ResumeAgent(ctx, ada, "", "billing", "fine") })
	step(func() error {
		return w.LabelTool(ctx, ada, "", "mail", "send", inventory.Labelling{Effects: []string{"send"}})
	})
	step(list("send", "Sends.", "read", "Reads and more."))
	last := func() string { s, _ := w.Tool("mail", "read"); return s.Pin }
	pinned := len(moments) - 2 // the definition of read before this one is gone once it is approved
	step(func() error { return w.Approve(ctx, ada, "", "mail", "read", last()) })
	step(list("read", "Reads and more."))
	step(func() error { return w.Forget(ctx, ada, "", "mail", "send") })

	for n, at := range moments {
		got, err := w.AgentsAt(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(agents[n], got); diff != "" {
			t.Errorf("agents as of step %d (-were +as of):\n%s", n, diff)
		}
		past, err := w.ToolsAt(ctx, at)
		if err != nil || len(past) != len(tools[n]) {
			t.Fatalf("tools as of step %d: %d, %v; want %d", n, len(past), err, len(tools[n]))
		}
		for i, p := range past {
			was := tools[n][i]
			same := p.Name == was.Name && p.Pin == was.Pin && p.Approved == was.Approved && p.Quarantined == was.Quarantined &&
				p.Listed == was.Listed && p.Explicit == was.Explicit && (p.Said == nil) == (was.Said == nil)
			if !same {
				t.Errorf("as of step %d: %+v, was %+v", n, p.State, was)
			}
			if p.Known && !cmp.Equal(p.Effects, was.Effects) {
				t.Errorf("as of step %d %s: effects %v, were %v", n, p.Name, p.Effects, was.Effects)
			}
			if p.Name == "read" && n <= pinned && p.Known {
				t.Errorf("as of step %d the definition of read passes for known, and it is kept no more", n)
			}
		}
	}
	if got, err := w.AgentsAt(ctx, moments[0].Add(-time.Minute)); err != nil || len(got) != 0 {
		t.Errorf("before the first entry there are %d agents (%v)", len(got), err)
	}
}
