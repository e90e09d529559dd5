package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"aims/internal/aims"
)

// KeysAt lists the keys as they were at a time, with the roles that their actors
// held then, oldest first, made from the receipts up to it.
func (d *Directory) KeysAt(ctx context.Context, at time.Time) ([]Key, error) {
	keys, roles, err := d.past(ctx, at)
	if err != nil {
		return nil, err
	}
	list := []Key{}
	for _, k := range keys {
		k.Roles = roles[k.Actor]
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// ActorsAt lists the agents and people that had been given a key by a time, with
// the roles that they held then, by type and id.
func (d *Directory) ActorsAt(ctx context.Context, at time.Time) ([]Principal, error) {
	_, roles, err := d.past(ctx, at)
	list := []Principal{}
	for actor, held := range roles {
		list = append(list, Principal{Actor: actor, Roles: held})
	}
	slices.SortFunc(list, func(a, b Principal) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

func (d *Directory) past(ctx context.Context, at time.Time) (map[string]*Key, map[aims.Actor][]string, error) {
	keys, roles := map[string]*Key{}, map[aims.Actor][]string{}
	for h, err := range d.ledger.Happened(ctx, at, "key.", "actor.roles") {
		if err != nil {
			return nil, nil, err
		}
		object, detail := h.Event.Object, h.Event.Detail
		switch h.Event.Name {
		case "key.created":
			var made keyDetail
			if err = json.Unmarshal(detail, &made); err == nil {
				keys[object.ID] = &Key{ID: object.ID, Actor: made.Actor, Created: h.Time, Expires: made.Expires}
				roles[made.Actor] = made.Roles
			}
		case "key.revoked":
			if k := keys[object.ID]; k != nil {
				k.Revoked = h.Time
			}
		case "actor.roles":
			var changed rolesDetail
			err = json.Unmarshal(detail, &changed)
			roles[aims.Actor{Type: object.Type, ID: object.ID}] = changed.After
		}
		if err != nil {
			return nil, nil, aims.Errorf(aims.Internal, err, "the receipt %d says nothing that an earlier state could be made from", h.Index)
		}
	}
	return keys, roles, nil
}
