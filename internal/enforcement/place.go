package enforcement

import (
	"context"
	"slices"
	"strings"

	"aims/authz"
	"aims/internal/ledger"
	"aims/internal/session"
	"aims/internal/store"
)

// placing is a decision on its way to its place in the log.
type placing struct {
	*Enforcer
	c     Call
	a     attempt
	entry ledger.Entry
	// refused is why the call cannot be decided any more.
	refused error
	// settled says that it was settled before, at a place that it did not get.
	settled bool
}

// place records a decision together with what follows from it. The decision is
// made from what is known at its place in the log: if that moved since the
// facts were taken, it is made again there.
func (e *Enforcer) place(ctx context.Context, c Call, a attempt) (Ruling, error) {
	p := &placing{Enforcer: e, c: c, a: a}
	var err error
	if !a.foreseen {
		if p.entry, err = entryOf(c, a); err != nil {
			return Ruling{}, err
		}
	}
	record := e.ledger.Beside
	if a.writes() {
		record = e.ledger.Change
	}
	ref, err := record(ctx, p.settle)
	if p.refused != nil {
		return e.refuseCall(ctx, c, p.a, p.refused)
	}
	e.counter.count(ref, err)
	if err != nil {
		return Ruling{}, unrecorded(err)
	}
	e.try(c, p.a)
	return rulingOf(c, p.a, ref), nil
}

// settle runs at the decision's place in the log.
func (p *placing) settle(tx *store.Tx) (ledger.Entry, error) {
	t := p.sessions.Within(tx)
	p.refused = nil
	same, err := p.holds(t)
	p.settled = true
	if err != nil {
		return ledger.Entry{}, err
	}
	if !same {
		if err := p.again(t); err != nil {
			return ledger.Entry{}, err
		}
	}
	if err := p.approve(tx); err != nil {
		return ledger.Entry{}, err
	}
	if err := p.follow(t); err != nil {
		return ledger.Entry{}, err
	}
	return p.entry, p.spend(t)
}

// holds says whether the facts of the decision are still those of its place.
func (p *placing) holds(t *session.Tx) (bool, error) {
	if p.a.foreseen || p.settled || !p.unchanged() {
		return false, nil // what was decided at another place counts for that one only
	}
	return t.Same(p.a.view)
}

// unchanged says whether policies and inventory are those of the facts.
func (p *placing) unchanged() bool {
	return p.policy.InForce() == p.a.inForce && p.inventory.Version() == p.a.inventory
}

// again decides again, where nothing can move.
func (p *placing) again(t *session.Tx) error {
	allowed, wrote := p.a.decision.Allowed(), p.a.writes()
	if wrote && !p.unchanged() {
		return errTakeAgain // the approval would be for another call
	}
	if p.a.traced != nil {
		run, err := t.Run(p.c.run())
		if err != nil {
			return err
		}
		if p.inventory.Version() != p.a.inventory || p.a.traced.live != nil && !t.Hold(p.a.traced.live, run) {
			return errTakeAgain // origins are computed from the vault, which cannot be read here
		}
	}
	a, err := p.judgeWith(p.c, &t.View, nil, &p.a)
	if held := err == nil && a.decision.Verdict == authz.Hold; held && p.a.granted != nil {
		a, err = p.judgeWith(p.c, &t.View, p.a.granted, &p.a)
	}
	if err != nil {
		p.a, p.refused = a, err
		return err
	}
	a.binding = p.a.binding
	if p.mayAsk(&a) && !wrote {
		return errTakeAgain // what it asks for needs another kind of change
	}
	if p.a.foreseen || a.decision.Allowed() != allowed {
		if err := p.admit(p.c, a); err != nil {
			return err
		}
	}
	p.a = a
	p.entry, err = entryOf(p.c, a)
	return err
}

// mayAsk says whether a decision has to do with approvals.
func (p *placing) mayAsk(a *attempt) bool {
	return p.o.Approvals != nil && p.c.Tool != "" && a.decision.Verdict == authz.Hold
}

// follow does what follows from the decision.
func (p *placing) follow(t *session.Tx) error {
	allowed := p.a.decision.Allowed()
	acts := reported(p.c.Channel)
	switch {
	case p.c.Tool != "":
		if p.a.decision.Verdict == authz.Hold {
			return nil
		}
		return t.Called(p.c.run(), p.c.Action, allowed, acts, p.a.tool.Labels)
	case allowed && acts && reads(p.c.Action):
		return t.Acts(p.c.run(), nil)
	}
	return nil
}

// reads says whether the answer to an action brings content to the agent:
// everything but lists, subscriptions and what a server asks of the agent.
func reads(action string) bool {
	switch action {
	case "completion/complete", "elicitation/create", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
		"sampling/createMessage", "subscriptions/listen", "tasks/cancel", "tasks/update":
		return false
	}
	return !strings.HasSuffix(action, "/list")
}

// doing is what is known of an allowed call until its outcome.
type doing struct {
	run     session.Key
	channel string
	reads   bool
	server  string
	tool    string
	purpose string
	labels  []string // of the tool, when the call was decided
	input   []byte
	uses    []session.Use
}

func doingOf(c Call, a attempt) *doing {
	if !a.decision.Allowed() {
		return nil
	}
	if c.Channel == Management {
		return &doing{channel: Management}
	}
	d := &doing{run: c.run(), channel: c.Channel, reads: c.Tool != "" || reads(c.Action), server: c.Server, tool: c.Tool, labels: a.tool.Labels}
	if session.Vouches(d.labels) {
		d.input = c.Input
	}
	if c.Tool != "" && a.run.Purpose != "" {
		d.purpose, d.uses = a.run.Purpose, a.traced.uses(c.Action)
	}
	return d
}

// unchecked labels a result that nobody could look into, or not wholly.
const unchecked = "unchecked"

// labelsOf are the labels of a result: those of the tool, as they were when
// the call was decided and as they are now, and those of its content.
func (e *Enforcer) labelsOf(d *doing, o Outcome) []string {
	if !d.handsOut(o) {
		return nil
	}
	labels := slices.Clone(d.labels)
	if d.tool != "" {
		if t, ok := e.inventory.Tool(d.server, d.tool); ok {
			labels = append(labels, t.Labels...)
		}
	}
	// What is too large to be kept is unchecked, because later arguments cannot be
	// looked for in it, and yet has the labels of as much as the check reads.
	if len(o.Result) == 0 || len(o.Result) > e.o.MaxResult {
		labels = append(labels, unchecked)
	}
	if len(o.Result) > 0 && e.o.Content != nil {
		labels = append(labels, e.o.Content(o.Result)...)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// handsOut says whether an outcome brings content to the agent, seen or not.
func (d *doing) handsOut(o Outcome) bool {
	if d == nil || !d.reads {
		return false
	}
	return len(o.Result) > 0 || o.SHA256 != "" || reported(d.channel)
}
