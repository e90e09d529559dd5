package authzen

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/receipt"
)

// vote gives a manager's word to an approval.
func (in *installation) vote(id string, grant bool) {
	in.t.Helper()
	_, err := in.approvals.Vote(context.Background(), aims.Actor{Type: aims.PersonType, ID: "mia"}, []string{"manager"}, aims.NewID("rcp"), id, grant, "")
	must(in.t, err)
}

// get looks something up.
func (in *installation) get(bearer, url string) (int, map[string]any) {
	in.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	must(in.t, err)
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	must(in.t, err)
	defer resp.Body.Close()
	var out map[string]any
	must(in.t, json.NewDecoder(resp.Body).Decode(&out))
	return resp.StatusCode, out
}

func TestHeldQuestionIsReleasedOnce(t *testing.T) {
	in := newInstallation(t, Options{PublicURL: "https://aims.example.com/"})
	_, held, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
	ask := at(held, "context", "access_request")
	id, token := text(ask, "id"), text(ask, "binding_token")
	if at(held, "decision") != false || text(ask, "endpoint") != "https://aims.example.com/access/v1/requests" || text(ask, "expires_at") == "" || token == "" {
		t.Fatalf("%v", held)
	}
	// As the profile says: SHA-256 over the canonical question, here written out by hand.
	const canonical = `{"action":{"name":"tools/call"},"context":{"session":"s-1"},"resource":{"id":"payments___transfer_funds","properties":{"amount":900},"type":"tool"},"subject":{"id":"clerk-1","type":"agent"}}`
	if sum := sha256.Sum256([]byte(canonical)); text(ask, "binding_hash") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("binding hash %s", text(ask, "binding_hash"))
	}
	submission := strings.TrimSuffix(transfer(`{ "amount": 900.0 }`), "}") + `,"denial":{"binding_token":"` + token + `"}}`
	code, task, _ := in.post(in.clerk, "/access/v1/requests", submission)
	if code != http.StatusAccepted || text(task, "task", "id") != id || text(task, "task", "status") != "pending" || task["result"] != nil {
		t.Fatalf("HTTP %d %v", code, task)
	}
	status := in.url + strings.TrimPrefix(text(task, "task", "status_endpoint"), "https://aims.example.com")
	in.vote(id, true)
	if code, task := in.get(in.clerk, status); code != 200 || text(task, "task", "status") != "approved" || text(task, "result", "mode") != "reevaluate" || text(task, "result", "approval", "id") != id {
		t.Errorf("HTTP %d %v", code, task)
	}
	_, released, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
	if at(released, "decision") != true || at(released, "context", "access_request") != nil {
		t.Fatalf("%v", released)
	}
	if _, d := in.decision(text(released, "context", "id")); d.Approval != id {
		t.Errorf("recorded %+v", d)
	}
	_, next, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
	if at(next, "decision") != false || text(next, "context", "access_request", "id") == id {
		t.Errorf("a second use: %v", next)
	}
	if _, task := in.get(in.clerk, status); text(task, "task", "status") != "used" || task["result"] != nil {
		t.Errorf("afterwards: %v", task)
	}
}

