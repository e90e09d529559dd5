// Package store is a database and its transactions; it knows no table.
//
// One SQL text serves SQLite and PostgreSQL: placeholders $1, $2 …; ON
// CONFLICT and RETURNING; the column types BIGINT, TEXT, BYTEA and BOOLEAN;
// times as BIGINT microseconds since the Unix epoch in UTC.
package store

import (
	"context"
	"database/sql"
	"time"

	"aims/internal/aims"
)

// DB is one database: one writer at a time, any number of readers.
type DB struct {
	write *sql.DB
	read  *sql.DB
	now   func() time.Time
	limit time.Duration
	scrub func(ctx context.Context, table string) error
	close func() error
}

// Engine is what differs between the databases.
type Engine struct {
	Write *sql.DB
	Read  *sql.DB
	// Limit ends a write transaction that takes longer, such as one whose
	// server does not answer any more; 0 means that none can hang.
	Limit time.Duration
	// Scrub removes from disk what was deleted or overwritten in a table and
	// still lies in journals or dead rows.
	Scrub func(ctx context.Context, table string) error
	Close func() error
}

// New wraps an opened engine. Only the packages that open a database call it.
func New(e Engine, now func() time.Time) *DB {
	return &DB{write: e.Write, read: e.Read, now: now, limit: e.Limit, scrub: e.Scrub, close: e.Close}
}

// Tx is a transaction. Now is fixed once for all that happens in it.
type Tx struct {
	*sql.Tx
	Now time.Time
}

// Update runs fn in a write transaction and commits when it returns nil. An
// error of fn is returned as it is; when the transaction cannot be begun or
// committed, the error is aims.Unavailable. An error from the commit means
// that nothing of it is stored, or, when the connection was lost, that the
// outcome is unknown; callers must treat both as not done.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if db.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, db.limit)
		defer cancel()
		ctx = limited
	}
	return db.run(ctx, db.write, false, fn)
}

// View runs fn in a read transaction: one consistent snapshot.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return db.run(ctx, db.read, true, fn)
}

// Prepare makes a statement for Update transactions, to be used through
// Tx.StmtContext by a caller that runs it very often.
func (db *DB) Prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	return db.write.PrepareContext(ctx, query)
}

// Scrub removes from disk what was deleted from or overwritten in a table and
// still lies in journals or dead rows. It waits for readers of older states.
func (db *DB) Scrub(ctx context.Context, table string) error { return db.scrub(ctx, table) }

// Close closes the database.
func (db *DB) Close() error { return db.close() }

func (db *DB) run(ctx context.Context, pool *sql.DB, readOnly bool, fn func(*Tx) error) error {
	isolation := sql.LevelDefault
	if readOnly {
		// PostgreSQL gives one snapshot per statement otherwise.
		isolation = sql.LevelRepeatableRead
	}
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly, Isolation: isolation})
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "the database cannot be reached or is busy")
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := fn(&Tx{Tx: tx, Now: db.now()}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return aims.Errorf(aims.Unavailable, err, "the database could not store the change")
	}
	return nil
}
