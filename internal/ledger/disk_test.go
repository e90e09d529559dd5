package ledger_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk stands between SQLite and the file system: it lets calls fail, and it
// knows what a loss of power would leave, because it knows what was synced.
// It is a VFS of SQLite's own kind, so that nothing above it, the driver
// included, is anything but what runs in production.
type disk struct {
	dir string
	mu  sync.Mutex
	// fault decides about each call before it is made.
	fault func(op string, file string) fault
	// tripped counts the calls that failed.
	tripped int
	files   map[string]*image
}

// fault is how a call fails: not at all, before anything was done, after half
// of it, or after all of it.
type fault struct {
	code int32
	when moment
}

type moment int

const (
	never moment = iota
	before
	halfway
	after
)

// image is a file as the medium has it and what was written since it was synced.
type image struct {
	synced  []byte
	pending []pendingWrite
}

// pendingWrite is data at an offset, or where data is nil a new length.
type pendingWrite struct {
	offset int64
	data   []byte
}

func (i *image) apply(w pendingWrite) {
	end := w.offset + int64(len(w.data))
	if grow := end - int64(len(i.synced)); grow > 0 {
		i.synced = append(i.synced, make([]byte, grow)...)
	}
	if w.data == nil {
		i.synced = i.synced[:w.offset]
	}
	copy(i.synced[min(w.offset, int64(len(i.synced))):], w.data)
}

// newDisk watches the SQLite files in a directory.
func newDisk(t *testing.T) *disk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{dir: dir, files: map[string]*image{}}
	shim.install(t)
	shim.mu.Lock()
	defer shim.mu.Unlock()
	shim.disks[d.dir] = d
	return d
}

// failing makes calls fail from now on; nil ends it.
func (d *disk) failing(f func(op, file string) fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

func (d *disk) decide(op, path string) fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == nil {
		return fault{}
	}
	f := d.fault(op, strings.TrimPrefix(filepath.Base(path), "log.db"))
	if f.when != never {
		d.tripped++
	}
	return f
}

func (d *disk) wrote(path string, w pendingWrite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.file(path).pending = append(d.file(path).pending, w)
}

func (d *disk) synced(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.file(path)
	for _, w := range f.pending {
		f.apply(w)
	}
	f.pending = nil
}

func (d *disk) file(path string) *image {
	f := d.files[path]
	if f == nil {
		f = &image{}
		d.files[path] = f
	}
	return f
}

// unsynced says whether a file has writes that a loss of power could take.
func (d *disk) unsynced(suffix string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.file(filepath.Join(d.dir, "log.db"+suffix)).pending) > 0
}

// powerLoss writes into another directory what the medium could hold if the
// power failed now: all that was synced, and of the rest any part, a write
// perhaps torn at a sector. Zeros may lie behind the write-ahead log: the store
// writes them there, below this shim.
func (d *disk) powerLoss(t *testing.T, into string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, f := range d.files {
		left := image{synced: append([]byte(nil), f.synced...)}
		for _, w := range f.pending {
			switch rand.IntN(3) {
			case 0:
				left.apply(w)
			case 1:
				if sectors := len(w.data) / 512; sectors > 0 {
					left.apply(pendingWrite{offset: w.offset, data: w.data[:512*rand.IntN(sectors+1)]})
				}
			}
		}
		if strings.HasSuffix(path, "-wal") {
			left.synced = append(left.synced, make([]byte, 512*rand.IntN(100))...)
		}
		if err := os.WriteFile(filepath.Join(into, filepath.Base(path)), left.synced, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shim is the VFS. SQLite's registry of them is the process's, and so is this.
var shim = vfsShim{disks: map[string]*disk{}, files: map[uintptr]*openFile{}}

type vfsShim struct {
	once  sync.Once
	mu    sync.Mutex
	disks map[string]*disk
	files map[uintptr]*openFile
	// open is how the store's own VFS opens a file.
	open func(tls *libc.TLS, vfs, zName, pFile uintptr, flags int32, pOut uintptr) int32
}

// openFile is a file that SQLite has open on a disk.
type openFile struct {
	disk *disk
	path string
	real *sqlite3.Tsqlite3_io_methods
	// table is a copy of the file's method table with ours in it.
	table uintptr
}

// at reads an address of SQLite's memory as a Go pointer.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// address is what SQLite calls: the address of a Go function's closure.
func address[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// fn is the Go function at an address that SQLite calls.
func fn[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&address))
}

// outside copies a value into memory that is SQLite's, not Go's.
func outside[T any](tls *libc.TLS, value T) uintptr {
	address := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(value)))
	*at[T](address) = value
	return address
}

