package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/evidence/observed"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

type policyRequest struct {
	Credentials
	Body PolicyFiles
}

type checkPolicyRequest struct {
	Credentials
	Schema bool `query:"schema" doc:"whether to answer with the schema"`
	Body   PolicyFiles
}

type activatePolicyRequest struct {
	Credentials
	Body PolicyActivation
}

type diffPolicyRequest struct {
	Credentials
	Body PolicyPair
}

type digestRequest struct {
	Credentials
	Body PolicyDigest
}

type rollbackRequest struct {
	Credentials
	Body PolicyEnvironment
}

type shadowRequest struct {
	Credentials
	Body PolicyShadow
}

type bundleRequest struct {
	Credentials
	Digest string `path:"digest"`
}

func (a *api) policies(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy", Summary: "The policies in force and the schema that they are checked against"}, "policy/read",
		func(ctx context.Context, _ caller, in *asOfRequest) (Policy, error) {
			return a.showPolicy(ctx, in.AsOf)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/check", Summary: "Check policies against the tools; nothing changes", MaxBodyBytes: maxPolicyBytes}, "policy/check", a.checkPolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/test", Summary: "Run the tests of a bundle with the tools that there are; nothing changes", MaxBodyBytes: maxPolicyBytes}, "policy/check", a.testPolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/diff", Summary: "What differs between two bundles; nothing changes", MaxBodyBytes: 2 * maxPolicyBytes}, "policy/check", a.diffPolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/publish", Summary: "Store a bundle under its digest for review", MaxBodyBytes: maxPolicyBytes}, "policy/publish", a.publishPolicy)
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/approve", Summary: "Approve a published bundle; never by its author"}, "policy/approve", a.authored,
		func(ctx context.Context, c caller, in *digestRequest) (Done, error) {
			return Done{c.Receipt}, a.Policies.Approve(ctx, c.Actor, c.Receipt, in.Body.Digest)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/activate", Summary: "Check policies and put them in force", MaxBodyBytes: maxPolicyBytes}, "policy/activate", a.activatePolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/rollback", Summary: "Put the bundle in force again that was before"}, "policy/rollback", a.rollbackPolicy)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/policy/shadow", Summary: "Try a published bundle beside the active one"}, "policy/activate",
		func(ctx context.Context, c caller, in *shadowRequest) (Done, error) {
			return Done{c.Receipt}, a.Policies.Shadow(ctx, c.Actor, c.Receipt, in.Body.Digest, a.Inventory.Catalog())
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy/bundles", Summary: "The bundles, who had a part in them, and where they are in force"}, "policy/read",
		func(ctx context.Context, _ caller, in *asOfRequest) ([]policy.Listed, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return nil, err
			}
			if at.IsZero() {
				return a.Policies.List(ctx)
			}
			return a.Policies.ListAt(ctx, at)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/policy/bundles/{digest}", Summary: "The files of a bundle"}, "policy/read", a.showBundle)
}

func (a *api) showPolicy(ctx context.Context, asOf string) (Policy, error) {
	at, err := AsOf(asOf, a.Now())
	if err != nil {
		return Policy{}, err
	}
	in := a.Policies.InForce()
	if !at.IsZero() {
		if in, err = a.Policies.InForceAt(ctx, at); err != nil {
			return Policy{}, err
		}
	}
	if in == nil {
		return Policy{}, aims.Errorf(aims.NotFound, nil, "no policy is active%s: everything is refused", then(asOf))
	}
	p := Policy{Digest: in.Set.Digest(), Bundle: in.Bundle, Schema: string(in.Set.Schema())}
	for _, s := range in.Set.Sources() {
		p.Files = append(p.Files, PolicyFile{Name: s.Name, Text: string(s.Text)})
	}
	if !at.IsZero() {
		return p, nil
	}
	p.Stale = a.Enforcer.Stale()
	_, losses, err := a.Enforcer.CompilePolicy(a.Policies.Own())
	if policy.Problems(err) != nil { // Stale says so
		err = nil
	}
	p.Losses = losses
	return p, err
}

func (a *api) showBundle(ctx context.Context, _ caller, in *bundleRequest) (PolicyBundle, error) {
	b, err := a.Policies.Bundle(ctx, in.Digest)
	if err != nil {
		return PolicyBundle{}, err
	}
	out := PolicyBundle{Digest: b.Digest}
	for _, f := range b.Files() {
		out.Files = append(out.Files, PolicyFile{Name: f.Name, Text: string(f.Text)})
	}
	return out, nil
}

// authored is the matter of an approval: who published the bundle.
func (a *api) authored(ctx context.Context, in *digestRequest) (enforcement.Matter, error) {
	authors, err := a.Policies.Authors(ctx, in.Body.Digest)
	return enforcement.Matter{Authors: authors}, err
}

// bundleOf is the bundle of a request's files; nil for none.
func bundleOf(files []PolicyFile) (*bundle.Bundle, error) {
	if files == nil {
		return nil, nil
	}
	all := make([]bundle.File, len(files))
	for i, f := range files {
		all[i] = bundle.File{Name: f.Name, Text: []byte(f.Text)}
	}
	return bundle.New(all)
}

