package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/receipt"
)

const origin = "aims.test/log"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// place is where a log lives. Each call of open is another process's view of it.
type place struct{ storetest.Place }

func (p place) open(t testing.TB) *store.DB {
	t.Helper()
	return p.MustOpen(t, time.Now, ledger.Schema())
}

// eachStore runs one test on every store: none may do what another does not.
func eachStore(t *testing.T, test func(t *testing.T, at place)) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) { test(t, place{at}) })
}

func onSQLite(t testing.TB) place { return place{storetest.SQLite(t)} }

func onPostgres(t testing.TB) place { return place{storetest.Postgres(t)} }

func opened(t testing.TB, db *store.DB, err error) *store.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// keys are a log's signing key and what verifies it.
type keys struct {
	signer   note.Signer
	verifier note.Verifier
	vkey     string
	skey     string
}

func newKeys(t testing.TB, name string) keys {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	return parseKeys(t, skey, vkey)
}

func parseKeys(t testing.TB, skey, vkey string) keys {
	t.Helper()
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return keys{signer: signer, verifier: verifier, vkey: vkey, skey: skey}
}

func (k keys) options() ledger.Options {
	return ledger.Options{Origin: origin, Signer: k.signer, Now: time.Now, Log: slog.New(slog.DiscardHandler), SignEvery: time.Hour}
}

func mustOpen(t testing.TB, db *store.DB, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return l
}

func mustClose(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustAppend(t testing.TB, l *ledger.Ledger, e ledger.Entry) ledger.Ref {
	t.Helper()
	ref, err := l.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func encode(body any) []byte {
	b, err := receipt.Encode(body)
	if err != nil {
		panic(err)
	}
	return b
}

const somePolicy = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// decision is an allowed call with its input and facts in the vault.
func decision(id, input string) ledger.Entry {
	in := ledger.Payload{Name: receipt.InputPayload, Salt: salt(id), Data: []byte(input)}
	facts := ledger.Payload{Name: receipt.FactsPayload, Salt: salt(id + "f"), Data: []byte(`{"principal":"a"}`)}
	return ledger.Entry{
		Kind: receipt.DecisionKind,
		Body: encode(receipt.Decision{ID: id, Actor: &receipt.Party{Type: "agent", ID: "billing"}, Session: "s-1", Channel: "mcp",
			Method: "tools/call", Action: "payments___transfer", Resource: &receipt.Object{Type: "McpServer", ID: "payments"},
			Verdict: authz.Allow, Reasons: []authz.Reason{{Policy: "allow-small", Effect: "permit"}}, Policy: somePolicy,
			Input: in.Salt.Digest(in.Data), Facts: facts.Salt.Digest(facts.Data)}),
		Payloads: []ledger.Payload{in, facts},
	}
}

// outcome closes a decision.
func outcome(decision string, index uint64, result string) ledger.Entry {
	id := aims.NewID("rcp")
	p := ledger.Payload{Name: receipt.ResultPayload, Salt: salt(id), Data: []byte(result)}
	return ledger.Entry{
		Kind: receipt.OutcomeKind, Closes: index,
		Body:     encode(receipt.Outcome{ID: id, Decision: decision, Status: receipt.Succeeded, Result: p.Salt.Digest(p.Data), Bytes: int64(len(result)), Micros: 7}),
		Payloads: []ledger.Payload{p},
	}
}

func event(name string) ledger.Entry {
	return ledger.Entry{Kind: receipt.EventKind, Body: encode(receipt.Event{ID: aims.NewID("rcp"),
		Actor: receipt.Party{Type: "system", ID: "aims"}, Name: name, Object: receipt.Object{Type: "test", ID: "x"}})}
}

func salt(of string) (s receipt.Salt) {
	copy(s[:], of)
	return s
}

func codeOf(err error) aims.Code {
	var e *aims.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func wantCode(t testing.TB, err error, code aims.Code, what string) {
	t.Helper()
	if codeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// all reads the whole log and checks that it is dense.
func all(t testing.TB, l *ledger.Ledger) []ledger.Leaf {
	t.Helper()
	var out []ledger.Leaf
	for leaf, err := range l.Entries(t.Context(), 0, l.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Index != uint64(len(out)) {
			t.Fatalf("entry %d stands at %d", leaf.Index, len(out))
		}
		leaf.Raw = bytes.Clone(leaf.Raw)
		out = append(out, leaf)
	}
	if uint64(len(out)) != l.Size() {
		t.Fatalf("%d entries read, the log has %d", len(out), l.Size())
	}
	return out
}

// rootOf is the tree hash of leaves, computed from nothing but them.
func rootOf(leaves []ledger.Leaf) receipt.Hash {
	var r receipt.Range
	for _, leaf := range leaves {
		r.Append(receipt.LeafHash(leaf.Raw))
	}
	return r.Root()
}

// head is the newest checkpoint, opened.
func (k keys) head(t testing.TB, l *ledger.Ledger) receipt.Checkpoint {
	t.Helper()
	signed, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trust, err := receipt.NewTrust(k.vkey, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := trust.Open(signed)
	if err != nil {
		t.Fatalf("%v\n%s", err, signed)
	}
	return c
}

// sqlExec changes the database behind the ledger's back.
func sqlExec(t testing.TB, db *store.DB, query string, args ...any) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sqlExecOutside runs a statement outside of a transaction.
func sqlExecOutside(t testing.TB, db *store.DB, query string) {
	t.Helper()
	stmt, err := db.Prepare(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if _, err := stmt.Exec(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that another goroutine does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func body(i int) string { return fmt.Sprintf(`{"n":%d}`, i) }
