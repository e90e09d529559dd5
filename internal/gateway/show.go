package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"aims/internal/approval"
	"aims/internal/enforcement"
	"aims/internal/gateway/envelope"
	"aims/internal/gateway/hold"
	"aims/internal/gateway/upstream"
)

// errDeclined says that the agent's user does not want to wait.
var errDeclined = errors.New("the agent's user does not wait for the approval")

// waitHere holds a call of an agent in a session until people have decided, the
// agent gives up or its patience ends (2025-11-25, elicitation in mode url).
func (x *exchange) waitHere(ctx context.Context, s *server, r enforcement.Ruling) (goesOn bool, err error) {
	if x.holdUntil.IsZero() {
		x.holdUntil = x.g.Now().Add(x.g.limits.InputWait)
	}
	left := x.holdUntil.Sub(x.g.Now())
	if left <= 0 || x.sess.waiting() >= maxQuestions {
		return false, x.refused(r)
	}
	waits, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	key, err := x.show(r, cancel)
	if err != nil {
		return false, x.waitEnded(ctx, s, r, err)
	}
	stopBeats := x.beats(cancel)
	got, err := x.g.Held.Wait(waits, x.principal.Actor, r.Approval, left)
	stopBeats()
	x.hide(key, r, err == nil && got.State != approval.Pending)
	switch {
	case errors.Is(err, hold.ErrFull) || errors.Is(err, errDeclined) || err == nil && got.State == approval.Pending:
		return false, x.refused(r)
	case err != nil:
		return false, x.waitEnded(ctx, s, r, err)
	}
	if goesOn, err = x.settled(ctx, r, got); err != nil || !goesOn {
		return false, err
	}
	if ctx.Err() != nil {
		return false, x.waitEnded(ctx, s, r, context.Cause(ctx))
	}
	return true, nil
}

// show asks the agent's program to show its user where the call is released. It
// is the gateway's own question: no server asks, so nothing is decided.
func (x *exchange) show(r enforcement.Ruling, cancel context.CancelCauseFunc) (key string, err error) {
	q := &question{of: x, answer: func(_ context.Context, m *envelope.Message) {
		action, _ := textMember(m.Bytes(envelope.Result), "action")
		if action != "accept" {
			cancel(errDeclined)
		}
	}}
	key = x.sess.poseOwn(q)
	asks := x.elicitation(r)
	asks.ID = r.Approval
	params, err := json.Marshal(asks)
	if err != nil {
		return key, err
	}
	b := append([]byte(`{"jsonrpc":"2.0","id":`), envelope.AppendString(nil, key)...)
	b = append(append(b, `,"method":"elicitation/create","params":`...), params...)
	if x.out.send(append(b, '}')) != nil {
		x.sess.takeQuestion(key)
		return key, errAgentLeft
	}
	return key, nil
}

// hide tells the agent's program that its user need not be shown it any more.
func (x *exchange) hide(key string, r enforcement.Ruling, settled bool) {
	var messages [][]byte
	if x.sess.takeQuestion(key) != nil {
		messages = append(messages, upstream.Notification("notifications/cancelled", objectOf("requestId", envelope.AppendString(nil, key))))
	} else if settled {
		messages = append(messages, upstream.Notification("notifications/elicitation/complete", objectOf("elicitationId", envelope.AppendString(nil, r.Approval))))
	}
	for _, m := range messages {
		if err := x.out.send(m); err != nil {
			x.g.Log.Debug("the agent could not be told that a hold is over", "error", err)
		}
	}
}
