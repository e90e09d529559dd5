package authzen

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"aims/authz"
	"aims/internal/aims"
	"aims/receipt"
)

const clerkSubject = `"subject":{"type":"agent","id":"clerk-1"}`

func transfer(arguments string) string {
	return `{` + clerkSubject + `,"action":{"name":"tools/call"},"resource":{"type":"tool","id":"payments___transfer_funds","properties":` + arguments + `},"context":{"session":"s-1"}}`
}

func TestEvaluation(t *testing.T) {
	in := newInstallation(t, Options{})
	tests := []struct {
		name, body string
		want       authz.Verdict
		text       string // of reason_user
		input      string // recorded
		action     string
	}{
		{"allowed", transfer(`{"amount":500}`), authz.Allow, "", `{"amount":500}`, "payments___transfer_funds"},
		{"no policy permits it", transfer(`{"amount":500.01}`), authz.Hold, "held until somebody releases it: Large payments need a manager.", `{"amount":500.01}`, "payments___transfer_funds"},
		{"forbidden", transfer(`{"amount":5,"to":"mallory"}`), authz.Deny, "denied: Mallory is on the list.", `{"amount":5,"to":"mallory"}`, "payments___transfer_funds"},
		{"arguments that do not fit", transfer(`{"amount":"all"}`), authz.Deny, "argument amount: expected a number", `{"amount":"all"}`, "payments___transfer_funds"},
		{"arguments in the context",
			`{` + clerkSubject + `,"action":{"name":"payments___transfer_funds"},"resource":{"type":"tool","id":"payments.transfer_funds","properties":{}},"context":{"arguments":{"amount":1},"time":"now"}}`,
			authz.Allow, "", `{"amount":1}`, "payments___transfer_funds"},
		{"a tool with a dot in its name", `{` + clerkSubject + `,"action":{"name":"tools/call"},"resource":{"type":"tool","id":"payments.list.accounts"},"foo":"bar"}`,
			authz.Allow, "", `{}`, "payments___list.accounts"},
		{"a method", `{` + clerkSubject + `,"action":{"name":"resources/read"},"resource":{"type":"mcp_server","id":"payments","properties":{"uri":"bank://a"}}}`,
			authz.Allow, "", `{"uri":"bank://a"}`, "resources/read"},
		{"a method that no policy permits", `{` + clerkSubject + `,"action":{"name":"prompts/get"},"resource":{"type":"mcp_server","id":"payments"}}`,
			authz.Deny, "denied: no policy permits it", `{}`, "prompts/get"},
		{"an unknown method", `{` + clerkSubject + `,"action":{"name":"resources/steal"},"resource":{"type":"mcp_server","id":"payments"}}`,
			authz.Deny, "there is no such action", "", "resources/steal"},
		{"an unknown tool", `{` + clerkSubject + `,"action":{"name":"tools/call"},"resource":{"type":"tool","id":"payments___steal"}}`,
			authz.Deny, "there is no such tool", "", "payments___steal"},
		{"a session that policy knows", strings.Replace(transfer(`{"amount":1}`), "s-1", "s-7", 1), authz.Deny, "denied: Not in this session.", `{"amount":1}`, "payments___transfer_funds"},
		{"roles in the request are not believed", `{"subject":{"type":"agent","id":"clerk-1","properties":{"roles":["manager"]}},"action":{"name":"tools/call","properties":{"a":1}},"resource":{"type":"tool","id":"payments.transfer_funds","properties":{"amount":501}}}`,
			authz.Hold, "held until", `{"amount":501}`, "payments___transfer_funds"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, got, _ := in.post(in.clerk, "/access/v1/evaluation", test.body)
			if code != http.StatusOK || at(got, "decision") != (test.want == authz.Allow) || text(got, "context", "verdict") != string(test.want) {
				t.Fatalf("HTTP %d, %v", code, got)
			}
			if said := text(got, "context", "reason_user", "en"); !strings.HasPrefix(said, test.text) || (test.text == "") != (said == "") {
				t.Errorf("reason %q, want %q", said, test.text)
			}
			kind, d := in.decision(text(got, "context", "id"))
			if (kind == receipt.DecisionKind) != (test.want == authz.Allow) || d.Verdict != test.want {
				t.Errorf("recorded as %s with %s", kind, d.Verdict)
			}
			if d.Channel != "authzen" || d.Method != "evaluation" || d.Action != test.action || *d.Actor != (receipt.Party{Type: "agent", ID: "clerk-1"}) {
				t.Errorf("recorded %+v", d)
			}
			if got := in.input(text(got, "context", "id")); got != test.input {
				t.Errorf("recorded input %s, want %s", got, test.input)
			}
		})
	}
}

