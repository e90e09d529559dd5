package identity

import (
	"context"
	"errors"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
)

// Several processes may work on one database. Memory is what the tables held
// at one version; a change is stored only on top of that version, and whoever
// finds another one reads the tables again first. So what is checked in memory,
// such as that an administrator stays, holds where the change is stored.

// inDoubt is the version of a memory that may differ from the tables: the last
// change ended in a way that does not tell whether it was stored.
const inDoubt = -1

// maxRaces bounds how often a change is begun again because another process
// was faster.
const maxRaces = 16

// errMoved says that the tables are not what memory holds.
var errMoved = errors.New("identity: another process changed it")

// contents are the tables in memory.
type contents struct {
	keys   map[lookup]*credential
	byID   map[string]*credential
	actors map[aims.Actor][]string
}

// alter runs step, which changes the directory by one commit, alone in this
// process, and again after reading the tables when another one was faster.
func (d *Directory) alter(ctx context.Context, step func() error) error {
	d.change.Lock()
	defer d.change.Unlock()
	if d.known == inDoubt {
		if err := d.reload(ctx); err != nil {
			return err
		}
	}
	for range maxRaces {
		err := step()
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := d.reload(ctx); err != nil {
			return err
		}
	}
	return aims.Errorf(aims.Conflict, nil, "other processes change keys and roles again and again; try again later")
}

// commit stores a change together with its receipt. It is called within alter.
// fn may be run more than once.
func (d *Directory) commit(ctx context.Context, fn func(*store.Tx) (ledger.Entry, error)) error {
	known := d.known
	_, err := d.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		var version int64
		if err := tx.QueryRowContext(ctx, `UPDATE identity_version SET version = version + 1 WHERE id = 1 RETURNING version`).Scan(&version); err != nil {
			return ledger.Entry{}, err
		}
		if version != known+1 {
			return ledger.Entry{}, errMoved
		}
		return fn(tx)
	})
	switch {
	case err == nil:
		d.known = known + 1
		return nil
	case errors.Is(err, errMoved), errors.Is(err, errNotFirst):
		return err
	}
	if code, _ := aims.Public(changeFailed(err, "")); code == aims.Unavailable || code == aims.Internal {
		d.known = inDoubt
	}
	return err
}

// Refresh takes up what other processes on the same database changed: who was
// revoked there is let in no more here, and roles are what they are there. It
// costs one small query when there is nothing new.
func (d *Directory) Refresh(ctx context.Context) error {
	d.change.Lock()
	defer d.change.Unlock()
	var version int64
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		version, err = readVersion(ctx, tx)
		return err
	})
	switch {
	case err != nil:
		return aims.Errorf(aims.Unavailable, err, "the keys and roles could not be read")
	case version == d.known:
		return nil
	}
	return d.reload(ctx)
}

func readVersion(ctx context.Context, tx *store.Tx) (version int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT version FROM identity_version WHERE id = 1`).Scan(&version)
	return version, err
}

// reload reads the tables into memory. It is called with change held.
func (d *Directory) reload(ctx context.Context) error {
	next := contents{map[lookup]*credential{}, map[string]*credential{}, map[aims.Actor][]string{}}
	var version int64
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		if version, err = readVersion(ctx, tx); err != nil {
			return err
		}
		if err := next.loadActors(ctx, tx); err != nil {
			return err
		}
		return next.loadKeys(ctx, tx)
	})
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "the keys and roles could not be read")
	}
	d.mu.Lock()
	d.contents, d.known = next, version
	d.mu.Unlock()
	return nil
}
