package inventory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"aims/internal/aims"
	"aims/internal/inventory"
)

// everything is what an inventory says, but for what a process alone observed.
type everything struct {
	Tools  []inventory.State
	Agents []inventory.Agent
	Stops  []inventory.Stop
}

func read(i *inventory.Inventory) everything {
	return everything{i.Tools(""), i.Agents(), i.Stops()}
}

// Two processes that alter one inventory in any order, and hear of each other
// or do not, end up with what the tables hold, and neither undoes the other.
func TestProcessesAgree(t *testing.T) {
	ctx := context.Background()
	var w *world
	var both []*inventory.Inventory
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		if round%10 == 0 { // what one of them makes, all of them read again and again
			w = newWorld(t, inventory.Options{})
			both = []*inventory.Inventory{w.Inventory, w.second()}
		}
		round++ // each has names of its own
		stopped := map[string]bool{}
		name := rapid.SampledFrom([]string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)})
		var failed error
		check := func(err error) bool {
			if c := code(err); err != nil && c != aims.Conflict && c != aims.NotFound {
				failed = err
			}
			return err == nil
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			i, id := both[rapid.IntRange(0, 1).Draw(rt, "process")], name.Draw(rt, "name")
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0:
				a, _ := i.Agent(id)
				a.Stage, a.Owner = rapid.SampledFrom(inventory.Stages()).Draw(rt, "stage"), name.Draw(rt, "owner")
				_, err := i.PutAgent(ctx, person, "", a)
				check(err)
			case 1:
				if check(i.SuspendAgent(ctx, person, "", id, "x")) {
					stopped["agent "+id] = true
				}
			case 2:
				if check(i.ResumeAgent(ctx, person, "", id, "x")) {
					stopped["agent "+id] = false
				}
			case 3:
				if check(i.StopServer(ctx, person, "", id, "x")) {
					stopped["server "+id] = true
				}
			case 4:
				if check(i.ResumeServer(ctx, person, "", id, "x")) {
					stopped["server "+id] = false
				}
			case 5:
				_, err := i.Observe(ctx, "desk", []inventory.Tool{tool(id, rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "definition"))})
				check(err)
			case 6:
				s, _ := i.Tool("desk", id)
				l := inventory.Labelling{Labels: []string{name.Draw(rt, "label")}}
				if s.Said != nil {
					l.Changed = s.Said.Changed
				}
				check(i.LabelTool(ctx, person, "", "desk", id, l))
			case 7:
				s, _ := i.Tool("desk", id)
				check(i.Approve(ctx, person, "", "desk", id, s.Pin))
			}
		}
		if failed != nil {
			rt.Fatal(failed)
		}
		fresh := w.second()
		want := read(fresh)
		for n, i := range both {
			if err := i.Refresh(ctx); err != nil {
				rt.Fatal(err)
			}
			if d := cmp.Diff(want, read(i), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(inventory.State{}, "Listed", "Pin", "Observed", "Flags", "Changed", "FirstSeen")); d != "" {
				rt.Errorf("process %d differs from the tables: %s", n, d)
			}
		}
		for what, on := range stopped {
			var kind, id string
			fmt.Sscan(what, &kind, &id)
			a, _ := fresh.Agent(id)
			if got := kind == "agent" && a.Suspended || kind == "server" && fresh.Stopped(id); got != on {
				rt.Errorf("%s: stopped is %v, want %v", what, got, on)
			}
		}
	})
}
