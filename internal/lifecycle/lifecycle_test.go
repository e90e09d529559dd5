package lifecycle_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/evidence/observed"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/lifecycle"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

// decision is the receipt that let people do what the tests do.
const decision = "rcp_00000000-0000-7000-8000-000000000000"

func person(id string) aims.Actor { return aims.Actor{Type: aims.PersonType, ID: id} }

// world is a life cycle over a real ledger, registers and inventory.
type world struct {
	*lifecycle.Lifecycle
	t         testing.TB
	db        *store.DB
	ledger    *ledger.Ledger
	inventory *inventory.Inventory
	register  *register.Register
	policy    string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, policy: "sha256:p"}
	l := ledgertest.New(t, inventory.Schema(), register.Schema(), lifecycle.Schema())
	w.db, w.ledger = l.DB, l.Ledger
	var err error
	w.inventory, err = inventory.Open(t.Context(), l.DB, w.ledger, inventory.Options{})
	w.ok(err)
	_, err = w.inventory.PutAgent(t.Context(), person("ada"), decision, inventory.Agent{ID: "stray", Stage: inventory.Design}) // the log begins with something else
	w.ok(err)
	w.register, err = register.Open(t.Context(), l.DB, w.ledger, register.Options{Project: []register.Projection{lifecycle.Project}})
	w.ok(err)
	w.Lifecycle = w.process(l.Clock.Now, slog.New(slog.DiscardHandler))
	return w
}

