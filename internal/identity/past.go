package identity

import (
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
	keys, roles := map[string]*Key{}, map[aims.Actor][]string{}
	for h, err := range d.ledger.Happened(ctx, at, "key.", "actor.roles") {
		if err != nil {
			return nil, err
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
			return nil, aims.Errorf(aims.Internal, err, "the receipt %d says nothing that an earlier state could be made from", h.Index)
		}
	}
	list := []Key{}
	for _, k := range keys {
		k.Roles = roles[k.Actor]
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}