func TestAnswerNamesThePolicies(t *testing.T) {
	in := newInstallation(t, Options{})
	_, got, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":5,"to":"mallory"}`))
	if text(got, "context", "reason_admin", "en") != "forbidden by no-payments-to-mallory" || !strings.HasPrefix(text(got, "context", "reason_admin", "policy"), "sha256:") {
		t.Errorf("reason_admin %v", at(got, "context", "reason_admin"))
	}
	reasons, _ := at(got, "context", "reasons").([]any)
	if len(reasons) != 1 || text(reasons[0], "policy") != "no-payments-to-mallory" || text(reasons[0], "effect") != "forbid" ||
		fmt.Sprint(at(reasons[0], "controls"), at(reasons[0], "threats")) != "[A.9.2] [ASI02]" {
		t.Errorf("reasons %v", reasons)
	}
}

// The shapes that AuthZEN wants refused, and those in which a request would
// have two readings.
func TestMalformedRequests(t *testing.T) {
	in := newInstallation(t, Options{MaxBody: 1 << 16})
	const action, resource = `"action":{"name":"tools/call"}`, `"resource":{"type":"tool","id":"payments.list.accounts"}`
	tests := map[string]struct {
		body string
		want int
	}{
		"empty":                     {``, 400},
		"not JSON":                  {`{`, 400},
		"trailing":                  {`{` + clerkSubject + `,` + action + `,` + resource + `}}`, 400},
		"a list":                    {`[]`, 400},
		"no subject":                {`{` + action + `,` + resource + `}`, 400},
		"no action":                 {`{` + clerkSubject + `,` + resource + `}`, 400},
		"no resource":               {`{` + clerkSubject + `,` + action + `}`, 400},
		"subject without type":      {`{"subject":{"id":"clerk-1"},` + action + `,` + resource + `}`, 400},
		"subject without id":        {`{"subject":{"type":"agent"},` + action + `,` + resource + `}`, 400},
		"subject is a string":       {`{"subject":"clerk-1",` + action + `,` + resource + `}`, 400},
		"action without name":       {`{` + clerkSubject + `,"action":{},` + resource + `}`, 400},
		"action name is a number":   {`{` + clerkSubject + `,"action":{"name":1},` + resource + `}`, 400},
		"resource without id":       {`{` + clerkSubject + `,` + action + `,"resource":{"type":"tool"}}`, 400},
		"properties are a list":     {`{` + clerkSubject + `,` + action + `,"resource":{"type":"tool","id":"payments.a","properties":[]}}`, 400},
		"context is a string":       {`{` + clerkSubject + `,` + action + `,` + resource + `,"context":"x"}`, 400},
		"session is a number":       {`{` + clerkSubject + `,` + action + `,` + resource + `,"context":{"session":1}}`, 400},
		"arguments are a list":      {`{` + clerkSubject + `,` + action + `,` + resource + `,"context":{"arguments":[]}}`, 400},
		"member twice":              {`{` + clerkSubject + `,` + clerkSubject + `,` + action + `,` + resource + `}`, 400},
		"argument twice":            {transfer(`{"amount":1,"amount":900}`), 400},
		"argument twice, escaped":   {transfer(`{"amount":1,"\u0061mount":900}`), 400},
		"arguments in two places":   {`{` + clerkSubject + `,` + action + `,"resource":{"type":"tool","id":"payments.transfer_funds","properties":{"amount":1}},"context":{"arguments":{"amount":900}}}`, 400},
		"invalid UTF-8":             {transfer("{\"to\":\"\xff\"}"), 400},
		"unknown kind of resource":  {`{` + clerkSubject + `,` + action + `,"resource":{"type":"book","id":"1"}}`, 400},
		"no server in a tool's id":  {`{` + clerkSubject + `,` + action + `,"resource":{"type":"tool","id":"transfer_funds"}}`, 400},
		"server in capitals":        {`{` + clerkSubject + `,` + action + `,"resource":{"type":"tool","id":"Payments.transfer_funds"}}`, 400},
		"another action on a tool":  {`{` + clerkSubject + `,"action":{"name":"resources/read"},` + resource + `}`, 400},
		"tools/call on a server":    {`{` + clerkSubject + `,` + action + `,"resource":{"type":"mcp_server","id":"payments"}}`, 400},
		"all servers":               {`{` + clerkSubject + `,"action":{"name":"resources/read"},"resource":{"type":"mcp_server","id":"*"}}`, 400},
		"a tool as a server's":      {`{` + clerkSubject + `,"action":{"name":"files___read"},"resource":{"type":"mcp_server","id":"payments"}}`, 200},
		"too large":                 {transfer(`{"to":"` + strings.Repeat("x", 1<<16) + `"}`), 413},
		"semantic without meaning":  {`{` + clerkSubject + `,` + action + `,"options":{"evaluations_semantic":"any"},"evaluations":[{` + resource + `}]}`, 400},
		"evaluations are an object": {`{` + clerkSubject + `,` + action + `,` + resource + `,"evaluations":{}}`, 400},
		"default is a string":       {`{"subject":"x","evaluations":[{` + resource + `}]}`, 400},
		"too many evaluations":      {`{` + clerkSubject + `,` + action + `,"evaluations":[` + strings.Repeat(`{},`, 300) + `{}]}`, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := "/access/v1/evaluation"
			if strings.Contains(test.body, "evaluations") {
				path += "s"
			}
			code, got, _ := in.post(in.clerk, path, test.body)
			if code != test.want {
				t.Fatalf("HTTP %d, want %d: %v", code, test.want, got)
			}
			if code == 200 {
				if at(got, "decision") != false {
					t.Errorf("%v", got)
				}
				return
			}
			if !strings.HasPrefix(text(got, "error", "message"), "expected ") || text(got, "error", "code") != "invalid" {
				t.Errorf("unclear error: %v", got)
			}
			if kind, d := in.decision(text(got, "error", "receipt")); kind != receipt.RefusalKind || d.Actor == nil || d.Cause == "" {
				t.Errorf("refusal recorded as %s %+v", kind, d)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	in := newInstallation(t, Options{})
	for _, bearer := range []string{"", "aims_wrong", "x"} {
		code, got, h := in.post(bearer, "/access/v1/evaluation", transfer(`{"amount":1}`))
		if code != 401 || text(got, "error", "code") != "unauthenticated" || h.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: HTTP %d, %v", bearer, code, got)
		}
		if _, d := in.decision(text(got, "error", "receipt")); d.Actor != nil {
			t.Errorf("%q: refusal recorded for %v", bearer, d.Actor)
		}
	}
	resp, err := http.Post(in.url+"/access/v1/evaluation", "text/plain", strings.NewReader(transfer(`{}`)))
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
}

func TestContentTypeAndMethod(t *testing.T) {
	in := newInstallation(t, Options{})
	for want, req := range map[int]*http.Request{
		400: request(t, in, http.MethodPost, "text/plain"),
		405: request(t, in, http.MethodGet, "application/json"),
	} {
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("HTTP %d, want %d", resp.StatusCode, want)
		}
	}
}

func request(t *testing.T, in *installation, method, kind string) *http.Request {
	req, err := http.NewRequest(method, in.url+"/access/v1/evaluation", strings.NewReader(transfer(`{"amount":1}`)))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+in.clerk)
	req.Header.Set("Content-Type", kind)
	return req
}

