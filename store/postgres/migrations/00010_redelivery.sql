-- +goose Up
-- It was asked for once more while an attempt was under way: should that fail, it is
-- tried again at once.
ALTER TABLE webhook_deliveries ADD COLUMN again boolean NOT NULL DEFAULT false;
