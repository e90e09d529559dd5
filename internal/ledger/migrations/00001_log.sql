-- +goose Up

-- One row: what the tree is after the last commit. Appending locks it.
CREATE TABLE log_head (
  id BIGINT PRIMARY KEY,
  origin TEXT NOT NULL,
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  time BIGINT NOT NULL
);

-- One row for each commit: all its leaves, framed as C2SP tlog-tiles frames an
-- entry bundle, and the hash of each.
CREATE TABLE log_batch (
  first BIGINT PRIMARY KEY,
  entries BIGINT NOT NULL,
  time BIGINT NOT NULL,
  hashes BYTEA NOT NULL,
  leaves BYTEA NOT NULL
);

-- The payloads of the leaves of one commit, which can be erased.
CREATE TABLE log_vault (
  first BIGINT PRIMARY KEY,
  payloads BYTEA NOT NULL
);

-- Full hash tiles from level 1 up. Those of level 0 are the hashes of 256 leaves.
CREATE TABLE log_tile (
  level BIGINT NOT NULL,
  number BIGINT NOT NULL,
  hashes BYTEA NOT NULL,
  PRIMARY KEY (level, number)
);

-- Every checkpoint that was signed. No decision before oldest_open was without
-- outcome when it was.
CREATE TABLE log_checkpoint (
  size BIGINT PRIMARY KEY,
  time BIGINT NOT NULL,
  oldest_open BIGINT NOT NULL,
  note BYTEA NOT NULL
);

CREATE TABLE log_cosignature (
  size BIGINT NOT NULL,
  witness TEXT NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (size, witness)
);

-- +goose Down
DROP TABLE log_cosignature;
DROP TABLE log_checkpoint;
DROP TABLE log_tile;
DROP TABLE log_vault;
DROP TABLE log_batch;
DROP TABLE log_head;
