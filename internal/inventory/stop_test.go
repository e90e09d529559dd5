package inventory_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// second is the inventory as another process on the same database has it.
func (w *world) second() *inventory.Inventory {
	w.t.Helper()
	i, err := inventory.Open(w.t.Context(), w.db, w.ledger, w.o)
	w.must(err)
	return i
}

// refresh says whether the catalog is another after it.
func (w *world) refresh(i *inventory.Inventory) (catalog bool) {
	w.t.Helper()
	before := i.CatalogVersion()
	w.must(i.Refresh(w.t.Context()))
	return i.CatalogVersion() != before
}

func TestStopOfServersOutlivesARestartAndEndsByResumingAlone(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	stopped := func() (all []bool) {
		for _, server := range []string{"desk", "files", "", "*"} {
			all = append(all, w.Stopped(server))
		}
		return all
	}
	ctx := t.Context()
	for _, step := range []struct {
		do   func() error
		want []bool // desk, files, merged, all
	}{
		{func() error { return w.StopServer(ctx, person, "", "desk", "it answers with nonsense") }, []bool{true, false, false, false}},
		{func() error { return w.StopServer(ctx, person, "", "*", "nobody knows why") }, []bool{true, true, true, true}},
		{func() error { return w.ResumeServer(ctx, person, "", "desk", "it was the network") }, []bool{true, true, true, true}},
		{func() error { return w.StopServer(ctx, person, "", "desk", "again") }, []bool{true, true, true, true}},
		{func() error { return w.ResumeServer(ctx, person, "", "*", "understood") }, []bool{true, false, false, false}},
		{func() error { return w.ResumeServer(ctx, person, "", "desk", "mended") }, []bool{false, false, false, false}},
	} {
		before := w.Version()
		w.must(step.do())
		if w.Version() == before {
			t.Error("a stop did not show in the version")
		}
		for range 2 {
			if d := cmp.Diff(step.want, stopped()); d != "" {
				t.Error(d)
			}
			w.reopen()
		}
	}
	want := []string{"server.stopped desk", "server.stopped *", "server.resumed desk", "server.stopped desk", "server.resumed *", "server.resumed desk"}
	if d := cmp.Diff(want, w.names()); d != "" {
		t.Error(d)
	}
	if detail := string(w.events()[4].Detail); !strings.Contains(detail, "understood") || !strings.Contains(detail, "nobody knows why") {
		t.Errorf("the receipt of the end of a stop: %s", detail)
	}
}

func TestStopsThatAreRefused(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	w.must(w.SuspendAgent(ctx, person, "", "billing", "it writes poems"))
	for name, c := range map[string]struct {
		err  error
		code aims.Code
		say  string
	}{
		"twice":          {w.SuspendAgent(ctx, person, "", "billing", "again"), aims.Conflict, "it writes poems"},
		"never":          {w.ResumeServer(ctx, person, "", "desk", "x"), aims.Conflict, "not stopped"},
		"another":        {w.ResumeAgent(ctx, person, "", "clerk", "x"), aims.Conflict, "not stopped"},
		"all of one":     {w.ResumeServer(ctx, person, "", "*", "x"), aims.Conflict, "not stopped"},
		"no reason":      {w.StopServer(ctx, person, "", "desk", ""), aims.Invalid, "reason"},
		"a long reason":  {w.StopServer(ctx, person, "", "desk", strings.Repeat("x", 501)), aims.Invalid, "reason"},
		"a false reason": {w.StopServer(ctx, person, "", "desk", "a\u202eb"), aims.Invalid, "reason"},
		"no server":      {w.StopServer(ctx, person, "", "", "x"), aims.Invalid, "server"},
		"no agent":       {w.SuspendAgent(ctx, person, "", "Billing Agent", "x"), aims.Invalid, "agent"},
	} {
		if code(c.err) != c.code || !strings.Contains(c.err.Error(), c.say) {
			t.Errorf("%s: %v, want %s that says %q", name, c.err, c.code, c.say)
		}
	}
	if w.ledger.Size() != 1 {
		t.Error("something refused left a receipt")
	}
}