var (
	shimOpen     = openThroughShim
	shimClose    = closeThroughShim
	shimWrite    = writeThroughShim
	shimSync     = syncThroughShim
	shimTruncate = truncateThroughShim
)

// install puts the shim before the VFS that the store uses, so that what it
// lets through is done as in production. Files outside of a disk pass through
// it untouched.
func (s *vfsShim) install(t *testing.T) {
	s.once.Do(func() {
		// The store makes its VFS known to SQLite when it is first used.
		onSQLite(t).open(t)
		tls := libc.NewTLS()
		defer tls.Close()
		name, err := libc.CString("aims")
		if err != nil {
			t.Fatal(err)
		}
		defer libc.Xfree(tls, name)
		found := sqlite3.Xsqlite3_vfs_find(tls, name)
		if found == 0 { // where the store has none, SQLite's own
			found = sqlite3.Xsqlite3_vfs_find(tls, 0)
		}
		vfs := at[sqlite3.Tsqlite3_vfs](found)
		s.open = fn[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](vfs.FxOpen)
		vfs.FxOpen = address(&shimOpen)
	})
}

func (s *vfsShim) file(pFile uintptr) *openFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[pFile]
}

func openThroughShim(tls *libc.TLS, vfs, zName, pFile uintptr, flags int32, pOut uintptr) int32 {
	rc := shim.open(tls, vfs, zName, pFile, flags, pOut)
	if rc != sqlite3.SQLITE_OK || zName == 0 || flags&(sqlite3.SQLITE_OPEN_MAIN_DB|sqlite3.SQLITE_OPEN_WAL) == 0 {
		return rc
	}
	path := libc.GoString(zName)
	shim.mu.Lock()
	defer shim.mu.Unlock()
	d := shim.disks[filepath.Dir(path)]
	if d == nil || strings.HasSuffix(path, ".lock") {
		return rc
	}
	file := at[sqlite3.Tsqlite3_file](pFile)
	f := &openFile{disk: d, path: path, real: at[sqlite3.Tsqlite3_io_methods](file.FpMethods)}
	ours := *f.real
	ours.FxClose, ours.FxWrite = address(&shimClose), address(&shimWrite)
	ours.FxSync, ours.FxTruncate = address(&shimSync), address(&shimTruncate)
	f.table = outside(tls, ours)
	shim.files[pFile], file.FpMethods = f, f.table
	return rc
}

func closeThroughShim(tls *libc.TLS, pFile uintptr) int32 {
	f := shim.file(pFile)
	shim.mu.Lock()
	delete(shim.files, pFile)
	shim.mu.Unlock()
	defer libc.Xfree(tls, f.table)
	return fn[func(*libc.TLS, uintptr) int32](f.real.FxClose)(tls, pFile)
}

func writeThroughShim(tls *libc.TLS, pFile, buf uintptr, n int32, offset int64) int32 {
	f := shim.file(pFile)
	write := fn[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.real.FxWrite)
	through := func(n int32) int32 {
		if n == 0 {
			return sqlite3.SQLITE_OK
		}
		f.disk.wrote(f.path, pendingWrite{offset: offset, data: append([]byte(nil), unsafe.Slice(at[byte](buf), n)...)})
		return write(tls, pFile, buf, n, offset)
	}
	fail := f.disk.decide("write", f.path)
	switch fail.when {
	case before:
		return fail.code
	case halfway:
		through(n / 2)
		return fail.code
	case after:
		through(n)
		return fail.code
	}
	return through(n)
}

func truncateThroughShim(tls *libc.TLS, pFile uintptr, size int64) int32 {
	f := shim.file(pFile)
	if fail := f.disk.decide("truncate", f.path); fail.when != never {
		return fail.code
	}
	f.disk.wrote(f.path, pendingWrite{offset: size})
	return fn[func(*libc.TLS, uintptr, int64) int32](f.real.FxTruncate)(tls, pFile, size)
}

func syncThroughShim(tls *libc.TLS, pFile uintptr, flags int32) int32 {
	f := shim.file(pFile)
	fail := f.disk.decide("sync", f.path)
	if fail.when == before || fail.when == halfway {
		return fail.code
	}
	rc := fn[func(*libc.TLS, uintptr, int32) int32](f.real.FxSync)(tls, pFile, flags)
	if rc == sqlite3.SQLITE_OK {
		f.disk.synced(f.path)
	}
	if fail.when == after {
		return fail.code
	}
	return rc
}
