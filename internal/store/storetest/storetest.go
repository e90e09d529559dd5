// Package storetest gives tests their databases: a SQLite file, or a schema on
// the PostgreSQL server that the environment variable AIMS_TEST_POSTGRES names.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
)

// again is the test of a package that repeats others on PostgreSQL.
const again = "TestOnPostgres"

// Place is where the database of one test is: a file or a PostgreSQL schema.
// Every opening is another process's view of it, as far as one process can play
// several.
type Place struct {
	File string // of SQLite
	DSN  string // of PostgreSQL
}

// New is a SQLite file, or a PostgreSQL schema in what OnPostgres repeats.
func New(t testing.TB) Place {
	t.Helper()
	if strings.HasPrefix(t.Name(), again+"/") {
		return Postgres(t)
	}
	return SQLite(t)
}

// Each runs one test on every store: none may do what another does not.
func Each(t *testing.T, test func(t *testing.T, at Place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// OnPostgres is what a package's TestOnPostgres does: it repeats the tests that
// the tables matter to. There New is a PostgreSQL schema.
func OnPostgres(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	if t.Name() != again {
		t.Fatalf("tests are repeated by %s, not by %s", again, t.Name())
	}
	Server(t)
	for name, test := range tests {
		t.Run(name, test)
	}
}

// SQLite is a file that does not exist yet.
func SQLite(t testing.TB) Place {
	t.Helper()
	return Place{File: filepath.Join(t.TempDir(), "aims.db")}
}

// Postgres is an empty schema of its own, which goes away with the test.
func Postgres(t testing.TB) Place {
	t.Helper()
	server := Server(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text())
	if _, err := admin.Exec(`CREATE SCHEMA "` + name + `"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP SCHEMA "` + name + `" CASCADE`); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	return Place{DSN: server + "&search_path=" + name}
}

// Server is the PostgreSQL server of tests; without one the test is skipped.
func Server(t testing.TB) (dsn string) {
	t.Helper()
	dsn = os.Getenv("AIMS_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	return dsn
}

// Open opens the database as a process does.
func (p Place) Open(ctx context.Context, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	if p.DSN != "" {
		return postgres.Open(ctx, p.DSN, now, schemas...)
	}
	return sqlite.Open(ctx, p.File, now, schemas...)
}

// MustOpen opens the database until the test ends.
func (p Place) MustOpen(t testing.TB, now func() time.Time, schemas ...store.Schema) *store.DB {
	t.Helper()
	db, err := p.Open(t.Context(), now, schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
