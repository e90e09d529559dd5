package store_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/internal/store/storetest"
)

// opener opens one and the same database again and again.
type opener func(now func() time.Time, schemas ...store.Schema) (*store.DB, error)

// eachStore runs one test on every store: none may grow what another has not.
func eachStore(t *testing.T, test func(t *testing.T, open opener)) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		test(t, func(now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
			return at.Open(t.Context(), now, schemas...)
		})
	})
}

var things = store.Schema{Name: "things", Migrations: fstest.MapFS{
	"00001_things.sql": {Data: []byte(`-- +goose Up
CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL, data BYTEA, good BOOLEAN NOT NULL);
-- +goose Down
DROP TABLE thing;
`)},
}}

func mustOpen(t *testing.T, open opener, schemas ...store.Schema) *store.DB {
	t.Helper()
	db, err := open(time.Now, schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func insert(tx *store.Tx, id int64) error {
	_, err := tx.Exec("INSERT INTO thing (id, name, good) VALUES ($1, $2, $3)", id, "thing", true)
	return err
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM thing").Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTypesAreReadAsWritten(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		text, data := "é\n'\"—", []byte{0, 1, 255, 0}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			var id int64
			return tx.QueryRow("INSERT INTO thing (id, name, data, good) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING RETURNING id",
				int64(math.MaxInt64), text, data, true).Scan(&id)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			var id int64
			var name string
			var blob []byte
			var good bool
			if err := tx.QueryRow("SELECT id, name, data, good FROM thing WHERE good AND name = $1", text).Scan(&id, &name, &blob, &good); err != nil {
				return err
			}
			if id != math.MaxInt64 || name != text || !bytes.Equal(blob, data) || !good {
				t.Errorf("read %d %q %v %v", id, name, blob, good)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		mine := errors.New("mine")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := insert(tx, 1); err != nil {
				t.Error(err)
			}
			return mine
		})
		if err != mine {
			t.Errorf("Update returned %v, want the function's own error", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows of a failed transaction", n)
		}
	})
}

// A part that fails takes back itself and nothing else, also after an error of
// the database.
func TestSavepointTakesBackItself(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := insert(tx, 1); err != nil {
				return err
			}
			if _, err := tx.Exec("SAVEPOINT part"); err != nil {
				return err
			}
			if err := insert(tx, 2); err != nil {
				return err
			}
			if err := insert(tx, 1); err == nil {
				t.Error("a second row with the same key was stored")
			}
			if _, err := tx.Exec("ROLLBACK TO SAVEPOINT part"); err != nil {
				return err
			}
			if _, err := tx.Exec("RELEASE SAVEPOINT part"); err != nil {
				return err
			}
			return insert(tx, 3)
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 2 {
			t.Errorf("%d rows, want those before and after the part that failed", n)
		}
	})
}

func TestViewIsOneSnapshotAndWritesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		err := db.View(t.Context(), func(tx *store.Tx) error {
			read := func() (n int) {
				if err := tx.QueryRow("SELECT COUNT(*) FROM thing").Scan(&n); err != nil {
					t.Error(err)
				}
				return n
			}
			before := read()
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return insert(tx, 1) }); err != nil {
				return err
			}
			if after := read(); after != before {
				t.Errorf("a view saw %d rows, then %d", before, after)
			}
			if err := insert(tx, 2); err == nil {
				t.Error("a view wrote")
			}
			return nil
		})
		if err != nil {
			t.Log(err) // PostgreSQL does not end a transaction in which a statement failed
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestNowIsFixedInATransaction(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		db, err := open(func() time.Time { at = at.Add(time.Second); return at }, things)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			if want := at; tx.Now != want {
				t.Errorf("the transaction's time is %v, the clock said %v", tx.Now, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return insert(tx, 0) }); err != nil {
			t.Fatal(err)
		}
		add := func(tx *store.Tx) error {
			// Taking the row makes the others wait until this transaction ends.
			var name string
			if err := tx.QueryRow("UPDATE thing SET name = name WHERE id = 0 RETURNING name").Scan(&name); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE thing SET name = $1 WHERE id = 0", name+"+")
			return err
		}
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for range 10 {
					if err := db.Update(t.Context(), add); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		var name string
		err := db.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT name FROM thing WHERE id = 0").Scan(&name) })
		if want := len("thing") + 80; err != nil || len(name) != want {
			t.Errorf("%d characters, want %d (%v)", len(name), want, err)
		}
	})
}

func TestCancelledContextWritesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db := mustOpen(t, open, things)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := insert(tx, 1); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if code, _ := aims.Public(err); code != aims.Unavailable {
			t.Errorf("a commit after the context ended: %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestMigrationsRunOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		db, err := open(time.Now, things)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return insert(tx, 1) }); err != nil {
			t.Fatal(err)
		}
		db.Close()
		other := store.Schema{Name: "other", Migrations: fstest.MapFS{
			"00001_other.sql": {Data: []byte("-- +goose Up\nCREATE TABLE other (id BIGINT PRIMARY KEY);\n")},
		}}
		db = mustOpen(t, open, things, other)
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows after opening again, want 1", n)
		}
	})
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		broken := store.Schema{Name: "things", Migrations: fstest.MapFS{
			"00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id BIGINT PRIMARY KEY);\nINSERT INTO nowhere (id) VALUES (1);\n")},
		}}
		if db, err := open(time.Now, broken); err == nil {
			db.Close()
			t.Fatal("a broken migration was accepted")
		}
		db := mustOpen(t, open, things)
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestDatabaseOfANewerProgramIsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, open opener) {
		newer := store.Schema{Name: "things", Migrations: fstest.MapFS{
			"00001_things.sql": things.Migrations.(fstest.MapFS)["00001_things.sql"],
			"00002_more.sql":   {Data: []byte("-- +goose Up\nALTER TABLE thing ADD COLUMN more TEXT;\n")},
		}}
		db, err := open(time.Now, newer)
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		db, err = open(time.Now, things)
		if err == nil {
			db.Close()
			t.Fatal("an older program opened a newer database")
		}
		if code, text := aims.Public(err); code != aims.Unavailable || text == "" {
			t.Errorf("refused with %v", err)
		}
	})
}
