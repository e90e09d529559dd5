package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine is what the numbers were taken on.
type machine struct {
	cpu  string
	sync time.Duration // the median of appending 4 KiB to a file and syncing it
}

func (m machine) String() string {
	return fmt.Sprintf("%s · %d cores · %s/%s · %s · append and sync of 4 KiB: p50 %.3f ms",
		m.cpu, runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version(), millis(m.sync))
}

func inspect(dir string) (machine, error) {
	m := machine{cpu: cpuName()}
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return m, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for range 101 {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return m, err
		}
		if err := syncData(f); err != nil {
			return m, err
		}
		took = append(took, time.Since(start))
	}
	m.sync = median(took)
	return m, nil
}

// cpuName is the processor's model where the system tells it.
func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
