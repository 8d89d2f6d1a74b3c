-- +goose Up
-- What an operator decides about a template, what WeChat tells of subscribe templates,
-- and the words that stand for templates.

ALTER TABLE templates ADD COLUMN policy TEXT NOT NULL DEFAULT ''; -- of values that are too long; '' = the account's
ALTER TABLE templates ADD COLUMN enums TEXT NOT NULL DEFAULT ''; -- JSON, allowed values by key; '' = none known
ALTER TABLE templates ADD COLUMN subscribe_type INTEGER NOT NULL DEFAULT 0;

CREATE TABLE template_aliases (
    appid       TEXT    NOT NULL,
    alias       TEXT    NOT NULL,
    template_id TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (appid, alias)
) STRICT, WITHOUT ROWID;
