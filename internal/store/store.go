// Package store is a database and its transactions; it knows no table.
//
// One SQL text serves SQLite and PostgreSQL: placeholders $1, $2 …; ON
// CONFLICT and RETURNING; the column types BIGINT, TEXT, BYTEA and BOOLEAN;
// times as BIGINT microseconds since the Unix epoch in UTC.
package store

import (
	"context"
	"database/sql"
	"io/fs"
	"time"
)

// Schema is the migrations of one package's tables, applied in order and each
// exactly once. Name keeps the packages' version counters apart.
type Schema struct {
	Name       string
	Migrations fs.FS
}

// DB is one database: one writer at a time, any number of readers.
type DB struct {
	write *sql.DB
	read  *sql.DB
	now   func() time.Time
	close func() error
}

// New wraps opened pools. Only the packages below it that open a database call it.
func New(write, read *sql.DB, now func() time.Time, close func() error) *DB {
	return &DB{write: write, read: read, now: now, close: close}
}

// Tx is a transaction. Now is fixed once for all that happens in it.
type Tx struct {
	*sql.Tx
	Now time.Time
}

// Update runs fn in a write transaction and commits when it returns nil.
// An error from the commit means that nothing of it is stored, or, when the
// connection was lost, that the outcome is unknown; callers must treat both as not done.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return run(ctx, db.write, db.now(), false, fn)
}

// View runs fn in a read transaction: one consistent snapshot.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return run(ctx, db.read, db.now(), true, fn)
}

func run(ctx context.Context, pool *sql.DB, now time.Time, readOnly bool, fn func(*Tx) error) error {
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := fn(&Tx{Tx: tx, Now: now}); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the database.
func (db *DB) Close() error { return db.close() }
