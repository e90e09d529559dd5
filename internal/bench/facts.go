package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
	"aims/internal/inventory"
	"aims/internal/policy/bundle"
	"aims/internal/rehearsal/stage"
	"aims/receipt"
)

// What is promised of a decision with the facts of its run, at factPolicies
// policies and factCalls calls before in the session.
const (
	mostFacts    = 25 // µs
	factPolicies = 1000
	factCalls    = 200
)

// facts times facts and decision of a call in a run that has read much; the
// bare equivalent is deciding alone.
func (b *bench) facts(ctx context.Context) (rows []Row, err error) {
	s, err := stage.Open(ctx, enforcement.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Discard(context.WithoutCancel(ctx))) }()
	call, err := setRun(ctx, s)
	if err != nil {
		return nil, err
	}
	bare, err := newDecider(factPolicies)
	if err != nil {
		return nil, err
	}
	var failed error
	judge := func(int) {
		if d, err := s.Preview(ctx, call); err != nil || d.Verdict != authz.Allow {
			failed = errors.Join(err, fmt.Errorf("the call was not allowed: %s", d.Verdict))
		}
	}
	var took, alone []float64
	for range b.sizes.batches {
		if err := errors.Join(ctx.Err(), failed); err != nil {
			return nil, err
		}
		took = append(took, each(b.sizes.batch, judge))
		alone = append(alone, each(b.sizes.batch, bare.decide))
	}
	return []Row{
		Row{Name: fmt.Sprintf("facts and decision, %d policies, %d calls before, over the decision alone", factPolicies, factCalls), Value: median(took), Unit: "µs"}.
			withRatio(median(ratios(took, alone))).valueAtMost(mostFacts),
	}, nil
}

// setRun makes a run that has been told and has read much, and returns the
// call that is next.
func setRun(ctx context.Context, s *stage.Stage) (enforcement.Call, error) {
	agent := identity.Principal{Actor: aims.Actor{Type: aims.AgentType, ID: agentID}, Roles: []string{roleOfAll}}
	next := enforcement.Call{
		Principal: agent, Session: "s-1", Channel: enforcement.MCP, Protocol: revision, Method: "tools/call", Server: server, Tool: transfer,
		Input: []byte(`{"to":"supplier-7@example.org","amount":200.25}`),
	}
	var listed []inventory.Tool
	for i := range tools {
		listed = append(listed, inventory.Tool{Name: toolName(i), Definition: json.RawMessage(`{"name":"` + toolName(i) + `","inputSchema":` + transferSchema + `}`)})
	}
	if _, err := s.ObserveTools(ctx, server, listed); err != nil {
		return next, err
	}
	b, err := bundle.New([]bundle.File{{Name: "bench.cedar", Text: policyText(factPolicies, tools)}})
	if err != nil {
		return next, err
	}
	if err := s.Activate(ctx, b); err != nil {
		return next, err
	}
	_, err = s.Declare(ctx, enforcement.Declaration{Principal: agent, Session: next.Session, Channel: next.Channel, Prompt: "Pay the suppliers that the list names, supplier-7@example.org first."})
	for i := 0; i < factCalls && err == nil; i++ {
		c := next
		c.Input = fmt.Appendf(nil, `{"to":"supplier-%d@example.org","amount":200.25}`, i)
		var r enforcement.Ruling
		if r, err = s.Decide(ctx, c); err == nil {
			result := fmt.Sprintf(`{"content":[{"type":"text","text":"supplier-%d@example.org: %s"}]}`, i, strings.Repeat("paid and booked ", 60))
			err = s.Close(ctx, r, enforcement.Outcome{Status: receipt.Succeeded, Result: []byte(result)})
		}
	}
	return next, err
}
