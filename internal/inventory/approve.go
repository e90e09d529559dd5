package inventory

import (
	"context"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Difference compares a tool's observed definition with the approved one,
// field by field.
func (i *Inventory) Difference(server, tool string) ([]Difference, error) {
	s, ok := i.Tool(server, tool)
	if !ok {
		return nil, unknown(server, tool)
	}
	return difference(s.Definition, s.Observed), nil
}

// AsApproved is a tool as it would be if a person approved its observed definition.
func (i *Inventory) AsApproved(s State) State {
	r := record{State: s}
	r.Approved, r.Definition, r.Quarantined, r.Explicit = s.Pin, s.Observed, false, true
	r.classify(s.Said)
	return r.State
}

// Approve puts a tool's observed definition in force, or makes a definition
// that was trusted on first use one that a person has looked at. It names the
// pin that the approver has seen: when the server shows another one by now, or
// a person has approved this one, it fails with aims.Conflict.
func (i *Inventory) Approve(ctx context.Context, by aims.Actor, decision, server, tool, pin string) error {
	return i.alter(ctx, func() error { return i.approve(ctx, by, decision, server, tool, pin) })
}

func (i *Inventory) approve(ctx context.Context, by aims.Actor, decision, server, tool, pin string) error {
	old := i.record(server, tool)
	switch {
	case old == nil:
		return unknown(server, tool)
	case old.Pin != pin:
		return aims.Errorf(aims.Conflict, nil, "%s of %s is now %s; look at that definition before approving it", tool, server, old.Pin)
	case old.unusable:
		return aims.Errorf(aims.Conflict, nil, "the definition of %s of %s is unusable; its server has to change it", tool, server)
	case !old.Quarantined && old.Approved == pin && (old.Explicit || by.Type != aims.PersonType):
		return aims.Errorf(aims.Conflict, nil, "this definition of %s of %s is approved already", tool, server)
	}
	r := *old
	r.Approved, r.Definition, r.Quarantined, r.seen = pin, r.Observed, false, map[string]bool{}
	r.Explicit = by.Type == aims.PersonType
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		r.Changed = tx.Now
		if err := saveTool(ctx, tx, &r); err != nil {
			return ledger.Entry{}, err
		}
		if err := forgetSightings(ctx, tx, server, tool); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "tool.approved", server, tool, toolDetail{
			Pin: pin, Before: old.Approved, Flags: old.Flags, Difference: brief(difference(old.Definition, old.Observed)), Said: old.Said,
		})
	})
	if err != nil {
		return err
	}
	i.put(&r, true)
	return nil
}

// Forget removes a tool that its server no longer lists, so that a name that
// will not come back takes no place. If it does come back, it is new. What
// people said about it stays with the name, or forgetting would take labels
// away that only labelling may take away.
func (i *Inventory) Forget(ctx context.Context, by aims.Actor, decision, server, tool string) error {
	return i.alter(ctx, func() error { return i.forget(ctx, by, decision, server, tool) })
}

func (i *Inventory) forget(ctx context.Context, by aims.Actor, decision, server, tool string) error {
	old := i.record(server, tool)
	if old == nil {
		return unknown(server, tool)
	}
	if old.Listed {
		return aims.Errorf(aims.Conflict, nil, "%s still lists %s", server, tool)
	}
	err := i.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		if err := deleteTool(ctx, tx, server, tool); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "tool.forgotten", server, tool, toolDetail{Pin: old.Pin, Before: old.Approved})
	})
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.servers[server].tools, tool)
	i.version++
	i.catalogVersion++
	return nil
}

// put makes a record visible, with what follows from its definition and from
// what was said about it. catalog says that its approved definition changed.
func (i *Inventory) put(r *record, catalog bool) {
	r.classify(i.labels[toolName{r.Server, r.Name}])
	i.mu.Lock()
	defer i.mu.Unlock()
	i.place(r)
	i.version++
	if catalog {
		i.catalogVersion++
	}
}

// place is called with mu held.
func (c *contents) place(r *record) {
	s, ok := c.servers[r.Server]
	if !ok {
		s = &server{tools: map[string]*record{}}
		c.servers[r.Server] = s
	}
	s.tools[r.Name] = r
}

func unknown(server, tool string) error {
	return aims.Errorf(aims.NotFound, nil, "no tool %q of a server %q is known", tool, server)
}
