package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// mostCost is what is promised of a decision over HTTP with its durable
// receipt: ms of the server's processor time.
const mostCost = 0.15

// authzen compares the decision API, every answer with a durable receipt, with
// an HTTP server that reads the same requests and answers without deciding.
func (b *bench) authzen(ctx context.Context) (rows []Row, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(roomy))
	i, err := b.install(ctx, "authzen")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, i.stop()) }()
	var at address
	bare, err := b.start(ctx, &at, "bare")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()

	const path = "/access/v1/evaluation"
	deciding := newDecisionCaller(i.url+path, b.sizes.clients, i.agent)
	defer deciding.close()
	answering := newDecisionCaller(at.URL+path, b.sizes.clients, "")
	defer answering.close()
	for _, c := range []*caller{deciding, answering} {
		if _, err := load(ctx, b.sizes.clients, b.sizes.window/4, askDecision(c)); err != nil {
			return nil, err
		}
	}
	before, err := i.receipts(ctx)
	if err != nil {
		return nil, err
	}
	rows, asked, err := b.compareDecisions(ctx, i.gateway, bare, askDecision(deciding), askDecision(answering))
	if err != nil {
		return nil, err
	}
	after, err := i.receipts(ctx)
	if err == nil && after-before < uint64(asked) {
		err = fmt.Errorf("%d decisions left %d receipts: not the work that is promised", asked, after-before)
	}
	return rows, err
}

// compareDecisions also returns how many decisions were made.
func (b *bench) compareDecisions(ctx context.Context, gateway, bare *process, decide, answer operation) ([]Row, int, error) {
	var rate, rateBare, cost, costBare []float64
	var took []time.Duration
	for range b.sizes.rounds {
		d, each, err := b.charged(ctx, gateway, b.sizes.clients, decide)
		if err != nil {
			return nil, 0, err
		}
		a, eachBare, err := b.charged(ctx, bare, b.sizes.clients, answer)
		if err != nil {
			return nil, 0, err
		}
		rate, rateBare = append(rate, d.perSecond()), append(rateBare, a.perSecond())
		cost, costBare = append(cost, each), append(costBare, eachBare)
		took = append(took, d.took...)
	}
	name := fmt.Sprintf("decision API, %d connections", b.sizes.clients)
	return []Row{
		Row{Name: name + ", processor time a request, over a bare server", Value: median(cost), Unit: "ms"}.
			withRatio(median(ratios(cost, costBare))).valueAtMost(mostCost),
		Row{Name: name + ", over a bare server", Value: median(rate), Unit: "requests/s"}.
			withRatio(median(ratios(rate, rateBare))),
		Row{Name: name + ", p99", Value: millis(percentile(took, 0.99)), Unit: "ms"},
	}, len(took), nil
}

// newDecisionCaller is a caller for askDecision.
func newDecisionCaller(url string, connections int, key string) *caller {
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Authorization", "Bearer "+key)
	}
	return newCaller(url, connections, header, `"decision":true`)
}

// askDecision is an operation that asks whether the agent may call the tool.
func askDecision(c *caller) operation {
	return func(ctx context.Context, caller, n int) error {
		return c.post(ctx, fmt.Appendf(nil, `{"subject":{"type":"agent","id":"`+agentID+`"},"action":{"name":"tools/call"},`+
			`"resource":{"type":"tool","id":"%s","properties":{"to":"supplier-%d","amount":%d.25}},"context":{"session":"s-%d"}}`,
			action(0), caller, n%400, caller))
	}
}
