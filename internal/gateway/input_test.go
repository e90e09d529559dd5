package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aims/internal/gateway/envelope"
	"aims/receipt"

	"github.com/google/go-cmp/cmp"
)

// asking is a server with sessions that asks for a name in the course of a
// call, and says what it got.
type asking struct {
	script
	answers chan string // what it was answered
}

func newAsking() *asking {
	a := &asking{answers: make(chan string, 16)}
	a.legacy = true
	a.on = func(w http.ResponseWriter, r *http.Request, m *envelope.Message) {
		switch {
		case m.Kind == envelope.Response:
			a.answers <- string(m.Raw())
		case m.Kind == envelope.Request:
			event(w, []byte(`{"jsonrpc":"2.0","id":"up-1","method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"type":"object"}}}`))
			select {
			case got := <-a.answers:
				text, _ := json.Marshal(got)
				event(w, envelope.EncodeResult(m.Bytes(envelope.ID), fmt.Appendf(nil, `{"content":[{"type":"text","text":%s}]}`, text)))
			case <-r.Context().Done():
			}
		}
	}
	return a
}

// retry is the agent coming back with its answers.
func retry(r request, state, responses string) request {
	quoted, _ := json.Marshal(state)
	r.body = strings.Replace(r.body, `"params":{`, `"params":{"requestState":`+string(quoted)+`,"inputResponses":`+responses+`,`, 1)
	return r
}

const myName = `{"input-1":{"action":"accept","content":{"name":"Ann"}}}`

func stateOf(a answer) string {
	state, _ := at(a.last(), "result", "requestState").(string)
	return state
}

// TestInputAcrossRevisions follows one call of an agent without a session to a
// server with one, which asks for input in between.
func TestInputAcrossRevisions(t *testing.T) {
	up := newAsking()
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	greet := call("greet", `{"text":"a"}`)
	first := h.send(greet)
	want := map[string]any{"method": "elicitation/create", "params": map[string]any{"message": "Name?", "requestedSchema": map[string]any{"type": "object"}}}
	if diff := cmp.Diff(want, at(first.last(), "result", "inputRequests", "input-1")); diff != "" || at(first.last(), "result", "resultType") != "input_required" {
		t.Fatalf("the agent is asked %s: %s", first.body, diff)
	}
	decided := h.of("tools/call")
	if len(decided) != 1 || decided[0].outcome != nil {
		t.Errorf("while the server waits, recorded is %+v", decided)
	}
	again := retry(greet, stateOf(first), myName)
	again.body = strings.Replace(again.body, `"id":1`, `"id":"second"`, 1)
	second := h.send(again)
	if got := second.text(); got != `{"jsonrpc":"2.0","id":"up-1","result":{"action":"accept","content":{"name":"Ann"}}}` {
		t.Errorf("the server was answered %s", second.body)
	}
	if second.last()["id"] != "second" || at(second.last(), "result", "_meta", metaReceipt) != decided[0].ID {
		t.Errorf("the result: %s", second.body)
	}
	if got := h.of("tools/call"); len(got) != 1 || got[0].outcome.Status != receipt.Succeeded {
		t.Errorf("recorded: %+v", got)
	}
	if got := h.of("elicitation/create"); len(got) != 1 || got[0].outcome.Status != receipt.Succeeded || !strings.Contains(h.payload(h.outcomeOf(got[0]), receipt.ResultPayload), "Ann") {
		t.Errorf("recorded: %+v", got)
	}
	if len(up.all("tools/call")) != 1 {
		t.Errorf("the server was called %d times", len(up.all("tools/call")))
	}
}

// TestSealedState attacks the state that the agent carries.
func TestSealedState(t *testing.T) {
	up := newAsking()
	now := time.Now()
	h := newHouse(t, houseOptions{now: func() time.Time { return now }, config: Config{Servers: []Server{up.server(t, "s")}}})
	greet := call("greet", `{"text":"a"}`)
	ask := func() string {
		state := stateOf(h.send(greet))
		if state == "" {
			t.Fatal("nothing was asked")
		}
		return state
	}
	refused := func(name string, r request) {
		t.Helper()
		a := h.send(r)
		last := h.records()[len(h.records())-1]
		if a.status != http.StatusBadRequest || a.code() != -32602 || last.Cause != "invalid request state" {
			t.Errorf("%s: HTTP %d %s; recorded %+v", name, a.status, a.body, last.Decision)
		}
	}
	state := ask()
	for i := range len(state) {
		changed := []byte(state)
		if changed[i]++; changed[i] == '"' || changed[i] == '\\' {
			changed[i]++
		}
		if i%7 == 0 {
			refused(fmt.Sprintf("byte %d changed", i), retry(greet, string(changed), myName))
		}
	}
	refused("cut", retry(greet, state[:len(state)-1], myName))
	refused("longer", retry(greet, state+"A", myName))
	refused("tampered", retry(greet, state+"-TAMPERED", myName))
	refused("somebody else's", retry(greet, "aims1.AAAA", myName))
	refused("other arguments", retry(call("greet", `{"text":"b"}`), state, myName))
	other := retry(greet, state, myName)
	other.key = h.other
	refused("another agent", other)
	elsewhere := retry(call("s___greet", `{"text":"a"}`), state, myName)
	elsewhere.path = "/mcp"
	refused("another endpoint", elsewhere)
	if len(up.answers) != 0 {
		t.Fatal("a forged state reached the server")
	}
	if a := h.send(retry(greet, state, myName)); !strings.Contains(a.text(), "Ann") {
		t.Errorf("the true one: %s", a.body)
	}
	refused("used twice", retry(greet, state, myName))
	state = ask()
	now = now.Add(7 * time.Minute)
	refused("expired", retry(greet, state, myName))
}

