package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/upstream"
	"aims/receipt"
)

// inputRequest is what a server of the stateless revision asks in an
// input_required result.
type inputRequest struct {
	key    string
	method string
	params json.RawMessage
}

// maxInputs bounds what a server may ask in one round, maxRounds the rounds.
const (
	maxInputs = 32
	maxRounds = 10
)

// inputRequests are what an input_required result asks, in a fixed order.
func (s *server) inputRequests(m *envelope.Message) ([]inputRequest, error) {
	at, ok := m.Member(envelope.Result, "inputRequests")
	if !ok {
		return nil, nil // it only asks to come again
	}
	var byKey map[string]json.RawMessage
	if err := json.Unmarshal(m.Raw()[at.Start:at.End], &byKey); err != nil {
		return nil, s.unusable(err, "malformed requests for input")
	}
	if len(byKey) > maxInputs {
		return nil, s.unusable(nil, "more than %d requests for input at a time", maxInputs)
	}
	var asked []inputRequest
	for key, r := range byKey {
		// Read to the letter, as agents do: a member in other case is another.
		method, ok := textMember(r, "method")
		params, has := rawMember(r, "params")
		if !has {
			params = json.RawMessage(`{}`)
		}
		if !ok || method == "" || params[0] != '{' {
			return nil, s.unusable(nil, "malformed requests for input")
		}
		asked = append(asked, inputRequest{key, method, params})
	}
	slices.SortFunc(asked, func(a, b inputRequest) int {
		if a.key < b.key {
			return -1
		}
		return 1
	})
	return asked, nil
}

// vet decides about what an input_required result asks of an agent of the
// stateless revision. Refused means that the result is not handed out and the
// agent was told why.
func (x *exchange) vet(ctx context.Context, t *task, m *envelope.Message) (refused bool, err error) {
	asked, err := t.srv.inputRequests(m)
	if err != nil {
		return false, x.failed(ctx, t, err)
	}
	for _, a := range asked {
		if _, known := capabilityOf(a.method); !known && !x.g.isExtension(a.method) {
			return false, x.failed(ctx, t, t.srv.unusable(nil, "a request for input that is not known"))
		}
		r, err := x.g.decide(ctx, x.askedCall(t.srv, a.method))
		if err != nil {
			return false, x.failed(ctx, t, err)
		}
		if !r.Allowed() {
			o := outcomeOf(m)
			o.Detail = "the server asks for input that policy refuses"
			if err := x.close(ctx, t, o); err != nil {
				return false, err
			}
			return true, x.refused(r)
		}
		// Whether the agent comes back with it, nobody knows before it does.
		if err := x.g.closeRuling(ctx, r, enforcement.Outcome{Status: receipt.Succeeded, Detail: "handed to the agent"}); err != nil {
			return false, err
		}
	}
	return false, nil
}

// rounds forwards a request of an agent in a session to a server of the
// stateless revision: what the server asks for is asked of the agent on its
// stream, and the request repeated with the answers (2026-07-28, multi
// round-trip requests).
func (x *exchange) rounds(ctx context.Context, t *task, c *conn) error {
	var more []envelope.Edit
	for round := 0; ; round++ {
		a, err := x.send(ctx, t, c, more)
		if err != nil {
			return x.failed(ctx, t, err)
		}
		if text, _ := a.Message.Text(envelope.ResultType); text != "input_required" {
			defer a.Release()
			return x.relay(ctx, t, a)
		}
		if round == maxRounds {
			a.Release()
			return x.failed(ctx, t, t.srv.unusable(nil, "requests for input %d times in a row", maxRounds))
		}
		more, err = x.inputs(ctx, t, c, &a.Message)
		a.Release()
		if err != nil {
			return x.failed(ctx, t, err)
		}
		t.patience.wait(t.srv.timeout, errTimeout)
	}
}

// loadPause is how long a server is left alone that asks for nothing but to come again.
const loadPause = time.Second

// inputs asks the agent what the server asks for. It returns the edits that put the
// answers into the request.
func (x *exchange) inputs(ctx context.Context, t *task, c *conn, m *envelope.Message) ([]envelope.Edit, error) {
	asked, err := t.srv.inputRequests(m)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		if err := pause(ctx, loadPause); err != nil {
			return nil, err
		}
	}
	answers := make(chan answered, len(asked))
	for _, a := range asked {
		if err := x.askAgent(ctx, t, c, a, answers); err != nil {
			return nil, err
		}
	}
	responses := map[string]json.RawMessage{}
	for range asked {
		select {
		case a := <-answers:
			if a.err != nil {
				return nil, a.err
			}
			responses[a.key] = a.result
		case <-ctx.Done():
			x.sess.dropQuestions(x, context.Cause(ctx))
			return nil, context.Cause(ctx)
		}
	}
	return x.inputEdits(m, responses)
}

func (x *exchange) inputEdits(m *envelope.Message, responses map[string]json.RawMessage) ([]envelope.Edit, error) {
	b, err := json.Marshal(responses)
	if err != nil {
		return nil, err
	}
	var edits []envelope.Edit
	if len(responses) > 0 {
		edits = append(edits, x.msg.Set(envelope.Params, "inputResponses", b))
	}
	if at, ok := m.Member(envelope.Result, "requestState"); ok {
		edits = append(edits, x.msg.Set(envelope.Params, "requestState", m.Raw()[at.Start:at.End]))
	}
	return edits, nil
}

type answered struct {
	key    string
	result json.RawMessage
	err    error
}

// askAgent has one request for input decided and asks it of the agent.
func (x *exchange) askAgent(ctx context.Context, t *task, c *conn, a inputRequest, to chan<- answered) error {
	r, refusal, err := x.g.mayBeAsked(ctx, x.client, x.askedCall(t.srv, a.method))
	if err != nil {
		return err
	}
	if refusal != nil {
		return &fault{status: http.StatusOK, code: refusal.code, text: "the server " + t.srv.name + " needs " + a.method + " of the client: " + refusal.text}
	}
	raw := upstream.Request(0, a.method, a.params)
	m, err := envelope.Parse(raw, anySize)
	if err != nil {
		return t.srv.unusable(err, "malformed requests for input")
	}
	q := &question{of: x, task: t, conn: c, tell: x.out.send, ruling: r}
	q.answer = func(ctx context.Context, m *envelope.Message) {
		got := answered{key: a.key, result: slices.Clone(m.Bytes(envelope.Result))}
		if got.err = x.g.closeRuling(ctx, r, outcomeOf(m)); got.err == nil && m.Has(envelope.Error) {
			got.err = errRefusedInput
		}
		to <- got
	}
	return x.sess.ask(ctx, q, &m)
}

// errRefusedInput says that there is no answer to give to the server: its
// revision has results for a person's refusal, and none for an error.
var errRefusedInput = errors.New("the client answered the server's request for input with an error")

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
