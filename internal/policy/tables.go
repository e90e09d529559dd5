package policy

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"aims/internal/aims"
	"aims/internal/store"
	"aims/pdp"
)

// Stored is a set as it was activated.
type Stored struct {
	Digest  string
	Schema  []byte
	Sources []pdp.Source
	// Created is when it was first activated.
	Created time.Time
}

// Stored returns the set of a digest, whether active or not.
func (a *Administration) Stored(ctx context.Context, digest string) (Stored, error) {
	s := Stored{Digest: digest}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		var created int64
		err := tx.QueryRowContext(ctx, `SELECT t.text, s.created FROM policy_set s JOIN policy_text t ON t.digest = s.schema_digest WHERE s.digest = $1`, digest).
			Scan(&s.Schema, &created)
		if err != nil {
			return err
		}
		s.Created = time.UnixMicro(created).UTC()
		s.Sources, err = storedSources(ctx, tx, digest)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Stored{}, aims.Errorf(aims.NotFound, nil, "there is no policy set %q", digest)
	case err != nil:
		return Stored{}, aims.Errorf(aims.Unavailable, err, "the policy set could not be read")
	}
	return s, nil
}

func storedSources(ctx context.Context, tx *store.Tx, digest string) ([]pdp.Source, error) {
	rows, err := tx.QueryContext(ctx, `SELECT f.name, t.text FROM policy_file f JOIN policy_text t ON t.digest = f.text_digest WHERE f.set_digest = $1 ORDER BY f.position`, digest)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sources []pdp.Source
	for rows.Next() {
		var s pdp.Source
		if err := rows.Scan(&s.Name, &s.Text); err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	return sources, rows.Err()
}

// Digests lists the sets that were ever activated, sorted.
func (a *Administration) Digests(ctx context.Context) ([]string, error) {
	digests := []string{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT digest FROM policy_set ORDER BY digest`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d string
			if err := rows.Scan(&d); err != nil {
				return err
			}
			digests = append(digests, d)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "the policy sets could not be read")
	}
	return digests, nil
}

func saveSet(ctx context.Context, tx *store.Tx, set *pdp.Set) error {
	schema, err := saveText(ctx, tx, set.Schema())
	if err != nil {
		return err
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO policy_set (digest, schema_digest, created) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING`,
		set.Digest(), schema, tx.Now.UnixMicro())
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err // it is stored already; sets never change
	}
	for position, s := range set.Sources() {
		text, err := saveText(ctx, tx, s.Text)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO policy_file (set_digest, position, name, text_digest) VALUES ($1, $2, $3, $4)`, set.Digest(), position, s.Name, text)
		if err != nil {
			return err
		}
	}
	return nil
}

// saveText stores a text once, however many sets it is part of.
func saveText(ctx context.Context, tx *store.Tx, text []byte) (string, error) {
	digest := textDigest(text)
	if text == nil {
		text = []byte{}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO policy_text (digest, text) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`, digest, text)
	return digest, err
}

func textDigest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
