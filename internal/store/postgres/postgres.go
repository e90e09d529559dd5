// Package postgres opens a PostgreSQL database as a store: is it the right
// one, is a commit durable, which migrations ran.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"aims/internal/aims"
	"aims/internal/store"
)

const (
	// oldest is the oldest major version that may serve.
	oldest = 14
	// updateLimit ends a write whose server does not answer: what waits behind
	// it is refused rather than held up until TCP gives up.
	updateLimit = 20 * time.Second
)

// Open connects to the database that dsn names (a postgres:// URL or key=value
// words, as libpq reads them) and runs the migrations that are due, one process
// at a time. It fails with aims.Unavailable when the server cannot be reached, is
// older than version 14, or would acknowledge commits that it has not stored.
func Open(ctx context.Context, dsn string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	config, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	write, read := pool(config, 4), pool(config, max(4, runtime.GOMAXPROCS(0)))
	closeAll := func() error { return errors.Join(read.Close(), write.Close()) }
	if err := check(ctx, write); err != nil {
		return nil, errors.Join(err, closeAll())
	}
	if err := migrate(ctx, write, schemas); err != nil {
		return nil, errors.Join(err, closeAll())
	}
	// Dead rows are what an erased payload would be read from.
	scrub := func(ctx context.Context, table string) error {
		_, err := write.ExecContext(ctx, "VACUUM "+pgx.Identifier{table}.Sanitize())
		return unavailable(err, "the table could not be vacuumed")
	}
	return store.New(store.Engine{Write: write, Read: read, Limit: updateLimit, Scrub: scrub, Close: closeAll}, now), nil
}

// OpenReadOnly connects to a database without writing to it, also while other
// processes do. Nothing is migrated: it fails unless the database has exactly
// the migrations of the schemas.
func OpenReadOnly(ctx context.Context, dsn string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	config, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	read := pool(config, max(4, runtime.GOMAXPROCS(0)))
	if err := check(ctx, read); err != nil {
		return nil, errors.Join(err, read.Close())
	}
	for _, schema := range schemas {
		if err := schema.RequireCurrent(ctx, read); err != nil {
			return nil, errors.Join(unavailable(err, "the database is not one of this program"), read.Close())
		}
	}
	refuse := func(context.Context, string) error {
		return aims.Errorf(aims.Conflict, nil, "the database is open for reading only")
	}
	return store.New(store.Engine{Write: read, Read: read, Scrub: refuse, Close: read.Close}, now), nil
}

func configure(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The cause quotes the DSN, with its password masked by pgx.
		return nil, aims.Errorf(aims.Invalid, err, "the database's DSN cannot be read")
	}
	for name, value := range map[string]string{
		"synchronous_commit":            "on",
		"default_transaction_isolation": "read committed",
		"timezone":                      "UTC",
		// A transaction whose process hangs must not keep the head of the log
		// locked for the others.
		"idle_in_transaction_session_timeout": "60s",
	} {
		config.RuntimeParams[name] = value
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "aims"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	return config, nil
}

func pool(config *pgx.ConnConfig, size int) *sql.DB {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

func check(ctx context.Context, db *sql.DB) error {
	var version int
	var fsync string
	err := db.QueryRowContext(ctx,
		"SELECT current_setting('server_version_num')::int, current_setting('fsync')").Scan(&version, &fsync)
	if err != nil {
		return unavailable(err, "PostgreSQL cannot be reached, or does not admit this user to this database")
	}
	if version < oldest*10000 {
		return aims.Errorf(aims.Unavailable, nil, "PostgreSQL %d is too old: version %d or newer is needed", version/10000, oldest)
	}
	if fsync != "on" {
		return aims.Errorf(aims.Unavailable, nil, "PostgreSQL runs with fsync off: it would acknowledge receipts that it has not stored")
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, schemas []store.Schema) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		table, err := schema.VersionTable()
		if err != nil {
			return err
		}
		provider, err := goose.NewProvider(goose.DialectPostgres, db, schema.Migrations, goose.WithTableName(table),
			goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()), goose.WithSessionLocker(locker))
		if err != nil {
			return aims.Errorf(aims.Internal, err, "the migrations of schema %s cannot be read", schema.Name)
		}
		if _, err := provider.Up(ctx); err != nil {
			return unavailable(err, "the database could not be migrated")
		}
		if err := schema.RefuseNewer(ctx, db); err != nil {
			return unavailable(err, "the database's version could not be read")
		}
	}
	return nil
}

// unavailable keeps an error that already has a sentence for the caller, and nil.
func unavailable(err error, sentence string) error {
	var known *aims.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s", sentence)
}
