-- +goose Up
-- What is sent on which event.

CREATE TABLE rules (
    id              TEXT    NOT NULL PRIMARY KEY,
    appid           TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    trigger_on      TEXT    NOT NULL,
    filters         TEXT    NOT NULL, -- JSON array
    delay           INTEGER NOT NULL, -- milliseconds
    once            INTEGER NOT NULL, -- milliseconds; 0 = every push, -1 = ever
    message         TEXT    NOT NULL, -- JSON
    paused          INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    fired           INTEGER NOT NULL DEFAULT 0,
    refused         INTEGER NOT NULL DEFAULT 0,
    last_fired_at   INTEGER NOT NULL DEFAULT 0,
    last_message_id TEXT    NOT NULL DEFAULT '',
    last_refused_at INTEGER NOT NULL DEFAULT 0,
    last_refusal    TEXT    NOT NULL DEFAULT '',
    UNIQUE (appid, name)
) STRICT;

-- A row comes into being in the transaction that finishes its event.
CREATE TABLE firings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    rule_id    TEXT    NOT NULL,
    appid      TEXT    NOT NULL,
    event_id   INTEGER NOT NULL,
    openid     TEXT    NOT NULL,
    state      INTEGER NOT NULL,
    message    BLOB,
    at         INTEGER NOT NULL,
    send_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER NOT NULL,
    message_id TEXT    NOT NULL DEFAULT '',
    code       TEXT    NOT NULL DEFAULT '',
    refusal    TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (rule_id, event_id)
) STRICT;
CREATE INDEX firings_due ON firings (due_at) WHERE state = 0;
CREATE INDEX firings_rule ON firings (rule_id);
CREATE INDEX firings_ended ON firings (ended_at) WHERE state <> 0;
CREATE INDEX firings_openid ON firings (openid);

-- For whom a rule with a period has fired, and until when it does not again.
CREATE TABLE rule_users (
    rule_id TEXT    NOT NULL,
    openid  TEXT    NOT NULL,
    appid   TEXT    NOT NULL,
    until   INTEGER NOT NULL, -- 0 = for ever
    firing  INTEGER NOT NULL,
    PRIMARY KEY (rule_id, openid)
) STRICT, WITHOUT ROWID;
CREATE INDEX rule_users_until ON rule_users (until) WHERE until > 0;
CREATE INDEX rule_users_openid ON rule_users (openid);
