-- +goose Up

-- What happened to each case, in order. The words that people wrote lie with
-- the payloads of the log, where they can be erased.
CREATE TABLE corrective_step (
    case_id    TEXT   NOT NULL,
    number     BIGINT NOT NULL, -- from 1
    kind       TEXT   NOT NULL, -- nonconformity, incident, concern
    event      TEXT   NOT NULL,
    actor_type TEXT   NOT NULL,
    actor_id   TEXT   NOT NULL,
    decision   TEXT   NOT NULL, -- the receipt of the decision that let the actor; empty for none
    receipt    TEXT   NOT NULL, -- of the step
    at         BIGINT NOT NULL,
    change     TEXT   NOT NULL, -- JSON
    PRIMARY KEY (case_id, number)
);
CREATE INDEX corrective_step_kind ON corrective_step (kind, at);

-- Where each case is now: what the steps amount to.
CREATE TABLE corrective_case (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    over        BIGINT NOT NULL, -- 1: nothing is to be done any more
    steps       BIGINT NOT NULL,
    requirement TEXT   NOT NULL,
    cause       TEXT   NOT NULL, -- key
    changed     BIGINT NOT NULL,
    token       TEXT   NOT NULL  -- digest of the token of whoever raised a concern
);
CREATE INDEX corrective_case_kind ON corrective_case (kind, over);
CREATE INDEX corrective_case_cause ON corrective_case (requirement, cause);
CREATE INDEX corrective_case_token ON corrective_case (token);
