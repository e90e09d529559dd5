package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"aims/internal/app"
)

type serveCmd struct {
	Config   string `name:"config" short:"c" default:"aims.yaml" type:"path" help:"Configuration file; a commented one and starter policies are written when there is none."`
	Listen   string `name:"listen" placeholder:"HOST:PORT" help:"Address to listen on, instead of the configured one."`
	Database string `name:"database" help:"SQLite file or postgres:// DSN, instead of the configured one."`
}

func (c *serveCmd) Run(ctx context.Context, std streams) error {
	cfg, err := c.load(ctx, std.err)
	if err != nil {
		return withCode(exitUsage, err)
	}
	running, err := app.Start(ctx, cfg, app.Options{Log: cfg.LogHandler(std.err), Now: time.Now})
	if err != nil {
		return startFailed(err)
	}
	c.greet(running, std)
	reloadOnHangup(ctx, running)
	select {
	case <-ctx.Done():
		return running.Stop()
	case err := <-running.Failed():
		return errors.Join(err, running.Stop())
	}
}

func (c *serveCmd) load(ctx context.Context, out io.Writer) (*app.Config, error) {
	if _, err := os.Stat(c.Config); errors.Is(err, fs.ErrNotExist) {
		written, err := app.WriteStarter(c.Config)
		for _, name := range written {
			fmt.Fprintln(out, "wrote "+name)
		}
		if err != nil {
			return nil, err
		}
	}
	return app.LoadConfig(ctx, c.Config, app.Overrides{Listen: c.Listen, Database: c.Database})
}

// startFailed gives the reasons for which a start is refused their exit code:
// what the reader can mend in a file is usage.
func startFailed(err error) error {
	var config *app.ConfigError
	if errors.As(err, &config) {
		return withCode(exitUsage, err)
	}
	return err
}

// greet shows the first token, which is on standard output alone, so that it
// can be piped somewhere, and where the server is.
func (c *serveCmd) greet(running *app.App, std streams) {
	if secret, made := running.Bootstrap(); made {
		fmt.Fprintln(std.err, "bootstrap token, a key of person:admin with the role admin, shown this once:")
		fmt.Fprintln(std.out, secret)
	}
	fmt.Fprintf(std.err, "listening on %s\n", running.URL())
}

// reloadOnHangup reloads the policies at SIGHUP until ctx ends. What is wrong
// with them is logged, and the active set stays.
func reloadOnHangup(ctx context.Context, running *app.App) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				// What is wrong is in the log and in the status.
				_ = running.ReloadPolicies(ctx)
			}
		}
	}()
}