// Nobody gets a handle, or a release, for another's question or another question.
func TestAccessRequestIsForItsQuestion(t *testing.T) {
	in := newInstallation(t, Options{})
	_, held, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
	id, token := text(held, "context", "access_request", "id"), text(held, "context", "access_request", "binding_token")
	with := func(question, token string) string {
		return strings.TrimSuffix(question, "}") + `,"denial":{"binding_token":"` + token + `"}}`
	}
	payload, _, _ := strings.Cut(token, ".")
	for name, test := range map[string]struct {
		bearer, body string
		want         int
	}{
		"other arguments":      {in.clerk, with(transfer(`{"amount":901}`), token), 400},
		"an argument more":     {in.clerk, with(transfer(`{"amount":900,"to":"x"}`), token), 400},
		"another session":      {in.clerk, with(strings.Replace(transfer(`{"amount":900}`), "s-1", "s-2", 1), token), 400},
		"another subject":      {in.clerk, with(strings.Replace(transfer(`{"amount":900}`), "clerk-1", "other", 1), token), 400},
		"another caller":       {in.other, with(transfer(`{"amount":900}`), token), 403},
		"no token":             {in.clerk, transfer(`{"amount":900}`), 400},
		"a token without seal": {in.clerk, with(transfer(`{"amount":900}`), payload), 400},
		"a token of another":   {in.clerk, with(transfer(`{"amount":900}`), payload+".AAAA"), 400},
		"its pep":              {in.pep, with(transfer(`{"amount":900}`), token), 202},
	} {
		t.Run(name, func(t *testing.T) {
			code, got, _ := in.post(test.bearer, "/access/v1/requests", test.body)
			if code != test.want {
				t.Fatalf("HTTP %d %v", code, got)
			}
			if code != 202 {
				if kind, _ := in.decision(text(got, "error", "receipt")); kind != receipt.RefusalKind {
					t.Errorf("recorded as %s", kind)
				}
			}
		})
	}
	for bearer, want := range map[string]int{in.clerk: 200, in.pep: 200, in.other: 404, "aims_wrong": 401} {
		if code, got := in.get(bearer, in.url+"/access/v1/requests/"+id); code != want {
			t.Errorf("HTTP %d, want %d: %v", code, want, got)
		}
	}
	if code, _ := in.get(in.clerk, in.url+"/access/v1/requests/"+aims.NewID("apr")); code != 404 {
		t.Errorf("an unknown one: HTTP %d", code)
	}
	in.vote(id, true)
	for _, body := range []string{transfer(`{"amount":901}`), strings.Replace(transfer(`{"amount":900}`), "s-1", "s-2", 1),
		strings.TrimSuffix(transfer(`{"amount":901}`), "}}") + `,"approval":{"id":"` + id + `"}}}`} {
		if _, got, _ := in.post(in.clerk, "/access/v1/evaluation", body); at(got, "decision") != false {
			t.Errorf("%s was released: %v", body, got)
		}
	}
	in.vote(id, false) // taken back
	if _, got, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`)); at(got, "decision") != false {
		t.Errorf("released after it was taken back: %v", got)
	}
}

func TestSaidOfASession(t *testing.T) {
	in := newInstallation(t, Options{})
	inSession := func(session string) string { return strings.Replace(transfer(`{"amount":1}`), `"s-1"`, session, 1) }
	ask := func(session string) map[string]any {
		_, got, _ := in.post(in.clerk, "/access/v1/evaluation", inSession(session))
		return got
	}
	if got := ask(`{"session":"a","purpose":"paying","on_behalf_of":"ann","prompt":"Pay."}`); at(got, "decision") != true {
		t.Fatalf("%v", got)
	}
	for session, says := range map[string]string{
		`{"session":"a","purpose":"reading"}`:  "declared with another purpose",
		`{"session":"b","purpose":"stealing"}`: "not registered",
	} {
		got := ask(session)
		if kind, _ := in.decision(text(got, "context", "id")); at(got, "decision") != false || kind != receipt.RefusalKind || !strings.Contains(text(got, "context", "reason_user", "en"), says) {
			t.Errorf("%s: %v", session, got)
		}
	}
	for _, session := range []string{`{"purpos":"paying"}`, `{"purpose":7}`, `[]`, `null`, `{"session":"` + strings.Repeat("x", 300) + `"}`} {
		if code, got, _ := in.post(in.clerk, "/access/v1/evaluation", inSession(session)); code != 400 || text(got, "error", "receipt") == "" {
			t.Errorf("%s: HTTP %d %v", session, code, got)
		}
	}
	// Said beforehand, it decides what is asked with the name alone.
	code, got, _ := in.post(in.pep, "/access/v1/session", `{"subject":{"type":"agent","id":"clerk-1"},"session":"c","purpose":"reading"}`)
	if code != 200 || text(got, "session") != "c" || text(got, "id") == "" {
		t.Fatalf("HTTP %d %v", code, got)
	}
	if got := ask(`"c"`); at(got, "decision") != false || !strings.Contains(text(got, "context", "reason_user", "en"), "for reading") {
		t.Errorf("%v", got)
	}
	for body, want := range map[string]int{
		`{"session":"c","purpose":"reading"}`:                                         200,
		`{"session":"c","purpose":"paying"}`:                                          403,
		`{"session":"c"}`:                                                             400,
		`{"session":"c","purpose":"reading","why":1}`:                                 400,
		`{"subject":{"type":"agent","id":"other"},"session":"c","purpose":"reading"}`: 403,
		`{"session":"d","parent":"` + aims.NewID("rcp") + `"}`:                        403,
		`{"session":"d","prompt":"` + strings.Repeat("x", 1<<20+1) + `"}`:             400,
	} {
		code, got, _ := in.post(in.clerk, "/access/v1/session", body)
		if code != want || want != 200 && text(got, "error", "receipt") == "" || want == 200 && text(got, "id") != "" {
			t.Errorf("%s: HTTP %d %v", body[:min(len(body), 80)], code, got)
		}
	}
}
