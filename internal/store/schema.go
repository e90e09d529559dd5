package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"aims/internal/aims"
)

// Schema is the migrations of one package's tables, applied in order and each
// exactly once: files named 00001_what.sql and so on, in goose's form. Name
// keeps the packages' version counters apart.
type Schema struct {
	Name       string
	Migrations fs.FS
}

var schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// VersionTable is the name of the table that records which migrations ran.
func (s Schema) VersionTable() (string, error) {
	if !schemaName.MatchString(s.Name) {
		return "", fmt.Errorf("store: schema name %q", s.Name)
	}
	return "schema_" + s.Name, nil
}

// Newest is the version of the last migration.
func (s Schema) Newest() (int64, error) {
	files, err := fs.Glob(s.Migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, file := range files {
		digits, _, _ := strings.Cut(file, "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("store: migration %s of schema %s has no version", file, s.Name)
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// Applied is the version that a database is at.
func (s Schema) Applied(ctx context.Context, db *sql.DB) (int64, error) {
	table, err := s.VersionTable()
	if err != nil {
		return 0, err
	}
	var version int64
	err = db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM "+table).Scan(&version)
	return version, err
}

// RefuseNewer is an error when a newer program migrated the database: this one
// does not know what its tables mean.
func (s Schema) RefuseNewer(ctx context.Context, db *sql.DB) error {
	newest, err := s.Newest()
	if err != nil {
		return err
	}
	applied, err := s.Applied(ctx, db)
	if err != nil {
		return err
	}
	if applied > newest {
		return aims.Errorf(aims.Unavailable, nil,
			"the database was written by a newer version of this program (schema %s is at %d, this version knows %d)", s.Name, applied, newest)
	}
	return nil
}

// RequireCurrent is an error unless every migration ran, and no newer one.
func (s Schema) RequireCurrent(ctx context.Context, db *sql.DB) error {
	if err := s.RefuseNewer(ctx, db); err != nil {
		return err
	}
	newest, err := s.Newest()
	if err != nil {
		return err
	}
	applied, err := s.Applied(ctx, db)
	if err != nil {
		return err
	}
	if applied < newest {
		return aims.Errorf(aims.Unavailable, nil,
			"the database was written by an older version of this program (schema %s is at %d, this version needs %d): start the server once to migrate it", s.Name, applied, newest)
	}
	return nil
}
