package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/aims"
	"aims/internal/identity"
)

type listKeysRequest struct{ Credentials }

type createKeyRequest struct {
	Credentials
	Body NewKey
}

type revokeKeyRequest struct {
	Credentials
	ID string `path:"key" doc:"id of the key (key_…)"`
}

func (a *api) keys(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/keys", Summary: "List all keys"}, "keys/read",
		func(ctx context.Context, _ caller, _ *listKeysRequest) ([]Key, error) {
			keys, err := a.Directory.Keys(ctx)
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
