-- +goose Up

-- What has reopened which version of an impact assessment, so that one cause
-- leaves one receipt, whichever process notices it.
CREATE TABLE lifecycle_reopened (
    assessment TEXT   NOT NULL,
    digest     TEXT   NOT NULL, -- of the version
    agent      TEXT   NOT NULL,
    cause      TEXT   NOT NULL, -- such as "tool payments___refund"
    at         BIGINT NOT NULL,
    PRIMARY KEY (assessment, digest, agent, cause)
);
