package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// What is promised of a call through the gateway, with both receipts.
const (
	mostAdded  = 0.5  // ms that the gateway adds to the p50 of one caller
	leastCalls = 2500 // calls a second of the concurrent callers
)

// proxy compares an MCP call through the gateway, decided and recorded before
// and after, with the same call straight to the server.
func (b *bench) proxy(ctx context.Context) (rows []Row, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(roomy))
	i, err := b.install(ctx, "proxy")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, i.stop()) }()
	direct := newToolCaller(i.direct, b.sizes.agents, "")
	defer direct.close()
	through := newToolCaller(i.url+"/mcp/"+server, b.sizes.agents, i.agent)
	defer through.close()
	for _, c := range []*caller{direct, through} {
		if _, err := load(ctx, b.sizes.agents, b.sizes.window/4, callTool(c)); err != nil {
			return nil, err
		}
	}

	before, err := i.receipts(ctx)
	if err != nil {
		return nil, err
	}
	alone, err := b.loneCalls(ctx, callTool(through), callTool(direct))
	if err != nil {
		return nil, err
	}
	calls := b.sizes.lone * b.sizes.rounds
	many, more, err := b.concurrentCalls(ctx, i, callTool(through), callTool(direct))
	if err != nil {
		return nil, err
	}
	after, err := i.receipts(ctx)
	if err != nil {
		return nil, err
	}
	if want := 2 * uint64(calls+more); after-before < want {
		return nil, fmt.Errorf("%d calls left %d receipts, not %d: not the work that is promised", calls+more, after-before, want)
	}
	return append(alone, many...), nil
}

func (b *bench) loneCalls(ctx context.Context, through, direct operation) ([]Row, error) {
	tookThrough, tookDirect, err := alternate(ctx, b.sizes.lone*b.sizes.rounds, through, direct)
	if err != nil {
		return nil, err
	}
	p50, bare := median(tookThrough), median(tookDirect)
	return []Row{
		Row{Name: "MCP call through the gateway, 1 caller, p50, over a direct call", Value: millis(p50), Unit: "ms"}.
			withRatio(float64(p50) / float64(bare)),
		Row{Name: "MCP call through the gateway, 1 caller, added p50", Value: millis(p50 - bare), Unit: "ms"}.
			valueAtMost(mostAdded),
	}, nil
}

// concurrentCalls also returns how many calls went through the gateway.
func (b *bench) concurrentCalls(ctx context.Context, i *installation, through, direct operation) ([]Row, int, error) {
	var rateThrough, rateDirect, costThrough, costDirect []float64
	calls := 0
	for range b.sizes.rounds {
		t, cost, err := b.charged(ctx, i.gateway, b.sizes.agents, through)
		if err != nil {
			return nil, 0, err
		}
		d, bare, err := b.charged(ctx, i.upstream, b.sizes.agents, direct)
		if err != nil {
			return nil, 0, err
		}
		rateThrough, rateDirect = append(rateThrough, t.perSecond()), append(rateDirect, d.perSecond())
		costThrough, costDirect = append(costThrough, cost), append(costDirect, bare)
		calls += len(t.took)
	}
	return []Row{
		Row{Name: fmt.Sprintf("MCP calls through the gateway, %d callers, over direct calls", b.sizes.agents), Value: median(rateThrough), Unit: "calls/s"}.
			withRatio(median(ratios(rateThrough, rateDirect))).valueAtLeast(leastCalls),
		Row{Name: "MCP call through the gateway, the gateway's processor time, over the server's", Value: median(costThrough), Unit: "ms"}.
			withRatio(median(ratios(costThrough, costDirect))),
	}, calls, nil
}

// charged is a round of load and the processor time, in milliseconds, that one
// operation of it cost the process.
func (b *bench) charged(ctx context.Context, p *process, callers int, op operation) (loaded, float64, error) {
	before, err := p.usage()
	if err != nil {
		return loaded{}, 0, err
	}
	result, err := load(ctx, callers, b.sizes.window, op)
	if err != nil {
		return loaded{}, 0, err
	}
	after, err := p.usage()
	return result, millis((after.CPU - before.CPU) / time.Duration(max(len(result.took), 1))), err
}
