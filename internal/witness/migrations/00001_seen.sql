-- +goose Up

-- The last tree of each log that was cosigned.
CREATE TABLE witness_seen (
  origin TEXT PRIMARY KEY,
  size BIGINT NOT NULL,
  root BYTEA NOT NULL
);

-- +goose Down
DROP TABLE witness_seen;
