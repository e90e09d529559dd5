package inventory

import (
	"context"
	"errors"
	"maps"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Several processes may work on one database. Memory is what the tables held
// at one version; a change is stored only on top of that version, and whoever
// finds another one reads the tables again first. So no process overwrites what
// it has not seen.

// inDoubt is the version of a memory that may differ from the tables: the last
// change ended in a way that does not tell whether it was stored.
const inDoubt = -1

// maxRaces bounds how often a change is begun again because another process
// was faster.
const maxRaces = 16

// errMoved says that the tables are not what memory holds.
var errMoved = errors.New("inventory: another process changed it")

// alter runs step, which changes the inventory by one commit, alone in this
// process, and again after reading the tables when another one was faster.
func (i *Inventory) alter(ctx context.Context, step func() error) error {
	i.change.Lock()
	defer i.change.Unlock()
	for range maxRaces {
		err := step()
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := i.reload(ctx); err != nil {
			return err
		}
	}
	return aims.Errorf(aims.Conflict, nil, "other processes change the inventory again and again; try again later")
}

// commit stores a change together with its receipt. It is called within alter.
// fn may be run more than once.
func (i *Inventory) commit(ctx context.Context, fn func(*store.Tx) (ledger.Entry, error)) error {
	known := i.known
	_, err := i.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		var version int64
		if err := tx.QueryRowContext(ctx, `UPDATE inventory_version SET version = version + 1 WHERE id = 1 RETURNING version`).Scan(&version); err != nil {
			return ledger.Entry{}, err
		}
		if version != known+1 {
			return ledger.Entry{}, errMoved
		}
		return fn(tx)
	})
	switch {
	case err == nil:
		i.known = known + 1
		return nil
	case errors.Is(err, errMoved):
		return err
	}
	err = changeFailed(err)
	if code, _ := aims.Public(err); code == aims.Unavailable || code == aims.Internal {
		i.known = inDoubt
	}
	return err
}

// StoredVersion is the version of the tables, which all processes share: each
// change of tools, labels, agents and stops makes it grow. Version counts in memory.
func (i *Inventory) StoredVersion(ctx context.Context) (version int64, err error) {
	err = i.db.View(ctx, func(tx *store.Tx) (err error) {
		version, err = readVersion(ctx, tx)
		return err
	})
	return version, err
}

// Refresh takes up what other processes on the same database changed. It costs
// one small query when there is nothing new.
func (i *Inventory) Refresh(ctx context.Context) error {
	i.change.Lock()
	defer i.change.Unlock()
	version, err := i.StoredVersion(ctx)
	if err != nil || version == i.known {
		return err
	}
	return i.reload(ctx)
}

// reload reads the tables into memory. What was observed since the start and
// is in no table stays. It is called with change held.
func (i *Inventory) reload(ctx context.Context) error {
	next := newContents()
	var version int64
	err := i.db.View(ctx, func(tx *store.Tx) (err error) {
		if version, err = readVersion(ctx, tx); err != nil {
			return err
		}
		return next.read(ctx, tx)
	})
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "the inventory could not be read")
	}
	next.keepObserved(&i.contents)
	catalog := !maps.Equal(i.approved(), next.approved())
	i.known = version
	i.mu.Lock()
	defer i.mu.Unlock()
	i.contents = *next
	i.version++
	if catalog {
		i.catalogVersion++
	}
	return nil
}

// keepObserved carries over what a process knows from its own observations.
func (c *contents) keepObserved(before *contents) {
	for name, old := range before.servers {
		s := c.servers[name]
		if s == nil {
			continue
		}
		s.list, s.dropped = old.list, old.dropped
		for tool, r := range s.tools {
			o := old.tools[tool]
			if o == nil {
				continue
			}
			r.Listed = o.Listed
			if o.Pin == r.Pin {
				r.raw = o.raw // else the bytes of the last list are those of another pin
			}
		}
	}
}

// approved is the pin in force of each tool.
func (c *contents) approved() map[toolName]string {
	pins := map[toolName]string{}
	for server, s := range c.servers {
		for name, r := range s.tools {
			if r.Approved != "" {
				pins[toolName{server, name}] = r.Approved
			}
		}
	}
	return pins
}
