package gateway

import (
	"context"
	"sync"
	"time"
)

// patience cancels a call when whoever it waits for takes too long: the
// server, or, while the server waits for input, the agent.
type patience struct {
	mu     sync.Mutex
	timer  *time.Timer
	why    error
	cancel context.CancelCauseFunc
}

func newPatience(d time.Duration, cancel context.CancelCauseFunc) *patience {
	p := &patience{why: errTimeout, cancel: cancel}
	p.timer = time.AfterFunc(d, p.lose)
	return p
}

func (p *patience) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel(p.why)
}

// wait begins to wait anew; why is the cause of losing patience.
func (p *patience) wait(d time.Duration, why error) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
	p.timer.Reset(d)
}

func (p *patience) end() { p.timer.Stop() }
