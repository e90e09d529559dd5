package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"aims/authz"
	"aims/pdp"
)

// What is promised of a decision in process.
const (
	mostGrowth      = 2    // from the smallest set to the largest
	mostDecision    = 6    // µs
	leastSpeedup    = 1000 // over the linear evaluator at the largest set
	mostAllocations = 20
)

// decider is one set of policies and the requests that are decided by it.
type decider struct {
	policies int
	set      *pdp.Set
	requests []cedar.Request
	entities types.EntityMap
}

// decisions compares sets of different sizes with one another, and the largest
// with a linear scan of the same policies by cedar-go.
func (b *bench) decisions(ctx context.Context) ([]Row, error) {
	var deciders []*decider
	for _, n := range b.sizes.policies {
		start := time.Now()
		d, err := newDecider(n)
		if err != nil {
			return nil, err
		}
		b.say("decision: %d policies compiled in %.2f s", n, time.Since(start).Seconds())
		deciders = append(deciders, d)
	}
	largest := deciders[len(deciders)-1]
	linear, err := newLinear(largest)
	if err != nil {
		return nil, err
	}

	took := make([][]float64, len(deciders))
	var tookLinear []float64
	for round := range b.sizes.batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range deciders {
			i = (i + round) % len(deciders) // each has every place in the order
			took[i] = append(took[i], each(b.sizes.batch, deciders[i].decide))
		}
		tookLinear = append(tookLinear, each(1, linear))
	}
	return decisionRows(deciders, took, tookLinear, allocations(b.sizes.batch, largest.decide)), nil
}

func decisionRows(deciders []*decider, took [][]float64, linear []float64, allocated float64) []Row {
	var rows []Row
	fastest, slowest := median(took[0]), median(took[0])
	for i, d := range deciders {
		value := median(took[i])
		fastest, slowest = min(fastest, value), max(slowest, value)
		row := Row{Name: fmt.Sprintf("decision, %d policies", d.policies), Value: value, Unit: "µs"}
		if i == len(deciders)-1 {
			row = row.valueAtMost(mostDecision)
		}
		rows = append(rows, row)
	}
	n, last := deciders[len(deciders)-1].policies, took[len(took)-1]
	return append(rows,
		Row{Name: "decision, slowest of these over the fastest", Value: slowest, Unit: "µs"}.
			withRatio(slowest/fastest).ratioAtMost(mostGrowth),
		Row{Name: fmt.Sprintf("decision, %d policies, linear cedar-go over indexed", n), Value: median(linear), Unit: "µs"}.
			withRatio(median(ratios(linear, last))).ratioAtLeast(leastSpeedup),
		Row{Name: fmt.Sprintf("decision, %d policies, allocations", n), Value: allocated, Unit: "allocations"}.
			valueAtMost(mostAllocations),
	)
}

func newDecider(n int) (*decider, error) {
	schema, _, err := pdp.GenerateSchema(catalog())
	if err != nil {
		return nil, err
	}
	d := &decider{policies: n, entities: types.EntityMap{}}
	d.set, err = pdp.Compile([]pdp.Source{{Name: "bench.cedar", Text: policyText(n, tools)}}, schema)
	if err != nil {
		return nil, err
	}
	agent := types.NewEntityUID("Agent", agentID)
	role := types.NewEntityUID("Role", roleOfAll)
	d.entities[agent] = types.Entity{UID: agent, Parents: types.NewEntityUIDSet(role)}
	d.entities[role] = types.Entity{UID: role}
	// As many different requests as the smallest set has permits for, half of
	// them for too much money.
	for i := range min(n-2, 8) {
		amount := 200 + 600*(i%2)
		input, undeclared, err := d.set.Input(action(i), fmt.Appendf(nil, `{"to":"supplier-%d","amount":%d.25}`, i, amount))
		if err != nil {
			return nil, err
		}
		d.requests = append(d.requests, cedar.Request{
			Principal: agent,
			Action:    types.NewEntityUID("Action", types.String(action(i))),
			Resource:  types.NewEntityUID("McpServer", server),
			Context:   callContext(input, undeclared),
		})
	}
	return d, nil
}

