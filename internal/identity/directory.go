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
	// are left empty or equal what it holds: SetRoles changes them.
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
	d.change.Lock()
	defer d.change.Unlock()
	roles := normalRoles(n.Roles)
	d.mu.RLock()
	held, known := d.actors[n.Actor]
	d.mu.RUnlock()
	if known && len(roles) > 0 && !slices.Equal(roles, held) {
		return Key{}, Secret{}, aims.Errorf(aims.Conflict, nil, "%s is known and holds other roles (%s); change them first", n.Actor, strings.Join(held, ", "))
	}
	if known {
		roles = held
	}
	secret := newSecret()
	c := &credential{hash: hashKey(secret), Key: Key{
		ID: aims.NewID("key"), Actor: n.Actor, Roles: roles, Expires: n.Expires.UTC().Truncate(time.Microsecond),
	}}
	if n.Expires.IsZero() {
		c.Expires = time.Time{}
	}
	_, err := d.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
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
		return Key{}, Secret{}, changeFailed(err, "the key was not made")
	}
	d.mu.Lock()
	d.keys[c.hash.lookup()] = c
	d.byID[c.ID] = c
	d.actors[c.Actor] = roles
	d.mu.Unlock()
	d.log.Info("a key was made", "key", c.ID, "actor", c.Actor.String(), "by", by.String())
	return c.Key, NewSecret(secret), nil
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
	d.change.Lock()
	defer d.change.Unlock()
	d.mu.RLock()
	c := d.byID[id]
	last := c != nil && d.lastAdministrator(c)
	d.mu.RUnlock()
	if last {
		return aims.Errorf(aims.Conflict, nil, "%s is the last key of an administrator; make another first", id)
	}
	var revoked time.Time
	_, err := d.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		revoked = tx.Now
		if err := revokeKey(ctx, tx, id, &revoked); err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "key.revoked", receipt.Object{Type: "key", ID: id}, nil)
	})
	if err == nil || errors.Is(err, errRevoked) {
		// Also when it was revoked before, by a commit whose answer got lost.
		d.setRevoked(id, revoked)
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

// lastAdministrator says whether c is the only key that lets an administrator in. It is called with mu held.
func (d *Directory) lastAdministrator(c *credential) bool {
	if !d.administers(c) {
		return false
	}
	for _, other := range d.byID {
		if other != c && d.administers(other) {
			return false
		}
	}
	return true
}

func (d *Directory) administers(c *credential) bool {
	return c.Actor.Type == aims.PersonType && c.Revoked.IsZero() &&
		(c.Expires.IsZero() || d.now().Before(c.Expires)) && slices.Contains(d.actors[c.Actor], AdminRole)
}

// SetRoles gives a registered actor exactly these roles, from the next call on.
func (d *Directory) SetRoles(ctx context.Context, by aims.Actor, decision string, actor aims.Actor, roles []string) error {
	if err := checkRoles(roles); err != nil {
		return err
	}
	roles = normalRoles(roles)
	d.change.Lock()
	defer d.change.Unlock()
	d.mu.RLock()
	held, known := d.actors[actor]
	locked := known && slices.Contains(held, AdminRole) && !slices.Contains(roles, AdminRole) && d.onlyAdministrator(actor)
	d.mu.RUnlock()
	switch {
	case !known:
		return aims.Errorf(aims.NotFound, nil, "there is no %s", actor)
	case locked:
		return aims.Errorf(aims.Conflict, nil, "%s is the last administrator with a key; make another first", actor)
	case slices.Equal(held, roles):
		return nil
	}
	_, err := d.ledger.Change(ctx, func(tx *store.Tx) (ledger.Entry, error) {
		_, err := tx.ExecContext(ctx, `UPDATE identity_actor SET roles = $1 WHERE type = $2 AND id = $3`, joinRoles(roles), actor.Type, actor.ID)
		if err != nil {
			return ledger.Entry{}, err
		}
		return event(by, decision, "actor.roles", receipt.Object{Type: actor.Type, ID: actor.ID},
			rolesDetail{Before: held, After: roles})
	})
	if err != nil {
		return changeFailed(err, "the roles were not changed")
	}
	d.mu.Lock()
	d.actors[actor] = roles
	d.mu.Unlock()
	return nil
}

type rolesDetail struct {
	Before []string `json:"before"`
	After  []string `json:"after"`
}

// onlyAdministrator says whether every live administrator key is actor's. It is called with mu held.
func (d *Directory) onlyAdministrator(actor aims.Actor) bool {
	for _, c := range d.byID {
		if c.Actor != actor && d.administers(c) {
			return false
		}
	}
	return true
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

// load reads the tables into memory.
func (d *Directory) load(ctx context.Context) error {
	d.keys, d.byID, d.actors = map[lookup]*credential{}, map[string]*credential{}, map[aims.Actor][]string{}
	return d.db.View(ctx, func(tx *store.Tx) error {
		if err := d.loadActors(ctx, tx); err != nil {
			return err
		}
		return d.loadKeys(ctx, tx)
	})
}

func (d *Directory) loadActors(ctx context.Context, tx *store.Tx) error {
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

func (d *Directory) loadKeys(ctx context.Context, tx *store.Tx) error {
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