func TestOnBehalf(t *testing.T) {
	in := newInstallation(t, Options{})
	t.Run("not without the role", func(t *testing.T) {
		code, got, _ := in.post(in.other, "/access/v1/evaluation", transfer(`{"amount":1}`))
		if code != 403 || text(got, "error", "code") != "denied" {
			t.Fatalf("HTTP %d, %v", code, got)
		}
		if _, d := in.decision(text(got, "error", "receipt")); d.Actor.ID != "other" || d.Policy != "" {
			t.Errorf("recorded %+v", d)
		}
	})
	t.Run("the subject's own roles decide", func(t *testing.T) {
		_, got, _ := in.post(in.pep, "/access/v1/evaluation", transfer(`{"amount":1}`))
		if at(got, "decision") != true {
			t.Fatalf("%v", got)
		}
		_, d := in.decision(text(got, "context", "id"))
		if d.Actor.ID != "clerk-1" || d.Via == nil || *d.Via != (receipt.Party{Type: "agent", ID: "edge"}) {
			t.Errorf("recorded %+v", d)
		}
		_, got, _ = in.post(in.pep, "/access/v1/evaluation", strings.Replace(transfer(`{"amount":1}`), "clerk-1", "other", 1))
		if at(got, "decision") != false {
			t.Errorf("an agent without roles may pay: %v", got)
		}
	})
	t.Run("nobody unknown", func(t *testing.T) {
		for _, subject := range []string{`{"type":"agent","id":"nobody"}`, `{"type":"user","id":"clerk-1"}`, `{"type":"system","id":"aims"}`} {
			code, got, _ := in.post(in.pep, "/access/v1/evaluation", strings.Replace(transfer(`{"amount":1}`), clerkSubject, `"subject":`+subject, 1))
			if code != 404 {
				t.Errorf("%s: HTTP %d, %v", subject, code, got)
			}
		}
	})
}