// bundleOr is the bundle of a request, or that of the policy directory.
func (a *api) bundleOr(files []PolicyFile) (*bundle.Bundle, error) {
	b, err := bundleOf(files)
	if b != nil || err != nil {
		return b, err
	}
	if b, err = a.PolicyDir(); b == nil && err == nil {
		err = aims.Errorf(aims.Invalid, nil, "no files are given, and this server has no policy directory")
	}
	return b, err
}

// prepare compiles a bundle for review, with the tools that there are but that
// of the self-check, which nobody can call.
func (a *api) prepare(ctx context.Context, b *bundle.Bundle) (policy.Reviewed, error) {
	c := a.Policies.Circumstances(a.Inventory.Catalog().Tools)
	c.Known = a.Known(ctx)
	c.Unseen = []string{observed.SelfCheckServer}
	return policy.Prepare(b, c)
}

func (a *api) checkPolicy(ctx context.Context, _ caller, in *checkPolicyRequest) (PolicyCheck, error) {
	b, err := a.bundleOr(in.Body.Files)
	if err != nil {
		return problems(nil, err)
	}
	r, err := a.prepare(ctx, b)
	if err != nil {
		return problems(r.Losses, err)
	}
	check := PolicyCheck{Valid: true, Bundle: b.Digest, Losses: r.Losses, Findings: r.Check()}
	if in.Schema {
		check.Schema = string(r.Set.Schema())
	}
	return check, nil
}

func (a *api) testPolicy(ctx context.Context, _ caller, in *policyRequest) (PolicyTests, error) {
	b, err := a.bundleOr(in.Body.Files)
	if err == nil {
		var r policy.Reviewed
		if r, err = a.prepare(ctx, b); err == nil {
			report := r.Test()
			return PolicyTests{Report: &report}, nil
		}
	}
	if found := policy.Problems(err); found != nil {
		return PolicyTests{Problems: found}, nil
	}
	return PolicyTests{}, err
}

func (a *api) diffPolicy(ctx context.Context, _ caller, in *diffPolicyRequest) (PolicyDiff, error) {
	var sides [2]policy.Reviewed
	for i, ref := range []PolicyRef{in.Body.Before, in.Body.After} {
		b, err := a.refer(ctx, ref)
		if err == nil {
			sides[i], err = a.prepare(ctx, b)
		}
		if found := policy.Problems(err); found != nil {
			return PolicyDiff{Problems: found}, nil
		}
		if err != nil {
			return PolicyDiff{}, err
		}
	}
	d := sides[0].Diff(sides[1])
	return PolicyDiff{Difference: &d}, nil
}

func (a *api) refer(ctx context.Context, ref PolicyRef) (*bundle.Bundle, error) {
	if ref.Digest != "" {
		return a.Policies.Bundle(ctx, ref.Digest)
	}
	return a.bundleOr(ref.Files)
}

func (a *api) publishPolicy(ctx context.Context, c caller, in *policyRequest) (PolicyCheck, error) {
	b, err := a.bundleOr(in.Body.Files)
	if err != nil {
		return problems(nil, err)
	}
	done, err := a.Policies.Publish(ctx, c.Actor, c.Receipt, b, a.Inventory.Catalog())
	if err != nil {
		return problems(done.Losses, err)
	}
	return PolicyCheck{Valid: true, Bundle: done.Digest, Changed: done.Changed, Losses: done.Losses}, nil
}

func (a *api) activatePolicy(ctx context.Context, c caller, in *activatePolicyRequest) (PolicyCheck, error) {
	if in.Body.Digest == "" {
		if in.Body.Environment != "" && in.Body.Environment != a.Policies.Environment() {
			return PolicyCheck{}, aims.Errorf(aims.Invalid, nil, "files are activated in the server's own environment, %s; publish them and activate the digest", a.Policies.Environment())
		}
		b, err := bundleOf(in.Body.Files)
		if err != nil {
			return problems(nil, err)
		}
		done, err := a.Activate(ctx, c.Actor, c.Receipt, b)
		return activated(done, err)
	}
	environment := or(in.Body.Environment, a.Policies.Environment())
	if err := a.Released(environment, in.Body.Digest); err != nil {
		return PolicyCheck{}, err
	}
	return activated(a.Enforcer.PutInForce(func(catalog pdp.Catalog) (policy.Activation, error) {
		return a.Policies.ActivateDigest(ctx, c.Actor, c.Receipt, in.Body.Digest, environment, catalog)
	}))
}

func (a *api) rollbackPolicy(ctx context.Context, c caller, in *rollbackRequest) (PolicyCheck, error) {
	environment := or(in.Body.Environment, a.Policies.Environment())
	if err := a.Released(environment, ""); err != nil {
		return PolicyCheck{}, err
	}
	return activated(a.Enforcer.PutInForce(func(catalog pdp.Catalog) (policy.Activation, error) {
		return a.Policies.Rollback(ctx, c.Actor, c.Receipt, environment, catalog)
	}))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func activated(done policy.Activation, err error) (PolicyCheck, error) {
	if err != nil {
		return problems(done.Losses, err)
	}
	return PolicyCheck{Valid: true, Digest: done.Digest, Bundle: done.Bundle, Changed: done.Changed, Losses: done.Losses}, nil
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