// TestAnswersThatAreMissing checks that what was not answered is asked again,
// and that an agent that never comes back ends the call.
func TestAnswersThatAreMissing(t *testing.T) {
	up := newAsking()
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}, Limits: Limits{InputWait: 300 * time.Millisecond}}})
	greet := call("greet", `{}`)
	first := h.send(greet)
	second := h.send(retry(greet, stateOf(first), `{"unknown":{"action":"accept"}}`))
	if at(second.last(), "result", "inputRequests", "input-1", "method") != "elicitation/create" || stateOf(second) == stateOf(first) {
		t.Errorf("without the answer: %s", second.body)
	}
	third := h.send(retry(greet, stateOf(second), `{"input-1":12345}`))
	if at(third.last(), "result", "inputRequests", "input-1", "method") != "elicitation/create" {
		t.Errorf("with an answer that is none: %s", third.body)
	}
	if got := h.last("tools/call").outcome; got.Status != receipt.TimedOut || got.Detail != errNoInput.Error() {
		t.Errorf("recorded: %+v", got)
	}
	eventually(t, "the server is told", func() bool { return len(up.all("notifications/cancelled")) > 0 })
	if a := h.send(retry(greet, stateOf(third), myName)); a.code() != codeTimeout {
		t.Errorf("too late: HTTP %d %s", a.status, a.body)
	}
	if a := h.send(retry(greet, stateOf(third), myName)); a.code() != -32602 {
		t.Errorf("and again: HTTP %d %s", a.status, a.body)
	}
	h.noneOpen()
}

func TestAgentThatCannotBeAsked(t *testing.T) {
	up := newAsking()
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	greet := call("greet", `{}`)
	greet.body = strings.Replace(greet.body, `"elicitation":{},`, ``, 1)
	if a := h.send(greet); !strings.Contains(a.text(), `"code":-32601`) || len(h.of("elicitation/create")) != 0 {
		t.Errorf("the server was answered %s", a.body)
	}
}

// TestAnswerInASession checks that a question reaches the agent that is asked,
// under an id of the gateway's own, and that only that agent answers it, once.
func TestAnswerInASession(t *testing.T) {
	up := newAsking()
	h := newHouse(t, houseOptions{config: Config{Servers: []Server{up.server(t, "s")}}})
	session, foreign := h.newSession("/mcp/s", h.key), h.newSession("/mcp/s", h.other)
	resp, err := h.start(t.Context(), request{session: session, body: `{"jsonrpc":"2.0","id":"up-1","method":"tools/call","params":{"name":"greet"}}`})
	must(t, err)
	defer resp.Body.Close()
	events := json.NewDecoder(&dataLines{r: resp.Body})
	var question, result struct {
		ID     string
		Method string
		Result json.RawMessage
	}
	must(t, events.Decode(&question))
	if question.Method != "elicitation/create" || question.ID == "up-1" {
		t.Fatalf("the agent is asked %+v", question)
	}
	response := request{session: foreign, key: h.other, body: `{"jsonrpc":"2.0","id":"` + question.ID + `","result":{"action":"decline"}}`}
	if a := h.send(response); a.status != http.StatusAccepted {
		t.Errorf("another session: HTTP %d", a.status)
	}
	response.session, response.key = session, h.key
	response.body = strings.Replace(response.body, "decline", "accept", 1)
	for range 2 {
		if a := h.send(response); a.status != http.StatusAccepted {
			t.Errorf("HTTP %d", a.status)
		}
	}
	must(t, events.Decode(&result))
	if !strings.Contains(string(result.Result), "accept") || result.ID != "up-1" {
		t.Errorf("the result is %s", result.Result)
	}
	if len(up.answers) != 0 {
		t.Error("the server was answered more than once")
	}
	h.noneOpen()
}
