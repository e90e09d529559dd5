package observed

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// New is what an empty log shows: nothing.
func New() *Facts {
	return &Facts{
		Agents: map[string]*Agent{}, Tools: map[string]*Tool{}, Policies: map[string]*Policy{}, Rules: map[string]*Rule{},
		Lives: map[string]*Life{}, Approvals: map[string]*Approval{}, Cases: map[string]*Case{}, Frozen: map[string]*Event{},
	}
}

// Add adds the part that begins where the facts end. A part is added once.
func (f *Facts) Add(p *Part) error {
	if p.first != f.Size {
		return fmt.Errorf("observed: entries from %d cannot be added to the facts of %d entries", p.first, f.Size)
	}
	if p.size == 0 {
		return nil
	}
	if f.Size == 0 {
		f.First = p.begun
	}
	f.Size, f.Last = f.Size+p.size, p.done
	f.Events += p.happened
	for number, day := range p.days {
		f.day(number, day.Index).add(day)
	}
	f.addSeen(p)
	for _, h := range p.events {
		if h.before != nil {
			f.addCalls(h.event.Object.ID, h.before)
		}
		applies(h.event.Name)(f, h)
	}
	for agent, c := range p.calls {
		f.addCalls(agent, c)
	}
	return nil
}

// addSeen adds what does not depend on the entries before.
func (f *Facts) addSeen(p *Part) {
	for id, seen := range p.agents {
		to := f.Agents[id]
		if to == nil {
			to = &Agent{First: seen.First, FirstReceipt: seen.FirstReceipt, Tools: map[string]uint64{}, Purposes: map[string]uint64{}, Servers: map[string]uint64{}, ToolLast: map[string]int64{}, PurposeLast: map[string]int64{}, PurposeAllowed: map[string]int64{}}
			f.Agents[id] = to
		}
		to.Last, to.Receipt = seen.Last, string(seen.receipt)
		to.Allowed, to.Denied, to.Held = to.Allowed+seen.Allowed, to.Denied+seen.Denied, to.Held+seen.Held
		to.Refused, to.AllowedFirst = to.Refused+seen.Refused, cmp.Or(to.AllowedFirst, seen.AllowedFirst)
		sum(to.Tools, seen.Tools)
		sum(to.Purposes, seen.Purposes)
		sum(to.Servers, seen.Servers)
		maps.Copy(to.ToolLast, seen.ToolLast) // the part is newer than the facts
		maps.Copy(to.PurposeLast, seen.PurposeLast)
		maps.Copy(to.PurposeAllowed, seen.PurposeAllowed)
	}
	for id, seen := range p.tools {
		to := f.Tools[id]
		if to == nil {
			to = &Tool{First: seen.First, Pins: map[string]uint64{}}
			f.Tools[id] = to
		}
		to.Last, to.Receipt = seen.Last, string(seen.receipt)
		to.Allowed, to.Denied, to.Held = to.Allowed+seen.Allowed, to.Denied+seen.Denied, to.Held+seen.Held
		to.Unpinned, to.UnpinnedLast = to.Unpinned+seen.Unpinned, max(to.UnpinnedLast, seen.UnpinnedLast)
		sum(to.Pins, seen.Pins)
	}
	for digest, seen := range p.policies {
		to := f.policy(digest)
		to.First = cmp.Or(to.First, seen.First)
		to.Decisions, to.Last, to.Receipt = to.Decisions+seen.Decisions, seen.Last, string(seen.receipt)
	}
	for id, seen := range p.rules {
		to := f.Rules[id]
		if to == nil {
			to = &Rule{Controls: map[string]uint64{}, Threats: map[string]uint64{}}
			f.Rules[id] = to
		}
		to.Last, to.Receipt = seen.Last, string(seen.receipt)
		to.Called, to.HeldLast = max(to.Called, seen.Called), max(to.HeldLast, seen.HeldLast)
		to.Decisions, to.Held, to.Faults = to.Decisions+seen.Decisions, to.Held+seen.Held, to.Faults+seen.Faults
		sum(to.Controls, seen.Controls)
		sum(to.Threats, seen.Threats)
	}
}

func sum(to, from map[string]uint64) {
	for k, n := range from {
		to[k] += n
	}
}

// addCalls adds calls that an agent made in the stage that it is in.
func (f *Facts) addCalls(agent string, c *calls) {
	life := f.Lives[agent]
	if life != nil && life.Stage != "" && life.Stage != deployed && f.Agents[agent] != nil {
		f.Agents[agent].AllowedWithoutDeployed += c.allowed
	}
	if life == nil || life.Registered == 0 {
		for _, d := range c.days {
			f.day(d.day, f.Size).Unregistered += d.decisions
		}
	}
}

// day is the counts of a day; index is that of its first entry if it is new.
func (f *Facts) day(number int64, index uint64) *Day {
	name := dayName(number)
	i, there := slices.BinarySearchFunc(f.Days, name, func(d Day, name string) int { return cmp.Compare(d.Day, name) })
	if !there {
		f.Days = slices.Insert(f.Days, i, Day{Day: name, Index: index})
	}
	return &f.Days[i]
}

func (d *Day) add(o *Day) {
	d.Decisions += o.Decisions
	d.Allowed += o.Allowed
	d.Denied += o.Denied
	d.Held += o.Held
	d.Refused += o.Refused
	d.Outcomes += o.Outcomes
	d.Failed += o.Failed
	d.Micros += o.Micros
	d.Managed += o.Managed
	d.ManagedRefused += o.ManagedRefused
	d.Unregistered += o.Unregistered
}

func (f *Facts) policy(digest string) *Policy {
	p := f.Policies[digest]
	if p == nil {
		p = &Policy{Environments: map[string]int64{}}
		f.Policies[digest] = p
	}
	return p
}

func (f *Facts) life(agent string) *Life {
	l := f.Lives[agent]
	if l == nil {
		l = &Life{}
		f.Lives[agent] = l
	}
	return l
}
