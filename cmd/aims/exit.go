package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"aims/internal/aims"
)

// The exit codes of every command but `aims hook`, whose codes its caller prescribes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
)

const exitCodesHelp = `Exit codes:
  0  done; what was asked for holds
  1  failed: a verification found something wrong, a demo step went otherwise
     than it should, or an internal error
  2  wrong usage or configuration: unknown flag or key, bad value, missing
     secret, a policy set that does not compile
  3  the server or the database cannot be reached
  4  refused: no valid key, or a policy does not allow it

  aims hook    0  the answer is on standard output
               2  the action is blocked; the reason is on standard error
`

// exitError carries the exit code that an error ends the process with.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func withCode(code int, err error) error { return &exitError{code, err} }

func failf(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// exitCodeOf is the one table from error codes to exit codes.
func exitCodeOf(code aims.Code) int {
	switch code {
	case aims.Invalid:
		return exitUsage
	case aims.Unauthenticated, aims.Denied:
		return exitRefused
	case aims.Unavailable, aims.Timeout:
		return exitUnreachable
	}
	return exitFailed
}

// report prints an error in one sentence, or one line per problem, and
// returns the exit code.
func report(w io.Writer, err error) int {
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(w, "aims: "+strings.TrimRight(err.Error(), "\n"))
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*aims.Error](err); ok {
		return exitCodeOf(e.Code)
	}
	return exitFailed
}
