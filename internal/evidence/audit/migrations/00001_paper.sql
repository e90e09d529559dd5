-- +goose Up
-- Work papers of internal audits and frozen inputs of management reviews. What a
-- paper says is what the content of its receipt was, whose digest the log has.
CREATE TABLE audit_paper (
    receipt TEXT   NOT NULL PRIMARY KEY,
    entry   BIGINT NOT NULL, -- index of the receipt in the log
    kind    TEXT   NOT NULL, -- tested, sampled, judged, found or frozen
    subject TEXT   NOT NULL, -- id of the audit or of the review
    item    TEXT   NOT NULL, -- test, sample, item or nonconformity that it is about
    person  TEXT   NOT NULL,
    at      BIGINT NOT NULL, -- time of the receipt
    content BYTEA  NOT NULL  -- JSON
);
CREATE INDEX audit_paper_subject ON audit_paper (subject, entry);

-- +goose Down
DROP TABLE audit_paper;
