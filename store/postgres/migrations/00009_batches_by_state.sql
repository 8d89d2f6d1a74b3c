-- +goose Up
-- The batches of each account by state are counted whenever somebody measures: by an
-- index that is all it takes. Feeding changes neither column, so its updates stay on their page.
CREATE INDEX batches_state ON batches (appid, state);
