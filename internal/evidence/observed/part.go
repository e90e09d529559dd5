package observed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"aims/authz"
	"aims/receipt"
)

// Part is what a stretch of the log shows by itself. What depends on earlier
// entries, above all the stage of an agent at the moment of a call, is left
// open in it until it is added to the facts of the log before it.
type Part struct {
	first, size uint64
	begun, done int64 // times of the first and last entry
	happened    uint64

	days     map[int64]*Day
	agents   map[string]*agentSeen
	tools    map[string]*toolSeen
	policies map[string]*policySeen
	rules    map[string]*ruleSeen
	events   []happening
	// calls are those of each agent since its last event, or since the beginning.
	calls map[string]*calls

	day      *Day // that of the entry before
	dayStart int64
	decision decision
}

// calls are an agent's between two events of its life.
type calls struct {
	allowed uint64
	days    []dayCalls
}

type dayCalls struct {
	day       int64
	decisions uint64
}

// happening is an event of the stretch, to be applied in its order.
type happening struct {
	at    int64
	event *receipt.Event
	// before are the calls of the agent that the event is about since its last
	// event; nil where it is about something else.
	before *calls
}

// The receipts of what was seen alias the stretch until it is added.
type agentSeen struct {
	Agent
	receipt []byte
}

type toolSeen struct {
	Tool
	receipt []byte
}

type policySeen struct {
	Policy
	receipt []byte
}

type ruleSeen struct {
	Rule
	receipt []byte
}

// FoldPart folds entries that follow one another from an index, each as C2SP
// tlog-tiles frames it: its length, 2 bytes big-endian, and the leaf. The error
// names the entry that cannot be read. frames must not change until the part is
// added.
func FoldPart(first uint64, frames []byte) (*Part, error) {
	p := &Part{
		first: first, days: map[int64]*Day{}, agents: map[string]*agentSeen{}, tools: map[string]*toolSeen{},
		policies: map[string]*policySeen{}, rules: map[string]*ruleSeen{}, calls: map[string]*calls{},
	}
	for len(frames) > 0 {
		leaf, rest, err := cutFrame(frames)
		if err == nil {
			err = p.fold(leaf)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", first+p.size, err)
		}
		frames = rest
		p.size++
	}
	return p, nil
}

func cutFrame(b []byte) (leaf, rest []byte, err error) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return nil, nil, errors.New("it is cut off")
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:], nil
}

func (p *Part) fold(leaf []byte) error {
	h, body, err := receipt.ParseLeaf(leaf)
	if err != nil {
		return err
	}
	if h.Index != p.first+p.size {
		return fmt.Errorf("it says that it is entry %d: verify the log", h.Index)
	}
	at := h.Time.UnixMicro()
	if p.size == 0 {
		p.begun = at
	}
	p.done = at
	switch h.Kind {
	case receipt.OutcomeKind:
		return p.foldOutcome(at, body)
	case receipt.EventKind:
		return p.foldEvent(at, body)
	}
	if err := readDecision(h.Kind, body, &p.decision); err != nil {
		return err
	}
	p.foldDecision(at, &p.decision)
	return nil
}

const dayMicros = 24 * 60 * 60 * 1e6

// on is the counts of the day of a time.
func (p *Part) on(at int64) *Day {
	if p.day != nil && p.dayStart <= at && at < p.dayStart+dayMicros {
		return p.day
	}
	number := dayOf(at)
	if p.days[number] == nil {
		p.days[number] = &Day{Day: dayName(number), Index: p.first + p.size}
	}
	p.day, p.dayStart = p.days[number], number*dayMicros
	return p.day
}

// dayOf is the number of a time's day since 1970, UTC.
func dayOf(at int64) int64 {
	n := at / dayMicros
	if at < 0 && at%dayMicros != 0 {
		n--
	}
	return n
}

func dayName(number int64) string {
	return time.UnixMicro(number * dayMicros).UTC().Format(time.DateOnly)
}

func (p *Part) foldOutcome(at int64, body []byte) error {
	o, err := readOutcome(body)
	if err != nil {
		return err
	}
	day := p.on(at)
	day.Outcomes++
	day.Micros += o.micros
	if !o.succeeded {
		day.Failed++
	}
	return nil
}

func (p *Part) foldEvent(at int64, body []byte) error {
	p.happened++
	if name, ok := eventName(body); ok && applies(string(name)) == nil {
		return nil
	}
	e, err := receipt.DecodeEvent(body)
	if err != nil {
		return err
	}
	if applies(e.Name) == nil {
		return nil
	}
	h := happening{at: at, event: e}
	if movesAgent(e) {
		h.before = p.calls[e.Object.ID]
		if h.before == nil {
			h.before = &calls{}
		}
		delete(p.calls, e.Object.ID)
	}
	p.events = append(p.events, h)
	return nil
}

