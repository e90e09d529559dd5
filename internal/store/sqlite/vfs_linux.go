package sqlite

import (
	"sync"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"aims/internal/aims"
)

// Every commit waits until the write-ahead log is synced. SQLite's own VFS, as
// this driver has it, makes that wait longer than the disk demands: it calls
// fsync, and the log grows with nearly every commit, so that the file system
// must write its journal beside the log. This VFS is SQLite's own but for two
// things, of the write-ahead log only: it calls fdatasync, which makes content
// and size durable like fsync does, but not the file's times; and where the log
// grows, zeros are written ahead of it, so that the commits after that overwrite
// in place. A frame of zeros is to SQLite the end of the log, as the rest of an
// earlier log is, which lies there after every restart.
//
// The zeros are as many as the log is long, but at least leastAhead and at most
// mostAhead bytes. Nothing is written ahead unless the disk has room for that
// much roomy times.
const (
	vfsName    = "aims"
	leastAhead = 1 << 20
	mostAhead  = 4 << 20
	roomy      = 16

	zerosAtOnce = 64 << 10
)

// useVFS registers the VFS with SQLite, whose list of them is the process's,
// and returns its name.
var useVFS = sync.OnceValues(registerVFS)

// vfs is what SQLite knows of a VFS, and the one that it stands on.
type vfs struct {
	sqlite3.Tsqlite3_vfs
	own uintptr
}

// walFile is an open write-ahead log: SQLite's own structure, and what is ours behind it.
type walFile struct {
	sqlite3.TunixFile
	own     uintptr                     // SQLite's own methods
	methods sqlite3.Tsqlite3_io_methods // the same but for ours
	end     int64                       // of the file, when it was last looked at
}

type (
	openFunc  = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	writeFunc = func(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32
	syncFunc  = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// at reads an address in SQLite's memory, which the garbage collector does not know.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is the Go function at an address that SQLite calls.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }

// address is what SQLite calls to reach a function that is declared in a package.
func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

func registerVFS() (string, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	unix, err := libc.CString("unix")
	if err != nil {
		return "", err
	}
	defer libc.Xfree(tls, unix)
	own := sqlite3.Xsqlite3_vfs_find(tls, unix)
	if own == 0 || at[sqlite3.Tsqlite3_vfs](own).FszOsFile != int32(unsafe.Sizeof(sqlite3.TunixFile{})) {
		return "", aims.Errorf(aims.Internal, nil, "the SQLite driver's files are not what this program was made for")
	}
	v := vfs{Tsqlite3_vfs: *at[sqlite3.Tsqlite3_vfs](own), own: own}
	if v.FzName, err = libc.CString(vfsName); err != nil {
		return "", err
	}
	v.FpNext = 0
	v.FszOsFile = int32(unsafe.Sizeof(walFile{}))
	v.FxOpen = address(openFile)
	registered := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(v))) // for good, as the name
	if registered == 0 {
		return "", aims.Errorf(aims.Exhausted, nil, "no memory for SQLite")
	}
	*at[vfs](registered) = v
	if rc := sqlite3.Xsqlite3_vfs_register(tls, registered, 0); rc != sqlite3.SQLITE_OK {
		return "", aims.Errorf(aims.Internal, nil, "SQLite refuses its files (%d)", rc)
	}
	return vfsName, nil
}

func openFile(tls *libc.TLS, self, name, file uintptr, flags int32, outFlags uintptr) int32 {
	own := at[vfs](self).own
	rc := function[openFunc](at[sqlite3.Tsqlite3_vfs](own).FxOpen)(tls, own, name, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	f := at[walFile](file)
	f.own, f.end = f.FpMethod, 0
	f.methods = *at[sqlite3.Tsqlite3_io_methods](f.own)
	f.methods.FxWrite, f.methods.FxSync = address(writeLog), address(syncLog)
	f.FpMethod = file + unsafe.Offsetof(f.methods)
	return sqlite3.SQLITE_OK
}

func writeLog(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	f := at[walFile](file)
	rc := function[writeFunc](at[sqlite3.Tsqlite3_io_methods](f.own).FxWrite)(tls, file, data, n, offset)
	// The first write of a log that begins anew may find it emptied by another connection.
	if end := offset + int64(n); rc == sqlite3.SQLITE_OK && (end > f.end || offset == 0) {
		f.lengthen(end)
	}
	return rc
}

// lengthen writes zeros behind what was just written, if that is the end of
// the file. On a disk that is nearly full the log grows as it would without
// them: the room is for what is stored.
func (f *walFile) lengthen(end int64) {
	var file syscall.Stat_t
	if err := syscall.Fstat(int(f.Fh), &file); err != nil {
		return
	}
	if f.end = file.Size; f.end > end {
		return
	}
	ahead := min(max(end, leastAhead), mostAhead)
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fh), &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < uint64(roomy*ahead) {
		return
	}
	zeros := make([]byte, zerosAtOnce)
	for f.end = end; f.end < end+ahead; {
		n, err := syscall.Pwrite(int(f.Fh), zeros[:min(zerosAtOnce, end+ahead-f.end)], f.end)
		if err != nil || n == 0 {
			return
		}
		f.end += int64(n)
	}
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := at[walFile](file)
	if f.FctrlFlags&sqlite3.UNIXFILE_DIRSYNC != 0 { // a new file, whose directory must be synced too
		return function[syncFunc](at[sqlite3.Tsqlite3_io_methods](f.own).FxSync)(tls, file, flags)
	}
	for {
		switch err := syscall.Fdatasync(int(f.Fh)); err {
		case nil:
			return sqlite3.SQLITE_OK
		case syscall.EINTR:
		default:
			if errno, ok := err.(syscall.Errno); ok {
				f.FlastErrno = int32(errno)
			}
			return sqlite3.SQLITE_IOERR_FSYNC
		}
	}
}
