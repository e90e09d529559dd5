-- +goose Up
-- What the log shows, folded up to an entry, so that a process that starts does
-- not read the whole log. It is never trusted beyond the tree that it names.
CREATE TABLE evidence_fold (
    id    BIGINT NOT NULL PRIMARY KEY, -- 1
    size  BIGINT NOT NULL,             -- entries folded
    root  BYTEA  NOT NULL,             -- of the tree of that size
    facts BYTEA  NOT NULL
);

-- +goose Down
DROP TABLE evidence_fold;