func TestSuspendedAgents(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	w.put(inventory.Agent{ID: "billing", Stage: inventory.Deployed, Operator: "ada"})
	w.put(inventory.Agent{ID: "clerk", Stage: inventory.Verification})
	for _, id := range []string{"billing", "clerk", "stranger"} { // nobody registered the last
		w.must(w.SuspendAgent(ctx, person, "", id, "enough"))
	}
	for range 2 {
		for id, stage := range map[string]string{"billing": inventory.Suspended, "clerk": inventory.Verification, "stranger": ""} {
			if a := w.agent(id); !a.Suspended || a.Stage != stage || a.Suspension.Reason != "enough" || a.Suspension.By != person {
				t.Errorf("suspended: %+v", a)
			}
		}
		if n := len(w.Agents()); n != 3 {
			t.Errorf("%d agents are listed", n)
		}
		w.reopen()
	}
	// Neither registering nor moving it takes the suspension away.
	w.put(inventory.Agent{ID: "stranger", Stage: inventory.Verification})
	stranger := w.agent("stranger")
	stranger.Stage = inventory.Deployed
	if _, err := w.tryPut(stranger); code(err) != aims.Conflict || !w.agent("stranger").Suspended {
		t.Errorf("deploying a suspended agent: %v", err)
	}
	billing := w.agent("billing")
	billing.Stage = inventory.Development
	if w.put(billing); !w.agent("billing").Suspended {
		t.Error("work on a suspended agent resumed it")
	}
	w.must(w.ResumeAgent(ctx, person, "", "billing", "mended"))
	w.must(w.ResumeAgent(ctx, person, "", "clerk", "mended"))
	if a := w.agent("billing"); a.Suspended || a.Stage != inventory.Development {
		t.Errorf("resumed: %+v", a)
	}
	if a := w.agent("clerk"); a.Suspended || a.Stage != inventory.Verification {
		t.Errorf("resumed: %+v", a)
	}
	// A deployed one is deployed again, and what was read before the stop is not written over it.
	deployed := w.put(inventory.Agent{ID: "third", Stage: inventory.Deployed})
	w.must(w.SuspendAgent(ctx, person, "", "third", "enough"))
	if _, err := w.tryPut(deployed); code(err) != aims.Conflict {
		t.Errorf("an agent as it was before it was suspended: %v", err)
	}
	w.must(w.ResumeAgent(ctx, person, "", "third", "mended"))
	if a := w.agent("third"); a.Stage != inventory.Deployed {
		t.Errorf("resumed: %+v", a)
	}
}

