package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/upstream"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	known "aims/internal/session"
	"aims/internal/store/sqlite"
	"aims/pdp"
	"aims/receipt"

	"golang.org/x/mod/sumdb/note"
)

// permitAll lets agents do everything, so that a test is about the gateway.
const permitAll = `@id("all") permit (principal, action, resource);`

// house is an installation on SQLite with a gateway before it.
type house struct {
	t         testing.TB
	ledger    *ledger.Ledger
	enforcer  *enforcement.Enforcer
	directory *identity.Directory
	inventory *inventory.Inventory
	approvals *approval.Approvals
	gateway   *Gateway
	url       string
	key       string // of agent:alice
	other     string // of agent:bob
}

type houseOptions struct {
	config   Config
	policies string
	now      func() time.Time
	waiting  hold.Options
	serve    func(http.Handler) string
}

func testLog() *slog.Logger {
	if os.Getenv("AIMS_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func newHouse(t testing.TB, o houseOptions) *house {
	t.Helper()
	ctx := context.Background()
	log := testLog()
	if o.policies == "" {
		o.policies = permitAll
	}
	if o.now == nil {
		o.now = time.Now
	}
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "aims.db"), time.Now,
		ledger.Schema(), identity.Schema(), inventory.Schema(), policy.Schema(), known.Schema(), approval.Schema())
	must(t, err)
	private, _, err := note.GenerateKey(nil, "example.org/log")
	must(t, err)
	signer, err := note.NewSigner(private)
	must(t, err)
	h := &house{t: t}
	h.ledger, err = ledger.Open(ctx, db, ledger.Options{Origin: "example.org/log", Signer: signer, Now: time.Now, Log: log})
	must(t, err)
	h.directory, err = identity.Open(ctx, db, h.ledger, identity.Options{Now: time.Now, Log: log})
	must(t, err)
	h.inventory, err = inventory.Open(ctx, db, h.ledger, inventory.Options{Log: log})
	must(t, err)
	administration, err := policy.Open(ctx, db, h.ledger, policy.Options{Log: log, Extensions: o.config.Extensions})
	must(t, err)
	runs, err := known.Open(ctx, db, h.ledger, known.Options{Now: time.Now, Log: log})
	must(t, err)
	h.approvals = approval.New(db, h.ledger, approval.Options{Now: time.Now, Log: log, MaxOpen: 1000, Policy: func() string {
		if set := administration.Active(); set != nil {
			return set.Digest()
		}
		return ""
	}})
	h.enforcer = enforcement.New(h.ledger, h.inventory, administration, runs, enforcement.Options{Now: time.Now, Log: log, Approvals: h.approvals})
	_, err = h.inventory.DeployAgent(ctx, aims.System, "", inventory.Agent{ID: "alice", Stage: "deployed", Purposes: []string{"paying", "reading"}}, inventory.Gate{})
	must(t, err)
	for i := range o.config.Servers {
		s := &o.config.Servers[i]
		or(&s.ConnectTimeout, 10*time.Second)
		or(&s.Limits.MessageBytes, 64<<20)
		or(&s.Limits.Depth, 256)
		or(&s.Limits.MessagesPerCall, 10_000)
		if s.Redact == nil {
			s.Redact = func(line string) string { return line }
		}
	}
	or(&o.config.PublicURL, "https://aims.example.com")
	h.gateway, err = New(o.config, Parts{
		Directory: h.directory, Enforcer: h.enforcer, Inventory: h.inventory, Held: hold.New(h.approvals, o.waiting), Log: log, Now: o.now,
	})
	must(t, err)
	for name, err := range h.gateway.Survey(ctx) {
		t.Logf("survey of %s: %v", name, err)
	}
	_, err = h.enforcer.ActivatePolicy(ctx, aims.System, "", []pdp.Source{{Name: "test.cedar", Text: []byte(o.policies)}})
	must(t, err)
	h.key, h.other = h.newKey("alice"), h.newKey("bob")
	var server *httptest.Server
	if o.serve != nil {
		h.url = o.serve(h.gateway)
	} else {
		server = httptest.NewServer(h.gateway)
		h.url = server.URL
	}
	t.Cleanup(func() {
		h.gateway.Close(ctx)
		if server != nil {
			server.Close()
		}
		h.ledger.Close(ctx)
		db.Close()
	})
	return h
}

