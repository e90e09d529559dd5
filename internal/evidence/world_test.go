package evidence_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/receipt"
)

// world is evidence over a real log and real registers.
type world struct {
	*evidence.Service
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	reg    *register.Register
	clock  *ledgertest.Clock
}

const (
	decision = "rcp_00000000-0000-7000-8000-000000000000"
	digest   = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	l := ledgertest.NewAt(t, storetest.SQLite(t), ledgertest.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)), register.Schema(), evidence.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, clock: l.Clock}
	w.happens("system.started", aims.System, nil)
	var err error
	if w.reg, err = register.Open(t.Context(), w.db, w.ledger, register.Options{}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	return w
}

// restart is the service of a process that has just started.
func (w *world) restart() {
	w.Service = evidence.New(evidence.Parts{DB: w.db, Ledger: w.ledger, Register: w.reg, Now: w.now, Log: slog.New(slog.DiscardHandler)})
}

func (w *world) now() time.Time { return w.clock.Now() }

func (w *world) days(n int) { w.clock.Advance(time.Duration(n) * 24 * time.Hour) }

func (w *world) append(e ledger.Entry) {
	w.t.Helper()
	if _, err := w.ledger.Append(w.t.Context(), e); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) happens(name string, about aims.Actor, detail any) {
	w.t.Helper()
	text, err := json.Marshal(detail)
	if err != nil {
		w.t.Fatal(err)
	}
	e := receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: name, Object: receipt.Object(about)}
	if detail != nil {
		e.Detail = text
	}
	body, err := receipt.Encode(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.append(ledger.Entry{Kind: receipt.EventKind, Body: body})
}

// called is a call of an agent that was denied.
func (w *world) called(agent string) {
	w.t.Helper()
	body, err := receipt.Encode(receipt.Decision{
		ID: aims.NewID("rcp"), Actor: &receipt.Party{Type: "agent", ID: agent}, Channel: "mcp", Action: "desk___pay",
		Resource: &receipt.Object{Type: "McpServer", ID: "desk"}, Verdict: authz.Deny, Policy: digest,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.append(ledger.Entry{Kind: receipt.RefusalKind, Body: body})
}

// apply adds records as somebody writes them.
func (w *world) apply(by, yaml string) {
	w.t.Helper()
	files, err := record.ReadDir(fstest.MapFS{"registers.yaml": &fstest.MapFile{Data: []byte(yaml)}})
	if err == nil {
		_, err = w.reg.Apply(w.t.Context(), aims.Actor{Type: aims.PersonType, ID: by}, decision, register.Base{}, files, false)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
