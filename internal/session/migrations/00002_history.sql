-- +goose Up
DROP TABLE purpose_use;
-- What a purpose of an agent has used: tools, values of sinks, hosts and mail domains.
CREATE TABLE history_use (
    actor   TEXT    NOT NULL,
    purpose TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    value   TEXT    NOT NULL, -- fingerprint, but for tools
    run     TEXT    NOT NULL, -- that used it first
    again   BOOLEAN NOT NULL, -- another run used it too
    version BIGINT  NOT NULL,
    PRIMARY KEY (actor, purpose, kind, value)
);
CREATE INDEX history_use_version ON history_use (actor, purpose, version);
-- Which purposes of the installation have used a value.
CREATE TABLE history_known (
    kind    TEXT   NOT NULL,
    value   TEXT   NOT NULL, -- fingerprint
    purpose TEXT   NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (kind, value, purpose)
);