// callContext is the context of a tool call as the gateway makes it.
func callContext(input types.Record, undeclared []string) types.Record {
	var names []types.Value
	for _, name := range undeclared {
		names = append(names, types.String(name))
	}
	return types.NewRecord(types.RecordMap{
		"input":      input,
		"undeclared": types.NewSet(names...),
		"tool": types.NewRecord(types.RecordMap{
			"pin":         types.String("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
			"quarantined": types.Boolean(false),
			"read_only":   types.Boolean(false),
			"destructive": types.Boolean(false),
			"effects":     types.NewSet(types.String("pay")),
			"labels":      types.Set{},
			"new":         types.Boolean(false),
			"used":        types.Boolean(true),
			"implied":     types.Boolean(true),
			"confirms":    types.Boolean(false),
		}),
		"session": types.NewRecord(types.RecordMap{
			"id":           types.String("s-1"),
			"channel":      types.String("mcp"),
			"protocol":     types.String(revision),
			"purpose":      types.String("invoices"),
			"on_behalf_of": types.String("ada"),
			"depth":        types.Long(0),
			"prompted":     types.Boolean(true),
			"labels":       types.NewSet(types.String("untrusted")),
			"tools":        types.NewSet(types.String(action(0)), types.String(action(1))),
			"calls":        types.Long(7),
			"refusals":     types.Long(0),
			"established":  types.Boolean(true),
		}),
		"provenance": types.NewRecord(types.RecordMap{"to": provenance("recipient"), "amount": provenance("")}),
		"sinks": types.NewRecord(types.RecordMap{
			"all": types.NewSet(types.String("recipient")), "user": types.NewSet(types.String("recipient")),
			"trusted": types.Set{}, "used": types.Set{}, "known": types.Set{}, "host": types.Set{}, "named": types.Set{},
			"untrusted": types.Set{}, "made_up": types.Set{},
		}),
		"budget": types.Record{},
	})
}

// provenance is that of an argument that the user named.
func provenance(sink string) types.Record {
	return types.NewRecord(types.RecordMap{
		"class": types.String("user"), "user": types.True, "result": types.False, "trusted": types.False, "used": types.False, "made_up": types.False,
		"labels": types.Set{}, "sink": types.String(sink),
	})
}

func (d *decider) decide(n int) {
	d.set.Decide(d.requests[n%len(d.requests)], d.entities)
}

// newLinear decides by cedar-go alone, and refuses to be compared when it does
// not decide the same.
func newLinear(d *decider) (func(n int), error) {
	all := cedar.NewPolicySet()
	for _, source := range d.set.Sources() {
		some, err := cedar.NewPolicySetFromBytes(source.Name, source.Text)
		if err != nil {
			return nil, err
		}
		for id, policy := range some.All() {
			all.Add(id, policy)
		}
	}
	for i, request := range d.requests {
		decision, _ := cedar.Authorize(all, d.entities, request)
		if got := d.set.Decide(request, d.entities).Verdict; (got == authz.Allow) != (decision == cedar.Allow) {
			return nil, fmt.Errorf("request %d: the index decides %s, the linear evaluator %s", i, got, decision)
		}
	}
	return func(n int) { cedar.Authorize(all, d.entities, d.requests[n%len(d.requests)]) }, nil
}

// each is the time of one call of f, in microseconds, of count in a row, after
// some that bring back into the caches what was used in between.
func each(count int, f func(n int)) float64 {
	for n := range count / 4 {
		f(n)
	}
	start := time.Now()
	for n := range count {
		f(n)
	}
	return micros(time.Since(start)) / float64(count)
}

// allocations is the number of objects that one call of f puts on the heap.
func allocations(count int, f func(n int)) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := range count {
		f(n)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(count)
}
