package hook

import (
	"sync"

	"aims/internal/aims"
	"aims/internal/enforcement"
)

// maxOpen bounds the allowed tool calls of one agent that are remembered until
// their outcome is told, maxOpenAll those of all agents. What is forgotten is
// recorded as unreported when its time is over.
const (
	maxOpen    = 1024
	maxOpenAll = 65536
)

// open is the allowed tool calls whose outcome is still to come.
type open struct {
	mu     sync.Mutex
	agents map[aims.Actor]*queue
	total  int
}

// queue is the open calls of one agent in the order in which they were allowed.
type queue struct {
	calls map[string]enforcement.Ruling
	order []string // may name calls that are gone
}

// add remembers a call, in the place of the agent's oldest when it has too many.
func (o *open) add(agent aims.Actor, key string, r enforcement.Ruling) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.agents[agent]
	if q == nil {
		q = &queue{calls: map[string]enforcement.Ruling{}}
	}
	if _, again := q.calls[key]; !again {
		if len(q.calls) == maxOpen {
			o.dropOldest(q)
		}
		if o.total == maxOpenAll {
			return false
		}
		q.order = append(q.order, key)
		o.total++
	}
	q.calls[key] = r
	if len(q.order) > 2*maxOpen {
		q.compact()
	}
	if o.agents == nil {
		o.agents = map[aims.Actor]*queue{}
	}
	o.agents[agent] = q
	return true
}

func (o *open) dropOldest(q *queue) {
	for len(q.order) > 0 {
		key := q.order[0]
		q.order = q.order[1:]
		if _, ok := q.calls[key]; ok {
			delete(q.calls, key)
			o.total--
			return
		}
	}
}

// compact forgets the order of calls that are gone.
func (q *queue) compact() {
	order := make([]string, 0, len(q.calls)+1)
	seen := make(map[string]bool, len(q.calls))
	for _, key := range q.order {
		if _, ok := q.calls[key]; ok && !seen[key] {
			seen[key] = true
			order = append(order, key)
		}
	}
	q.order = order
}

// take is the call with the key, once.
func (o *open) take(agent aims.Actor, key string) (enforcement.Ruling, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.agents[agent]
	if q == nil {
		return enforcement.Ruling{}, false
	}
	r, ok := q.calls[key]
	if ok {
		delete(q.calls, key)
		o.total--
		if len(q.calls) == 0 {
			delete(o.agents, agent)
		}
	}
	return r, ok
}
