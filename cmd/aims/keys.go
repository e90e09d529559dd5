package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/api"
	"aims/internal/app"
)

type keysCreateCmd struct {
	server
	Actor   string   `arg:"" help:"Who gets the key: agent:<id> or person:<id>."`
	Role    []string `name:"role" help:"Role of an actor that is new; repeat for more."`
	Expires string   `name:"expires" default:"" placeholder:"90d" help:"Age at which the key ends, such as 12h or 90d; never without it."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

func (c *keysCreateCmd) Run(ctx context.Context, std streams) error {
	kind, id, ok := strings.Cut(c.Actor, ":")
	if !ok {
		return failf(exitUsage, "%q is not an actor; expected agent:<id> or person:<id>", c.Actor)
	}
	ask := api.NewKey{Actor: api.Actor{Type: kind, ID: id}, Roles: c.Role}
	if c.Expires != "" {
		age, err := app.ParseDuration(c.Expires)
		if err != nil {
			return err
		}
		end := time.Now().Add(age).UTC()
		ask.Expires = &end
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var key api.KeySecret
	if err := client.Do(ctx, http.MethodPost, "/api/v1/keys", ask, &key); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, key)
	}
	fmt.Fprintf(std.err, "%s for %s; the key is shown this once:\n", key.ID, c.Actor)
	_, err = fmt.Fprintln(std.out, key.Secret)
	return err
}

type keysListCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *keysListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var keys []api.Key
	if err := client.Do(ctx, http.MethodGet, "/api/v1/keys"+asOfQuery(c.AsOf), nil, &keys); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, keys)
	}
	now, err := c.moment(time.Now())
	if err != nil {
		return err
	}
	t := table{heading: []string{"KEY", "ACTOR", "ROLES", "CREATED", "STATE"}}
	for _, k := range keys {
		t.add(k.ID, k.Actor.Type+":"+k.Actor.ID, strings.Join(k.Roles, ","), instant(k.Created), keyState(k, now))
	}
	return t.print(std.out)
}

func keyState(k api.Key, now time.Time) string {
	switch {
	case k.Revoked != nil:
		return "revoked " + instant(*k.Revoked)
	case k.Expires == nil:
		return "valid"
	case k.Expires.Before(now):
		return "expired " + instant(*k.Expires)
	}
	return "valid until " + instant(*k.Expires)
}

// instant is a time as tables show it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

type keysRevokeCmd struct {
	server
	ID   string `arg:"" name:"key" help:"Id of the key (key_…)."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *keysRevokeCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.Do(ctx, http.MethodPost, "/api/v1/keys/"+url.PathEscape(c.ID)+"/revoke", nil, nil); err != nil {
		return err
	}
	return answer(std.out, c.JSON, map[string]string{"key": c.ID, "state": "revoked"}, c.ID+" is revoked")
}
