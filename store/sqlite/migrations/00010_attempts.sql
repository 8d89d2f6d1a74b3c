-- +goose Up
-- Every attempt at a delivery is remembered, and who followed, for a while.

-- JSON: the attempts that ended before the latest, oldest first.
ALTER TABLE webhook_deliveries ADD COLUMN earlier TEXT NOT NULL DEFAULT '[]';
-- What it tells of was erased: no answer is written any more.
ALTER TABLE webhook_deliveries ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- When the user was last known to follow; 0 = not lately. A row without a reason is
-- there for that alone.
ALTER TABLE suppressions ADD COLUMN followed_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX suppressions_followed ON suppressions (followed_at) WHERE reason = '';
-- Entries that end, for the sweep: those that stand for ever may be many.
CREATE INDEX suppressions_until ON suppressions (until) WHERE until > 0;
CREATE INDEX suppressions_lifted ON suppressions (lifted_at) WHERE lifted_at > 0;
