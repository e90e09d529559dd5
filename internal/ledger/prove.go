package ledger

import (
	"context"
	"database/sql"
	"errors"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"aims/internal/aims"
	"aims/internal/store"
)

// Checkpoint is the newest signed checkpoint (C2SP tlog-checkpoint) with the
// cosignatures that came in for it.
func (l *Ledger) Checkpoint(ctx context.Context) ([]byte, error) {
	var signed []byte
	err := l.db.View(ctx, func(tx *store.Tx) (err error) {
		var size int64
		if err := tx.QueryRowContext(ctx, "SELECT size FROM log_checkpoint ORDER BY size DESC LIMIT 1").Scan(&size); err != nil {
			return err
		}
		signed, err = checkpointAt(tx, size)
		return err
	})
	return signed, unreadable(err)
}

// checkpointAt is the checkpoint of a size with its cosignatures.
func checkpointAt(q querier, size int64) ([]byte, error) {
	var signed []byte
	if err := q.QueryRow("SELECT note FROM log_checkpoint WHERE size = $1", size).Scan(&signed); err != nil {
		return nil, err
	}
	rows, err := q.Query("SELECT line FROM log_cosignature WHERE size = $1 ORDER BY witness", size)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		signed = append(signed, line...)
	}
	return signed, rows.Err()
}

// Prove is the proof that a receipt stands in the log (c2sp.org/tlog-proof@v1):
// its index, the inclusion proof (RFC 6962 §2.1.1) and a checkpoint. The
// checkpoint is the one that most witnesses cosigned among the newest; when
// none covers the receipt yet, one is signed.
func (l *Ledger) Prove(ctx context.Context, index uint64) ([]byte, error) {
	if err := l.Sign(ctx); err != nil {
		return nil, err
	}
	now := l.tree.Load()
	if index >= now.size() {
		return nil, aims.Errorf(aims.NotFound, nil, "there is no entry %d: the log has %d", index, now.size())
	}
	var signed []byte
	var size int64
	err := l.db.View(ctx, func(tx *store.Tx) (err error) {
		if size, err = provingSize(tx, index, now.size()); err != nil {
			return err
		}
		signed, err = checkpointAt(tx, size)
		return err
	})
	if err != nil {
		return nil, unreadable(err)
	}
	proof, err := tlog.ProveRecord(size, int64(index), l.hashes(ctx, now))
	if err != nil {
		return nil, unreadable(err)
	}
	return torchwood.FormatProof(int64(index), proof, signed), nil
}

// provingSize is the size of the checkpoint to prove an entry with, of those
// between the entry and a size.
func provingSize(q querier, index, until uint64) (int64, error) {
	var size int64
	err := q.QueryRow(`SELECT size FROM (
			SELECT size, COUNT(*) AS cosigned FROM log_cosignature WHERE size > $1 AND size <= $2
			GROUP BY size ORDER BY size DESC LIMIT 100) AS newest
		ORDER BY cosigned DESC, size DESC LIMIT 1`, int64(index), int64(until)).Scan(&size)
	if !errors.Is(err, sql.ErrNoRows) {
		return size, err
	}
	err = q.QueryRow("SELECT size FROM log_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size DESC LIMIT 1", int64(index), int64(until)).Scan(&size)
	return size, err
}
