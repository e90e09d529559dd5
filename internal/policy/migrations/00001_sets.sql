-- +goose Up
CREATE TABLE policy_text (
    digest TEXT  NOT NULL PRIMARY KEY, -- SHA-256 of text
    text   BYTEA NOT NULL
);
CREATE TABLE policy_set (
    digest        TEXT   NOT NULL PRIMARY KEY,
    schema_digest TEXT   NOT NULL REFERENCES policy_text (digest),
    created       BIGINT NOT NULL
);
CREATE TABLE policy_file (
    set_digest  TEXT   NOT NULL REFERENCES policy_set (digest),
    position    BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    text_digest TEXT   NOT NULL REFERENCES policy_text (digest),
    PRIMARY KEY (set_digest, position)
);
CREATE TABLE policy_active (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    digest    TEXT   NOT NULL REFERENCES policy_set (digest),
    activated BIGINT NOT NULL
);
