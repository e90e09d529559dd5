package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"aims/internal/aims"
)

// ownership is the right to write a database file. It is an exclusive
// transaction on an empty database beside it, held as long as the file is open:
// the operating system ends it with the process, and it works wherever SQLite does.
type ownership struct {
	db *sql.DB
	tx *sql.Tx
}

func acquire(ctx context.Context, path string) (*ownership, error) {
	lock := path + ".lock"
	if err := createPrivate(lock); err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "the database's lock file cannot be created")
	}
	db, err := pool(lock, 1, []string{"_txlock", "exclusive"}, "busy_timeout(0)")
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		db.Close()
		if strings.Contains(err.Error(), "SQLITE_BUSY") {
			return nil, aims.Errorf(aims.Conflict, err, "another process has the database open for writing: only one may")
		}
		return nil, aims.Errorf(aims.Unavailable, err, "the database's lock file cannot be locked")
	}
	return &ownership{db: db, tx: tx}, nil
}

func (o *ownership) release() error { return errors.Join(o.tx.Rollback(), o.db.Close()) }
