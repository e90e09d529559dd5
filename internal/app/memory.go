package app

import (
	"os"
	"runtime/debug"
)

// collectLess lets more garbage gather than Go does by default. An installation
// holds some twenty megabytes and makes a few kilobytes of garbage a call, so
// that by default it would collect hundreds of times a second, for a sixth of
// its processor time. Who sets GOGC or GOMEMLIMIT has decided otherwise.
func collectLess() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
	}
}
