package sqlite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"aims/internal/aims"
	"aims/internal/store"
)

// Commits wait for fdatasync and fail with it. They need no fsync, which would
// wait for the file system's journal.
func TestCommitsAreSyncedByFdatasync(t *testing.T) {
	for call, want := range map[string]string{
		"fdatasync": "before: <nil>\nafter: " + string(aims.Unavailable) + "\nstored: 1\n",
		"fsync":     "before: <nil>\nafter: <nil>\nstored: 2\n",
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), refusedEnv+"="+call+":"+path)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "no filter") {
			t.Skipf("this kernel filters no system calls: %s", out)
		}
		if err != nil || string(out) != want {
			t.Errorf("without %s: %v, %s", call, err, out)
		}
		// The commit that was refused may be there as well: it was written.
		if n := count(t, mustOpen(t, path)); n < strings.Count(string(out), "<nil>") {
			t.Errorf("without %s: %d rows after the process ended, it said %s", call, n, out)
		}
	}
}

func commitRefused(call, path string) {
	runtime.LockOSThread() // which the filter is for, and on which a commit runs
	ctx := context.Background()
	db, err := Open(ctx, path, time.Now, things)
	if err != nil {
		fmt.Println(err)
		return
	}
	commit := func(id int) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO thing (id) VALUES ($1)", id)
			return err
		})
	}
	fmt.Println("before:", commit(1))
	if err := refuse(map[string]uint32{"fsync": syscall.SYS_FSYNC, "fdatasync": syscall.SYS_FDATASYNC}[call]); err != nil {
		fmt.Println("no filter:", err)
		return
	}
	if err := commit(2); err != nil {
		fmt.Println("after:", codeOf(err))
	} else {
		fmt.Println("after:", err)
	}
	var n int
	err = db.View(ctx, func(tx *store.Tx) error { return tx.QueryRow("SELECT count(*) FROM thing").Scan(&n) })
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println("stored:", n)
}

// refuse makes a system call fail with EIO in this thread from now on
// (seccomp(2)).
func refuse(number uint32) error {
	const (
		setNoNewPrivileges, setSeccomp, filterMode = 38, 22, 2
		load, jumpIfEqual, answer                  = 0x20, 0x15, 0x06
		fail, allow                                = 0x00050000, 0x7fff0000
	)
	program := []syscall.SockFilter{
		{Code: load}, // the number of the call
		{Code: jumpIfEqual, K: number, Jf: 1},
		{Code: answer, K: fail | uint32(syscall.EIO)},
		{Code: answer, K: allow},
	}
	filter := &syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := syscall.Syscall6(syscall.SYS_PRCTL, setNoNewPrivileges, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setSeccomp, filterMode, uintptr(unsafe.Pointer(filter))); errno != 0 {
		return errno
	}
	return nil
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT count(*) FROM thing").Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Commits overwrite in place: the file's length changes once in a megabyte,
// also after the log was emptied. What lies ahead of a log is its end for whoever
// finds it after a crash.
func TestLogIsWrittenInPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "test.db")
	db := mustOpen(t, path)
	stored := 0
	for range 3 {
		put(t, db, stored, nil)
		stored++
		size := fileSize(t, path+"-wal")
		if size < leastAhead {
			t.Errorf("%d bytes of log", size)
		}
		for range 50 {
			put(t, db, stored, nil)
			stored++
		}
		if now := fileSize(t, path+"-wal"); now != size {
			t.Errorf("the log grew from %d to %d bytes", size, now)
		}
		left := filepath.Join(t.TempDir(), "test.db")
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err == nil {
				err = os.WriteFile(left+suffix, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, mustOpen(t, left)); n != stored {
			t.Errorf("%d rows after a crash, %d were stored", n, stored)
		}
		if err := db.Scrub(t.Context(), "thing"); err != nil {
			t.Fatal(err)
		}
	}
}