func (p *Part) foldDecision(at int64, d *decision) {
	if d.selfCheck() {
		return
	}
	day := p.on(at)
	switch {
	case d.caused:
		day.Refused += max(1, d.count)
		if string(d.actor) == "agent" && string(d.channel) != "management" {
			a := p.agent(at, d)
			a.Refused += max(1, d.count)
			a.Last, a.receipt = at, d.id
		}
		return
	case string(d.channel) == "management" && authz.Verdict(d.verdict) == authz.Allow:
		day.Managed++
	case string(d.channel) == "management":
		day.ManagedRefused++
	default:
		count(d, &day.Allowed, &day.Denied, &day.Held)
		day.Decisions++
		p.foldAgent(at, d)
		p.foldTool(at, d)
	}
	p.foldRules(at, d)
}

// An installation fires its controls at each start by calls of an agent for a
// tool of a server; no real agent or server has these names. They are in the
// record, and are no part of what is judged by it.
const (
	SelfCheckAgent  = "self-check"
	SelfCheckServer = "aims-self-check"
)

// selfCheck says whether the installation tried itself. It is always denied, so
// that an agent which takes the name hides nothing that it was allowed.
func (d *decision) selfCheck() bool {
	return string(d.actorID) == SelfCheckAgent && string(d.actor) == "agent" && authz.Verdict(d.verdict) == authz.Deny
}

// count adds to the counter of the verdict.
func count(d *decision, allowed, denied, held *uint64) {
	switch authz.Verdict(d.verdict) {
	case authz.Allow:
		*allowed++
	case authz.Hold:
		*held++
	default:
		*denied++
	}
}

// agent is what is seen of the agent that a decision is about.
func (p *Part) agent(at int64, d *decision) *agentSeen {
	a := p.agents[string(d.actorID)]
	if a == nil {
		a = &agentSeen{Agent: Agent{First: at, FirstReceipt: string(d.id), Tools: map[string]uint64{}, Purposes: map[string]uint64{}, Servers: map[string]uint64{}, ToolLast: map[string]int64{}, PurposeLast: map[string]int64{}, PurposeAllowed: map[string]int64{}}}
		p.agents[string(d.actorID)] = a
	}
	return a
}

func (p *Part) foldAgent(at int64, d *decision) {
	if string(d.actor) != "agent" {
		return
	}
	a := p.agent(at, d)
	c := p.calls[string(d.actorID)]
	if c == nil {
		c = &calls{}
		p.calls[string(d.actorID)] = c
	}
	count(d, &a.Allowed, &a.Denied, &a.Held)
	a.Last, a.receipt = at, d.id
	a.Purposes[string(d.purpose)]++
	a.PurposeLast[string(d.purpose)] = at
	if string(d.resourceType) == "McpServer" {
		a.Servers[string(d.resourceID)]++
	}
	if authz.Verdict(d.verdict) == authz.Allow {
		c.allowed++
		a.PurposeAllowed[string(d.purpose)] = at
		if a.AllowedFirst == 0 {
			a.AllowedFirst = at
		}
		if isTool(d.action) {
			a.Tools[string(d.action)]++
			a.ToolLast[string(d.action)] = at
		}
	}
	if n := len(c.days) - 1; n < 0 || c.days[n].day != dayOf(at) {
		c.days = append(c.days, dayCalls{day: dayOf(at)})
	}
	c.days[len(c.days)-1].decisions++
}

// isTool says whether an action is a call of a tool, server___tool.
func isTool(action []byte) bool {
	for i := 1; i+3 < len(action); i++ {
		if action[i] == '_' && action[i+1] == '_' && action[i+2] == '_' {
			return true
		}
	}
	return false
}

func (p *Part) foldTool(at int64, d *decision) {
	if !isTool(d.action) {
		return
	}
	t := p.tools[string(d.action)]
	if t == nil {
		t = &toolSeen{Tool: Tool{First: at, Pins: map[string]uint64{}}}
		p.tools[string(d.action)] = t
	}
	count(d, &t.Allowed, &t.Denied, &t.Held)
	t.Last, t.receipt = at, d.id
	switch {
	case len(d.pin) > 0:
		t.Pins[string(d.pin)]++
	case authz.Verdict(d.verdict) == authz.Allow:
		t.Unpinned++
		t.UnpinnedLast = at
	}
}

func (p *Part) foldRules(at int64, d *decision) {
	if len(d.policy) > 0 {
		s := p.policies[string(d.policy)]
		if s == nil {
			s = &policySeen{Policy: Policy{First: at}}
			p.policies[string(d.policy)] = s
		}
		s.Decisions++
		s.Last, s.receipt = at, d.id
	}
	for _, why := range d.reasons {
		r := p.rule(why.rule, at, d)
		r.Decisions++
		if authz.Verdict(d.verdict) == authz.Hold {
			r.Held++
			r.HeldLast = at
		}
		for _, c := range why.controls {
			r.Controls[string(c)]++
		}
		for _, t := range why.threats {
			r.Threats[string(t)]++
		}
	}
	for _, rule := range d.faults {
		p.rule(rule, at, d).Faults++
	}
}

func (p *Part) rule(id []byte, at int64, d *decision) *ruleSeen {
	r := p.rules[string(id)]
	if r == nil {
		r = &ruleSeen{Rule: Rule{Controls: map[string]uint64{}, Threats: map[string]uint64{}}}
		p.rules[string(id)] = r
	}
	r.Last, r.receipt = at, d.id
	if string(d.channel) != "management" {
		r.Called = at
	}
	return r
}
