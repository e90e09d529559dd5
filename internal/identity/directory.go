package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/receipt"
)

// NewKey says what key is to be made.
type NewKey struct {
	Actor aims.Actor
	// Roles are given to an actor that is not yet known. For one that is, they
	// are left empty or equal what it holds: ChangeRoles changes them.
	Roles []string
	// Expires is when the key ends; zero for never.
	Expires time.Time
}

// CreateKey makes a key for an agent or a person, and registers the actor if
// it is new. The secret is returned once and stored nowhere. by is who does
// it, decision the id of the receipt that let them.
func (d *Directory) CreateKey(ctx context.Context, by aims.Actor, decision string, n NewKey) (Key, Secret, error) {
	if err := checkActor(n.Actor); err != nil {
		return Key{}, Secret{}, err
	}
	if err := checkRoles(n.Roles); err != nil {
		return Key{}, Secret{}, err
	}
	if !n.Expires.IsZero() && !n.Expires.After(d.now()) {
		return Key{}, Secret{}, aims.Errorf(aims.Invalid, nil, "the key would have expired already, at %s", n.Expires.UTC().Format(time.RFC3339))
	}
	return d.createKey(ctx, by, decision, n, func(*store.Tx) error { return nil })
}

// createKey makes the key when permitted, run in the same transaction, finds nothing against it.
func (d *Directory) createKey(ctx context.Context, by aims.Actor, decision string, n NewKey, permitted func(*store.Tx) error) (Key, Secret, error) {
	secret := newSecret()
	c := &credential{hash: hashKey(secret), Key: Key{ID: aims.NewID("key"), Actor: n.Actor}}
	if !n.Expires.IsZero() {
		c.Expires = n.Expires.UTC().Truncate(time.Microsecond)
	}
	err := d.alter(ctx, func() (err error) {
		if c.Roles, err = d.rolesOf(n); err != nil {
			return err
		}
		err = d.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
			if err := permitted(tx); err != nil {
				return ledger.Entry{}, err
			}
			c.Created = tx.Now
			if err := insertKey(ctx, tx, c); err != nil {
				return ledger.Entry{}, err
			}
			return event(by, decision, "key.created", receipt.Object{Type: "key", ID: c.ID},
				keyDetail{Actor: c.Actor, Roles: c.Roles, Expires: c.Expires})
		})
		if err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.keys[c.hash.lookup()], d.byID[c.ID], d.actors[c.Actor] = c, c, c.Roles
		return nil
	})
	if err != nil {
		return Key{}, Secret{}, changeFailed(err, "the key was not made")
	}
	d.log.Info("a key was made", "key", c.ID, "actor", c.Actor.String(), "by", by.String())
	return c.Key, NewSecret(secret), nil
}

// rolesOf are the roles of a new key: those of its actor, if it is known.
func (d *Directory) rolesOf(n NewKey) ([]string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	roles := normalRoles(n.Roles)
	held, known := d.actors[n.Actor]
	switch {
	case !known:
		return roles, nil
	case len(roles) > 0 && !slices.Equal(roles, held):
		return nil, aims.Errorf(aims.Conflict, nil, "%s is known and holds other roles (%s); change them first", n.Actor, strings.Join(held, ", "))
	}
	return held, nil
}

// keyDetail is what the receipt of a new key says.
type keyDetail struct {
	Actor   aims.Actor `json:"actor"`
	Roles   []string   `json:"roles,omitempty"`
	Expires time.Time  `json:"expires,omitzero"`
}