// process is a life cycle as another process has it.
func (w *world) process(now func() time.Time, log *slog.Logger) *lifecycle.Lifecycle {
	return lifecycle.New(lifecycle.Parts{
		Ledger: w.ledger, Inventory: w.inventory, Register: w.register, Policy: func() string { return w.policy }, Now: now, Log: log,
		Look: func(ctx context.Context, _ time.Time, fn func(record.State, *observed.Facts) error) error {
			s, err := w.register.At(ctx, time.Time{})
			if err != nil {
				return err
			}
			size := w.ledger.Size() // before the view is fixed, which then has them all
			src, err := w.ledger.Source(ctx, nil)
			if err != nil {
				return err
			}
			facts := observed.New()
			if err := facts.Fold(ctx, src, size, nil); err != nil {
				return err
			}
			return fn(s, facts)
		},
	})
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// apply applies records on top of what there is.
func (w *world) apply(yaml string) error {
	w.t.Helper()
	r, err := record.ReadDir(fstest.MapFS{"registers.yaml": &fstest.MapFile{Data: []byte(yaml)}})
	w.ok(err)
	if _, err = w.register.Apply(w.t.Context(), person("ada"), decision, register.Base{}, r, false); err == nil {
		err = w.inventory.Refresh(w.t.Context())
	}
	return err
}

// list is what the server desk lists to a process.
func (w *world) list(i *inventory.Inventory, says string) {
	w.t.Helper()
	definition := `{"name":"pay","description":"` + says + `","inputSchema":{"type":"object"}}`
	_, err := i.Observe(w.t.Context(), "desk", []inventory.Tool{{Name: "pay", Definition: []byte(definition)}})
	w.ok(err)
}

// approve approves the impact assessment by somebody else.
func (w *world) approve() {
	w.t.Helper()
	s, err := w.register.At(w.t.Context(), time.Time{})
	w.ok(err)
	x, _ := s.Registers.Get("impact_assessment", "ia")
	_, err = w.register.Mark(w.t.Context(), person("rev"), nil, decision, record.Mark{Kind: record.Approve, On: "impact_assessment", ID: "ia", Digest: record.Digest(x)})
	w.ok(err)
}

func (w *world) agent(id string) inventory.Agent {
	a, _ := w.inventory.Agent(id)
	return a
}

// events are the receipts of a name.
func (w *world) events(name string) []*receipt.Event {
	w.t.Helper()
	var events []*receipt.Event
	for leaf, err := range w.ledger.Entries(w.t.Context(), 0, w.ledger.Size()) {
		w.ok(err)
		if e, err := receipt.DecodeEvent(leaf.Body); err == nil && e.Name == name {
			events = append(events, e)
		}
	}
	return events
}

const organisation = `
people: [{id: ann, name: Ann}, {id: otto, name: Otto}]
servers: [{id: desk}]
purposes: [{id: pay, text: Pays what was ordered.}]
agents: [{id: clerk, owner: ann, operator: otto, version: "1", purposes: [pay], servers: [desk], tools: [desk___pay], delegates: [helper]}, {id: helper, owner: otto}]
impact_assessments: [{id: ia, agents: [clerk], assessed: 2026-11-01, intended_use: Pays., purposes: [pay], servers: [desk], tools: [desk___pay], result: proceed}]
`

func TestRecordsCarryOver(t *testing.T) {
	w := newWorld(t)
	w.ok(w.apply(organisation))
	a := w.agent("clerk")
	want := inventory.Agent{
		ID: "clerk", Stage: inventory.Design, Owner: "ann", Operator: "otto", Purposes: []string{"pay"},
		PurposeTexts: map[string]string{"pay": "Pays what was ordered."}, Delegates: []string{"helper"}, Created: a.Created, Changed: a.Changed,
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Error(d)
	}
	if e := w.events("agent.registered"); len(e) != 3 || e[1].Decision != decision || e[1].Actor.ID != "ada" {
		t.Errorf("the receipts of the registration: %+v", e)
	}
	w.ok(w.apply(`purposes: [{id: pay, text: Pays what was ordered and delivered.}]`))
	if got := w.agent("clerk").PurposeTexts["pay"]; got != "Pays what was ordered and delivered." {
		t.Errorf("the sentence of a purpose is %q", got)
	}
	// A record that is removed takes no agent away.
	p, err := w.register.Version(t.Context())
	w.ok(err)
	s, err := w.register.At(t.Context(), time.Time{})
	w.ok(err)
	rest := s.Registers.Clone()
	for _, gone := range [][2]string{{"agent", "clerk"}, {"impact_assessment", "ia"}} {
		rest.Remove(gone[0], gone[1])
	}
	_, err = w.register.Apply(t.Context(), person("ada"), decision, register.Base{Index: p}, rest, true)
	w.ok(err)
	w.ok(w.inventory.Refresh(t.Context()))
	if a := w.agent("clerk"); a.Stage != inventory.Design || a.Owner != "ann" {
		t.Errorf("without its record: %+v", a)
	}
}

// What the runtime cannot take is not applied at all.
func TestRecordsThatCannotBeCarried(t *testing.T) {
	w := newWorld(t)
	w.ok(w.apply(organisation))
	size := w.ledger.Size()
	for name, yaml := range map[string]string{
		"a circle":         `agents: [{id: helper, owner: otto, delegates: [clerk]}]`,
		"a purpose's text": `purposes: [{id: pay, text: "` + strings.Repeat("x", 281) + `"}]`,
	} {
		if code, text := aims.Public(w.apply(yaml)); code != aims.Conflict && code != aims.Invalid {
			t.Errorf("%s: %s %s", name, code, text)
		}
	}
	if w.ledger.Size() != size {
		t.Error("what was refused left receipts")
	}
	s, err := w.register.At(t.Context(), time.Time{})
	w.ok(err)
	if got := s.Registers.Purposes[0].Text; got != "Pays what was ordered." {
		t.Errorf("the record is %q", got)
	}
}

// Nobody slips a change between the evaluation and the deployment.
func TestFactsThatChangedMeanwhile(t *testing.T) {
	for name, changes := range map[string]func(*world){
		"records": func(w *world) { w.ok(w.apply(`purposes: [{id: sell, text: Sells.}]`)) },
		"marks":   func(w *world) { w.approve() },
		"policy":  func(w *world) { w.policy = "sha256:q" },
		"a tool":  func(w *world) { w.list(w.inventory, "Pays, and reads all files.") },
		"a tool that another process saw": func(w *world) {
			other, err := inventory.Open(w.t.Context(), w.db, w.ledger, inventory.Options{})
			w.ok(err)
			w.list(other, "Pays, and reads all files.")
		},
	} {
		w := newWorld(t)
		w.ok(w.apply(organisation))
		w.list(w.inventory, "Pays.")
		for _, stage := range []string{inventory.Development, inventory.Verification} {
			a := w.agent("clerk")
			a.Stage = stage
			_, err := w.inventory.PutAgent(t.Context(), person("ada"), decision, a)
			w.ok(err)
		}
		e, err := w.Evaluate(t.Context(), w.agent("clerk"))
		w.ok(err)
		changes(w)
		if _, err := w.Deploy(t.Context(), person("ada"), decision, w.agent("clerk"), e); err == nil || w.agent("clerk").Stage == inventory.Deployed {
			t.Errorf("%s changed at the gate, and it is deployed: %v", name, err)
		}
		if len(w.events(inventory.GateEvent)) > 0 {
			t.Errorf("%s: a receipt of a gate that nobody passed", name)
		}
		e, err = w.Evaluate(t.Context(), w.agent("clerk"))
		w.ok(err)
		_, err = w.Deploy(t.Context(), person("ada"), decision, w.agent("clerk"), e)
		w.ok(err)
		if events := w.events(inventory.GateEvent); len(events) != 1 || !strings.Contains(string(events[0].Detail), `"passed":true`) || w.agent("clerk").Stage != inventory.Deployed {
			t.Errorf("%s: %+v", name, events)
		}
	}
}

// One cause leaves one receipt, whoever looks and how often; only a newer
// approved version closes it.
func TestReopenedOncePerCause(t *testing.T) {
	w := newWorld(t)
	w.ok(w.apply(organisation))
	w.ok(w.Reopen(t.Context()))
	w.ok(w.apply(strings.Replace(organisation, "tools: [desk___pay], delegates", "tools: [desk___pay, desk___fly], delegates", 1)))
	w.ok(w.Reopen(t.Context()))
	if len(w.events(lifecycle.ReopenedEvent)) > 0 {
		t.Fatal("an assessment that nobody approved is reopened")
	}
	w.approve()
	now := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	var all sync.WaitGroup
	for range 4 {
		other := w.process(now, slog.New(slog.DiscardHandler))
		all.Go(func() {
			for range 2 {
				if err := other.Reopen(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	events := w.events(lifecycle.ReopenedEvent)
	if len(events) != 1 || events[0].Object.ID != "ia" || !strings.Contains(string(events[0].Detail), `"agent":"clerk","cause":"tool desk___fly"`) {
		t.Fatalf("%d receipts: %+v", len(events), events)
	}
	covers := func() bool {
		e, err := w.Evaluate(t.Context(), w.agent("clerk"))
		w.ok(err)
		return !slices.Contains(e.Failed(), "impact_assessment_covers")
	}
	w.ok(w.apply(organisation))
	w.approveAgain()
	if covers() {
		t.Error("taking the tool back, or approving the same version again, closes it")
	}
	w.ok(w.apply(strings.Replace(organisation, "2026-11-01", "2026-11-02", 1)))
	w.approve()
	if !covers() || len(w.events(lifecycle.ReopenedEvent)) != 1 {
		t.Error("a newer approved version does not close it")
	}
}

// approveAgain approves the version that is approved already, by another person.
func (w *world) approveAgain() {
	s, err := w.register.At(w.t.Context(), time.Time{})
	w.ok(err)
	x, _ := s.Registers.Get("impact_assessment", "ia")
	_, err = w.register.Mark(w.t.Context(), person("eve"), nil, decision, record.Mark{Kind: record.Approve, On: "impact_assessment", ID: "ia", Digest: record.Digest(x)})
	w.ok(err)
}

func TestARefusedDeploymentIsOnPaper(t *testing.T) {
	w := newWorld(t)
	w.ok(w.apply(organisation))
	e, err := w.Evaluate(t.Context(), w.agent("clerk"))
	w.ok(err)
	w.ok(w.Refused(t.Context(), person("ada"), decision, e))
	events := w.events(inventory.GateEvent)
	if len(events) != 1 {
		t.Fatalf("%+v", events)
	}
	for _, part := range []string{`"passed":false`, `"version":"1"`, `"impact_assessment_approved":false`, `"documented":true`, `"policy":"sha256:p"`} {
		if !strings.Contains(string(events[0].Detail), part) {
			t.Errorf("the receipt does not say %s: %s", part, events[0].Detail)
		}
	}
}
