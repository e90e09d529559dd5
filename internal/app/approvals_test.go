package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/approval"
	"aims/internal/ledger"
	"aims/internal/notify"
	"aims/internal/store"
	"aims/receipt"
)

const heldPolicy = `@id("treasurer-releases") @reason("payments wait for the treasurer") @hold("treasurer")
forbid (principal, action in Action::"call_tool", resource)
unless { context has approval && context.approval.roles.contains("treasurer") };
`

// office is a running installation with people in it.
type office struct {
	*site
	app *App
}

func newOffice(t *testing.T, config string) *office {
	s := newSite(t, config)
	s.write("policies/held.cedar", heldPolicy)
	return &office{s, s.run()}
}

// as is a client of an actor in roles, and the id of its key.
func (o *office) as(kind, id string, roles ...string) (*api.Client, string) {
	o.t.Helper()
	var key api.KeySecret
	ask := api.NewKey{Actor: api.Actor{Type: kind, ID: id}, Roles: roles}
	if err := o.admin(o.app).Do(o.t.Context(), http.MethodPost, "/api/v1/keys", ask, &key); err != nil {
		o.t.Fatal(err)
	}
	return o.client(o.app, key.Secret), key.ID
}

// hold opens a request as a held call does.
func (o *office) hold(arguments string, roles ...string) approval.Request {
	o.t.Helper()
	input, err := approval.InputDigest([]byte(arguments))
	if err != nil {
		o.t.Fatal(err)
	}
	asked := approval.Request{
		Binding: approval.Binding{
			Agent: "billing", Session: "s-1", Action: "desk___pay", Server: "desk", Tool: "pay", Pin: "sha256:pin", Input: input, Policy: o.app.policyInForce(),
		},
		Purpose: "invoices", Operator: "oscar", OnBehalfOf: "rita", Roles: roles, Decision: aims.NewID("rcp"),
		Summary: approval.Summary(nil, nil, []byte(arguments), func(s string) string { return s }),
	}
	var opened approval.Request
	_, err = o.app.ledger.Change(o.t.Context(), func(tx *store.Tx) (ledger.Entry, error) {
		if opened, err = o.app.approvals.OpenIn(tx, asked); err != nil {
			return ledger.Entry{}, err
		}
		return approval.RequestedEntry(opened)
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return opened
}

func (o *office) post(c *api.Client, path string, body any) (api.ApprovalRequest, error) {
	var r api.ApprovalRequest
	err := c.Do(o.t.Context(), http.MethodPost, "/api/v1/approvals/"+path, body, &r)
	return r, err
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if refused, ok := errors.AsType[*api.RefusedError](err); ok {
		return refused.Code
	}
	return err.Error()
}

func TestWhoGrantsAHeldCall(t *testing.T) {
	o := newOffice(t, "")
	tess, _ := o.as(aims.PersonType, "tess", "treasurer")
	tom, tomsKey := o.as(aims.PersonType, "tom", "treasurer")
	rita, _ := o.as(aims.PersonType, "rita", "treasurer")
	oscar, _ := o.as(aims.PersonType, "oscar", "treasurer", "admin")
	clerk, _ := o.as(aims.PersonType, "carl", "clerk")
	auditor, _ := o.as(aims.PersonType, "ann", "auditor")
	agent, _ := o.as(aims.AgentType, "billing", "treasurer", "admin")
	admin := o.admin(o.app)
	if err := admin.Do(t.Context(), http.MethodPost, "/api/v1/keys/"+tomsKey+"/revoke", nil, nil); err != nil {
		t.Fatal(err)
	}
	nobody := o.client(o.app, "")
	held := o.hold(`{"amount":500}`, "treasurer")
	for what, c := range map[string]struct {
		client *api.Client
		path   string
		want   string
	}{
		"the person it is for":                {rita, held.ID + "/grant", "denied"},
		"the agent's operator, also as admin": {oscar, held.ID + "/grant", "denied"},
		"an administrator without the role":   {admin, held.ID + "/grant", "denied"},
		"an auditor":                          {auditor, held.ID + "/grant", "denied"},
		"somebody in another role":            {clerk, held.ID + "/grant", "denied"},
		"somebody in another role denies":     {clerk, held.ID + "/deny", "denied"},
		"the agent":                           {agent, held.ID + "/grant", "denied"},
		"a revoked key":                       {tom, held.ID + "/grant", "unauthenticated"},
		"no key":                              {nobody, held.ID + "/grant", "unauthenticated"},
		"a forged id":                         {tess, aims.NewID("apr") + "/grant", "not_found"},
		"a forged id, for others":             {clerk, aims.NewID("apr") + "/grant", "denied"},
	} {
		if _, err := o.post(c.client, c.path, api.ApprovalNote{}); codeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
	if got, err := o.app.approvals.Get(t.Context(), held.ID); err != nil || got.State != approval.Pending || len(got.Votes) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	granted, err := o.post(tess, held.ID+"/grant", api.ApprovalNote{Note: "saw the invoice"})
	if err != nil || granted.State != "granted" || len(granted.Votes) != 1 || granted.Votes[0].Person != "tess" {
		t.Fatalf("%+v, %v", granted, err)
	}
	if _, err := o.post(tess, held.ID+"/grant", api.ApprovalNote{}); codeOf(err) != "conflict" {
		t.Errorf("twice: %v", err)
	}
	if _, ok, err := o.app.approvals.Granted(t.Context(), held.Binding); !ok || err != nil {
		t.Errorf("not usable: %v", err)
	}
	// Stopping a call needs no duties kept apart.
	for _, c := range []*api.Client{rita, admin, tess} {
		other := o.hold(`{"by":"`+aims.NewID("x")+`"}`, "treasurer")
		if got, err := o.post(c, other.ID+"/deny", api.ApprovalNote{}); err != nil || got.State != "denied" {
			t.Errorf("denied: %+v, %v", got, err)
		}
	}
}

// There is no way over the API to write what state a request is in.
func TestStatusIsNothingThatIsWritten(t *testing.T) {
	o := newOffice(t, "")
	tess, _ := o.as(aims.PersonType, "tess", "security")
	held := o.hold(`{}`, "treasurer")
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete} {
		for _, c := range []*api.Client{tess, o.admin(o.app)} {
			for _, path := range []string{held.ID, held.ID + "/state", held.ID + "/granted", held.ID + "/use"} {
				err := c.Do(t.Context(), method, "/api/v1/approvals/"+path, map[string]any{"state": "granted"}, nil)
				if err == nil {
					t.Errorf("%s %s is answered", method, path)
				}
			}
		}
	}
	for _, body := range []map[string]any{{"state": "granted"}, {"note": "x", "roles": []string{"treasurer"}}, {"person": "tess"}} {
		if _, err := o.post(o.admin(o.app), held.ID+"/deny", body); codeOf(err) != "invalid" {
			t.Errorf("%v: %v", body, err)
		}
	}
	if got, err := o.app.approvals.Get(t.Context(), held.ID); err != nil || got.State != approval.Pending {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhoSeesHeldCalls(t *testing.T) {
	o := newOffice(t, "")
	clients := map[string]*api.Client{"admin": o.admin(o.app)}
	for name, role := range map[string]string{"tess": "treasurer", "sam": "security", "ann": "auditor", "carl": "clerk", "rita": "clerk"} {
		clients[name], _ = o.as(aims.PersonType, name, role)
	}
	clients["agent"], _ = o.as(aims.AgentType, "billing", "treasurer")
	// The active policies name treasurers, so the list is theirs to see before the first hold.
	var page api.ApprovalPage
	if err := clients["tess"].Do(t.Context(), http.MethodGet, "/api/v1/approvals", nil, &page); err != nil || len(page.Approvals) != 0 {
		t.Errorf("an empty list: %+v, %v", page, err)
	}
	held := o.hold(`{"amount":500}`, "treasurer")
	o.hold(`{"amount":501}`, "security")
	for name, want := range map[string][2]string{
		"admin": {"", ""}, "ann": {"", ""}, "tess": {"", ""}, "sam": {"", "denied"}, "rita": {"denied", ""}, "carl": {"denied", "denied"}, "agent": {"denied", "denied"},
	} {
		var page api.ApprovalPage
		err := clients[name].Do(t.Context(), http.MethodGet, "/api/v1/approvals", nil, &page)
		if codeOf(err) != want[0] || err == nil && len(page.Approvals) != 2 {
			t.Errorf("%s lists %d: %v", name, len(page.Approvals), err)
		}
		for _, r := range page.Approvals {
			if r.Summary != "" {
				t.Errorf("the list shows %s the arguments", name)
			}
		}
		var one api.ApprovalRequest
		if err := clients[name].Do(t.Context(), http.MethodGet, "/api/v1/approvals/"+held.ID, nil, &one); codeOf(err) != want[1] {
			t.Errorf("%s sees one: %v", name, err)
		} else if err == nil && !strings.Contains(one.Summary, "500") {
			t.Errorf("%s sees %+v", name, one)
		}
	}
}

func TestWaitingForPeopleOverTheAPI(t *testing.T) {
	o := newOffice(t, "")
	tess, _ := o.as(aims.PersonType, "tess", "treasurer")
	held := o.hold(`{}`, "treasurer")
	var wg sync.WaitGroup
	wg.Go(func() {
		var got api.ApprovalRequest
		err := tess.Do(t.Context(), http.MethodGet, "/api/v1/approvals/"+held.ID+"?wait=50", nil, &got)
		if err != nil || got.State != "granted" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	if _, err := o.post(tess, held.ID+"/grant", api.ApprovalNote{}); err != nil {
		t.Error(err)
	}
	wg.Wait()
	other := o.hold(`{"n":1}`, "treasurer")
	var got api.ApprovalRequest
	if err := tess.Do(t.Context(), http.MethodGet, "/api/v1/approvals/"+other.ID+"?wait=1", nil, &got); err != nil || got.State != "pending" {
		t.Errorf("after a second: %+v, %v", got, err)
	}
}

func TestPeopleAreTold(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	t.Setenv("AIMS_TEST_HOOK", secret)
	got := make(chan string, 8)
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want, err := notify.Signature(secret, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		if err != nil || r.Header.Get("webhook-signature") != want {
			t.Errorf("the signature is not of the secret: %v", err)
		}
		got <- r.URL.Path + " " + string(body)
	}))
	defer desk.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer refusing.Close()
	o := newOffice(t, `notifications:
  - {name: all, webhook: "`+desk.URL+`/all", secret: env:AIMS_TEST_HOOK, roles: [treasurer]}
  - {name: bare, webhook: "`+desk.URL+`/bare", secret: env:AIMS_TEST_HOOK, without_arguments: true}
  - {name: refusing, webhook: "`+refusing.URL+`", secret: env:AIMS_TEST_HOOK}
`)
	held := o.hold(`{"to":"a stranger"}`, "treasurer")
	o.hold(`{"to":"another"}`, "security") // not for the first
	messages := map[string]string{}
	for range 3 {
		path, body, _ := strings.Cut(<-got, " ")
		if strings.Contains(body, held.ID) {
			messages[path] = body
		} else if path == "/all" {
			t.Errorf("a message for another role: %s", body)
		}
	}
	var message struct {
		Type string
		Data struct{ ID, Subject, Text, Details, Link string }
	}
	if err := json.Unmarshal([]byte(messages["/all"]), &message); err != nil {
		t.Fatal(err)
	}
	if message.Data.ID != held.ID || message.Data.Details != `arguments: {"to":"a stranger"}` || message.Data.Link != o.app.URL()+"/approvals/"+held.ID {
		t.Errorf("%+v", message)
	}
	for _, want := range []string{"who:   billing, operated by oscar, for rita, purpose invoices", "what:  desk___pay", "needs: treasurer", "until: ", "aims approvals grant " + held.ID} {
		if !strings.Contains(message.Data.Text, want) {
			t.Errorf("the message does not say %q:\n%s", want, message.Data.Text)
		}
	}
	if strings.Contains(messages["/bare"], "stranger") {
		t.Errorf("arguments went where they should not: %s", messages["/bare"])
	}
	o.eventually("notification.failed", 1)
	o.hold(`{"to":"a third"}`, "treasurer")
	<-got
	<-got
	if n := o.count("notification.failed"); n != 1 {
		t.Errorf("%d receipts of failed notifications in a moment", n)
	}
}

// count is how often an event is in the log.
func (o *office) count(name string) (n int) {
	for leaf, err := range o.app.ledger.Entries(context.Background(), 0, o.app.ledger.Size()) {
		if err != nil {
			o.t.Fatal(err)
		}
		if leaf.Kind == receipt.EventKind && strings.Contains(string(leaf.Body), `"`+name+`"`) {
			n++
		}
	}
	return n
}

// eventually waits until an event is in the log so many times.
func (o *office) eventually(name string, times int) {
	o.t.Helper()
	deadline, stop := context.WithTimeout(o.t.Context(), 30*time.Second)
	defer stop()
	for o.count(name) < times {
		select {
		case <-deadline.Done():
			o.t.Fatalf("%s is in the log %d times", name, o.count(name))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestUntoldIsRecordedNowAndThen(t *testing.T) {
	var u untold
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	type taken struct {
		Others int
		Record bool
	}
	var got []taken
	for _, step := range []struct {
		target string
		after  time.Duration
	}{{"a", 0}, {"a", time.Second}, {"b", 0}, {"a", time.Minute}, {"a", 10 * time.Minute}, {"a", time.Second}} {
		now = now.Add(step.after)
		others, record := u.take(step.target, now)
		got = append(got, taken{others, record})
	}
	if diff := cmp.Diff([]taken{{0, true}, {0, false}, {0, true}, {0, false}, {2, true}, {0, false}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNotificationsAreChecked(t *testing.T) {
	t.Setenv("AIMS_TEST_HOOK", "0123456789abcdef")
	t.Setenv("AIMS_TEST_SHORT", "short")
	t.Setenv("AIMS_TEST_CHAT", "slack://token-hunter2")
	t.Setenv("AIMS_TEST_NO_CHAT", "carrier-pigeon://hunter2")
	for what, c := range map[string]struct {
		text string
		line int
		say  []string
	}{
		"an expiry of nothing":      {"approvals:\n  expiry: 1ms\n", 2, []string{"approvals.expiry"}},
		"an expiry of years":        {"approvals:\n  expiry: 400d\n", 2, []string{"approvals.expiry"}},
		"too many at once":          {"approvals:\n  max_open_per_agent: 1000000\n", 2, []string{"max_open_per_agent"}},
		"no name":                   {"notifications:\n  - webhook: https://h\n    secret: env:AIMS_TEST_HOOK\n", 2, []string{"name"}},
		"a name twice":              {"notifications:\n  - {name: a, chat: env:AIMS_TEST_CHAT}\n  - {name: a, chat: env:AIMS_TEST_CHAT}\n", 3, []string{"earlier"}},
		"no channel":                {"notifications:\n  - name: a\n", 2, []string{"exactly one"}},
		"two channels":              {"notifications:\n  - name: a\n    webhook: https://h\n    chat: env:AIMS_TEST_CHAT\n", 2, []string{"exactly one"}},
		"an unsigned webhook":       {"notifications:\n  - name: a\n    webhook: https://h\n", 2, []string{"secret"}},
		"a short secret":            {"notifications:\n  - name: a\n    webhook: https://h\n    secret: env:AIMS_TEST_SHORT\n", 4, []string{"16"}},
		"no address":                {"notifications:\n  - name: a\n    webhook: h\n    secret: env:AIMS_TEST_HOOK\n", 3, []string{"http"}},
		"a chat address in clear":   {"notifications:\n  - name: a\n    chat: slack://hunter2\n", 3, []string{"env:NAME"}},
		"a chat that is none":       {"notifications:\n  - name: a\n    chat: env:AIMS_TEST_NO_CHAT\n", 3, []string{"carrier-pigeon"}},
		"a mail server of no port":  {"notifications:\n  - name: a\n    mail:\n      server: h\n      from: a@example.com\n      to: [b@example.com]\n", 3, []string{"host:port"}},
		"mail to nobody":            {"notifications:\n  - name: a\n    mail:\n      server: h:25\n      from: a@example.com\n", 3, []string{"nobody"}},
		"a password in the clear":   {"notifications:\n  - name: a\n    mail: {server: \"h:25\", from: a@example.com, to: [b@example.com], tls: none, username: x, password: env:AIMS_TEST_HOOK}\n", 3, []string{"clear"}},
		"a password of nobody":      {"notifications:\n  - name: a\n    mail:\n      server: h:25\n      from: a@example.com\n      to: [b@example.com]\n      password: env:AIMS_TEST_HOOK\n", 7, []string{"username"}},
		"a role that nobody can be": {"notifications:\n  - name: a\n    chat: env:AIMS_TEST_CHAT\n    roles: [The Boss]\n", 4, []string{"The Boss"}},
	} {
		found := problems(t, c.text)
		if len(found) == 0 {
			t.Errorf("%s: accepted", what)
			continue
		}
		if found[0].Line != c.line {
			t.Errorf("%s: line %d, want %d: %s", what, found[0].Line, c.line, found[0].Text)
		}
		for _, s := range c.say {
			if !strings.Contains(found[0].Text, s) {
				t.Errorf("%s: %q does not say %q", what, found[0].Text, s)
			}
		}
		if strings.Contains(found[0].Text, "hunter2") {
			t.Errorf("%s: a secret is repeated: %q", what, found[0].Text)
		}
	}
	cfg, err := parse(t, "notifications:\n  - name: a\n    mail: {server: \"h:25\", from: a@example.com, to: [b@example.com], username: x, password: env:AIMS_TEST_HOOK}\n")
	if err != nil || cfg.Notifications[0].Mail.TLS != notify.StartTLS || time.Duration(cfg.Approvals.Expiry) != 15*time.Minute || cfg.Approvals.MaxOpenPerAgent != 20 {
		t.Errorf("%+v, %v", cfg, err)
	}
	if n := len(cfg.secrets()); n == 0 || os.Getenv("AIMS_TEST_HOOK") != cfg.Notifications[0].Mail.password.Reveal() {
		t.Error("the password is not among the secrets")
	}
}