// Bootstrap makes the first key, of a person with the admin role, when the
// directory has never had a key at all; made is false otherwise. The caller
// shows the secret once.
func (d *Directory) Bootstrap(ctx context.Context, person string) (key Key, secret Secret, made bool, err error) {
	n := NewKey{Actor: aims.Actor{Type: aims.PersonType, ID: person}, Roles: []string{AdminRole}}
	if err := checkActor(n.Actor); err != nil {
		return Key{}, Secret{}, false, err
	}
	// The count is taken in the transaction: of two processes that start on
	// one database, one makes the key.
	key, secret, err = d.createKey(ctx, aims.System, "", n, func(tx *store.Tx) error {
		var keys int64
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM identity_key`).Scan(&keys); err != nil {
			return err
		}
		if keys > 0 {
			return errNotFirst
		}
		return nil
	})
	if errors.Is(err, errNotFirst) {
		return Key{}, Secret{}, false, nil
	}
	return key, secret, err == nil, err
}

var errNotFirst = errors.New("identity: there is a key already")

// RevokeKey ends a key at once: when it returns, no call with it is let in any
// more. The last key of an administrator cannot be revoked, because nobody
// could make another.
func (d *Directory) RevokeKey(ctx context.Context, by aims.Actor, decision, id string) error {
	err := d.alter(ctx, func() error {
		var revoked time.Time
		err := d.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
			if d.lastAdministrator(id) {
				return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "%s is the last key of an administrator; make another first", id)
			}
			revoked = tx.Now
			if err := revokeKey(ctx, tx, id, &revoked); err != nil {
				return ledger.Entry{}, err
			}
			return event(by, decision, "key.revoked", receipt.Object{Type: "key", ID: id}, nil)
		})
		if err == nil {
			d.setRevoked(id, revoked)
		}
		return err
	})
	if err == nil {
		d.log.Info("a key is revoked", "key", id, "by", by.String())
	}
	return changeFailed(err, "the key was not revoked")
}

// setRevoked replaces the credential: others may be reading it.
func (d *Directory) setRevoked(id string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.byID[id]; ok {
		revoked := *c
		revoked.Revoked = at
		d.byID[id] = &revoked
		d.keys[c.hash.lookup()] = &revoked
	}
}

// lastAdministrator says whether no other key than id lets an administrator in.
func (d *Directory) lastAdministrator(id string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.byID[id]
	if c == nil || !d.administers(c) {
		return false
	}
	for _, other := range d.byID {
		if other != c && d.administers(other) {
			return false
		}
	}
	return true
}

// administers is called with mu held.
func (d *Directory) administers(c *credential) bool {
	return c.Actor.Type == aims.PersonType && c.valid(d.now()) && slices.Contains(d.actors[c.Actor], AdminRole)
}

// ChangeRoles gives a registered actor some roles and takes others from it,
// from the next call on, and returns those that it then holds. The last
// administrator with a key stays one. by is who does it, decision the id of the
// receipt that let them.
func (d *Directory) ChangeRoles(ctx context.Context, by aims.Actor, decision string, actor aims.Actor, add, drop []string) ([]string, error) {
	var roles []string
	err := d.alter(ctx, func() error {
		err := d.commit(ctx, func(tx *store.Tx) (ledger.Entry, error) {
			d.mu.RLock()
			held, known := d.actors[actor]
			admins := d.administratorsBeside(actor)
			d.mu.RUnlock()
			if !known {
				return ledger.Entry{}, aims.Errorf(aims.NotFound, nil, "there is no %s", actor)
			}
			var err error
			if roles, err = changedRoles(actor, held, add, drop); err != nil {
				return ledger.Entry{}, err
			}
			if slices.Contains(held, AdminRole) && !slices.Contains(roles, AdminRole) && !admins {
				return ledger.Entry{}, aims.Errorf(aims.Conflict, nil, "%s is the last administrator with a key; make another first", actor)
			}
			_, err = tx.ExecContext(ctx, `UPDATE identity_actor SET roles = $1 WHERE type = $2 AND id = $3`, joinRoles(roles), actor.Type, actor.ID)
			if err != nil {
				return ledger.Entry{}, err
			}
			return event(by, decision, "actor.roles", receipt.Object{Type: actor.Type, ID: actor.ID},
				rolesDetail{Before: held, After: roles})
		})
		if err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.actors[actor] = roles
		return nil
	})
	if err != nil {
		return nil, changeFailed(err, "the roles were not changed")
	}
	d.log.Info("roles were changed", "actor", actor.String(), "roles", roles, "by", by.String())
	return roles, nil
}

// changedRoles are the roles of an actor after a change, which must change something.
func changedRoles(actor aims.Actor, held, add, drop []string) ([]string, error) {
	for _, role := range add {
		if slices.Contains(drop, role) {
			return nil, aims.Errorf(aims.Invalid, nil, "the role %s is to be given and taken at once", role)
		}
	}
	for _, role := range drop {
		if !slices.Contains(held, role) {
			return nil, aims.Errorf(aims.Conflict, nil, "%s does not hold the role %s; it holds: %s", actor, role, strings.Join(held, ", "))
		}
	}
	roles := normalRoles(slices.Concat(slices.DeleteFunc(slices.Clone(held), func(r string) bool { return slices.Contains(drop, r) }), add))
	if slices.Equal(roles, normalRoles(held)) {
		return nil, aims.Errorf(aims.Conflict, nil, "this changes nothing: %s holds %s", actor, strings.Join(held, ", "))
	}
	return roles, checkRoles(roles)
}

type rolesDetail struct {
	Before []string `json:"before"`
	After  []string `json:"after"`
}

// administratorsBeside says whether a key of somebody else than actor lets an
// administrator in. It is called with mu held.
func (d *Directory) administratorsBeside(actor aims.Actor) bool {
	for _, c := range d.byID {
		if c.Actor != actor && d.administers(c) {
			return true
		}
	}
	return false
}

// Actors are all registered actors with their roles, sorted.
func (d *Directory) Actors() []Principal {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]Principal, 0, len(d.actors))
	for actor, roles := range d.actors {
		all = append(all, Principal{Actor: actor, Roles: roles})
	}
	slices.SortFunc(all, func(a, b Principal) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// Keys lists all keys ever made, oldest first.
func (d *Directory) Keys(context.Context) ([]Key, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	keys := make([]Key, 0, len(d.byID))
	for _, c := range d.byID {
		k := c.Key
		k.Roles = d.actors[k.Actor]
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return keys, nil
}

// event is the entry of an event receipt.
func event(by aims.Actor, decision, name string, object receipt.Object, detail any) (ledger.Entry, error) {
	e := receipt.Event{
		ID: aims.NewID("rcp"), Actor: receipt.Party(by), Name: name, Object: object, Decision: decision,
	}
	if detail != nil {
		d, err := json.Marshal(detail)
		if err != nil {
			return ledger.Entry{}, err
		}
		e.Detail = d
	}
	body, err := receipt.Encode(e)
	return ledger.Entry{Kind: receipt.EventKind, Body: body}, err
}

// changeFailed words the error of a change; ours pass as they are.
func changeFailed(err error, text string) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, errNotFirst) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s: it could not be recorded", text)
}

var errRevoked = aims.Errorf(aims.Conflict, nil, "the key is revoked already")

func revokeKey(ctx context.Context, tx *store.Tx, id string, at *time.Time) error {
	var before int64
	err := tx.QueryRowContext(ctx, `SELECT revoked FROM identity_key WHERE id = $1`, id).Scan(&before)
	if errors.Is(err, sql.ErrNoRows) {
		return aims.Errorf(aims.NotFound, nil, "there is no such key")
	}
	if err != nil {
		return err
	}
	if before != 0 {
		*at = fromMicros(before)
		return errRevoked
	}
	_, err = tx.ExecContext(ctx, `UPDATE identity_key SET revoked = $1 WHERE id = $2`, micros(*at), id)
	return err
}

func insertKey(ctx context.Context, tx *store.Tx, c *credential) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO identity_actor (type, id, roles, created) VALUES ($1, $2, $3, $4) ON CONFLICT (type, id) DO NOTHING`,
		c.Actor.Type, c.Actor.ID, joinRoles(c.Roles), micros(c.Created))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO identity_key (id, hash, actor_type, actor_id, created, expires, revoked) VALUES ($1, $2, $3, $4, $5, $6, 0)`,
		c.ID, c.hash[:], c.Actor.Type, c.Actor.ID, micros(c.Created), micros(c.Expires))
	return err
}

func (d *contents) loadActors(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT type, id, roles FROM identity_actor`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a aims.Actor
		var roles string
		if err := rows.Scan(&a.Type, &a.ID, &roles); err != nil {
			return err
		}
		d.actors[a] = strings.Fields(roles)
	}
	return rows.Err()
}

func (d *contents) loadKeys(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, hash, actor_type, actor_id, created, expires, revoked FROM identity_key`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c := &credential{}
		var hash []byte
		var created, expires, revoked int64
		if err := rows.Scan(&c.ID, &hash, &c.Actor.Type, &c.Actor.ID, &created, &expires, &revoked); err != nil {
			return err
		}
		if copy(c.hash[:], hash) != len(c.hash) {
			return errors.New("a stored hash is too short")
		}
		c.Created, c.Expires, c.Revoked = fromMicros(created), fromMicros(expires), fromMicros(revoked)
		d.keys[c.hash.lookup()], d.byID[c.ID] = c, c
	}
	return rows.Err()
}

// Roles are stored in one column, separated by spaces, which no role contains.
func joinRoles(roles []string) string { return strings.Join(roles, " ") }

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
