package main

import (
	"context"
	"errors"
	"time"

	"aims/internal/gateway/hook"
)

type claudeCodeCmd struct {
	server
	said
	Timeout time.Duration `name:"timeout" default:"20s" help:"How long to wait for the answer; shorter than the hook's timeout in Claude Code, which lets the action through when it ends."`
	Wait    time.Duration `name:"wait" help:"How much longer a held call waits for people; the hook's timeout in Claude Code must be longer than both together."`
}

// Run asks the server about one event. It ends with 0 and an answer or with 2,
// which blocks; Claude Code lets an action through at any other code.
func (c *claudeCodeCmd) Run(ctx context.Context, std streams) error {
	key, err := c.key()
	if err != nil {
		return withCode(exitUsage, err)
	}
	code := hook.Run(ctx, std.in, std.out, std.err, hook.Config{URL: c.URL, Key: key, Timeout: c.Timeout, Wait: c.Wait, Said: c.statement()})
	if code != exitDone {
		return &exitError{code: code, err: errSaid}
	}
	return nil
}

// errSaid is the error of a command that has already said what is wrong.
var errSaid = errors.New("")
