package main

import (
	"net/url"
	"time"

	"aims/internal/api"
)

// asOf is the flag of every command that reads what has a past.
type asOf struct {
	AsOf string `name:"as-of" placeholder:"DATE" help:"As it was at the end of a day (UTC) or at a moment (RFC 3339)."`
}

// asOfQuery is the flag as the server takes it, which reads the date.
func asOfQuery(asOf string) string {
	if asOf == "" {
		return ""
	}
	return "?as_of=" + url.QueryEscape(asOf)
}

// moment is the moment that the flag names, now when it was not given.
func (a asOf) moment(now time.Time) (time.Time, error) {
	at, err := api.AsOf(a.AsOf, now)
	if at.IsZero() {
		at = now
	}
	return at, err
}

// presentOnly is the same flag on a read of what has no past that can be shown:
// an answer about now must not pass for one about then.
type presentOnly struct {
	AsOf string `name:"as-of" hidden:""`
}

// refuse is an error when the flag was given: why, and what shows it instead.
func (p presentOnly) refuse(why string) error {
	if p.AsOf == "" {
		return nil
	}
	return failf(exitUsage, "--as-of does not go here: %s", why)
}
