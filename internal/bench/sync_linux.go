package bench

import (
	"os"
	"syscall"
)

// syncData makes what was written to f durable without its access times, as
// SQLite does.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
