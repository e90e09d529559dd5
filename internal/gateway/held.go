package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/hold"
)

// A held call waits for a person who is not the agent's user, so all that its
// program can do is show where the approval is given: a URL (elicitation in
// mode url). What the program answers decides nothing.

// heldCalls are the held calls of agents of the stateless revision that may
// come back with them. They hold no connection and no goroutine, and a state is
// no authority: who comes back is decided about anew.
type heldCalls struct {
	seal  seal
	mu    sync.Mutex
	calls map[[16]byte]heldCall
	of    map[aims.Actor][][16]byte // the oldest first
}

type heldCall struct {
	actor   aims.Actor
	ruling  enforcement.Ruling
	expires time.Time
	// state and responses are the agent's answer to the server, where the call
	// that is held was one.
	state, responses json.RawMessage
}

// maxHeld bounds the held calls of one agent that are remembered; the oldest
// makes room, and its agent has to begin anew. maxCarried bounds, in bytes, what
// is kept of its answer to a server.
const (
	maxHeld    = 64
	maxCarried = 64 << 10
)

func (h *heldCalls) init() (err error) {
	h.calls, h.of = map[[16]byte]heldCall{}, map[aims.Actor][][16]byte{}
	h.seal, err = newSeal(heldPrefix)
	return err
}

// put remembers a call and returns the state with which its agent comes back.
func (h *heldCalls) put(c heldCall, bound [32]byte) string {
	t := ticket{expires: c.expires}
	rand.Read(t.call[:]) // never fails
	h.mu.Lock()
	defer h.mu.Unlock()
	if own := h.of[c.actor]; len(own) >= maxHeld {
		h.drop(own[0])
	}
	h.calls[t.call] = c
	h.of[c.actor] = append(h.of[c.actor], t.call)
	return h.seal.close(t, bound)
}

// drop forgets a call. It is called with mu held.
func (h *heldCalls) drop(id [16]byte) {
	actor := h.calls[id].actor
	delete(h.calls, id)
	own := h.of[actor]
	for i := range own {
		if own[i] == id {
			own = append(own[:i:i], own[i+1:]...)
			break
		}
	}
	if h.of[actor] = own; len(own) == 0 {
		delete(h.of, actor)
	}
}

