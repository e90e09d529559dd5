package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"aims/internal/api"
)

type actorsListCmd struct {
	server
	asOf
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *actorsListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var actors []api.ActorRoles
	if err := client.Do(ctx, http.MethodGet, "/api/v1/actors"+asOfQuery(c.AsOf), nil, &actors); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, actors)
	}
	t := table{heading: []string{"ACTOR", "ROLES"}}
	for _, a := range actors {
		t.add(a.Actor.Type+":"+a.Actor.ID, orDash(strings.Join(a.Roles, ",")))
	}
	return t.print(std.out)
}

type actorsRolesCmd struct {
	server
	Actor string   `arg:"" help:"Whose roles: agent:<id> or person:<id>."`
	Add   []string `name:"add" placeholder:"ROLE" help:"Role to give; repeat for more."`
	Drop  []string `name:"drop" placeholder:"ROLE" help:"Role to take away; repeat for more."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

func (c *actorsRolesCmd) Run(ctx context.Context, std streams) error {
	kind, id, ok := strings.Cut(c.Actor, ":")
	if !ok {
		return failf(exitUsage, "%q is not an actor; expected agent:<id> or person:<id>", c.Actor)
	}
	if len(c.Add)+len(c.Drop) == 0 {
		return failf(exitUsage, "expected --add or --drop with a role; aims actors list shows who holds which")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var done api.RolesDone
	path := "/api/v1/actors/" + url.PathEscape(kind) + "/" + url.PathEscape(id) + "/roles"
	if err := client.Do(ctx, http.MethodPost, path, api.RoleChange{Add: c.Add, Drop: c.Drop}, &done); err != nil {
		return err
	}
	return answer(std.out, c.JSON, done, c.Actor+" holds "+orDash(strings.Join(done.Roles, ", ")))
}
