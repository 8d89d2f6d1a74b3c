-- +goose Up
-- How accounts spare people, which keys see them, and who is to be left alone.

ALTER TABLE accounts ADD COLUMN care TEXT NOT NULL DEFAULT '{}'; -- JSON, hongyan.Care
-- Keys that are there already see what they saw.
ALTER TABLE keys ADD COLUMN personal INTEGER NOT NULL DEFAULT 1;

-- AUTOINCREMENT: others look for entries above the last number they saw.
CREATE TABLE suppressions (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    appid     TEXT    NOT NULL,
    openid    TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    errcode   INTEGER NOT NULL,
    note      TEXT    NOT NULL,
    put_by    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL, -- 0 = until it is lifted
    lifted_at INTEGER NOT NULL,
    lifted_by TEXT    NOT NULL,
    UNIQUE (appid, openid)
) STRICT;

-- What counts against the day's messages of a user, where an account has such a limit.
CREATE TABLE user_days (
    appid  TEXT    NOT NULL,
    openid TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (appid, openid, day, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_days_day ON user_days (day);

CREATE TABLE erasures (
    id           TEXT    NOT NULL PRIMARY KEY,
    appid        TEXT    NOT NULL,
    openid       TEXT    NOT NULL, -- '' once it is done
    pseudonym    TEXT    NOT NULL,
    asked_by     TEXT    NOT NULL,
    state        INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    finished_at  INTEGER NOT NULL,
    look_again   INTEGER NOT NULL,
    messages     INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    others       INTEGER NOT NULL,
    left_n       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX erasures_open ON erasures (appid, openid) WHERE openid <> '';