func decisions(got map[string]any) []bool {
	list, _ := got["evaluations"].([]any)
	out := []bool{}
	for _, e := range list {
		d, _ := at(e, "decision").(bool)
		out = append(out, d)
	}
	return out
}

func TestEvaluations(t *testing.T) {
	in := newInstallation(t, Options{})
	pay := func(amount string) string {
		return `{"resource":{"type":"tool","id":"payments.transfer_funds","properties":{"amount":` + amount + `}}}`
	}
	batch := func(options string, items ...string) string {
		return `{` + clerkSubject + `,"action":{"name":"tools/call"},"context":{"session":"s-1"},` + options + `"evaluations":[` + strings.Join(items, ",") + `]}`
	}
	const first, some = `"options":{"evaluations_semantic":"deny_on_first_deny","more":1},`, `"options":{"evaluations_semantic":"permit_on_first_permit"},`
	tests := map[string]struct {
		body string
		want []bool
	}{
		"all":                    {batch("", pay("1"), pay("900"), pay("2")), []bool{true, false, true}},
		"all, said":              {batch(`"options":{"evaluations_semantic":"execute_all"},`, pay("900"), pay("1")), []bool{false, true}},
		"options without one":    {batch(`"options":{},`, pay("1")), []bool{true}},
		"stop at deny":           {batch(first, pay("1"), pay("900"), pay("2")), []bool{true, false}},
		"no deny":                {batch(first, pay("1"), pay("2")), []bool{true, true}},
		"stop at permit":         {batch(some, pay("900"), pay("1"), pay("2")), []bool{false, true}},
		"no permit":              {batch(some, pay("900"), pay("901")), []bool{false, false}},
		"a failure is a deny":    {batch(first, `{}`, pay("1")), []bool{false}},
		"failures stand alone":   {batch("", pay("1"), `{}`, `{"resource":"x"}`, `7`, pay("2")), []bool{true, false, false, false, true}},
		"an entity is overruled": {batch("", pay("1"), `{"subject":{"type":"agent","id":"other"},`+pay("1")[1:]), []bool{true, false}},
		"the context too":        {batch("", pay("1"), `{"context":{"session":"s-7"},`+pay("1")[1:]), []bool{true, false}},
		"missing parts of an entity": {
			`{` + clerkSubject + `,"action":{"name":"tools/call"},"resource":{"type":"tool","id":"payments.transfer_funds","properties":{"amount":1}},` +
				`"evaluations":[{},{"resource":{"properties":{"amount":900}}},{"resource":{"id":"payments.list.accounts"}},{"resource":{}}]}`,
			[]bool{true, false, true, false}}, // the last has no amount: properties are not inherited by another resource
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, got, _ := in.post(in.clerk, "/access/v1/evaluations", test.body)
			if code != 200 || !slices.Equal(decisions(got), test.want) {
				t.Errorf("HTTP %d, %v, want %v", code, got, test.want)
			}
			if _, ok := got["decision"]; ok {
				t.Error("a decision beside the evaluations")
			}
		})
	}
	t.Run("what was not asked is not recorded", func(t *testing.T) {
		before := in.ledger.Size()
		in.post(in.clerk, "/access/v1/evaluations", batch(first, pay("900"), pay("1"), pay("2")))
		if n := in.ledger.Size() - before; n != 1 {
			t.Errorf("%d receipts", n)
		}
	})
	t.Run("an error is told with its status", func(t *testing.T) {
		_, got, _ := in.post(in.clerk, "/access/v1/evaluations", batch("", `{}`))
		list := got["evaluations"].([]any)
		if at(list[0], "context", "error", "status") != 400.0 || !strings.HasPrefix(text(list[0], "context", "id"), "rcp_") {
			t.Errorf("%v", got)
		}
	})
	for name, body := range map[string]string{
		"without evaluations":    transfer(`{"amount":1}`),
		"with empty evaluations": strings.Replace(transfer(`{"amount":1}`), `{`, `{"evaluations":[],`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			code, got, _ := in.post(in.clerk, "/access/v1/evaluations", body)
			if code != 200 || at(got, "decision") != true || got["evaluations"] != nil {
				t.Errorf("HTTP %d, %v", code, got)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	in := newInstallation(t, Options{MaxBody: 1 << 16})
	ask := func(bearer string) string {
		_, got, _ := in.post(bearer, "/access/v1/evaluation", transfer(`{"amount":1}`))
		return text(got, "context", "id")
	}
	report := func(bearer, id, rest string) int {
		code, _, _ := in.post(bearer, "/access/v1/outcome", `{"id":"`+id+`",`+rest+`}`)
		return code
	}
	id := ask(in.clerk)
	for name, test := range map[string]struct {
		bearer, id, rest string
		want             int
	}{
		"not the caller's":        {in.other, id, `"status":"succeeded"`, 404},
		"an enforcement point's":  {in.pep, id, `"status":"succeeded"`, 404},
		"no such decision":        {in.clerk, "rcp_0198c0de-0000-7000-8000-000000000000", `"status":"succeeded"`, 404},
		"no id of a receipt":      {in.clerk, "7", `"status":"succeeded"`, 400},
		"no status":               {in.clerk, id, `"detail":"x"`, 400},
		"not the caller's to say": {in.clerk, id, `"status":"unknown"`, 400},
		"detail is no text":       {in.clerk, id, `"status":"failed","detail":7`, 400},
		"too large":               {in.clerk, id, `"status":"failed","result":"` + strings.Repeat("x", 1<<16) + `"`, 413},
		"nobody":                  {"", id, `"status":"succeeded"`, 401},
	} {
		if got := report(test.bearer, test.id, test.rest); got != test.want {
			t.Errorf("%s: HTTP %d, want %d", name, got, test.want)
		}
	}
	before := in.ledger.Size()
	if got := report(in.clerk, id, `"status":"failed","result":{"paid":false},"detail":"no funds"`); got != 200 {
		t.Fatalf("HTTP %d", got)
	}
	leaf, err := in.ledger.Entry(t.Context(), before)
	must(t, err)
	if leaf.Kind != receipt.OutcomeKind || !bytes.Contains(leaf.Body, []byte(`"status":"failed"`)) || bytes.Contains(leaf.Body, []byte("paid")) {
		t.Errorf("recorded %s %s", leaf.Kind, leaf.Body)
	}
	if got := report(in.clerk, id, `"status":"succeeded"`); got != http.StatusConflict {
		t.Errorf("a second outcome: HTTP %d", got)
	}
	asked := ask(in.pep)
	if got := report(in.other, asked, `"status":"succeeded"`); got != 404 {
		t.Errorf("of what another asked for: HTTP %d", got)
	}
	if got := report(in.pep, asked, `"status":"succeeded"`); got != 200 {
		t.Errorf("on behalf: HTTP %d", got)
	}
	_, refused, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
	if got := report(in.clerk, text(refused, "context", "id"), `"status":"succeeded"`); got != 404 {
		t.Errorf("the outcome of a refusal: HTTP %d", got)
	}
}

func TestFloodOfRefusals(t *testing.T) {
	in := newInstallation(t, Options{})
	for range 300 {
		code, got, h := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":900}`))
		if code == 429 {
			if text(got, "error", "code") != "exhausted" || h.Get("Retry-After") == "" {
				t.Errorf("%v", got)
			}
			return
		}
	}
	t.Error("300 refusals in a row were recorded one by one")
}

func TestUnrecordableIsRefused(t *testing.T) {
	in := newInstallation(t, Options{})
	must(t, in.ledger.Close(t.Context()))
	code, got, _ := in.post(in.clerk, "/access/v1/evaluation", transfer(`{"amount":1}`))
	if code != 503 || got["decision"] != nil || text(got, "error", "code") != string(aims.Unavailable) {
		t.Errorf("HTTP %d, %v", code, got)
	}
	code, got, _ = in.post(in.clerk, "/access/v1/evaluations", `{"evaluations":[`+transfer(`{"amount":1}`)+`]}`)
	if code != 200 || !slices.Equal(decisions(got), []bool{false}) {
		t.Errorf("HTTP %d, %v", code, got)
	}
}

func TestRequestIdAndMetadata(t *testing.T) {
	in := newInstallation(t, Options{PublicURL: "https://aims.example/"})
	req := request(t, in, http.MethodPost, "application/json")
	req.Header.Set("X-Request-ID", "r-1")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("X-Request-ID"); got != "r-1" {
		t.Errorf("request id %q", got)
	}
	resp, err = http.Get(in.url + "/.well-known/authzen-configuration")
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	want := `{"policy_decision_point":"https://aims.example","access_evaluation_endpoint":"https://aims.example/access/v1/evaluation",` +
		`"access_evaluations_endpoint":"https://aims.example/access/v1/evaluations","aims_outcome_endpoint":"https://aims.example/access/v1/outcome",` +
		`"aims_session_endpoint":"https://aims.example/access/v1/session","access_request_endpoint":"https://aims.example/access/v1/requests"}`
	if string(body) != want || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s", body)
	}
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		transfer(`{"amount":1}`), `{"evaluations":[{},{"resource":{"id":"x"}}],"options":{"evaluations_semantic":"execute_all"}}`,
		`{"subject":{"type":"a","id":"\ud83d\ude00"}}`, `{"context":{"arguments":{},"session":""}}`, `[`, `{"subject":1}`, "{\"a\":\"\xff\"}", `{}{}`, `{"subject":{"type":"a","type":"b"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePayload(b)
		if err != nil {
			return
		}
		if p.evaluations != nil {
			items, err := elements(p.evaluations, 8)
			if err == nil && len(items) > 8 {
				t.Fatalf("%d evaluations", len(items))
			}
		}
		parseSemantic(p.options)
		q, err := parseQuestion(p.evaluation, evaluation{})
		if err != nil {
			return
		}
		if q.subject.kind == "" || q.subject.id == "" || q.action.id == "" || q.resource.kind == "" || q.resource.id == "" {
			t.Fatalf("a question with a hole: %+v", q)
		}
		if call, err := callOf(q); err == nil && call.Server == "" {
			t.Fatalf("a call to no server: %+v", call)
		}
		parseReport(b)
	})
}

// BenchmarkEvaluation is a decision with its durable receipt, over HTTP on
// loopback, at 64 connections.
func BenchmarkEvaluation(b *testing.B) {
	in := newInstallation(b, Options{})
	body := transfer(`{"amount":500,"to":"a recipient"}`)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest(http.MethodPost, in.url+"/access/v1/evaluation", strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+in.clerk)
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body := []byte(transfer(`{"amount":500,"to":"a recipient"}`))
	b.ReportAllocs()
	for b.Loop() {
		p, err := parsePayload(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := parseQuestion(p.evaluation, evaluation{}); err != nil {
			b.Fatal(err)
		}
	}
}
