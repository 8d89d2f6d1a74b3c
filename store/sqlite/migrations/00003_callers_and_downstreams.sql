-- +goose Up
-- Callers of the WeChat-compatible surface, the pushes handed on, and who changed what.

ALTER TABLE accounts ADD COLUMN token_url BLOB;
ALTER TABLE accounts ADD COLUMN egress_proxy BLOB;
ALTER TABLE accounts ADD COLUMN paths TEXT NOT NULL DEFAULT '{}'; -- JSON, hongyan.PathRules
ALTER TABLE accounts ADD COLUMN downstreams BLOB; -- sealed JSON: it holds tokens

ALTER TABLE keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'api';

-- The number a caller of the compatible surface was answered with, 0 = none. It
-- follows from seq, so only whose messages have one needs an index: events are
-- looked up by user.
ALTER TABLE messages ADD COLUMN own_msgid INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_own_msgid ON messages (touser) WHERE own_msgid <> 0;

-- Every token that is or was current, as SHA-256.
CREATE TABLE issued_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY,
    appid       TEXT    NOT NULL,
    generation  INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX issued_tokens_appid ON issued_tokens (appid, replaced_at);
CREATE INDEX issued_tokens_replaced ON issued_tokens (replaced_at) WHERE replaced_at > 0;

-- Who may ask WeChat for an account's token at present.
CREATE TABLE refreshes (
    appid       TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token_callers (
    appid     TEXT    NOT NULL,
    caller_id TEXT    NOT NULL,
    endpoint  TEXT    NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    requests  INTEGER NOT NULL,
    forced    INTEGER NOT NULL,
    remote    TEXT    NOT NULL,
    PRIMARY KEY (appid, caller_id, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    remote  TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    n       INTEGER NOT NULL
) STRICT;

-- Replays begin at a time.
CREATE INDEX events_received ON events (appid, received_at);

-- Which event has reached which target. A pending row that waits for one with the
-- same target and order_key and an earlier event is blocked; the writer keeps that
-- true, so that a claim in order need not look for what is in the way.
-- AUTOINCREMENT: who finishes one that was dropped meanwhile must not hit another.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    appid       TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    event_id    INTEGER NOT NULL,
    event_type  TEXT    NOT NULL,
    order_key   TEXT    NOT NULL,
    state       INTEGER NOT NULL,
    blocked     INTEGER NOT NULL,
    due_at      INTEGER NOT NULL, -- while it is being tried, the end of the lease; 0 = ended
    attempts    INTEGER NOT NULL DEFAULT 0,
    claimed_at  INTEGER NOT NULL DEFAULT 0, -- start of the attempt under way; 0 = none is
    last_at     INTEGER NOT NULL DEFAULT 0, -- start of the latest attempt but that
    last_status INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT    NOT NULL DEFAULT '',
    last_took   INTEGER NOT NULL DEFAULT 0, -- milliseconds
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (event_id, target)
) STRICT;
-- Claims, and which targets have something due.
CREATE INDEX deliveries_due ON deliveries (target, blocked, due_at) WHERE state = 0;
-- What is in the way of what.
CREATE INDEX deliveries_order ON deliveries (target, order_key, event_id) WHERE state = 0 AND order_key <> '';
-- Lists and counts; the targets of an account are beside each other.
CREATE INDEX deliveries_target ON deliveries (target, state);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE state <> 0;
