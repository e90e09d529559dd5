// Package register keeps the documented information of the management system
// as typed records (ISO 42001 7.5): what would change, the change in one
// transaction with its receipts, what people state of a version, every earlier
// version, and the whole as it was at any moment.
//
// All state is read from the database in the transaction that uses it, so that
// any number of processes may serve one installation. docs/register-store.md
// says how files, tables and the log belong together.
package register

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/register/record"
	"aims/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the migrations of the tables of this package.
func Schema() store.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		// The path is a constant of this file: it cannot be malformed.
		panic(err)
	}
	return store.Schema{Name: "register", Migrations: files}
}

// Projected is a record that changes, for state elsewhere that follows from it.
type Projected struct {
	Kind, ID string
	// Before and After are records such as a record.Agent; nil for none.
	Before, After any
	By            aims.Actor
	Decision      string
}

// Projection changes state that follows from a record, in the transaction that
// changes the record, and returns the receipts of that. Its error takes the
// whole change back. It must use nothing but the transaction.
type Projection func(ctx context.Context, tx *store.Tx, p Projected) ([]ledger.Entry, error)

// Options tune a Register.
type Options struct {
	// Project is called for every record that changes, in turn.
	Project []Projection
	Log     *slog.Logger
}

// Register is the documented information of an installation.
type Register struct {
	db     *store.DB
	ledger *ledger.Ledger
	o      Options
}

// Open opens the registers over the tables of Schema. It fails when a stored
// record is not what its digest says.
func Open(ctx context.Context, db *store.DB, log *ledger.Ledger, o Options) (*Register, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	r := &Register{db: db, ledger: log, o: o}
	_, err := r.At(ctx, time.Time{})
	return r, err
}

// newest is an index beyond every entry.
const newest = uint64(1<<63 - 1)

// At is the registers as they were at a time, its moment included; the zero
// time is now.
func (r *Register) At(ctx context.Context, at time.Time) (record.State, error) {
	var s record.State
	err := r.db.View(ctx, func(tx *store.Tx) (err error) {
		until := newest
		if !at.IsZero() {
			if until, err = entryAt(tx, at); err != nil {
				return err
			}
		}
		s, err = load(tx, until)
		return err
	})
	return s, failed(err, "the registers could not be read")
}

// Version is the index in the log of the newest receipt of a change or mark; 0
// for none.
func (r *Register) Version(ctx context.Context) (uint64, error) {
	var entry uint64
	err := r.db.View(ctx, func(tx *store.Tx) (err error) {
		entry, err = entryAt(tx, time.Time{})
		return err
	})
	return entry, failed(err, "the registers could not be read")
}

// Entries are the indexes in the log, from one up to, not including, another, of
// the receipts whose content the registers are made of: records, and marks that
// have a note. Erasing one by the retention of payloads would leave a record or
// an attestation that cannot be proved any more (ISO 42001 7.5.3).
func (r *Register) Entries(ctx context.Context, from, to uint64) ([]uint64, error) {
	var entries []uint64
	err := r.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT entry FROM register_version WHERE entry >= $1 AND entry < $2
UNION SELECT entry FROM register_mark WHERE note <> '' AND entry >= $1 AND entry < $2 ORDER BY entry`, int64(from), int64(to))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var entry int64
			if err := rows.Scan(&entry); err != nil {
				return err
			}
			entries = append(entries, uint64(entry))
		}
		return rows.Err()
	})
	return entries, failed(err, "the registers could not be read")
}

// failed words an error of the database; ours pass as they are.
func failed(err error, text string) error {
	var ours *aims.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return aims.Errorf(aims.Unavailable, err, "%s", text)
}
