-- +goose Up
CREATE TABLE identity_actor (
    type    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    roles   TEXT   NOT NULL, -- separated by spaces
    created BIGINT NOT NULL,
    PRIMARY KEY (type, id)
);
CREATE TABLE identity_key (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       BYTEA  NOT NULL UNIQUE, -- SHA-256 of the secret
    actor_type TEXT   NOT NULL,
    actor_id   TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL, -- 0 for never
    revoked    BIGINT NOT NULL, -- 0 for never
    FOREIGN KEY (actor_type, actor_id) REFERENCES identity_actor (type, id)
);
