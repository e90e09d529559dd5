package register_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/receipt"
)

// decision is the receipt that let people do what the tests do.
const decision = "rcp_00000000-0000-7000-8000-000000000000"

func person(id string) aims.Actor { return aims.Actor{Type: aims.PersonType, ID: id} }

// world is registers over a real ledger.
type world struct {
	*register.Register
	t      testing.TB
	db     *store.DB
	ledger *ledger.Ledger
	signer note.Signer
	clock  *ledgertest.Clock
	o      register.Options
}

func newWorld(t testing.TB, project ...register.Projection) *world {
	t.Helper()
	l := ledgertest.New(t, register.Schema())
	w := &world{t: t, db: l.DB, ledger: l.Ledger, signer: l.Signer, clock: l.Clock, o: register.Options{Project: project}}
	w.open()
	return w
}

// open opens the registers.
func (w *world) open() {
	w.t.Helper()
	if w.ledger.Size() == 0 { // as every log, it begins with something else
		w.ok(w.happens())
	}
	var err error
	w.Register, err = register.Open(w.t.Context(), w.db, w.ledger, w.o)
	w.ok(err)
}

// happens appends a receipt that is not of the registers.
func (w *world) happens() error {
	body, err := receipt.Encode(receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: "test.happened", Object: receipt.Object(aims.System)})
	if err == nil {
		_, err = w.ledger.Append(w.t.Context(), ledger.Entry{Kind: receipt.EventKind, Body: body})
	}
	return err
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// files are registers as people write them.
func (w *world) files(yaml string) record.Registers {
	w.t.Helper()
	r, err := record.ReadDir(fstest.MapFS{"registers.yaml": &fstest.MapFile{Data: []byte(yaml)}})
	w.ok(err)
	return r
}

// apply applies files as the whole on a base.
func (w *world) apply(by string, base register.Base, yaml string) register.Plan {
	w.t.Helper()
	p, err := w.Apply(w.t.Context(), person(by), decision, base, w.files(yaml), true)
	w.ok(err)
	return p
}

func (w *world) state() record.State {
	w.t.Helper()
	s, err := w.At(w.t.Context(), time.Time{})
	w.ok(err)
	return s
}

// mark states something of the present version of a record.
func (w *world) mark(by string, kind record.MarkKind, on, id string) (record.Mark, error) {
	m := record.Mark{Kind: kind, On: on, ID: id}
	if rec, ok := w.state().Registers.Get(on, id); ok && kind != record.Withdraw {
		m.Digest = record.Digest(rec)
	}
	return w.Mark(w.t.Context(), person(by), nil, decision, m)
}

// sound checks that the tables are what the log says.
func (w *world) sound() {
	w.t.Helper()
	v, err := w.Verify(w.t.Context())
	w.ok(err)
	if len(v.Differences) > 0 {
		w.t.Errorf("the tables are not what the log says:\n%s", strings.Join(v.Differences, "\n"))
	}
}

func refused(t testing.TB, err error, code aims.Code, parts ...string) {
	t.Helper()
	got, text := aims.Public(err)
	if err == nil || got != code {
		t.Errorf("it gives %v; expected %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("the caller is told %q, without %q", text, part)
		}
	}
}

// organisation is a small one: rita owns the risk, carl directs, and nobody of
// them wrote it.
const organisation = `
people: [{id: rita, name: Rita}, {id: carl, name: Carl}, {id: theo, name: Theo}, {id: ada, name: Ada}]
roles: [{id: director, title: Director, top_management: true}, {id: clerk, title: Clerk}]
assignments:
  - {id: carl-director, role: director, person: carl, from: 2026-01-01}
  - {id: theo-clerk, role: clerk, person: theo, from: 2026-01-01}
risk_criteria:
  - id: ours
    process: We meet and look.
    likelihood: [{level: 1, text: rare}, {level: 2, text: often}]
    severity: [{level: 1, text: small}, {level: 2, text: large}]
    accept_up_to: 2
    assess_every_days: 365
`

func risks(titles ...string) string {
	var b strings.Builder
	b.WriteString(organisation + "risks:\n")
	for i, title := range titles {
		fmt.Fprintf(&b, "  - {id: r%d, title: %q, owner: rita}\n", i+1, title)
	}
	return b.String()
}
