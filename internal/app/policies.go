package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/internal/policy/review"
	"aims/pdp"
)

// noPolicyDir as policy_dir says that policies come over the management API only.
const noPolicyDir = "none"

// What policy_review may be.
const (
	reviewOff      = "off"
	reviewRequired = "required"
)

// surveyTools makes the tools known before policies about them are checked:
// that of the self-check, those that the configuration declares, and those
// that the servers list.
func (a *App) surveyTools(ctx context.Context) error {
	if err := a.prepareProbe(ctx); err != nil {
		return err
	}
	for _, s := range a.cfg.Servers {
		if s.Command != "" || s.URL != "" {
			continue
		}
		tools, err := declaredTools(s)
		if err != nil {
			return aims.Errorf(aims.Invalid, err, "the tools of the server %s", s.Name)
		}
		if _, err := a.enforcer.ObserveTools(ctx, s.Name, tools); err != nil {
			return err
		}
	}
	listing, cancel := context.WithTimeout(ctx, time.Duration(a.cfg.Limits.ConnectTimeout))
	defer cancel()
	for name, err := range a.gateway.Survey(listing) {
		a.log.Warn("the tools of a server are not known; they are listed when an agent comes", "server", name, "error", err)
		_, text := aims.Public(err)
		a.unreachable[name] = text
	}
	return a.enforcer.Recompile(ctx)
}

// loadPolicies puts the policy directory in force. Where that fails, a set
// that was in force before stays; without one there is no start.
func (a *App) loadPolicies(ctx context.Context) error {
	err := a.ReloadPolicies(ctx)
	if a.policies.Active() == nil {
		return err
	}
	return nil
}

// ReloadPolicies puts the policy directory in force. When it fails, the active
// set stays, and the error is a *ConfigError with the places, where there are any.
func (a *App) ReloadPolicies(ctx context.Context) error {
	_, err := a.activate(ctx, aims.System, "", nil)
	if err == nil {
		return nil
	}
	err = a.placed(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policyError = err.Error()
	if active := a.policies.Active(); active != nil {
		for line := range strings.Lines(err.Error()) {
			a.log.Error("policy: " + strings.TrimSpace(line))
		}
		a.log.Error("the policy directory was not put in force; the active set stays", "active", active.Digest())
	}
	return err
}

// activate puts a bundle in force, that of the policy directory when there is
// none. Where there is a policy directory, others are refused: two sources of
// truth would undo one another at the next start.
func (a *App) activate(ctx context.Context, by aims.Actor, decision string, b *bundle.Bundle) (policy.Activation, error) {
	own, err := a.directoryBundle()
	if err != nil {
		return policy.Activation{}, err
	}
	switch active := a.policies.InForce(); {
	case b == nil && own != nil:
		b = own
	case b == nil && active != nil:
		return policy.Activation{Digest: active.Set.Digest(), Bundle: active.Bundle, Environment: a.policies.Environment()}, nil
	case b == nil:
		if b, err = bundle.FromSources([]pdp.Source{{Name: "starter.cedar", Text: policy.Starter()}}); err != nil {
			return policy.Activation{}, err
		}
	case own != nil && own.Digest != b.Digest:
		return policy.Activation{}, errDirectory()
	}
	done, err := a.enforcer.PutInForce(func(c pdp.Catalog) (policy.Activation, error) {
		return a.policies.Activate(ctx, by, decision, b, c)
	})
	if err != nil {
		return done, err
	}
	a.mu.Lock()
	a.policyError = ""
	a.mu.Unlock()
	if done.Changed {
		if n := len(done.Losses); n > 0 {
			a.log.Info("some arguments of tools cannot be carried over to policies exactly; `aims policy schema` lists them", "arguments", n)
		}
		a.log.Info("policies are in force", "digest", done.Digest, "bundle", done.Bundle, "before", done.Before, "files", len(b.Sources), "by", by)
	}
	return done, nil
}

func errDirectory() error {
	return aims.Errorf(aims.Conflict, nil, "this server takes its policies from its policy directory, which holds others; "+
		"change them there, or set policy_dir: none to take them from here only")
}

// released refuses to put other policies in force in this environment than
// those of the policy directory, which would undo it at the next start.
func (a *App) released(environment, digest string) error {
	own, err := a.directoryBundle()
	if err != nil || own == nil || environment != a.policies.Environment() || own.Digest == digest {
		return err
	}
	return errDirectory()
}

// directoryBundle reads the policy directory; nil when there is none by configuration.
func (a *App) directoryBundle() (*bundle.Bundle, error) {
	if a.cfg.PolicyDir == noPolicyDir {
		return nil, nil
	}
	return bundle.Load(os.DirFS(a.cfg.PolicyDir))
}

// known are the entities that policies can name. With access tokens of an
// authorization server, nobody here knows who comes, and in which roles.
func (a *App) known(ctx context.Context) review.Known {
	k := review.Known{Servers: []string{}}
	for _, s := range a.cfg.Servers {
		k.Servers = append(k.Servers, s.Name)
	}
	for _, t := range a.inventory.Tools("") {
		k.Servers = append(k.Servers, t.Server)
	}
	keys, err := a.directory.Keys(ctx)
	if a.cfg.OAuth != nil || err != nil {
		return k
	}
	k.Agents, k.People, k.Roles = []string{a.cfg.AnonymousAgent}, []string{}, []string{}
	for _, agent := range a.inventory.Agents() {
		k.Agents = append(k.Agents, agent.ID)
	}
	for _, key := range keys {
		k.Roles = append(k.Roles, key.Roles...)
		if key.Actor.Type == aims.AgentType {
			k.Agents = append(k.Agents, key.Actor.ID)
		} else {
			k.People = append(k.People, key.Actor.ID)
		}
	}
	return k
}

// placed turns what is wrong with policies into problems with their places.
func (a *App) placed(err error) error {
	found := policy.Problems(err)
	if found == nil {
		return err
	}
	e := &ConfigError{}
	for _, p := range found {
		file := a.cfg.PolicyDir
		if p.File != "" {
			file = filepath.Join(file, p.File)
		}
		text := p.Message
		if p.Policy != "" {
			text = p.Policy + ": " + text
		}
		e.Problems = append(e.Problems, Problem{File: file, Line: p.Line, Column: p.Column, Text: text})
	}
	for name, why := range a.unreachable {
		e.Problems = append(e.Problems, Problem{File: a.cfg.path, Text: "the tools of the server " + name + " are not known, so no policy can name them: " + why})
	}
	return e
}
