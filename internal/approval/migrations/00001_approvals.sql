-- +goose Up
CREATE TABLE approval_request (
    id           TEXT   NOT NULL PRIMARY KEY,
    -- What it is bound to.
    agent        TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    server       TEXT   NOT NULL,
    tool         TEXT   NOT NULL,
    pin          TEXT   NOT NULL,
    input        TEXT   NOT NULL, -- SHA-256 of the arguments as RFC 8785 writes them
    policy       TEXT   NOT NULL,
    -- What the people who decide are told.
    purpose      TEXT   NOT NULL,
    operator     TEXT   NOT NULL,
    on_behalf_of TEXT   NOT NULL,
    summary      TEXT   NOT NULL,
    -- What it needs.
    roles        TEXT   NOT NULL, -- JSON: role → how many people
    quorum       BIGINT NOT NULL,
    requested    BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    settled      BIGINT NOT NULL, -- when it came to an end; 0 for not yet
    announced    BIGINT NOT NULL, -- when people were told of it; 0 for not yet
    decision     TEXT   NOT NULL  -- the receipt of the hold
);
CREATE INDEX approval_request_agent ON approval_request (agent, expires);
CREATE INDEX approval_request_state ON approval_request (state, expires);
CREATE TABLE approval_vote (
    request  TEXT   NOT NULL REFERENCES approval_request (id),
    person   TEXT   NOT NULL,
    verdict  TEXT   NOT NULL, -- grant or deny
    roles    TEXT   NOT NULL, -- JSON: of those that are needed, the ones that the person held
    note     TEXT   NOT NULL,
    decision TEXT   NOT NULL, -- the receipt of the decision that let the person
    voted    BIGINT NOT NULL,
    PRIMARY KEY (request, person, verdict)
);
