-- +goose Up
-- The batches of each account by state are counted whenever somebody measures: by an
-- index that is all it takes, and that finds an account's as the one before did.
DROP INDEX batches_appid;
CREATE INDEX batches_appid ON batches (appid, state);
