//go:build unix

package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ownUsage is what this process has used.
func ownUsage() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, err
	}
	u := usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano())}
	switch runtime.GOOS {
	case "linux":
		// Linux counts the memory of the process that started this one into
		// ru_maxrss, because both share it for a moment.
		peak, err := peakMemory()
		u.Memory = peak
		return u, err
	case "darwin", "ios":
		u.Memory = int64(r.Maxrss)
	default:
		u.Memory = int64(r.Maxrss) * 1024
	}
	return u, nil
}

// peakMemory is the largest resident set since this program began (proc(5), VmHWM).
func peakMemory() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			_, err := fmt.Sscan(rest, &kib)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no VmHWM")
}
