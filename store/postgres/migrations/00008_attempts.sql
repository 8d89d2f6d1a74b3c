-- +goose Up
-- Every attempt at a delivery is remembered.

-- The attempts that ended before the latest, oldest first.
ALTER TABLE webhook_deliveries ADD COLUMN earlier jsonb NOT NULL DEFAULT '[]';
-- What it tells of was erased: no answer is written any more.
ALTER TABLE webhook_deliveries ADD COLUMN erased boolean NOT NULL DEFAULT false;
