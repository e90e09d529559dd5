package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/policy"
	"aims/pdp"
)

type policyRequest struct {
	Credentials
	Body PolicyFiles
}

type showPolicyRequest struct{ Credentials }

func (a *api) policies(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy", Summary: "The policies in force and the schema that they are checked against"}, "policy/read",
		func(context.Context, caller, *showPolicyRequest) (Policy, error) { return a.showPolicy() })
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/check", Summary: "Check policies against the tools; nothing changes", MaxBodyBytes: maxPolicyBytes}, "policy/check", a.checkPolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/activate", Summary: "Check policies and put them in force", MaxBodyBytes: maxPolicyBytes}, "policy/activate", a.activatePolicy)
}

func (a *api) showPolicy() (Policy, error) {
	set := a.Policies.Active()
	if set == nil {
		return Policy{}, aims.Errorf(aims.NotFound, nil, "no policy is active: everything is refused")
	}
	p := Policy{Digest: set.Digest(), Schema: string(set.Schema()), Stale: a.Enforcer.Stale()}
	for _, s := range set.Sources() {
		p.Files = append(p.Files, PolicyFile{Name: s.Name, Text: string(s.Text)})
	}
	losses, err := a.Enforcer.CheckPolicy(a.Policies.Sources())
	if policy.Problems(err) != nil { // Stale says so
		err = nil
	}
	p.Losses = losses
	return p, err
}

func sourcesOf(files []PolicyFile) []pdp.Source {
	var sources []pdp.Source
	for _, f := range files {
		sources = append(sources, pdp.Source{Name: f.Name, Text: []byte(f.Text)})
	}
	return sources
}

func (a *api) checkPolicy(_ context.Context, _ caller, in *policyRequest) (PolicyCheck, error) {
	sources := sourcesOf(in.Body.Files)
	if sources == nil {
		var err error
		if sources, err = a.PolicyDir(); err != nil {
			return problems(nil, err)
		}
	}
	losses, err := a.Enforcer.CheckPolicy(sources)
	if err != nil {
		return problems(losses, err)
	}
	return PolicyCheck{Valid: true, Losses: losses}, nil
}

func (a *api) activatePolicy(ctx context.Context, c caller, in *policyRequest) (PolicyCheck, error) {
	done, err := a.Activate(ctx, c.Actor, c.Receipt, sourcesOf(in.Body.Files))
	if err != nil {
		return problems(done.Losses, err)
	}
	return PolicyCheck{Valid: true, Digest: done.Digest, Changed: done.Changed, Losses: done.Losses}, nil
}

// problems makes policies that do not compile an answer with their places; any
// other error stays one.
func problems(losses []pdp.Loss, err error) (PolicyCheck, error) {
	found := policy.Problems(err)
	if found == nil {
		return PolicyCheck{}, err
	}
	return PolicyCheck{Problems: found, Losses: losses}, nil
}
