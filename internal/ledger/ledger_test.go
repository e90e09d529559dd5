package ledger_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/mod/sumdb/note"

	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
	"aims/receipt"
)

const origin = "aims.test/log"

func newSigner(t testing.TB) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

// eachStore runs a test on every store that there is.
func eachStore(t *testing.T, test func(t *testing.T, open func(t *testing.T) *store.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log.db")
		test(t, func(t *testing.T) *store.DB {
			db, err := sqlite.Open(t.Context(), path, time.Now, ledger.Schema())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		})
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := postgresSchema(t)
		test(t, func(t *testing.T) *store.DB {
			db, err := postgres.Open(t.Context(), dsn, time.Now, ledger.Schema())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		})
	})
}

// postgresSchema makes a schema of its own for a test.
func postgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("AIMS_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum := sha256.Sum256([]byte(t.Name() + time.Now().String()))
	name := "t" + hex.EncodeToString(sum[:8])
	if _, err := db.Exec("CREATE SCHEMA " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close()
		if _, err := db.Exec("DROP SCHEMA " + name + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return dsn + "&search_path=" + name
}

func TestFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, open func(t *testing.T) *store.DB) {
		db := open(t)
		signer, _ := newSigner(t)
		l, err := ledger.Open(t.Context(), db, ledger.Options{Origin: origin, Signer: signer, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 20 {
					if _, err := l.Append(t.Context(), ledger.Entry{Kind: receipt.EventKind, Body: []byte("{}")}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		n := uint64(0)
		for leaf, err := range l.Entries(t.Context(), 0, 5000) {
			if err != nil {
				t.Fatal(err)
			}
			if leaf.Index != n {
				t.Fatal(leaf.Index, n)
			}
			n++
		}
		if n != 1280 {
			t.Fatal(n)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		l, err = ledger.Open(t.Context(), db, ledger.Options{Origin: origin, Signer: signer, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if l.Size() != 1280 {
			t.Fatal(l.Size())
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
