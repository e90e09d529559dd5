// The aims-verify command verifies an audit pack, an exported log, or the proof
// of a single receipt, without the installation that wrote it and without trusting it. It
// keeps no state and talks to nobody.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"aims/receipt"
)

const (
	exitVerified = 0
	exitFailed   = 1
	exitUnusable = 2
)

const description = `Verify an audit pack, an exported log, or the proof of one receipt, against
keys that you got from somewhere else than from who gave you the rest. Of a
pack, everything but the log is derived again from the log and compared.

Exit codes:
  0  verified: every check that could be made passed, and those that make up
     a log (signatures, tree, head, indexes, time) could be made
  1  a check failed; the report names the place
  2  wrong usage, or what was given cannot be read`

type cli struct {
	Log   logCmd   `cmd:"" name:"export" default:"withargs" help:"Verify an audit pack or an exported log (the default)."`
	Proof proofCmd `cmd:"" help:"Verify that one receipt is in the log (c2sp.org/tlog-proof@v1)."`
}

// keys are whom the caller trusts.
type keys struct {
	Key     string   `name:"key" aliases:"trust" required:"" placeholder:"VKEY" help:"Verifier key of the log, or a file that holds it (C2SP signed-note)."`
	Witness []string `name:"witness" sep:"none" placeholder:"VKEY" help:"Verifier key of a witness, or a file that holds it; repeat for more."`
	Quorum  int      `name:"quorum" placeholder:"N" help:"How many of the witnesses must have cosigned; all of them by default."`
}

// trust reads the keys.
func (k keys) trust() (receipt.Trust, error) {
	log, err := keyText(k.Key)
	if err != nil {
		return receipt.Trust{}, err
	}
	var witnesses []string
	for _, given := range k.Witness {
		text, err := keyText(given)
		if err != nil {
			return receipt.Trust{}, err
		}
		witnesses = append(witnesses, text)
	}
	return receipt.NewTrust(log, witnesses, k.Quorum)
}

// keyText is a verifier key given as it is, name+hash+key, or as a file.
func keyText(given string) (string, error) {
	if strings.Count(given, "+") >= 2 {
		return given, nil
	}
	text, err := os.ReadFile(given)
	if err != nil {
		return "", fmt.Errorf("the key %q is neither a verifier key nor a file: %w", given, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// environment is what a command has of the outside.
type environment struct {
	out, err io.Writer
	// terminal: err is one, and shows progress.
	terminal bool
	now      func() time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	env := environment{out: os.Stdout, err: os.Stderr, now: time.Now}
	if info, err := os.Stderr.Stat(); err == nil {
		env.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	code := run(ctx, os.Args[1:], env)
	stop()
	os.Exit(code)
}

// helpShown ends parsing after help was printed.
type helpShown struct{}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, env environment) (code int) {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("aims-verify"),
		kong.Description(description),
		kong.Writers(env.out, env.err),
		kong.Exit(func(int) { panic(helpShown{}) }),
	)
	if err != nil {
		fmt.Fprintf(env.err, "aims-verify: %s\n", strings.TrimPrefix(err.Error(), "receipt: "))
		return exitUnusable
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(helpShown); !ok {
				panic(r)
			}
			code = exitVerified
		}
	}()
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(env.err, "aims-verify: %v; try aims-verify --help\n", err)
		return exitUnusable
	}
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(env)
	verified := false
	command.Bind(&verified)
	if err := command.Run(); err != nil {
		fmt.Fprintf(env.err, "aims-verify: %s\n", strings.TrimPrefix(err.Error(), "receipt: "))
		return exitUnusable
	}
	if !verified {
		return exitFailed
	}
	return exitVerified
}
