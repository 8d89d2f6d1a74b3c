-- +goose Up
-- Batches: many messages of one template, staged in chunks and made into messages as
-- fast as they leave.

-- The batch (its seq) and the row of it that a message was made from; 0 = none. What is
-- in no batch is in no index of them.
ALTER TABLE messages ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN batch_row INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_batch ON messages (batch, state) WHERE batch <> 0;

-- AUTOINCREMENT: messages outlive their batch, whose number must stay its own.
CREATE TABLE batches (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    appid         TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    template_id   TEXT    NOT NULL,
    priority      INTEGER NOT NULL,
    caller_id     TEXT    NOT NULL,
    retry_of      TEXT    NOT NULL,
    state         INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    rate          REAL    NOT NULL,
    quiet_hours   TEXT    NOT NULL,
    expires_after INTEGER NOT NULL, -- milliseconds
    send_at       INTEGER NOT NULL,
    skip_bad      INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    row_count     INTEGER NOT NULL,
    good          INTEGER NOT NULL,
    next_row      INTEGER NOT NULL,
    fed           INTEGER NOT NULL,
    late          INTEGER NOT NULL,
    speed         REAL    NOT NULL,
    fed_at        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    metadata      BLOB,
    spec          BLOB    NOT NULL
) STRICT;
-- Those somebody has to look after.
CREATE INDEX batches_live ON batches (seq) WHERE ended_at = 0 AND state > 0;
CREATE INDEX batches_appid ON batches (appid);

-- Rows are staged some hundred to a blob. A chunk is written once, and again only when a
-- row is refused late.
CREATE TABLE batch_chunks (
    batch  INTEGER NOT NULL,
    first  INTEGER NOT NULL, -- number of its first row
    n      INTEGER NOT NULL,
    bad    INTEGER NOT NULL,
    hashes BLOB    NOT NULL, -- eight bytes a row
    data   BLOB    NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT;

-- Between which messages those of a chunk are. Apart from the chunk, whose blob would be
-- written again with each step.
CREATE TABLE batch_spans (
    batch     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT, WITHOUT ROWID;
