-- +goose Up
-- What an operator decides about a template, what WeChat tells of subscribe templates,
-- and the words that stand for templates.

ALTER TABLE templates ADD COLUMN policy text NOT NULL DEFAULT ''; -- of values that are too long; '' = the account's
ALTER TABLE templates ADD COLUMN enums text NOT NULL DEFAULT ''; -- JSON, allowed values by key; '' = none known
ALTER TABLE templates ADD COLUMN subscribe_type integer NOT NULL DEFAULT 0;

CREATE TABLE template_aliases (
    appid       text   NOT NULL,
    alias       text   NOT NULL,
    template_id text   NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (appid, alias)
);