// take opens a state and returns its call, once.
func (h *heldCalls) take(state string, bound [32]byte, now time.Time) (heldCall, bool) {
	t, err := h.seal.open(state, bound, now)
	if err != nil {
		return heldCall{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.calls[t.call]
	if ok {
		h.drop(t.call)
	}
	return c, ok
}

func (h *heldCalls) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, c := range h.calls {
		if !now.Before(c.expires) {
			h.drop(id)
		}
	}
}

// canShow says whether the agent's program can send its user to the page of an
// approval, and there is one.
func (x *exchange) canShow() bool {
	if x.g.Held == nil || x.g.cfg.PublicURL == "" || len(x.client.capabilities) == 0 {
		return false
	}
	elicitation, ok := rawMember(x.client.capabilities, "elicitation")
	if !ok || elicitation[0] != '{' {
		return false
	}
	url, ok := rawMember(elicitation, "url")
	return ok && url[0] == '{'
}

// heldUp answers a request that was decided against. A held call of an agent
// whose program can show where it is released waits: here, or by coming back.
// goesOn says that it was released and is to be decided again.
func (x *exchange) heldUp(ctx context.Context, s *server, r enforcement.Ruling) (goesOn bool, err error) {
	switch {
	case r.Verdict != authz.Hold || r.Approval == "" || !x.canShow():
		return false, x.refused(r)
	case x.client.modern():
		return false, x.sendAway(ctx, heldCall{ruling: r, state: x.msg.Bytes(envelope.RequestState), responses: x.msg.Bytes(envelope.InputResponses)})
	}
	return x.waitHere(ctx, s, r)
}

// approveKey is the key of the one request for input of a held call.
const approveKey = "approve"

// elicitation asks an agent's program to show its user where a call is released.
type elicitation struct {
	Mode    string `json:"mode"`
	ID      string `json:"elicitationId,omitempty"` // 2025-11-25
	Message string `json:"message"`
	URL     string `json:"url"`
}

func (x *exchange) elicitation(r enforcement.Ruling) elicitation {
	var b strings.Builder
	b.WriteString("The call of " + r.Action + " is held and not executed until somebody releases it.")
	for _, why := range r.Reasons {
		if why.Hold != "" {
			b.WriteString(" " + strings.TrimSuffix(why.Text, ".") + " (role " + why.Hold + ").")
		}
	}
	b.WriteString(" Approval " + r.Approval + ".")
	return elicitation{Mode: "url", Message: b.String(), URL: hold.URL(x.g.cfg.PublicURL, r.Approval)}
}

// sendAway answers a held call of an agent of the stateless revision with where
// it is released, and with the state to come back with (2026-07-28, multi
// round-trip requests).
func (x *exchange) sendAway(ctx context.Context, h heldCall) error {
	bound, err := x.bound()
	if err != nil {
		return invalidParams("the arguments cannot be read")
	}
	if len(h.state)+len(h.responses) > maxCarried {
		return x.refused(h.ruling)
	}
	asked, err := x.g.Held.Get(context.WithoutCancel(ctx), h.ruling.Approval)
	if err != nil {
		return err
	}
	h.actor, h.expires = x.principal.Actor, asked.Expires.Add(lateAgents)
	type inputRequest struct {
		Method string      `json:"method"`
		Params elicitation `json:"params"`
	}
	result, err := json.Marshal(struct {
		Type     string                  `json:"resultType"`
		Requests map[string]inputRequest `json:"inputRequests"`
		State    string                  `json:"requestState"`
		Meta     map[string]any          `json:"_meta"`
	}{
		"input_required", map[string]inputRequest{approveKey: {"elicitation/create", x.elicitation(h.ruling)}},
		x.g.held.put(h, bound), map[string]any{metaReceipt: h.ruling.Receipt, metaRefusal: refusalOf(h.ruling)},
	})
	if err != nil {
		return err
	}
	return x.reply(result)
}

// comeBack waits with an agent that comes back with a held call. goesOn says
// that the request, which is then as it would be without the hold, is to be
// decided: it was released, or was not held. Otherwise it is answered.
func (x *exchange) comeBack(ctx context.Context, s *server) (goesOn bool, err error) {
	state, _ := x.msg.Text(envelope.RequestState)
	if !x.client.modern() || !strings.HasPrefix(state, heldPrefix) {
		return true, nil
	}
	bound, err := x.bound()
	if err != nil {
		return false, invalidParams("the arguments cannot be read")
	}
	h, ok := x.g.held.take(state, bound, x.g.Now())
	if !ok {
		return false, invalidState()
	}
	if x.declined() {
		return false, x.refused(h.ruling)
	}
	got, err := x.g.Held.Wait(ctx, x.principal.Actor, h.ruling.Approval, x.g.limits.HoldWait)
	if errors.Is(err, hold.ErrFull) || err == nil && got.State == approval.Pending {
		return false, x.sendAway(ctx, h)
	}
	if err != nil {
		return false, x.waitEnded(ctx, s, h.ruling, err)
	}
	if goesOn, err = x.settled(ctx, h.ruling, got); err != nil || !goesOn {
		return false, err
	}
	return true, x.restore(h)
}

// declined says whether the agent's user did not want to go where the call is
// released. The approval stays open for everybody else.
func (x *exchange) declined() bool {
	response, ok := x.msg.Member(envelope.InputResponses, approveKey)
	if !ok {
		return false
	}
	action, ok := textMember(x.msg.Raw()[response.Start:response.End], "action")
	return ok && action != "accept"
}

// restore makes the request what it would be without the hold.
func (x *exchange) restore(h heldCall) error {
	for _, part := range []struct {
		name  string
		value []byte
	}{{"requestState", h.state}, {"inputResponses", h.responses}} {
		edit := x.msg.Remove(envelope.Params, part.name)
		if part.value != nil {
			edit = x.msg.Set(envelope.Params, part.name, part.value)
		}
		b, err := x.msg.Splice(edit)
		if err != nil {
			return err
		}
		m, err := envelope.Parse(b, anySize)
		if err != nil {
			return err
		}
		x.msg = &m
	}
	return nil
}

// settled says whether a held call goes on, now that its approval is not
// pending any more, and answers it where it does not.
func (x *exchange) settled(ctx context.Context, r enforcement.Ruling, got approval.Request) (goesOn bool, err error) {
	goesOn, cause, text := hold.Settled(got)
	if goesOn {
		return true, x.readmit(ctx)
	}
	id := x.turnAway(ctx, cause)
	if id != "" {
		text += " Receipt " + id + "."
	}
	return false, x.refuseCall(text, id, refusal{Verdict: authz.Deny, Reasons: []reason{{Text: cause}}, Approval: r.Approval})
}

// readmit finds out again who is calling: while a call waits, a key can be
// revoked and a role taken away.
func (x *exchange) readmit(ctx context.Context) error {
	// Another process may have revoked the key or stopped the agent a moment ago.
	if err := x.g.Directory.Refresh(ctx); err != nil {
		return err
	}
	if err := x.g.Inventory.Refresh(ctx); err != nil {
		return err
	}
	p, err := x.admitted()
	if err != nil || p.Actor != x.principal.Actor {
		return turnedAway(http.StatusUnauthorized, codeUnauthenticated, "no valid credentials", "the credentials are not valid any more")
	}
	x.principal = p
	return nil
}

// waitEnded is the fault for a held call whose wait ended before anybody decided.
func (x *exchange) waitEnded(ctx context.Context, s *server, r enforcement.Ruling, err error) error {
	f := &fault{status: http.StatusOK, code: codeUnavailable, text: "the gateway is stopping"}
	if !errors.Is(err, hold.ErrClosed) {
		_, f = explain(ctx, s, err)
	}
	f.text += "; approval " + r.Approval + " stays open, and the call was not executed"
	f.data = map[string]string{"receipt": r.Receipt, "approval": r.Approval}
	return f
}
