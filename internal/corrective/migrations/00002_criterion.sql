-- +goose Up
-- The criterion whose exceptions raised a nonconformity; empty for none. It stays
-- when the analysis gives the cause another key.
ALTER TABLE corrective_case ADD COLUMN criterion TEXT NOT NULL DEFAULT '';
CREATE INDEX corrective_case_criterion ON corrective_case (criterion);

-- +goose Down
DROP INDEX corrective_case_criterion;
ALTER TABLE corrective_case DROP COLUMN criterion;
