package authzen

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/ledger"
	"aims/internal/policy"
	"aims/internal/session"
	"aims/internal/store/sqlite"
	"aims/pdp"
	"aims/receipt"

	"golang.org/x/mod/sumdb/note"
)

const policies = `
@id("clerk-pays") @reason("Clerks pay up to 1000.")
permit (principal in Role::"clerk", action == Action::"payments___transfer_funds", resource)
when { context.input.amount.lessThanOrEqual(decimal("1000.0")) };

@id("clerk-lists")
permit (principal in Role::"clerk", action in [Action::"payments___list.accounts", Action::"resources/read"], resource);

@id("no-payments-to-mallory") @reason("Mallory is on the list.") @control("A.9.2") @threat("ASI02")
forbid (principal, action == Action::"payments___transfer_funds", resource)
when { context.input has to && context.input.to == "mallory" };

@id("large") @reason("Large payments need a manager.") @hold("manager")
forbid (principal, action == Action::"payments___transfer_funds", resource)
when { context.input.amount.greaterThan(decimal("500.0")) } unless { context has approval && context.approval.roles.contains("manager") };

@id("s-7") @reason("Not in this session.")
forbid (principal, action, resource) when { context.session.id == "s-7" };

@id("paying-only") @reason("This session is for reading.")
forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.session.purpose == "reading" };
`

// installation is an installation on SQLite with its decision API.
type installation struct {
	t         testing.TB
	ledger    *ledger.Ledger
	enforcer  *enforcement.Enforcer
	approvals *approval.Approvals
	url       string
	clerk     string // bearer of agent clerk-1, who is a clerk
	other     string // bearer of agent other, who is nothing
	pep       string // bearer of agent edge, who is a pep
}

func newInstallation(t testing.TB, o Options) *installation {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "aims.db"), time.Now,
		ledger.Schema(), identity.Schema(), inventory.Schema(), policy.Schema(), session.Schema(), approval.Schema())
	must(t, err)
	private, _, err := note.GenerateKey(nil, "example.org/log")
	must(t, err)
	signer, err := note.NewSigner(private)
	must(t, err)
	in := &installation{t: t}
	in.ledger, err = ledger.Open(ctx, db, ledger.Options{Origin: "example.org/log", Signer: signer, Now: time.Now, Log: log})
	must(t, err)
	directory, err := identity.Open(ctx, db, in.ledger, identity.Options{Now: time.Now, Log: log})
	must(t, err)
	tools, err := inventory.Open(ctx, db, in.ledger, inventory.Options{Log: log})
	must(t, err)
	administration, err := policy.Open(ctx, db, in.ledger, policy.Options{Log: log})
	must(t, err)
	runs, err := session.Open(ctx, db, in.ledger, session.Options{Now: time.Now, Log: log})
	must(t, err)
	in.approvals = approval.New(db, in.ledger, approval.Options{Now: time.Now, Log: log})
	in.enforcer = enforcement.New(in.ledger, tools, administration, runs, enforcement.Options{Now: time.Now, Log: log, Approvals: in.approvals})
	_, err = tools.DeployAgent(ctx, aims.System, "", inventory.Agent{ID: "clerk-1", Stage: "deployed", Purposes: []string{"paying", "reading"}}, inventory.Gate{})
	must(t, err)
	_, err = in.enforcer.ObserveTools(ctx, "payments", []inventory.Tool{
		{Name: "transfer_funds", Definition: json.RawMessage(`{"name":"transfer_funds","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"to":{"type":"string"}},"required":["amount"]}}`)},
		{Name: "list.accounts", Definition: json.RawMessage(`{"name":"list.accounts","inputSchema":{"type":"object"}}`)},
	})
	must(t, err)
	_, err = in.enforcer.ActivatePolicy(ctx, aims.System, "", []pdp.Source{{Name: "test.cedar", Text: []byte(policies)}})
	must(t, err)
	key := func(id string, roles ...string) string {
		_, secret, err := directory.CreateKey(ctx, aims.System, "", identity.NewKey{Actor: aims.Actor{Type: aims.AgentType, ID: id}, Roles: roles})
		must(t, err)
		return secret.Reveal()
	}
	in.clerk, in.other, in.pep = key("clerk-1", "clerk"), key("other"), key("edge", Role)
	o.Approvals = in.approvals
	server := httptest.NewServer(New(directory, in.enforcer, o))
	in.url = server.URL
	t.Cleanup(func() {
		server.Close()
		in.ledger.Close(ctx)
		db.Close()
	})
	return in
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// post posts a body and returns status and answer.
func (in *installation) post(bearer, path, body string) (int, map[string]any, http.Header) {
	in.t.Helper()
	req, err := http.NewRequest(http.MethodPost, in.url+path, strings.NewReader(body))
	must(in.t, err)
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	must(in.t, err)
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		in.t.Fatalf("HTTP %d without a JSON object: %v", resp.StatusCode, err)
	}
	return resp.StatusCode, out, resp.Header
}

// decision is the recorded decision with the id.
func (in *installation) decision(id string) (receipt.Kind, receipt.Decision) {
	in.t.Helper()
	leaf, err := in.ledger.Find(in.t.Context(), id)
	must(in.t, err)
	d, err := receipt.DecodeDecision(leaf.Kind, leaf.Body)
	must(in.t, err)
	return leaf.Kind, *d
}

// input is what the vault keeps of a decision's arguments.
func (in *installation) input(id string) string {
	in.t.Helper()
	leaf, err := in.ledger.Find(in.t.Context(), id)
	must(in.t, err)
	kept, err := in.ledger.Payloads(in.t.Context(), leaf.Index)
	must(in.t, err)
	for _, p := range kept {
		if p.Name == receipt.InputPayload {
			return string(p.Data)
		}
	}
	return ""
}

func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}