func (h *house) newKey(id string, roles ...string) string {
	h.t.Helper()
	_, secret, err := h.directory.CreateKey(context.Background(), aims.System, "", identity.NewKey{Actor: aims.Actor{Type: aims.AgentType, ID: id}, Roles: roles})
	must(h.t, err)
	return secret.Reveal()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overHTTP(name, url string) Server {
	return Server{Config: upstream.Config{Name: name, URL: url}, Timeout: 20 * time.Second}
}

// record is a decision or refusal with its outcome.
type record struct {
	receipt.Decision
	kind    receipt.Kind
	outcome *receipt.Outcome
}

// records are the decisions and refusals of the log, in order.
func (h *house) records() []record {
	h.t.Helper()
	var all []record
	at := map[uint64]int{}
	for leaf, err := range h.ledger.Entries(context.Background(), 0, h.ledger.Size()) {
		must(h.t, err)
		switch leaf.Kind {
		case receipt.DecisionKind, receipt.RefusalKind:
			d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
			must(h.t, err)
			at[leaf.Index] = len(all)
			all = append(all, record{Decision: *d, kind: leaf.Kind})
		case receipt.OutcomeKind:
			o, err := receipt.DecodeOutcome(leaf.Body)
			must(h.t, err)
			i, ok := at[leaf.Closes]
			if !ok || all[i].outcome != nil {
				h.t.Fatalf("an outcome closes %d, which is no open decision", leaf.Closes)
			}
			all[i].outcome = o
		}
	}
	return all
}

// of are the records of one method, such as tools/call.
func (h *house) of(method string) []record {
	return slices.DeleteFunc(h.records(), func(r record) bool { return r.Method != method })
}

// last waits for the last record of a method to be closed, if it has to be.
func (h *house) last(method string) record {
	h.t.Helper()
	var found record
	eventually(h.t, "a closed receipt of "+method, func() bool {
		all := h.of(method)
		if len(all) == 0 {
			return false
		}
		found = all[len(all)-1]
		return found.kind == receipt.RefusalKind || found.outcome != nil
	})
	return found
}

// noneOpen checks that every decision has its outcome.
func (h *house) noneOpen() {
	h.t.Helper()
	eventually(h.t, "every decision has an outcome", func() bool {
		return !slices.ContainsFunc(h.records(), func(r record) bool { return r.kind == receipt.DecisionKind && r.outcome == nil })
	})
}

// payload is what the vault keeps of a receipt.
func (h *house) payload(id, name string) string {
	h.t.Helper()
	leaf, err := h.ledger.Find(context.Background(), id)
	must(h.t, err)
	kept, err := h.ledger.Payloads(context.Background(), leaf.Index)
	must(h.t, err)
	for _, p := range kept {
		if p.Name == name {
			return string(p.Data)
		}
	}
	return ""
}

// events are the names of the log's events that begin with one of prefixes, with
// what they are about.
func (h *house) events(prefixes ...string) []receipt.Event {
	h.t.Helper()
	var found []receipt.Event
	for leaf, err := range h.ledger.Entries(context.Background(), 0, h.ledger.Size()) {
		must(h.t, err)
		if leaf.Kind != receipt.EventKind {
			continue
		}
		e, err := receipt.DecodeEvent(leaf.Body)
		must(h.t, err)
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.Name, p) }) {
			found = append(found, *e)
		}
	}
	return found
}

// pending is the one approval that waits for people.
func (h *house) pending() approval.Request {
	h.t.Helper()
	var found []approval.Request
	eventually(h.t, "an approval is asked for", func() bool {
		all, _, err := h.approvals.List(context.Background(), approval.Filter{})
		must(h.t, err)
		found = slices.DeleteFunc(all, func(r approval.Request) bool { return r.State != approval.Pending })
		return len(found) > 0
	})
	if len(found) != 1 {
		h.t.Fatalf("%d approvals wait", len(found))
	}
	return found[0]
}

// vote gives a manager's word to what waits.
func (h *house) vote(grant bool) {
	h.t.Helper()
	manager := aims.Actor{Type: aims.PersonType, ID: "mia"}
	_, err := h.approvals.Vote(context.Background(), manager, []string{"manager"}, aims.NewID("rcp"), h.pending().ID, grant, "")
	must(h.t, err)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}
