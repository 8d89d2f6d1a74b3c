-- +goose Up
-- Messages in doubt that still await a receipt: few, however many messages there are.
CREATE INDEX messages_doubt ON messages (doubt_since) WHERE doubt_since > 0 AND receipt IS NULL;
-- Receipts nobody owns: those of a user, and those that came without msgid.
CREATE INDEX orphans_touser ON orphans (touser);
CREATE INDEX orphans_nameless ON orphans (stored_at) WHERE msgid = 0;
