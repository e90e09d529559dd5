package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"aims/internal/aims"
	"aims/internal/ledger"
)

// The disk is full for real: the log lies on a file system of two megabytes,
// in a child process that has mounted it for itself alone.
func TestDiskThatIsFull(t *testing.T) {
	k := newKeys(t, origin)
	cmd := childCommand("full", filepath.Join(t.TempDir(), "log.db"), k)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || bytes.Contains(out, []byte("cannot mount")) {
		t.Skipf("this user may not mount a file system of its own: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func childOnFullDisk() error {
	file := os.Getenv(fileEnv)
	dir := filepath.Dir(file)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	ctx := context.Background()
	l, err := childLedger(ctx)
	if err != nil {
		return err
	}
	stored, err := appendUntilFull(ctx, l)
	if err != nil {
		return err
	}
	if l.Size() != stored {
		return fmt.Errorf("%d entries, %d were acknowledged", l.Size(), stored)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	for range 5 {
		if _, err := l.Append(ctx, event("again")); err != nil {
			return fmt.Errorf("after the disk has room again: %w", err)
		}
		stored++
	}
	var read uint64
	for leaf, err := range l.Entries(ctx, 0, l.Size()) {
		if err != nil || leaf.Index != read {
			return fmt.Errorf("entry %d: %v", read, err)
		}
		read++
	}
	if read != stored {
		return fmt.Errorf("%d entries read, %d were acknowledged", read, stored)
	}
	fmt.Println(stored, "entries stored, before and after the disk was full")
	return l.Close(ctx)
}

func appendUntilFull(ctx context.Context, l *ledger.Ledger) (stored uint64, err error) {
	for refused := 0; refused < 20; {
		_, err := l.Append(ctx, decision(aims.NewID("rcp"), string(make([]byte, 5000))))
		switch {
		case err == nil && stored > 10000:
			return stored, errors.New("the disk does not get full")
		case err == nil:
			stored++
		case codeOf(err) != aims.Unavailable:
			return stored, err
		default:
			refused++
		}
	}
	return stored, nil
}

// dataSync is fdatasync, what SQLite calls on Linux.
func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
