-- +goose Up
-- A run as it is after the receipt whose index is its version.
CREATE TABLE session (
    actor   TEXT   NOT NULL, -- type:id
    name    TEXT   NOT NULL, -- empty for the default run
    id      TEXT   NOT NULL, -- of this run: the same name may begin anew
    version BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    state   BYTEA  NOT NULL, -- JSON
    PRIMARY KEY (actor, name)
);
CREATE INDEX session_changed ON session (changed);
-- What a run has read, in order. The content is in the vault.
CREATE TABLE session_result (
    run      TEXT   NOT NULL, -- session.id
    position BIGINT NOT NULL,
    receipt  BIGINT NOT NULL, -- index of the receipt that has it, -1 when it cannot be seen
    decision BIGINT NOT NULL, -- index of the call that it answers, -1 for none
    labels   TEXT   NOT NULL, -- JSON array
    PRIMARY KEY (run, position)
);
-- What a purpose of an agent has used. An empty argument stands for the tool itself.
CREATE TABLE purpose_use (
    actor    TEXT   NOT NULL,
    purpose  TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    argument TEXT   NOT NULL,
    value    TEXT   NOT NULL, -- fingerprint
    version  BIGINT NOT NULL,
    PRIMARY KEY (actor, purpose, action, argument, value)
);
CREATE INDEX purpose_use_version ON purpose_use (actor, purpose, version);
CREATE TABLE budget_spent (
    budget  TEXT   NOT NULL,
    scope   TEXT   NOT NULL,
    version BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    state   BYTEA  NOT NULL, -- JSON
    PRIMARY KEY (budget, scope)
);
CREATE TABLE trust (
    kind     TEXT   NOT NULL, -- of sink
    value    TEXT   NOT NULL,
    note     TEXT   NOT NULL,
    by_type  TEXT   NOT NULL,
    by_id    TEXT   NOT NULL,
    added    BIGINT NOT NULL,
    PRIMARY KEY (kind, value)
);
-- The receipt that changed the directory last.
CREATE TABLE trust_version (
    id      BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO trust_version (id, version) VALUES (1, 0);
