package postgres_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unavailableSentence(t *testing.T, err error) string {
	t.Helper()
	var e *aims.Error
	if !errors.As(err, &e) || e.Code != aims.Unavailable {
		t.Fatalf("got %v, want aims.Unavailable", err)
	}
	return e.Text
}

func TestServerThatIsNotThere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = postgres.Open(ctx, "postgres://aims:hunter2@"+address+"/none?sslmode=disable", time.Now)
	if text := unavailableSentence(t, err); !strings.Contains(text, "PostgreSQL cannot be reached") {
		t.Errorf("sentence %q", text)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestDSNThatCannotBeRead(t *testing.T) {
	_, err := postgres.Open(t.Context(), "postgres://aims:hunter2@host:port/none", time.Now)
	if code, _ := aims.Public(err); code != aims.Invalid {
		t.Errorf("got %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestUserThatIsNotAdmitted(t *testing.T) {
	dsn := strings.Replace(storetest.Server(t), "aims@", "nobody-of-this-name@", 1)
	_, err := postgres.Open(t.Context(), dsn, time.Now)
	unavailableSentence(t, err)
}

var things = store.Schema{Name: "things", Migrations: fstest.MapFS{
	"00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id BIGINT PRIMARY KEY);\nINSERT INTO thing (id) VALUES (1);\n")},
}}

// Several processes that start at the same time migrate once.
func TestProcessesStartTogether(t *testing.T) {
	dsn := storetest.Postgres(t).DSN
	var processes sync.WaitGroup
	for range 4 {
		processes.Go(func() {
			db, err := postgres.Open(t.Context(), dsn, time.Now, things)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			err = db.Update(t.Context(), func(tx *store.Tx) error {
				var setting string
				if err := tx.QueryRow("SHOW synchronous_commit").Scan(&setting); err != nil {
					return err
				}
				if setting != "on" {
					t.Errorf("synchronous_commit is %s", setting)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	processes.Wait()
}

func TestReadOnlyWritesNothing(t *testing.T) {
	dsn := storetest.Postgres(t).DSN
	_, err := postgres.OpenReadOnly(t.Context(), dsn, time.Now, things)
	unavailableSentence(t, err) // nothing is there, and nothing is made
	writer, err := postgres.Open(t.Context(), dsn, time.Now, things)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	reader, err := postgres.OpenReadOnly(t.Context(), dsn, time.Now, things)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var n int
	err = reader.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM thing").Scan(&n) })
	if err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	err = reader.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("DELETE FROM thing")
		return err
	})
	if err == nil {
		t.Error("a database that was opened for reading was written")
	}
	newer := store.Schema{Name: "things", Migrations: fstest.MapFS{
		"00001_things.sql": things.Migrations.(fstest.MapFS)["00001_things.sql"],
		"00002_more.sql":   {Data: []byte("-- +goose Up\nALTER TABLE thing ADD COLUMN more TEXT;\n")},
	}}
	_, err = postgres.OpenReadOnly(t.Context(), dsn, time.Now, newer)
	unavailableSentence(t, err)
}
