package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"aims/internal/aims"
	"aims/internal/store"
)

var things = store.Schema{Name: "things", Migrations: fstest.MapFS{
	"00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id BIGINT PRIMARY KEY, data BYTEA);\n")},
}}

// heldEnv makes this test program open the file that it names, say so, and
// wait to be killed.
const heldEnv = "AIMS_TEST_HOLD_DATABASE"

// refusedEnv makes this test program commit to the file that it names, before
// and after the kernel refuses one system call to it: the one that is named
// before the path.
const refusedEnv = "AIMS_TEST_REFUSED_CALL"

func TestMain(m *testing.M) {
	if path := os.Getenv(heldEnv); path != "" {
		hold(path)
	}
	if call, path, ok := strings.Cut(os.Getenv(refusedEnv), ":"); ok {
		commitRefused(call, path)
		return
	}
	goleak.VerifyTestMain(m)
}

func hold(path string) {
	if _, err := Open(context.Background(), path, time.Now, things); err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("held\n")
	select {}
}

func mustOpen(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := Open(t.Context(), path, time.Now, things)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func put(t *testing.T, db *store.DB, id int, data []byte) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO thing (id, data) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET data = $2", id, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) aims.Code {
	var e *aims.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestOneProcessWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), heldEnv+"="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 256)
	n, _ := out.Read(said)
	if string(said[:n]) != "held\n" {
		t.Fatalf("the other process said %q", said[:n])
	}
	if db, err := Open(t.Context(), path, time.Now, things); codeOf(err) != aims.Conflict {
		if db != nil {
			db.Close()
		}
		t.Errorf("while another process has the file open: %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	mustOpen(t, path) // the right to write ends with the process
}

func TestOneOpenerWritesInOneProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "test.db")
	first, err := Open(t.Context(), path, time.Now, things)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link, path} {
		if db, err := Open(t.Context(), name, time.Now, things); codeOf(err) != aims.Conflict {
			if db != nil {
				db.Close()
			}
			t.Errorf("a second open of %s: %v", filepath.Base(name), err)
		}
	}
	put(t, first, 1, []byte("still works"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, path)
	put(t, db, 1, []byte("x"))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("test.db%s has mode %o", suffix, mode)
		}
	}
}

func TestCommitsAreDurable(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "test.db"))
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "wal_autocheckpoint": "0", "foreign_keys": "1"}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for pragma, value := range want {
			var got string
			if err := tx.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
				return err
			}
			if got != value {
				t.Errorf("%s is %s, want %s", pragma, got, value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnyFileName(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "100%.db", "é.db", "a%20b.db"} {
		path := filepath.Join(t.TempDir(), name)
		put(t, mustOpen(t, path), 1, []byte("x"))
		if info, err := os.Stat(path); err != nil || info.Size() == 0 && fileSize(t, path+"-wal") == 0 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, time.Now, things); codeOf(err) != aims.Unavailable {
		t.Errorf("Open: %v", err)
	}
	if _, err := OpenReadOnly(t.Context(), path, time.Now, things); codeOf(err) != aims.Unavailable {
		t.Errorf("OpenReadOnly: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none", "test.db"), time.Now, things); codeOf(err) != aims.Unavailable {
		t.Errorf("Open in a directory that is not there: %v", err)
	}
}

func TestReaderBesideAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := OpenReadOnly(t.Context(), path, time.Now, things); codeOf(err) != aims.NotFound {
		t.Errorf("a file that is not there: %v", err)
	}
	writer := mustOpen(t, path)
	reader, err := OpenReadOnly(t.Context(), path, time.Now, things)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	put(t, writer, 1, []byte("seen"))
	var data []byte
	err = reader.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT data FROM thing WHERE id = 1").Scan(&data)
	})
	if err != nil || string(data) != "seen" {
		t.Errorf("read %q, %v", data, err)
	}
	err = reader.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("DELETE FROM thing")
		return err
	})
	if err == nil {
		t.Error("a database that was opened for reading was written")
	}
}

func TestReaderNeedsTheSameSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	mustOpen(t, path).Close()
	newer := store.Schema{Name: "things", Migrations: fstest.MapFS{
		"00001_things.sql": things.Migrations.(fstest.MapFS)["00001_things.sql"],
		"00002_more.sql":   {Data: []byte("-- +goose Up\nALTER TABLE thing ADD COLUMN more TEXT;\n")},
	}}
	if _, err := OpenReadOnly(t.Context(), path, time.Now, newer); codeOf(err) != aims.Unavailable {
		t.Errorf("an older database: %v", err)
	}
	other := store.Schema{Name: "others", Migrations: things.Migrations}
	if _, err := OpenReadOnly(t.Context(), path, time.Now, other); codeOf(err) != aims.Unavailable {
		t.Errorf("another program's database: %v", err)
	}
}

// What was erased is in no file any more, although a reader kept the
// write-ahead log from being emptied for a while.
func TestScrubRemovesFromDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := mustOpen(t, path)
	secret := bytes.Repeat([]byte("a secret payload "), 1000)
	put(t, db, 1, secret)
	put(t, db, 2, []byte("stays"))
	reading, stop := make(chan struct{}), make(chan struct{})
	go db.View(context.Background(), func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow("SELECT COUNT(*) FROM thing").Scan(&n)
		close(reading)
		<-stop
		return err
	})
	<-reading
	put(t, db, 1, nil)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := db.Scrub(short, "thing"); err == nil {
		t.Error("Scrub says that it is done while a reader still sees the old state")
	}
	close(stop)
	if err := db.Scrub(t.Context(), "thing"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("a secret payload")) {
			t.Errorf("the secret is still in test.db%s", suffix)
		}
	}
}

// Under load the write-ahead log is never copied to its end by passive
// checkpoints alone; past its limit it begins anew.
func TestWriteAheadLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := createPrivate(path); err != nil {
		t.Fatal(err)
	}
	f, err := openPools(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := f.migrate(t.Context(), []store.Schema{things}); err != nil {
		t.Fatal(err)
	}
	db := store.New(store.Engine{Write: f.write, Read: f.read, Close: f.close}, time.Now)
	const limit = 512
	page := bytes.Repeat([]byte{1}, 16*4096)
	var largest int64
	for i := range 50 {
		for j := range 10 {
			put(t, db, i*10+j, page)
		}
		if _, err := f.copyLog(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, fileSize(t, path+"-wal"))
	}
	if bound := int64(4 * limit * 4120); largest > bound {
		t.Errorf("the write-ahead log grew to %d bytes, bound %d", largest, bound)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A table with one BIGINT key is stored by that key: no index beside it.
func TestKeysNeedNoIndex(t *testing.T) {
	schema := store.Schema{Name: "keys", Migrations: fstest.MapFS{
		"00001_keys.sql": {Data: []byte("-- +goose Up\nCREATE TABLE one (id BIGINT PRIMARY KEY);\nCREATE TABLE two (id bigint not null primary key, other BIGINT);\n" +
			"CREATE TABLE three (a BIGINT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b));\n")},
	}}
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), time.Now, schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var indexed string
	err = db.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT group_concat(tbl_name) FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('one', 'two', 'three')").Scan(&indexed)
	})
	if err != nil || indexed != "three" {
		t.Errorf("indexes on %q, %v", indexed, err)
	}
}
