package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"
)

type createKeyRequest struct {
	Credentials
	Body NewKey
}

type changeRolesRequest struct {
	Credentials
	Type string `path:"type" enum:"agent,person"`
	ID   string `path:"actor" doc:"id of the agent or person"`
	Body RoleChange
}

type revokeKeyRequest struct {
	Credentials
	ID string `path:"key" doc:"id of the key (key_…)"`
}

func (a *api) keys(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/keys", Summary: "List all keys"}, "keys/read",
		func(ctx context.Context, _ caller, in *asOfRequest) ([]Key, error) {
			keys, _, err := a.keysAt(ctx, in.AsOf)
			list := make([]Key, len(keys))
			for i, k := range keys {
				list[i] = keyOf(k)
			}
			return list, err
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/keys", Summary: "Make a key; its secret is shown once"}, "keys/create", a.createKey)
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/keys/{key}/revoke", Summary: "End a key at once"}, "keys/revoke",
		func(ctx context.Context, c caller, in *revokeKeyRequest) (Done, error) {
			return Done{c.Receipt}, a.Directory.RevokeKey(ctx, c.Actor, c.Receipt, in.ID)
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/actors", Summary: "List the agents and people that have or had a key, with their roles"}, "keys/read",
		func(ctx context.Context, _ caller, in *asOfRequest) ([]ActorRoles, error) {
			at, err := AsOf(in.AsOf, a.Now())
			if err != nil {
				return nil, err
			}
			actors := a.Directory.Actors()
			if !at.IsZero() {
				actors, err = a.Directory.ActorsAt(ctx, at)
			}
			list := []ActorRoles{}
			for _, p := range actors {
				list = append(list, rolesOf(p.Actor, p.Roles))
			}
			return list, err
		})
	verbOf(a, h, huma.Operation{Method: http.MethodPost, Path: "/actors/{type}/{actor}/roles", Summary: "Give an agent or person roles, or take them away"}, "actors/roles",
		func(_ context.Context, in *changeRolesRequest) (enforcement.Matter, error) {
			// Whose roles they are, so that a policy can say that nobody gives their own.
			return enforcement.Matter{Authors: []aims.Actor{in.actor()}}, nil
		},
		func(ctx context.Context, c caller, in *changeRolesRequest) (RolesDone, error) {
			roles, err := a.Directory.ChangeRoles(ctx, c.Actor, c.Receipt, in.actor(), in.Body.Add, in.Body.Drop)
			return RolesDone{rolesOf(in.actor(), roles), c.Receipt}, err
		})
}

func (in *changeRolesRequest) actor() aims.Actor { return aims.Actor{Type: in.Type, ID: in.ID} }

func rolesOf(actor aims.Actor, roles []string) ActorRoles {
	return ActorRoles{Actor(actor), append([]string{}, roles...)}
}

func (a *api) createKey(ctx context.Context, c caller, in *createKeyRequest) (KeySecret, error) {
	ask := identity.NewKey{Actor: aims.Actor(in.Body.Actor), Roles: in.Body.Roles}
	if in.Body.Expires != nil {
		ask.Expires = *in.Body.Expires
	}
	key, secret, err := a.Directory.CreateKey(ctx, c.Actor, c.Receipt, ask)
	return KeySecret{keyOf(key), secret.Reveal()}, err
}

func keyOf(k identity.Key) Key {
	key := Key{ID: k.ID, Actor: Actor(k.Actor), Roles: k.Roles, Created: k.Created.Truncate(time.Microsecond)}
	if key.Roles == nil {
		key.Roles = []string{}
	}
	if !k.Expires.IsZero() {
		key.Expires = &k.Expires
	}
	if !k.Revoked.IsZero() {
		key.Revoked = &k.Revoked
	}
	return key
}

// keysAt are the keys as they were at a moment that a caller names, and that moment.
func (a *api) keysAt(ctx context.Context, asOf string) (keys []identity.Key, at time.Time, err error) {
	now := a.Now()
	if at, err = AsOf(asOf, now); err != nil {
		return nil, at, err
	}
	if at.IsZero() {
		keys, err = a.Directory.Keys(ctx)
		return keys, now, err
	}
	keys, err = a.Directory.KeysAt(ctx, at)
	return keys, at, err
}
