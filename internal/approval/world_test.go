package approval_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/store"
	"aims/receipt"
)

// world is approvals over a real ledger.
type world struct {
	*approval.Approvals
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	signer note.Signer
	clock  *ledgertest.Clock
	policy string // in force
	o      approval.Options
}

func newWorld(t testing.TB, change func(*approval.Options)) *world {
	t.Helper()
	l := ledgertest.New(t, approval.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, signer: l.Signer, clock: l.Clock, policy: "sha256:p1"}
	w.o = approval.Options{Now: w.clock.Now, Policy: func() string { return w.policy }, Poll: time.Millisecond}
	if change != nil {
		change(&w.o)
	}
	w.Approvals = w.another()
	return w
}

// start opens the log of a database as a process does.
func (w *world) start(db *store.DB) {
	w.t.Helper()
	w.db, w.ledger = db, ledgertest.Open(w.t, db, w.signer, w.clock.Now)
	w.Approvals = w.another()
}

// another is the approvals of another process, or of this one after a restart.
func (w *world) another() *approval.Approvals { return approval.New(w.db, w.ledger, w.o) }

// binding is of the call that most tests hold.
func binding() approval.Binding {
	return approval.Binding{
		Agent: "billing", Session: "s-1", Action: "desk___pay", Server: "desk", Tool: "pay", Pin: "sha256:pin",
		Input: "sha256:in", Policy: "sha256:p1",
	}
}

func request(roles ...string) approval.Request {
	return approval.Request{
		Binding: binding(), Purpose: "invoices", Operator: "oscar", OnBehalfOf: "Rita", Roles: roles, Decision: hold, Summary: "why: it is large",
	}
}

// open opens a request as enforcement does: with the receipt of the hold.
func (w *world) open(r approval.Request) (approval.Request, error) {
	var opened approval.Request
	_, err := w.ledger.Change(context.Background(), func(tx *store.Tx) (e ledger.Entry, err error) {
		if opened, err = w.OpenIn(tx, r); err != nil {
			return e, err
		}
		e = event("hold")
		if opened.Fresh {
			requested, err := approval.RequestedEntry(opened)
			if err != nil {
				return e, err
			}
			e.Then = append(e.Then, requested)
		}
		return e, nil
	})
	return opened, err
}

func (w *world) mustOpen(r approval.Request) approval.Request {
	w.t.Helper()
	opened, err := w.open(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return opened
}

// use releases a call as enforcement does: with the receipt of the decision.
func (w *world) use(a *approval.Approvals, id string, b approval.Binding) error {
	_, err := w.ledger.Change(context.Background(), func(tx *store.Tx) (ledger.Entry, error) {
		if err := a.UseIn(tx, id, b); err != nil {
			return ledger.Entry{}, err
		}
		e := event("release")
		used, err := approval.UsedEntry(approval.Request{ID: id, Binding: b, Decision: hold}, release)
		e.Then = append(e.Then, used)
		return e, err
	})
	return err
}

func (w *world) vote(a *approval.Approvals, who string, roles []string, id string, grant bool) (approval.Request, error) {
	return a.Vote(context.Background(), person(who), roles, ballot, id, grant, "")
}

// granted is a request that ada, the treasurer, has granted.
func (w *world) granted() approval.Request {
	w.t.Helper()
	r := w.mustOpen(request("treasurer"))
	r, err := w.vote(w.Approvals, "ada", []string{"treasurer"}, r.ID, true)
	if err != nil || r.State != approval.Granted {
		w.t.Fatalf("state %s, error %v", r.State, err)
	}
	return r
}

func (w *world) get(id string) approval.Request {
	w.t.Helper()
	r, err := w.Get(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) expire() int {
	w.t.Helper()
	n, err := w.Expire(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// exec writes to the database past everything.
func (w *world) exec(text string, parameters ...any) {
	w.t.Helper()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec(text, parameters...)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// steps are the names of the receipts about an approval, in their order.
func (w *world) steps(id string) []string {
	var names []string
	for _, e := range w.events() {
		if e.Object == (receipt.Object{Type: "approval", ID: id}) {
			names = append(names, e.Name)
		}
	}
	return names
}

// events are the receipts of the log, decoded.
func (w *world) events() []*receipt.Event { return ledgertest.Events(w.t, w.ledger) }

func event(name string) ledger.Entry {
	body, err := receipt.Encode(receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party{Type: "agent", ID: "billing"}, Name: name, Object: receipt.Object{Type: "call", ID: "1"},
	})
	if err != nil {
		panic(err)
	}
	return ledger.Entry{Kind: receipt.EventKind, Body: body}
}

func person(id string) aims.Actor { return aims.Actor{Type: aims.PersonType, ID: id} }

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}

// Ids of the receipts of decisions, in the order in which they are made.
const (
	hold    = "rcp_0193590c-0000-7000-8000-000000000001"
	hold2   = "rcp_0193590c-0000-7000-8000-000000000002"
	ballot  = "rcp_0193590c-0000-7000-8000-000000000003"
	release = "rcp_0193590c-0000-7000-8000-000000000004"
)
