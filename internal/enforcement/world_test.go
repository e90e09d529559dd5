package enforcement_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/policy"
	"aims/internal/session"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/pdp"
	"aims/receipt"
)

var (
	billing = identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "billing"}, Roles: []string{"finance"}}
	other   = identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: "other"}, Roles: []string{"finance"}}
	admin   = identity.Principal{Actor: aims.Actor{Type: aims.PersonType, ID: "ada"}, Roles: []string{"admin"}}
	auditor = identity.Principal{Actor: aims.Actor{Type: aims.PersonType, ID: "eve"}, Roles: []string{"auditor"}}
)

const policies = `
@id("small-payments")
@reason("small payments need nobody else")
permit (principal in Role::"finance", action == Action::"desk___pay", resource == McpServer::"desk")
when { context.input.amount < 1000 };

@id("large-payments-wait")
@reason("payments from 100 wait for the treasurer")
@hold("treasurer")
forbid (principal, action == Action::"desk___pay", resource)
when { context.input.amount >= 100 };

@id("no-surprises")
@reason("arguments that the tool does not declare")
forbid (principal, action in Action::"call_tool", resource)
unless { context.undeclared.isEmpty() };

@id("reading")
@reason("reading is permitted")
permit (principal, action in [Action::"resources/read", Action::"prompts/list"], resource);
`

const payDefinition = `{"name":"pay","description":"pays","inputSchema":{"type":"object",
	"properties":{"amount":{"type":"integer"},"to":{"type":"string"}},"required":["amount"]}}`

var pay = inventory.Tool{Name: "pay", Definition: json.RawMessage(payDefinition)}

// world is an enforcer over a real ledger on SQLite.
type world struct {
	*enforcement.Enforcer
	t         testing.TB
	log       *ledgertest.Log
	db        *store.DB
	ledger    *ledger.Ledger
	inventory *inventory.Inventory
	policies  *policy.Administration
	sessions  *session.Sessions
	approvals *approval.Approvals
	clock     *ledgertest.Clock
	o         enforcement.Options
	runs      session.Options
	others    []*session.Sessions // of replicas
}

func newWorld(t testing.TB, change func(*enforcement.Options)) *world {
	t.Helper()
	signer, _ := ledgertest.NewKey(t, ledgertest.Origin)
	w := &world{t: t, log: &ledgertest.Log{Place: storetest.New(t), Signer: signer, Clock: ledgertest.NewClock(ledgertest.Noon())}}
	w.clock = w.log.Clock
	w.o = enforcement.Options{Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&w.o)
	}
	w.open()
	if _, err := w.ObserveTools(t.Context(), "desk", []inventory.Tool{pay}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ActivatePolicy(t.Context(), admin.Actor, "", []pdp.Source{{Name: "p.cedar", Text: []byte(policies)}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) open() {
	w.t.Helper()
	ctx := w.t.Context()
	w.log.Open(w.t, inventory.Schema(), policy.Schema(), session.Schema(), approval.Schema())
	w.db, w.ledger = w.log.DB, w.log.Ledger
	var err error
	if w.inventory, err = inventory.Open(ctx, w.db, w.ledger, inventory.Options{}); err != nil {
		w.t.Fatal(err)
	}
	if w.policies, err = policy.Open(ctx, w.db, w.ledger, policy.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.runs.Now = w.clock.Now
	if w.sessions, err = session.Open(ctx, w.db, w.ledger, w.runs); err != nil {
		w.t.Fatal(err)
	}
	w.approvals = approval.New(w.db, w.ledger, approval.Options{Now: w.clock.Now, Policy: func() string {
		if set := w.policies.Active(); set != nil {
			return set.Digest()
		}
		return ""
	}})
	w.o.Approvals = w.approvals
	w.Enforcer = enforcement.New(w.ledger, w.inventory, w.policies, w.sessions, w.o)
}

func (w *world) close() { w.log.Close() }

// rename breaks the database under the ledger, and heals it.
func (w *world) rename(from, to string) {
	w.t.Helper()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec("ALTER TABLE " + from + " RENAME TO " + to)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// payment is a call of the tool.
func payment(p identity.Principal, input string) enforcement.Call {
	return enforcement.Call{
		Principal: p, Session: "s-1", Channel: enforcement.MCP, Protocol: "2026-07-28",
		Method: "tools/call", Server: "desk", Tool: "pay", Input: []byte(input),
	}
}

func (w *world) decide(c enforcement.Call) enforcement.Ruling {
	w.t.Helper()
	r, err := w.Decide(context.Background(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// leaves are those from an index on.
func (w *world) leaves(from uint64) []ledger.Leaf { return ledgertest.Leaves(w.t, w.ledger, from) }

// decision is the receipt at an index.
func (w *world) decision(index uint64) (receipt.Header, *receipt.Decision) {
	w.t.Helper()
	leaf, err := w.ledger.Entry(context.Background(), index)
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return leaf.Header, d
}

// outcomes are those from an index on.
func (w *world) outcomes(from uint64) []*receipt.Outcome {
	w.t.Helper()
	var out []*receipt.Outcome
	for _, leaf := range w.leaves(from) {
		if leaf.Kind != receipt.OutcomeKind {
			continue
		}
		o, err := receipt.DecodeOutcome(leaf.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// payload is what is kept of a receipt under a name; it must fit the digest.
func (w *world) payload(index uint64, name, digest string) string {
	w.t.Helper()
	stored, err := w.ledger.Payloads(context.Background(), index)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range stored {
		if p.Name == name {
			if got := p.Salt.Digest(p.Data); got != digest {
				w.t.Errorf("payload %s has digest %s, the receipt says %s", name, got, digest)
			}
			return string(p.Data)
		}
	}
	return ""
}

func code(err error) aims.Code {
	if err == nil {
		return ""
	}
	c, _ := aims.Public(err)
	return c
}
