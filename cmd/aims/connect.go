package main

import (
	"context"
	"log/slog"
	"strings"

	"aims/internal/gateway/connect"
)

type connectCmd struct {
	server
	said
	Session string `name:"session" env:"AIMS_SESSION" help:"Name of the run, for several programs or starts that are one."`
	Server  string `arg:"" optional:"" help:"Only this server behind the gateway; without it all of them, each tool under <server>___<tool>."`
}

func (c *connectCmd) Run(ctx context.Context, std streams) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	endpoint := strings.TrimRight(c.URL, "/") + "/mcp"
	if c.Server != "" {
		endpoint += "/" + c.Server
	}
	said := c.statement()
	said.Session = c.Session
	return connect.Run(ctx, std.in, std.out, connect.Config{
		URL: endpoint, Key: key, Said: said, Log: slog.New(slog.NewTextHandler(std.err, nil)),
	})
}
