// Package aims holds the nouns that every floor speaks: id, actor and error.
package aims

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// NewID mints an identifier: the prefix, an underscore and a UUIDv7, so that
// identifiers of one kind sort by the time they were minted. It is the only
// place where identifiers are made.
func NewID(prefix string) string {
	id, err := uuid.NewV7()
	if err != nil {
		// The system's source of randomness is gone: nothing that needs an
		// identifier may go on.
		panic(fmt.Sprintf("aims: no randomness for an identifier: %v", err))
	}
	return prefix + "_" + id.String()
}

// Actor is who does something: an agent, a person, or the system itself.
type Actor struct {
	// Type is "agent", "person" or "system".
	Type string `json:"type"`
	ID   string `json:"id"`
}

// The types of an Actor. They are also the Cedar entity types Agent, Person and System.
const (
	AgentType  = "agent"
	PersonType = "person"
	SystemType = "system"
)

// System is the actor of what the installation does by itself, such as a pin
// recorded on first use.
var System = Actor{Type: SystemType, ID: "aims"}

func (a Actor) String() string { return a.Type + ":" + a.ID }

// Code classifies an error for a caller that must act on it.
type Code string

// The codes of an Error. Every surface maps them to its own numbers (HTTP,
// JSON-RPC, exit status) in one table.
const (
	Invalid         Code = "invalid"         // the request is malformed; the sentence says what was expected and where
	Unauthenticated Code = "unauthenticated" // no, wrong, expired or revoked credentials
	Denied          Code = "denied"          // policy refused
	NotFound        Code = "not_found"
	Conflict        Code = "conflict"    // the state does not permit it, or it was already done
	Exhausted       Code = "exhausted"   // a limit is reached; try later
	Unavailable     Code = "unavailable" // something that is needed cannot be reached or written; nothing was done
	Timeout         Code = "timeout"
	Internal        Code = "internal"
)

// Error has a code, a sentence that is safe to show to anyone, and a cause for
// the operator's log. The cause never reaches a caller.
type Error struct {
	Code  Code
	Text  string
	Cause error
}

// Errorf makes an Error whose sentence is formatted. The sentence is shown to
// callers: it never holds a secret or a cause.
func Errorf(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...), Cause: cause}
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Text + ": " + e.Cause.Error()
	}
	return e.Text
}

func (e *Error) Unwrap() error { return e.Cause }

// Public returns the code and the sentence of err that may be shown; an error
// that is not an Error shows nothing of itself.
func Public(err error) (Code, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Code, e.Text
	}
	return Internal, "an internal error; the operator's log has the cause"
}
