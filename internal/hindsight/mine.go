package hindsight

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aims/pdp"
	"aims/receipt"

	"github.com/cedar-policy/cedar-go"
)

// Mining is what least privilege is made from.
type Mining struct {
	// Purpose is the purpose whose recorded work is to be covered.
	Purpose string
	// Without are ids of receipts and names of sessions that are not to be
	// learnt from, because somebody found that they were no benign work.
	Without []string
}

// Mined is the least privilege that covers the recorded work of a purpose, as
// a proposal: a person reads it, corrects it, and approves it like any policy.
type Mined struct {
	Purpose string `json:"purpose"`
	// Text is Cedar, with the receipts that justify each line.
	Text string `json:"text"`
	// Calls is how many calls it covers, Runs in how many sessions.
	Calls uint64 `json:"calls"`
	Runs  int    `json:"runs"`
	// Failed is how many allowed calls of the purpose did not succeed, and
	// NotKept of how many the arguments are erased: they were not learnt from.
	Failed  uint64 `json:"failed"`
	NotKept uint64 `json:"not_kept"`
	Rules   int    `json:"rules"`
}

// Mine proposes the least privilege for a purpose, from the calls that were
// allowed and succeeded. set is the set in force, whose schema gives the
// arguments their types.
func Mine(ctx context.Context, s Stretch, m Mining, set *pdp.Set) (Mined, error) {
	w := &miner{mining: m, set: set, open: map[uint64]worked{}, tools: map[string]*usedTool{}, runs: map[string]bool{}}
	work := func(calls []call) ([]worked, error) { return w.sift(calls) }
	if err := examine(ctx, s, true, work, w.learn); err != nil {
		return Mined{}, err
	}
	w.mined.Failed += uint64(len(w.open)) // without outcome
	w.mined.Purpose, w.mined.Runs, w.mined.Rules = m.Purpose, len(w.runs), len(w.tools)
	w.mined.Text = w.text()
	return w.mined, nil
}

// worked is a call that may be learnt from, or the outcome of one.
type worked struct {
	index   uint64
	time    time.Time
	outcome bool
	closes  uint64
	status  receipt.Status

	decision *receipt.Decision
	input    cedar.Record
	sinks    map[string]string // arguments that are sinks and were vouched for
	kept     bool
}

type miner struct {
	mining Mining
	set    *pdp.Set
	open   map[uint64]worked // calls whose outcome has not come yet
	tools  map[string]*usedTool
	runs   map[string]bool
	mined  Mined
}

// sift keeps the allowed calls of the purpose, and all outcomes. It is called
// by several workers and changes nothing.
func (w *miner) sift(calls []call) ([]worked, error) {
	var out []worked
	for _, c := range calls {
		if c.outcome {
			o, err := receipt.DecodeOutcome(c.body)
			if err != nil {
				return nil, err
			}
			out = append(out, worked{outcome: true, closes: c.header.Closes, status: o.Status})
			continue
		}
		if c.header.Kind != receipt.DecisionKind {
			continue
		}
		d, err := receipt.DecodeDecision(c.header.Kind, c.body)
		if err != nil {
			return nil, err
		}
		if slices.Contains(w.mining.Without, d.ID) || d.Session != "" && slices.Contains(w.mining.Without, d.Session) {
			continue
		}
		known, err := factsOf(c.facts)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", c.header.Index, err)
		}
		if known.Context.Session.Purpose != w.mining.Purpose {
			continue
		}
		one := worked{index: c.header.Index, time: c.header.Time, decision: d, sinks: known.vouched()}
		if c.input != nil {
			if one.input, _, err = w.set.Input(d.Action, c.input); err == nil {
				one.kept = true
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// facts is what mining needs of recorded facts.
type facts struct {
	Context struct {
		Session struct {
			Purpose string `json:"purpose"`
		} `json:"session"`
		Provenance map[string]struct {
			Class string `json:"class"`
			Sink  string `json:"sink"`
		} `json:"provenance"`
	} `json:"context"`
}

// unvouched are the classes of arguments for which nothing speaks.
var unvouched = []string{"", "untrusted", "made_up"}

func factsOf(text []byte) (facts, error) {
	var f facts
	if text == nil {
		return f, nil
	}
	err := json.Unmarshal(text, &f)
	return f, err
}

// vouched are the arguments that are sinks and for which something spoke: the
// user, the trusted directory, earlier work. Name → kind of sink; "" where nothing did.
func (f facts) vouched() map[string]string {
	out := map[string]string{}
	for name, p := range f.Context.Provenance {
		if p.Sink == "" {
			continue
		}
		out[name] = p.Sink
		if slices.Contains(unvouched, p.Class) {
			out[name] = ""
		}
	}
	return out
}

// learn takes what a worker found, in the order of the log.
func (w *miner) learn(found []worked) error {
	for _, f := range found {
		if !f.outcome {
			w.open[f.index] = f
			continue
		}
		c, mine := w.open[f.closes]
		if !mine {
			continue
		}
		delete(w.open, f.closes)
		switch {
		case f.status != receipt.Succeeded:
			w.mined.Failed++
		case !c.kept:
			w.mined.NotKept++
		default:
			w.cover(c)
		}
	}
	return nil
}

func (w *miner) cover(c worked) {
	w.mined.Calls++
	w.runs[c.decision.Session] = true
	t := w.tools[c.decision.Action]
	if t == nil {
		t = &usedTool{action: c.decision.Action, resource: *c.decision.Resource, agents: map[string]string{}, arguments: map[string]*usedArgument{}, first: c.time}
		w.tools[c.decision.Action] = t
	}
	t.calls++
	t.last = c.time
	if len(t.receipts) < maxExamples {
		t.receipts = append(t.receipts, c.decision.ID)
	}
	if c.decision.Actor != nil {
		t.agents[c.decision.Actor.ID] = cmp.Or(t.agents[c.decision.Actor.ID], c.decision.ID)
	}
	for name, value := range c.input.All() {
		t.argument(string(name)).see(value, c.decision.ID)
	}
	for name, kind := range c.sinks {
		t.argument(name).vouch(kind)
	}
}

// text is the proposal as a policy file.
func (w *miner) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// Proposed from the record: the least privilege that covers %d calls of the purpose\n// %q in %d runs. Read each line before you approve it.\n",
		w.mined.Calls, w.mining.Purpose, len(w.runs))
	for _, action := range slices.Sorted(maps.Keys(w.tools)) {
		w.tools[action].write(&b, w.mining.Purpose)
	}
	return b.String()
}
