-- +goose Up
-- Whether a person approved the definition in force; otherwise it was trusted on first use.
ALTER TABLE inventory_tool ADD COLUMN explicit BOOLEAN NOT NULL DEFAULT FALSE;
-- What was said about the tool of a name, whatever its definition is at the moment.
CREATE TABLE inventory_label (
    server  TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    said    TEXT   NOT NULL, -- JSON: effects, labels, sinks
    source  TEXT   NOT NULL, -- person or configuration
    changed BIGINT NOT NULL,
    PRIMARY KEY (server, name)
);
CREATE TABLE inventory_agent (
    id      TEXT   NOT NULL PRIMARY KEY,
    stage   TEXT   NOT NULL,
    facts   TEXT   NOT NULL, -- JSON: operator, owner, purposes, delegates
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
-- What is stopped now; resuming deletes the row.
CREATE TABLE inventory_stop (
    type    TEXT   NOT NULL, -- agent or server
    id      TEXT   NOT NULL, -- * for all servers
    reason  TEXT   NOT NULL,
    by_type TEXT   NOT NULL,
    by_id   TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (type, id)
);
-- Grows with every change of the tables above, so that each process on this
-- database notices what another one changed.
CREATE TABLE inventory_version (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO inventory_version (id, version) VALUES (1, 0);
