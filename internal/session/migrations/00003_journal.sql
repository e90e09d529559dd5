-- +goose Up
-- What commits changed and the tables of runs and budgets do not have yet, one
-- row for each commit.
CREATE TABLE session_journal (
    first  BIGINT NOT NULL PRIMARY KEY, -- index of the commit's first receipt
    states BYTEA  NOT NULL              -- JSON
);
-- The last row of the journal that was moved into the tables.
CREATE TABLE session_saved (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    first BIGINT NOT NULL
);
INSERT INTO session_saved (id, first) VALUES (1, -1);
