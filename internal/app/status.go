package app

import (
	"context"

	"aims/internal/api"
)

// status is the state of the installation.
func (a *App) status(ctx context.Context) (api.Status, error) {
	open, err := a.ledger.OpenDecisions(ctx)
	if err != nil {
		return api.Status{}, err
	}
	s := api.Status{
		Version: a.version.Version, Started: a.started, Origin: a.key.Name(), Verifier: a.key.verifier,
		Size: a.ledger.Size(), Stale: a.enforcer.Stale(), Servers: a.servers(),
		Open: len(open), LeftOpen: len(a.left), SelfCheck: a.controls, Stops: []api.Stop{},
	}
	for _, stop := range a.inventory.Stops() {
		s.Stops = append(s.Stops, api.Stop{Type: stop.Type, ID: stop.ID, Reason: stop.Reason, By: api.Actor(stop.By), Since: stop.Since})
	}
	if set := a.policies.Active(); set != nil {
		s.Policy = set.Digest()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.PolicyError = a.policyError
	return s, nil
}

func (a *App) servers() []api.ServerStatus {
	list := make([]api.ServerStatus, 0, len(a.cfg.Servers))
	for _, s := range a.cfg.Servers {
		status := api.ServerStatus{Name: s.Name, Kind: "declared", Stopped: a.inventory.Stopped(s.Name), Unlisted: a.unlisted(s)}
		switch {
		case s.Command != "":
			status.Kind = "stdio"
		case s.URL != "":
			status.Kind = "http"
		}
		listed := false
		for _, t := range a.inventory.Tools(s.Name) {
			status.Tools++
			listed = listed || t.Listed
			if t.Quarantined || t.Approved == "" {
				status.Quarantined++
			}
		}
		if !listed {
			status.Problem = a.unreachable[s.Name]
		}
		list = append(list, status)
	}
	return list
}
