package enforcement

import (
	"context"

	"aims/internal/aims"
	"aims/internal/inventory"
	"aims/internal/policy"
	"aims/internal/policy/bundle"
	"aims/pdp"
)

// ObserveTools takes note of a server's list of tools, whole, at every list,
// and puts the policies in force for what is new. With an error the list must
// not be shown. When the policies do not compile with a new tool, they stay as
// they are and the tool is refused; Stale says why.
func (e *Enforcer) ObserveTools(ctx context.Context, server string, tools []inventory.Tool) ([]inventory.Change, error) {
	e.catalog.Lock()
	defer e.catalog.Unlock()
	changes, err := e.inventory.Observe(ctx, server, tools)
	if err != nil {
		return nil, err
	}
	return changes, e.recompile(ctx)
}

// ApproveTool puts a tool's observed definition in force. It names the pin
// that the approver has seen: another one by now is aims.Conflict. So is a
// definition with which the active policies would not compile.
func (e *Enforcer) ApproveTool(ctx context.Context, by aims.Actor, decision, server, tool, pin string) error {
	e.catalog.Lock()
	defer e.catalog.Unlock()
	if err := e.compiles(e.inventory.CatalogWith(server, tool)); err != nil {
		return err
	}
	if err := e.inventory.Approve(ctx, by, decision, server, tool, pin); err != nil {
		return err
	}
	return e.recompile(ctx)
}

// ForgetTool drops a tool that its server no longer lists. While a policy
// names it, it fails with aims.Conflict.
func (e *Enforcer) ForgetTool(ctx context.Context, by aims.Actor, decision, server, tool string) error {
	e.catalog.Lock()
	defer e.catalog.Unlock()
	if err := e.compiles(e.inventory.CatalogWithout(server, tool)); err != nil {
		return err
	}
	if err := e.inventory.Forget(ctx, by, decision, server, tool); err != nil {
		return err
	}
	return e.recompile(ctx)
}

// compiles says whether the active policies would compile with a catalog.
func (e *Enforcer) compiles(c pdp.Catalog) error {
	own := e.policy.Own()
	if own == nil {
		return nil
	}
	if _, _, err := e.policy.Compile(own, c.Tools); err != nil {
		_, text := aims.Public(err)
		return aims.Errorf(aims.Conflict, err, "after that, %s", text)
	}
	return nil
}

// PutInForce runs an activation with the tools that are approved now.
func (e *Enforcer) PutInForce(activate func(pdp.Catalog) (policy.Activation, error)) (policy.Activation, error) {
	e.catalog.Lock()
	defer e.catalog.Unlock()
	version := e.inventory.CatalogVersion()
	done, err := activate(e.inventory.Catalog())
	if err == nil && done.Environment == e.policy.Environment() {
		e.compiled = version + 1
		e.stale.Store(nil)
	}
	return done, err
}

// ActivatePolicy puts policies without tests in force, in one bundle.
func (e *Enforcer) ActivatePolicy(ctx context.Context, by aims.Actor, decision string, sources []pdp.Source) (policy.Activation, error) {
	b, err := bundle.FromSources(sources)
	if err != nil {
		return policy.Activation{}, err
	}
	return e.PutInForce(func(c pdp.Catalog) (policy.Activation, error) {
		return e.policy.Activate(ctx, by, decision, b, c)
	})
}

// CompilePolicy compiles a bundle for the tools that are approved now, without
// putting it in force.
func (e *Enforcer) CompilePolicy(b *bundle.Bundle) (*pdp.Set, []pdp.Loss, error) {
	return e.policy.Compile(b, e.inventory.Catalog().Tools)
}

// Recompile puts the active policies in force for the approved tools and the
// present configuration. It is called once at start; later changes do it by themselves.
func (e *Enforcer) Recompile(ctx context.Context) error {
	e.catalog.Lock()
	defer e.catalog.Unlock()
	e.compiled = 0
	return e.recompile(ctx)
}

// Stale says why the active policies could not be compiled for the tools that
// are approved now; empty when they are.
func (e *Enforcer) Stale() string {
	if text := e.stale.Load(); text != nil {
		return *text
	}
	return ""
}

// recompile is called with catalog held. Policies that do not compile are no
// error: those in force stay, and refuse what they do not know.
func (e *Enforcer) recompile(ctx context.Context) error {
	version := e.inventory.CatalogVersion()
	if version+1 == e.compiled {
		return nil
	}
	_, err := e.policy.Recompile(ctx, e.inventory.Catalog())
	if code, text := aims.Public(err); err != nil && code == aims.Invalid {
		e.o.Log.Error("the policies do not compile with the tools that there are now; those before stay in force", "error", err)
		e.stale.Store(&text)
		e.compiled = version + 1
		return nil
	}
	if err != nil {
		return err
	}
	e.compiled = version + 1
	e.stale.Store(nil)
	return nil
}
