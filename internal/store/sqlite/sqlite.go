// Package sqlite opens a SQLite file as a store: who may write, how durable a
// commit is, which migrations ran.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"aims/internal/aims"
	"aims/internal/store"
)

// Open opens or creates the database file at path for reading and writing and
// runs the migrations that are due. The file is readable by its owner only. One
// process at a time may write: while another has it open, Open fails with
// aims.Conflict.
//
// A commit is on disk when it returns: journal_mode WAL with synchronous FULL.
// secure_delete overwrites deleted content with zeros, so that an erased
// payload cannot be read from free pages.
func Open(ctx context.Context, path string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "the database's directory cannot be used")
	}
	own, err := acquire(ctx, path)
	if err != nil {
		return nil, err
	}
	f, err := openPools(ctx, path)
	if err != nil {
		own.release()
		return nil, err
	}
	f.own = own
	if err := f.migrate(ctx, schemas); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.startCheckpointing()
	return store.New(store.Engine{Write: f.write, Read: f.read, Scrub: f.scrub, Close: f.close}, now), nil
}

// OpenReadOnly opens an existing database file without the right to write,
// also while another process writes it. Nothing is migrated: it fails unless
// the file has exactly the migrations of the schemas.
func OpenReadOnly(ctx context.Context, path string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "the database's directory cannot be used")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, aims.Errorf(aims.NotFound, err, "there is no database file at this path")
	}
	read, err := openReader(ctx, path, false)
	if err != nil {
		// A copy on a read-only medium has no shared-memory file and none can be
		// made. Without a journal beside it the file is complete by itself.
		if _, journal := os.Stat(path + "-wal"); !errors.Is(journal, fs.ErrNotExist) {
			return nil, err
		}
		if read, err = openReader(ctx, path, true); err != nil {
			return nil, err
		}
	}
	for _, schema := range schemas {
		if err := schema.RequireCurrent(ctx, read); err != nil {
			return nil, errors.Join(unavailable(err, "the database file cannot be read, or is not a database of this program"), read.Close())
		}
	}
	refuse := func(context.Context, string) error {
		return aims.Errorf(aims.Conflict, nil, "the database is open for reading only")
	}
	return store.New(store.Engine{Write: read, Read: read, Scrub: refuse, Close: read.Close}, now), nil
}

func openReader(ctx context.Context, path string, immutable bool) (*sql.DB, error) {
	parameters := []string{"mode", "ro"}
	if immutable {
		parameters = append(parameters, "immutable", "1")
	}
	read, err := pool(path, readers(), parameters, "query_only(1)", "busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	var n int
	if err := read.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return nil, errors.Join(unavailable(err, "the database file cannot be read, or is not a database"), read.Close())
	}
	return read, nil
}

// resolve gives one name to one file: the right to write is bound to the name.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// file is an open database file: one connection that writes, several that
// read, and one that copies the write-ahead log into the file.
type file struct {
	path       string
	own        *ownership
	write      *sql.DB
	read       *sql.DB
	checkpoint *sql.DB
	stop       context.CancelFunc
	done       sync.WaitGroup
}

func openPools(ctx context.Context, path string) (*file, error) {
	if err := createPrivate(path); err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "the database file cannot be created or made private to its owner")
	}
	const durable, patient = "synchronous(FULL)", "busy_timeout(10000)"
	// The pages that a commit wrote are copied into the file by another
	// connection, so that no commit waits for it.
	const noAutocheckpoint = "wal_autocheckpoint(0)"
	f := &file{path: path}
	var err error
	for _, p := range []struct {
		pool  **sql.DB
		size  int
		txn   []string
		pragm []string
	}{
		{&f.write, 1, []string{"_txlock", "immediate"}, []string{patient, "journal_mode(WAL)", durable, noAutocheckpoint, "secure_delete(ON)", "foreign_keys(ON)"}},
		{&f.read, readers(), nil, []string{patient, "query_only(1)"}},
		{&f.checkpoint, 1, nil, []string{fmt.Sprintf("busy_timeout(%d)", restartPatience.Milliseconds()), durable, noAutocheckpoint}},
	} {
		if *p.pool, err = pool(path, p.size, p.txn, p.pragm...); err != nil {
			break
		}
		if err = (*p.pool).PingContext(ctx); err != nil {
			break
		}
	}
	if err == nil {
		err = requireWAL(ctx, f.write)
	}
	if err != nil {
		return nil, errors.Join(unavailable(err, "the database file cannot be opened, or is not a database"), f.closePools())
	}
	return f, nil
}

// requireWAL notices a file system on which SQLite silently keeps another
// journal, because durability and concurrent readers depend on this one.
func requireWAL(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return aims.Errorf(aims.Unavailable, nil, "the database file's file system does not support a write-ahead log (journal mode is %s)", mode)
	}
	return nil
}

// createPrivate makes the file before SQLite does, because SQLite would let
// the umask decide who can read it and gives its journals the file's mode. An
// existing file is not opened: closing any descriptor of a file ends all POSIX
// locks that this process holds on it, SQLite's included.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func readers() int { return max(4, runtime.GOMAXPROCS(0)) }

// pool is a set of connections with the same settings. parameters are names
// and values by turns.
func pool(path string, size int, parameters []string, pragmas ...string) (*sql.DB, error) {
	vfs, err := useVFS()
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if vfs != "" {
		query.Set("vfs", vfs)
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	for _, pragma := range pragmas {
		query.Add("_pragma", pragma)
	}
	// A path may hold the characters that mean something in a URI.
	name := "file:///" + strings.TrimPrefix((&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), "/") + "?" + query.Encode()
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

func (f *file) migrate(ctx context.Context, schemas []store.Schema) error {
	for _, schema := range schemas {
		table, err := schema.VersionTable()
		if err != nil {
			return err
		}
		provider, err := goose.NewProvider(goose.DialectSQLite3, f.write, keyed{schema.Migrations},
			goose.WithTableName(table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return aims.Errorf(aims.Internal, err, "the migrations of schema %s cannot be read", schema.Name)
		}
		if _, err := provider.Up(ctx); err != nil {
			return unavailable(err, "the database could not be migrated")
		}
		if err := schema.RefuseNewer(ctx, f.write); err != nil {
			return unavailable(err, "the database's version could not be read")
		}
	}
	return nil
}

func (f *file) close() error {
	if f.stop != nil {
		f.stop()
		f.done.Wait()
	}
	err := f.closePools()
	if f.own != nil {
		err = errors.Join(err, f.own.release())
	}
	return err
}

func (f *file) closePools() error {
	var errs []error
	// The writer closes last: SQLite folds the write-ahead log into the file
	// when the last connection closes.
	for _, db := range []*sql.DB{f.read, f.checkpoint, f.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// unavailable keeps an error that already has a sentence for the caller.
func unavailable(err error, sentence string) error {
	var known *aims.Error
	if errors.As(err, &known) {
		return err
	}
	if strings.Contains(err.Error(), "SQLITE_BUSY") {
		sentence = "the database file is busy"
	}
	return aims.Errorf(aims.Unavailable, err, "%s", sentence)
}
