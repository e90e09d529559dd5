package hindsight

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aims/authz"
	"aims/pdp"
	"aims/receipt"
)

// Replay is what a candidate would have decided otherwise.
//
// The facts are those that were recorded. A candidate that refuses an early call
// of a run leaves its later calls as they were, although they might not have
// come about.
type Replay struct {
	// Policy is the digest of the candidate.
	Policy string `json:"policy"`
	// Decided is how many calls were decided again; Changed how many of them
	// would end otherwise.
	Decided uint64 `json:"decided"`
	Changed uint64 `json:"changed"`
	// NotKept is how many could not be: their facts or arguments are erased.
	NotKept uint64 `json:"not_kept"`
	// Unjudged is how many no policy had to decide: a malformed request, a tool in
	// quarantine.
	Unjudged uint64 `json:"unjudged"`
	// ByAgent, ByTool and ByRule count the changed calls, most first. A call
	// counts for every rule that determines either decision and not the other.
	ByAgent []Count `json:"by_agent"`
	ByTool  []Count `json:"by_tool"`
	ByRule  []Count `json:"by_rule"`
}

// Count is how many calls of one kind end otherwise.
type Count struct {
	Name   string        `json:"name"`
	Before authz.Verdict `json:"before"`
	After  authz.Verdict `json:"after"`
	Calls  uint64        `json:"calls"`
}

// Change is one call that a candidate decides otherwise.
type Change struct {
	Receipt string        `json:"receipt"`
	Index   uint64        `json:"index"`
	Time    time.Time     `json:"time"`
	Agent   string        `json:"agent"`
	Action  string        `json:"action"`
	Session string        `json:"session,omitempty"`
	Before  authz.Verdict `json:"before"`
	After   authz.Verdict `json:"after"`
	// Rules are the ids of the policies that determine the new decision.
	Rules []string `json:"rules,omitempty"`
	// Cause says why the candidate cannot judge the call, which is a refusal.
	Cause string `json:"cause,omitempty"`
}

// changed is a change with the rules that count for it.
type changed struct {
	Change
	rules []string
}

// replayed is what one worker found.
type replayed struct {
	decided, notKept, unjudged uint64
	changes                    []changed
}

// ReplayUnder decides the calls of a stretch again under a candidate. Every
// call that would end otherwise goes to each, in the order of the log; an
// error of each ends it.
func ReplayUnder(ctx context.Context, s Stretch, candidate *pdp.Set, each func(Change) error) (Replay, error) {
	result := Replay{Policy: candidate.Digest()}
	agents, tools, rules := tally{}, tally{}, tally{}
	work := func(calls []call) (replayed, error) { return replay(candidate, calls) }
	err := examine(ctx, s, true, work, func(r replayed) error {
		result.Decided += r.decided
		result.NotKept += r.notKept
		result.Unjudged += r.unjudged
		result.Changed += uint64(len(r.changes))
		for _, c := range r.changes {
			agents.add(c.Agent, c.Change)
			tools.add(c.Action, c.Change)
			for _, rule := range c.rules {
				rules.add(rule, c.Change)
			}
			if err := each(c.Change); err != nil {
				return err
			}
		}
		return nil
	})
	result.ByAgent, result.ByTool, result.ByRule = agents.counts(), tools.counts(), rules.counts()
	return result, err
}

func replay(candidate *pdp.Set, calls []call) (replayed, error) {
	var r replayed
	for _, c := range calls {
		if c.outcome {
			continue
		}
		d, err := receipt.DecodeDecision(c.header.Kind, c.body)
		if err != nil {
			return r, err
		}
		switch {
		case d.Facts == "":
			r.unjudged++
			continue
		case c.facts == nil || c.input == nil:
			r.notKept++
			continue
		}
		r.decided++
		after, err := candidate.Redecide(c.facts, c.input)
		cause := ""
		if err != nil {
			after, cause = authz.Decision{Verdict: authz.Deny}, err.Error()
		}
		if after.Verdict != d.Verdict {
			r.changes = append(r.changes, difference(c.header, d, after, cause))
		}
	}
	return r, nil
}

func difference(h receipt.Header, d *receipt.Decision, after authz.Decision, cause string) changed {
	c := changed{Change: Change{
		Receipt: d.ID, Index: h.Index, Time: h.Time, Agent: party(d.Actor), Action: d.Action, Session: d.Session,
		Before: d.Verdict, After: after.Verdict, Rules: determining(after.Reasons, after.Faults), Cause: cause,
	}}
	before := determining(d.Reasons, d.Faults)
	for _, rule := range c.Rules {
		if !slices.Contains(before, rule) {
			c.rules = append(c.rules, rule)
		}
	}
	for _, rule := range before {
		if !slices.Contains(c.Rules, rule) {
			c.rules = append(c.rules, rule)
		}
	}
	return c
}

func party(p *receipt.Party) string {
	if p == nil {
		return ""
	}
	return p.Type + ":" + p.ID
}

// determining are the ids of the policies that a decision names.
func determining(reasons []authz.Reason, faults []authz.Fault) []string {
	var ids []string
	for _, r := range reasons {
		ids = append(ids, r.Policy)
	}
	for _, f := range faults {
		ids = append(ids, f.Policy)
	}
	return ids
}

// tally counts changes by name and verdicts.
type tally map[Count]uint64

func (t tally) add(name string, c Change) {
	t[Count{Name: name, Before: c.Before, After: c.After}]++
}

func (t tally) counts() []Count {
	counts := make([]Count, 0, len(t))
	for c, n := range t {
		c.Calls = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Before, b.Before), cmp.Compare(a.After, b.After))
	})
	return counts
}
