-- +goose Up
-- A bundle is stored once under its digest and never changed.
CREATE TABLE policy_bundle (
    digest  TEXT   NOT NULL PRIMARY KEY,
    name    TEXT   NOT NULL,
    state   TEXT   NOT NULL, -- unpublished, published or approved
    author  TEXT   NOT NULL, -- who published it: type:id
    created BIGINT NOT NULL
);
CREATE TABLE policy_bundle_file (
    bundle_digest TEXT NOT NULL REFERENCES policy_bundle (digest),
    name          TEXT NOT NULL,
    text_digest   TEXT NOT NULL REFERENCES policy_text (digest),
    PRIMARY KEY (bundle_digest, name)
);
CREATE TABLE policy_approval (
    bundle_digest TEXT   NOT NULL REFERENCES policy_bundle (digest),
    approver      TEXT   NOT NULL,
    approved      BIGINT NOT NULL,
    PRIMARY KEY (bundle_digest, approver)
);
-- What was ever activated in an environment. Number counts from 1; before is
-- the one that a rollback goes to, 0 for none.
CREATE TABLE policy_activation (
    environment   TEXT   NOT NULL,
    number        BIGINT NOT NULL,
    before        BIGINT NOT NULL,
    bundle_digest TEXT   NOT NULL REFERENCES policy_bundle (digest),
    actor         TEXT   NOT NULL,
    activated     BIGINT NOT NULL,
    PRIMARY KEY (environment, number)
);
CREATE TABLE policy_deployment (
    environment   TEXT NOT NULL,
    bundle_digest TEXT NOT NULL REFERENCES policy_bundle (digest),
    state         TEXT NOT NULL, -- active, replaced or withdrawn
    PRIMARY KEY (environment, bundle_digest)
);
-- What is in force in an environment. The bundle is '' for a set that was
-- activated before there were bundles, the candidate '' for none.
CREATE TABLE policy_environment (
    environment   TEXT   NOT NULL PRIMARY KEY,
    activation    BIGINT NOT NULL,
    set_digest    TEXT   NOT NULL REFERENCES policy_set (digest),
    bundle_digest TEXT   NOT NULL,
    candidate     TEXT   NOT NULL,
    activated     BIGINT NOT NULL
);
INSERT INTO policy_environment (environment, activation, set_digest, bundle_digest, candidate, activated)
SELECT 'production', 0, digest, '', '', activated FROM policy_active;
DROP TABLE policy_active;
