package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/corrective"
	"aims/internal/policy/guards"
)

const payingServer = `servers:
  - name: robot
    tools: [{name: pay, effects: [pay], input: {type: object, properties: {amount: {type: integer}}, required: [amount]}}]
`

// keyless are the operations that take no key, because they know nobody.
var keyless = []string{"/api/v1/concerns/anonymous", "/api/v1/concerns/follow"}

// pay asks whether an agent may pay, and returns the receipt of the decision.
func (o *office) pay(key string) (receipt string, allowed bool) {
	o.t.Helper()
	ask := `{"subject":{"type":"agent","id":"agent-reader"},"action":{"name":"tools/call"},"resource":{"type":"tool","id":"robot___pay"},
"context":{"session":"s-1","arguments":{"amount":500}}}`
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.app.URL()+"/access/v1/evaluation", strings.NewReader(ask))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Decision bool `json:"decision"`
		Context  struct {
			ID string `json:"id"`
		} `json:"context"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		o.t.Fatal(err)
	}
	return answer.Context.ID, answer.Decision
}

// step posts a step of a nonconformity.
func (o *office) step(c *api.Client, path string, in any) (corrective.Nonconformity, error) {
	var n corrective.Nonconformity
	err := c.Do(o.t.Context(), http.MethodPost, "/api/v1/nonconformities"+path, in, &n)
	return n, err
}

// An action that changes policy is implemented when the policies in force refuse
// the recorded case and the threat model passes under them, and not before.
func TestPolicyActionIsProved(t *testing.T) {
	s := newSite(t, payingServer)
	o := &office{s, s.run()}
	mara, _ := o.as(aims.PersonType, "mara", "aims_manager")
	call, allowed := o.pay(s.agentKey(o.app, "reader"))
	if !allowed || call == "" {
		t.Fatalf("%q, %t", call, allowed)
	}
	must := func(n corrective.Nonconformity, err error) corrective.Nonconformity {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := must(o.step(mara, "", corrective.NewNonconformity{
		Source: corrective.FromPerson, Requirement: "A.9.2", Grade: corrective.Major, Statement: "a payment without approval", Evidence: []string{call},
	}))
	must(o.step(mara, "/"+n.ID+"/correct", api.Text{Text: "called back"}))
	must(o.step(mara, "/"+n.ID+"/analyse", corrective.CauseAnalysis{Extent: "e", RootCause: "r", Cause: "no-approval"}))
	today := corrective.Date(time.Now().UTC().Format(time.DateOnly))
	must(o.step(mara, "/"+n.ID+"/plan", corrective.ActionPlan{
		Actions: []corrective.NewAction{{Text: "hold payments", Owner: "otto", Due: today, Kind: corrective.PolicyAction}}, ReviewFrom: today,
	}))
	done := corrective.Implementation{Action: "a1", Note: "held", Case: call}
	_, err := o.step(mara, "/"+n.ID+"/implement", done)
	if codeOf(err) != "conflict" || !strings.Contains(err.Error(), "still allowed") || !strings.Contains(err.Error(), "rehearsal does not pass") {
		t.Fatalf("under the policies that let it through: %v", err)
	}
	files, err := guards.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		s.write("policies/"+f.Name, string(f.Text))
	}
	s.write("policies/held.cedar", strings.Replace(heldPolicy, `action in Action::"call_tool"`, `action == Action::"robot___pay"`, 1))
	var check api.PolicyCheck
	if err := o.admin(o.app).Do(t.Context(), http.MethodPost, "/api/v1/policy/activate", api.PolicyActivation{}, &check); err != nil || !check.Valid {
		t.Fatalf("%+v, %v", check, err)
	}
	if n, err = o.step(mara, "/"+n.ID+"/implement", done); err != nil || n.State != corrective.Implemented {
		t.Fatalf("%+v, %v", n, err)
	}
	p := n.Actions[0].Proof
	if p.Policy != o.app.policyInForce() || p.Case != call || p.Before != "allow" || p.After == "allow" || p.Replay.Changed == 0 ||
		!strings.HasPrefix(p.Replay.List, "sha256:") || p.Rehearsal.Scenarios == 0 {
		t.Errorf("%+v", p)
	}
}

// Who may do what about a nonconformity: nobody judges their own action, also
// not as an administrator, and nobody gives a state.
func TestWhoJudgesCorrectiveAction(t *testing.T) {
	o := newOffice(t, "")
	mara, _ := o.as(aims.PersonType, "mara", "aims_manager")
	rex, _ := o.as(aims.PersonType, "rex", "aims_reviewer")
	otto, _ := o.as(aims.PersonType, "otto", "admin", "aims_reviewer")
	clerk, _ := o.as(aims.PersonType, "carl", "clerk")
	agent, _ := o.as(aims.AgentType, "billing", "aims_manager", "aims_reviewer", "admin")
	raise := map[string]any{"source": "person", "requirement": "8.3", "grade": "minor", "statement": "x"}
	for who, c := range map[string]*api.Client{"a clerk": clerk, "an agent": agent, "a reviewer": rex} {
		if _, err := o.step(c, "", raise); codeOf(err) != "denied" {
			t.Errorf("%s raised: %v", who, err)
		}
	}
	n, err := o.step(mara, "", raise)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{"state": "closed", "status": "closed", "actions": []string{}, "id": "nc_1"} {
		raise[name] = value
		if _, err := o.step(mara, "", raise); codeOf(err) != "invalid" {
			t.Errorf("with %s: %v", name, err)
		}
		delete(raise, name)
	}
	today := corrective.Date(time.Now().UTC().Format(time.DateOnly))
	for _, step := range []struct {
		path string
		in   any
	}{
		{"/correct", api.Text{Text: "x"}}, {"/analyse", corrective.CauseAnalysis{Extent: "e", RootCause: "r", Cause: "c"}},
		{"/plan", corrective.ActionPlan{Actions: []corrective.NewAction{{Text: "x", Owner: "otto", Due: today, Kind: corrective.ProcessAction}}, ReviewFrom: today}},
	} {
		if n, err = o.step(mara, "/"+n.ID+step.path, step.in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.step(clerk, "/"+n.ID+"/implement", corrective.Implementation{Action: "a1", Note: "x"}); codeOf(err) != "denied" {
		t.Errorf("somebody else implemented it: %v", err)
	}
	if _, err := o.step(mara, "/"+n.ID+"/implement", corrective.Implementation{Action: "a1", Note: "x"}); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]*api.Client{"its owner, an administrator": otto, "who recorded it": mara, "an agent": agent} {
		for _, path := range []string{"/review", "/waive"} {
			var in any = api.Text{Text: "x"}
			if path == "/review" {
				in = corrective.ReviewFinds{Effective: true, Note: "x"}
			}
			if _, err := o.step(c, "/"+n.ID+path, in); codeOf(err) != "denied" {
				t.Errorf("%s, %s: %v", who, path, err)
			}
		}
	}
}

// A report without a name leaves neither a key nor an address nor a person in the
// log, the database or what the operator reads.
func TestAnonymousConcernLeavesNoTrace(t *testing.T) {
	o := newOffice(t, "")
	nobody := o.client(o.app, "")
	size := o.app.ledger.Size()
	var done api.ConcernReported
	if err := nobody.Do(t.Context(), http.MethodPost, "/api/v1/concerns/anonymous", api.Text{Text: "the robot frightens visitors"}, &done); err != nil {
		t.Fatal(err)
	}
	var seen corrective.Concern
	if err := nobody.Do(t.Context(), http.MethodPost, "/api/v1/concerns/follow", api.ConcernToken{Token: done.Token}, &seen); err != nil || seen.Steps[0].Words["text"] == "" {
		t.Fatalf("%+v, %v", seen, err)
	}
	if err := o.admin(o.app).Do(t.Context(), http.MethodPost, "/api/v1/concerns/anonymous", api.Text{Text: "x"}, nil); codeOf(err) != "invalid" {
		t.Errorf("with a key: %v", err)
	}
	if grown := o.app.ledger.Size() - size; grown != 1 {
		t.Errorf("the log has %d entries more, and not the concern alone", grown)
	}
	for leaf, err := range o.app.ledger.Entries(t.Context(), size, size+1) {
		if err != nil || bytes.Contains(leaf.Raw, []byte("person")) || bytes.Contains(leaf.Raw, []byte("key_")) || bytes.Contains(leaf.Raw, []byte("127.0.0.1")) {
			t.Errorf("%s, %v", leaf.Raw, err)
		}
	}
	if err := o.app.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aims-data/aims.db", "aims-data/aims.db-wal"} {
		data, err := os.ReadFile(o.path(name))
		if err != nil {
			continue
		}
		if bytes.Contains(data, []byte(done.Token)) {
			t.Errorf("%s holds the token", name)
		}
	}
	if log := o.log.String(); strings.Contains(log, "frightens") || strings.Contains(log, done.ID) || strings.Contains(log, done.Token) {
		t.Errorf("the operator's log tells of it:\n%s", log)
	}
}
