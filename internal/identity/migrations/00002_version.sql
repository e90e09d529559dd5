-- +goose Up
-- Grows with every change of the other tables, so that each process on this
-- database notices what another one changed.
CREATE TABLE identity_version (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO identity_version (id, version) VALUES (1, 0);
