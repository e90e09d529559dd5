package evidence_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/evidence"
	"aims/internal/ledger"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/internal/store/sqlite"
	"aims/receipt"
)

// world is evidence over a real log and real registers.
type world struct {
	*evidence.Service
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	reg    *register.Register
	signer note.Signer

	mu sync.Mutex
	at time.Time
}

const (
	decision = "rcp_00000000-0000-7000-8000-000000000000"
	digest   = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	private, _, err := note.GenerateKey(rand.Reader, "log.example/test")
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	w.open(filepath.Join(t.TempDir(), "aims.db"))
	return w
}

// open opens a database as a process does.
func (w *world) open(path string) {
	w.t.Helper()
	var err error
	if w.db, err = sqlite.Open(w.t.Context(), path, w.now, ledger.Schema(), register.Schema(), evidence.Schema()); err != nil {
		w.t.Fatal(err)
	}
	w.ledger, err = ledger.Open(w.t.Context(), w.db, ledger.Options{Origin: w.signer.Name(), Signer: w.signer, Now: w.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		w.ledger.Close(context.Background())
		w.db.Close()
	})
	w.happens("system.started", aims.System, nil)
	if w.reg, err = register.Open(w.t.Context(), w.db, w.ledger, register.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.restart()
}

// restart is the service of a process that has just started.
func (w *world) restart() {
	w.Service = evidence.New(evidence.Parts{DB: w.db, Ledger: w.ledger, Register: w.reg, Now: w.now, Log: slog.New(slog.DiscardHandler)})
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) days(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.AddDate(0, 0, n)
}

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
