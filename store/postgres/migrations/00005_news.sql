-- +goose Up
-- What happened, for those outside who want to hear of it, and who that is.

-- Written in the transaction that changes what it is about, while somebody wants it.
CREATE TABLE news (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    bigint NOT NULL,
    type  text   NOT NULL,
    appid text   NOT NULL,
    seq   bigint NOT NULL, -- the message's; 0 = about none
    data  text   NOT NULL  -- JSON
);

-- Read at the beginning of every transaction that changes something, and seldom changed.
CREATE TABLE news_wants (
    one          boolean PRIMARY KEY CHECK (one),
    version      bigint NOT NULL, -- of the endpoints and what they want
    listen_since bigint NOT NULL, -- somebody has been reading the log without a break since
    listen_until bigint NOT NULL  -- until then everything is written
);
INSERT INTO news_wants (one, version, listen_since, listen_until) VALUES (true, 0, 0, 0);

CREATE TABLE news_state (
    one  boolean PRIMARY KEY CHECK (one),
    head bigint NOT NULL, -- up to here news were spread to the endpoints
    gone bigint NOT NULL  -- up to here news were removed
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
INSERT INTO news_state (one, head, gone) VALUES (true, 0, 0);

-- What is told once.
CREATE TABLE news_once (
    key text   NOT NULL PRIMARY KEY,
    at  bigint NOT NULL
);
CREATE INDEX news_once_at ON news_once (at);

CREATE TABLE webhooks (
    id          text    NOT NULL PRIMARY KEY,
    name        text    NOT NULL UNIQUE,
    kind        text    NOT NULL,
    url         bytea, -- sealed: a robot's is its credential
    secrets     bytea, -- sealed JSON
    events      text    NOT NULL, -- JSON
    appids      text    NOT NULL, -- JSON
    language    text    NOT NULL,
    paused      boolean NOT NULL,
    disabled    text    NOT NULL,
    disabled_at bigint  NOT NULL,
    created_at  bigint  NOT NULL,
    updated_at  bigint  NOT NULL
);

-- Which news have reached which endpoint.
CREATE TABLE webhook_deliveries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook     text     NOT NULL,
    news        bigint   NOT NULL,
    type        text     NOT NULL,
    appid       text     NOT NULL,
    seq         bigint   NOT NULL,
    state       smallint NOT NULL,
    due_at      bigint   NOT NULL, -- while it is being tried, the end of the lease; 0 = ended
    attempts    integer  NOT NULL DEFAULT 0,
    claimed_at  bigint   NOT NULL DEFAULT 0, -- start of the attempt under way; 0 = none is
    last_at     bigint   NOT NULL DEFAULT 0, -- start of the latest attempt but that
    last_status integer  NOT NULL DEFAULT 0,
    last_error  text     NOT NULL DEFAULT '',
    last_answer text     NOT NULL DEFAULT '',
    last_took   bigint   NOT NULL DEFAULT 0, -- milliseconds
    created_at  bigint   NOT NULL,
    ended_at    bigint   NOT NULL DEFAULT 0,
    UNIQUE (news, webhook)
);
-- Claims, and which endpoints have something due.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due_at, id) WHERE state = 0;
-- Lists and counts.
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, state, id);
-- The timeline of a message.
CREATE INDEX webhook_deliveries_seq ON webhook_deliveries (seq) WHERE seq > 0;
