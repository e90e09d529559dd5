-- +goose Up
CREATE TABLE inventory_tool (
    server      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    pin         TEXT    NOT NULL, -- of the definition observed last
    observed    BYTEA   NOT NULL, -- that definition: RFC 8785, pinned fields only; empty when unusable
    approved    TEXT    NOT NULL, -- pin of the definition in force; empty for none
    definition  BYTEA   NOT NULL, -- that definition
    quarantined BOOLEAN NOT NULL,
    flags       TEXT    NOT NULL, -- JSON
    first_seen  BIGINT  NOT NULL,
    changed     BIGINT  NOT NULL,
    PRIMARY KEY (server, name)
);
-- What was observed and has its receipt, since the tool was last approved: the
-- same observation makes no second one.
CREATE TABLE inventory_sighting (
    server TEXT   NOT NULL,
    name   TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    pin    TEXT   NOT NULL,
    seen   BIGINT NOT NULL,
    PRIMARY KEY (server, name, kind, pin)
);
