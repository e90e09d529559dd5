-- +goose Up
-- Every version of every record. Its content is what the payload of its receipt
-- holds, its place in the log is that of the receipt.
CREATE TABLE register_version (
    kind    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    number  BIGINT NOT NULL, -- counts from 1
    event   TEXT   NOT NULL, -- created, changed or removed
    digest  TEXT   NOT NULL, -- sha256:… of content; empty when it was removed
    content BYTEA  NOT NULL, -- canonical JSON; empty when it was removed
    author  TEXT   NOT NULL, -- person who applied it
    at      BIGINT NOT NULL, -- time of the receipt
    entry   BIGINT NOT NULL, -- index of the receipt in the log
    ended   BIGINT NOT NULL, -- index of the receipt of the next version; 0 for none
    receipt TEXT   NOT NULL,
    PRIMARY KEY (kind, id, number)
);
CREATE INDEX register_version_entry ON register_version (entry);
CREATE INDEX register_version_ended ON register_version (ended);
-- What people stated of records and requirements.
CREATE TABLE register_mark (
    entry   BIGINT NOT NULL PRIMARY KEY, -- index of the receipt in the log
    mark    TEXT   NOT NULL, -- approve, acknowledge, accept, attest or withdraw
    kind    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    digest  TEXT   NOT NULL, -- of the version that was shown
    person  TEXT   NOT NULL,
    roles   TEXT   NOT NULL, -- JSON
    note    TEXT   NOT NULL,
    until   TEXT   NOT NULL, -- a day
    at      BIGINT NOT NULL, -- time of the receipt
    receipt TEXT   NOT NULL
);
