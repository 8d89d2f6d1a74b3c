-- +goose Up
-- Mini programs: form_ids, consents to subscribe messages, and the settings about both.

ALTER TABLE accounts ADD COLUMN mini TEXT NOT NULL DEFAULT '{}'; -- JSON, hongyan.MiniRules

CREATE TABLE form_ids (
    id          INTEGER PRIMARY KEY,
    appid       TEXT    NOT NULL,
    openid      TEXT    NOT NULL,
    form_id     TEXT    NOT NULL,
    source      TEXT    NOT NULL, -- form, prepay
    sends       INTEGER NOT NULL,
    left_sends  INTEGER NOT NULL,
    obtained_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    refused     INTEGER NOT NULL DEFAULT 0, -- errcode
    UNIQUE (appid, form_id)
) STRICT;
-- Which one a message takes.
CREATE INDEX form_ids_usable ON form_ids (appid, openid, expires_at) WHERE left_sends > 0;
CREATE INDEX form_ids_openid ON form_ids (appid, openid);
CREATE INDEX form_ids_expiry ON form_ids (expires_at);

-- Which message has taken which form.
CREATE TABLE form_takes (
    message TEXT    NOT NULL PRIMARY KEY, -- id
    form    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX form_takes_form ON form_takes (form);

CREATE TABLE consents (
    id          INTEGER PRIMARY KEY,
    appid       TEXT    NOT NULL,
    openid      TEXT    NOT NULL,
    template_id TEXT    NOT NULL,
    by_events   INTEGER NOT NULL,
    by_reports  INTEGER NOT NULL,
    sent        INTEGER NOT NULL,
    exact       INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    always      TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    declined_at INTEGER NOT NULL,
    refused_at  INTEGER NOT NULL,
    sent_at     INTEGER NOT NULL,
    low_told    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (appid, openid, template_id)
) STRICT;
CREATE INDEX consents_template ON consents (appid, template_id);
