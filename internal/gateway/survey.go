package gateway

import (
	"context"
	"encoding/json"
	"sync"

	"aims/internal/aims"
	"aims/internal/identity"
)

// Survey lists the tools of every server on the installation's own account, so
// that policies about them can be checked before an agent comes. It returns
// the servers of which that failed.
func (g *Gateway) Survey(ctx context.Context) map[string]error {
	failed := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, s := range g.servers {
		wg.Go(func() {
			if err := g.survey(ctx, s); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[s.name] = err
			}
		})
	}
	wg.Wait()
	return failed
}

func (g *Gateway) survey(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	c, release, err := g.pool.take(ctx, s, identity.Principal{Actor: aims.System}, client{capabilities: json.RawMessage(everyCapability)})
	if err != nil {
		return err
	}
	defer release()
	return c.ensureListed(ctx, "")
}
