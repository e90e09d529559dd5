package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/hindsight"
	"aims/internal/ledger"
	"aims/pdp"
	"aims/receipt"
)

// What is promised of a replay: a million decisions in a minute, on two cores.
const leastReplayed = 1_000_000 / 60

// replayPolicies is how many policies the candidate has.
const replayPolicies = 1000

// replay records calls, and decides them again under a candidate that refuses
// some of them. The bare equivalent is deciding alone: the same number of the
// same requests in a loop, already typed.
func (b *bench) replay(ctx context.Context) (rows []Row, err error) {
	log, err := openLog(ctx, filepath.Join(b.dir, "replay.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.close(context.WithoutCancel(ctx))) }()
	d, err := newDecider(replayPolicies)
	if err != nil {
		return nil, err
	}
	b.say("replay: recording %d decisions", b.sizes.replayed)
	changed, err := fillCalls(ctx, log, d, b.sizes.replayed)
	if err != nil {
		return nil, err
	}
	source, err := log.Source(ctx, nil)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	got, err := hindsight.ReplayUnder(ctx, hindsight.Stretch{Source: source}, d.set, func(hindsight.Change) error { return nil })
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	if got.Decided != uint64(b.sizes.replayed) || got.Changed != uint64(changed) {
		return nil, fmt.Errorf("%d calls were decided again and %d changed, want %d and %d", got.Decided, got.Changed, b.sizes.replayed, changed)
	}
	start = time.Now()
	for n := range b.sizes.replayed {
		d.decide(n)
	}
	alone := time.Since(start)
	row := Row{Name: fmt.Sprintf("replay of %d recorded calls under %d policies, time over deciding alone on one core", b.sizes.replayed, replayPolicies),
		Value: float64(got.Decided) / took.Seconds(), Unit: "decisions/s"}
	return []Row{row.withRatio(took.Seconds() / alone.Seconds()).valueAtLeast(leastReplayed)}, nil
}

// fillCalls records calls with their facts and arguments as allowed, and
// returns how many of them the policies refuse.
func fillCalls(ctx context.Context, log *testLog, d *decider, calls int) (refused int, err error) {
	made := make([]recordedCall, len(d.requests))
	for i, request := range d.requests {
		context := request.Context.Map()
		amount := 200 + 600*(i%2) // as newDecider asks for
		made[i].input = fmt.Appendf(nil, `{"to":"supplier-%d","amount":%d.25}`, i, amount)
		delete(context, "input")
		delete(context, "undeclared")
		request.Context = types.NewRecord(context)
		if made[i].facts, err = pdp.EncodeFacts(request, d.entities); err != nil {
			return 0, err
		}
		made[i].action = string(request.Action.ID)
		again, err := d.set.Redecide(made[i].facts, made[i].input)
		if err != nil {
			return 0, err
		}
		made[i].refused = !again.Allowed()
	}
	results := make([]error, fillers)
	var done sync.WaitGroup
	for filler := range fillers {
		done.Go(func() {
			for n := filler; n < calls && results[filler] == nil; n += fillers {
				results[filler] = made[n%len(made)].record(ctx, log, n)
			}
		})
	}
	done.Wait()
	for n := range calls {
		if made[n%len(made)].refused {
			refused++
		}
	}
	return refused, errors.Join(results...)
}

// recordedCall is a call as it is recorded.
type recordedCall struct {
	action       string
	facts, input []byte
	refused      bool
}

func (c recordedCall) record(ctx context.Context, log *testLog, n int) error {
	facts, factsDigest := payload(receipt.FactsPayload, c.facts)
	input, inputDigest := payload(receipt.InputPayload, c.input)
	body, err := receipt.Encode(&receipt.Decision{
		ID: aims.NewID("rcp"), Actor: &receipt.Party{Type: aims.AgentType, ID: agentID}, Session: fmt.Sprintf("session-%d", n%1000),
		Channel: "mcp", Method: "tools/call", Action: c.action, Resource: &receipt.Object{Type: "McpServer", ID: server},
		Verdict: authz.Allow, Policy: receipt.Salt{}.Digest([]byte("policy")), Facts: factsDigest, Input: inputDigest,
	})
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, ledger.Entry{Kind: receipt.DecisionKind, Body: body, Payloads: []ledger.Payload{facts, input}})
	return err
}