// Whatever stands behind a stop in the log was decided with it, also what was
// stored in the same commit.
func TestWhatFollowsAStopInTheLogKnowsIt(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	var mu sync.Mutex
	knew := map[uint64]bool{} // by index: what a decision in its transaction saw
	var callers sync.WaitGroup
	started := make(chan struct{}, 64)
	for range 8 {
		callers.Go(func() {
			for n := range 40 {
				var saw bool
				ref, err := w.ledger.Change(ctx, func(*store.Tx) (ledger.Entry, error) {
					saw = w.Stopped("desk")
					body, err := receipt.Encode(receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(person), Name: "test.decided", Object: receipt.Object{Type: "x", ID: "y"}})
					return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				knew[ref.Index] = saw
				mu.Unlock()
				if n == 4 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	w.must(w.StopServer(ctx, person, "", "desk", "now"))
	if !w.Stopped("desk") {
		t.Error("the stop is not in force when it is done")
	}
	callers.Wait()
	at := uint64(0)
	for n, e := range w.events() {
		if e.Name == "server.stopped" {
			at = uint64(n)
		}
	}
	behind := 0
	for index, saw := range knew {
		if saw != (index > at) {
			t.Errorf("entry %d, with the stop at %d, was decided with stopped = %v", index, at, saw)
		}
		if index > at {
			behind++
		}
	}
	if behind == 0 {
		t.Error("nothing followed the stop")
	}
}

func TestAStopThatCannotBeRecordedIsNone(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	w.put(inventory.Agent{ID: "billing", Stage: inventory.Deployed})
	w.must(w.StopServer(t.Context(), person, "", "files", "x"))
	if err := w.ledger.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.StopServer(t.Context(), person, "", "desk", "x"),
		w.SuspendAgent(t.Context(), person, "", "billing", "x"),
		w.ResumeServer(t.Context(), person, "", "files", "x"),
	} {
		if code(err) != aims.Unavailable {
			t.Errorf("got %v", err)
		}
	}
	if a := w.agent("billing"); w.Stopped("desk") || a.Suspended || a.Stage != inventory.Deployed || !w.Stopped("files") {
		t.Errorf("memory is not what is recorded: %+v", a)
	}
}

func TestOtherProcessesHearOfAStop(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	other := w.second()
	w.must(other.StopServer(ctx, person, "", "desk", "x"))
	w.must(other.SuspendAgent(ctx, person, "", "billing", "x"))
	if w.Stopped("desk") {
		t.Fatal("the two are one")
	}
	before := w.Version()
	if w.refresh(w.Inventory) || !w.Stopped("desk") || !w.agent("billing").Suspended || w.Version() == before {
		t.Error("a stop did not reach the other process, or changed the catalog")
	}
	before = w.Version()
	if w.refresh(w.Inventory); w.Version() != before {
		t.Error("nothing happened, and the version is another")
	}
	if _, err := other.Observe(ctx, "desk", []inventory.Tool{tool("pay", "pays")}); err != nil {
		t.Fatal(err)
	}
	if !w.refresh(w.Inventory) || w.state("pay").Callable() {
		t.Error("a tool that the other process listed is not known here, or counts as listed here")
	}
	// The other one resumes; here, where nobody has heard of it, it is told so.
	w.must(other.ResumeServer(ctx, person, "", "desk", "x"))
	if err := w.ResumeServer(ctx, person, "", "desk", "x"); code(err) != aims.Conflict || w.Stopped("desk") {
		t.Errorf("resuming what another process resumed: %v", err)
	}
}

func TestNoProcessOverwritesWhatItHasNotSeen(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	ctx := t.Context()
	other := w.second()
	a := w.put(inventory.Agent{ID: "billing", Stage: inventory.Deployed, Owner: "ada"})
	w.refresh(other)
	w.must(other.SuspendAgent(ctx, person, "", "billing", "x"))
	a.Owner = "grace"
	if _, err := w.PutAgent(ctx, person, "", a); code(err) != aims.Conflict {
		t.Errorf("a change on top of what another process changed: %v", err)
	}
	if got := w.agent("billing"); got.Stage != inventory.Suspended || got.Owner != "ada" {
		t.Errorf("the agent is %+v", got)
	}
	// Tools: the other process saw a change of the definition and quarantined it.
	w.observe(tool("pay", "pays"))
	good := w.state("pay").Pin
	w.refresh(other)
	if _, err := other.Observe(ctx, "desk", []inventory.Tool{tool("pay", "evil")}); err != nil {
		t.Fatal(err)
	}
	if w.refresh(w.Inventory) || w.state("pay").Callable() {
		t.Error("a quarantine did not reach the other process, or changed the catalog")
	}
	if err := w.Approve(ctx, person, "", "desk", "pay", good); code(err) != aims.Conflict {
		t.Errorf("approving what is not shown any more: %v", err)
	}
	// Here the server still shows the old definition: it has two faces.
	w.observe(tool("pay", "pays"))
	if s := w.state("pay"); s.Callable() || s.Pin != good {
		t.Errorf("the old definition, listed again: %+v", s)
	}
	w.must(w.Approve(ctx, person, "", "desk", "pay", good))
	w.refresh(other)
	if s, _ := other.Tool("desk", "pay"); s.Quarantined || s.Approved != good {
		t.Errorf("the approval did not reach the other process: %+v", s)
	}
}

// A server that floods us with tools keeps nobody from stopping it.
func TestAFloodOfToolsDoesNotHoldTheSwitchUp(t *testing.T) {
	w := newWorld(t, inventory.Options{})
	var flood []inventory.Tool
	for n := range 600 {
		flood = append(flood, tool(fmt.Sprintf("t%d", n), "floods"))
	}
	done := make(chan error)
	go func() {
		_, err := w.Observe(context.Background(), "desk", flood)
		done <- err
	}()
	for w.ledger.Size() < 20 {
		runtime.Gosched()
	}
	w.must(w.StopServer(t.Context(), person, "", "desk", "it floods us"))
	w.must(<-done)
	at := slices.Index(w.names(), "server.stopped desk")
	if n := len(w.names()); at < 0 || at > n/2 {
		t.Errorf("the stop is receipt %d of %d", at, n)
	}
}
