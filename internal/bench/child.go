package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"aims/internal/aims"
)

// ChildCommand is the hidden command of the aims binary that calls Child.
const ChildCommand = "bench-child"

// askUsage is the one question that every child that stays answers.
const askUsage = "usage"

// A role is what a child process plays. It prints its first line with say as
// soon as it can be used; the function that it returns ends it.
type role func(ctx context.Context, args []string, say func(any) error) (stop func() error, err error)

func roles() map[string]role {
	return map[string]role{
		"upstream": serveUpstream,
		"bare":     serveBare,
		"gateway":  serveGateway,
		"load":     driveLoad,
		"hash":     hashRole,
		"verify":   verifyRole,

		"verify-pack": verifyPackRole,
	}
}

// Child plays one part of a measure in a process of its own: args are the role
// and its arguments. It ends when stdin is closed or ctx ends.
func Child(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	known := roles()
	if len(args) == 0 || known[args[0]] == nil {
		names := slices.Sorted(maps.Keys(known))
		return aims.Errorf(aims.Invalid, nil, "a benchmark's process needs a role: %s", strings.Join(names, ", "))
	}
	out := json.NewEncoder(stdout) // writes a line at a time
	stop, err := known[args[0]](ctx, args[1:], out.Encode)
	if err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() { asked <- answer(stdin, out.Encode) }()
	select {
	case err = <-asked:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return errors.Join(err, stop())
}

func answer(questions io.Reader, say func(any) error) error {
	lines := bufio.NewScanner(questions)
	for lines.Scan() {
		if lines.Text() != askUsage {
			return aims.Errorf(aims.Invalid, nil, "a benchmark's process answers %q, not %q", askUsage, lines.Text())
		}
		used, err := ownUsage()
		if err != nil {
			return err
		}
		if err := say(used); err != nil {
			return err
		}
	}
	return lines.Err()
}
