-- +goose Up
-- What happened, for those outside who want to hear of it, and who that is.

-- Written in the transaction that changes what it is about, while somebody wants it.
-- Numbers are not used twice: news_state.head is at least the largest there was.
CREATE TABLE news (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    type  TEXT    NOT NULL,
    appid TEXT    NOT NULL,
    seq   INTEGER NOT NULL, -- the message's; 0 = about none
    data  TEXT    NOT NULL  -- JSON
) STRICT;

CREATE TABLE news_state (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    head         INTEGER NOT NULL, -- up to here news were spread to the endpoints
    gone         INTEGER NOT NULL, -- up to here news were removed
    listen_since INTEGER NOT NULL, -- somebody has been reading the log without a break since
    listen_until INTEGER NOT NULL  -- until then everything is written
) STRICT;
INSERT INTO news_state (one, head, gone, listen_since, listen_until) VALUES (1, 0, 0, 0, 0);

-- What is told once.
CREATE TABLE news_once (
    key TEXT    NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhooks (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL,
    url         BLOB, -- sealed: a robot's is its credential
    secrets     BLOB, -- sealed JSON
    events      TEXT    NOT NULL, -- JSON
    appids      TEXT    NOT NULL, -- JSON
    language    TEXT    NOT NULL,
    paused      INTEGER NOT NULL,
    disabled    TEXT    NOT NULL,
    disabled_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- Which news have reached which endpoint. AUTOINCREMENT: who finishes one that was
-- removed meanwhile must not hit another.
CREATE TABLE webhook_deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook     TEXT    NOT NULL,
    news        INTEGER NOT NULL,
    type        TEXT    NOT NULL,
    appid       TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    due_at      INTEGER NOT NULL, -- while it is being tried, the end of the lease; 0 = ended
    attempts    INTEGER NOT NULL DEFAULT 0,
    claimed_at  INTEGER NOT NULL DEFAULT 0, -- start of the attempt under way; 0 = none is
    last_at     INTEGER NOT NULL DEFAULT 0, -- start of the latest attempt but that
    last_status INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT    NOT NULL DEFAULT '',
    last_answer TEXT    NOT NULL DEFAULT '',
    last_took   INTEGER NOT NULL DEFAULT 0, -- milliseconds
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (news, webhook)
) STRICT;
-- Claims, and which endpoints have something due.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due_at) WHERE state = 0;
-- Lists and counts.
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, state);
-- The timeline of a message.
CREATE INDEX webhook_deliveries_seq ON webhook_deliveries (seq) WHERE seq > 0;
