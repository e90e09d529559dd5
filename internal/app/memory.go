package app

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// smallMemory is what the process may use, in bytes, before it collects
	// garbage more often than every time that it has grown to five times of what
	// it needs. The large answers of servers alone would else leave half a
	// gigabyte behind.
	smallMemory = 192 << 20
	// smallLive is what it may need, in bytes, for that to be worth it: with
	// less room between the two it would do nothing but collect.
	smallLive = 160 << 20
)

// collectLess lets more garbage gather than Go does by default. An installation
// holds little, so that by default it would collect very often: GOGC=400 took a
// tenth off the processor time of a proxied call (`aims bench --only proxy`,
// one after the other with GOGC=100). Who sets GOGC or GOMEMLIMIT has decided
// otherwise. It reports whether the limit is ours to fit.
func collectLess() bool {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return false
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(smallMemory)
	return true
}

// fitMemory moves the limit as the installation grows.
func fitMemory(context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() == metrics.KindUint64 {
		debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
	}
}

// memoryLimit is the limit for a process that needs live bytes.
func memoryLimit(live uint64) int64 {
	if live <= smallLive {
		return smallMemory
	}
	return int64(min(2*live, math.MaxInt64))
}
