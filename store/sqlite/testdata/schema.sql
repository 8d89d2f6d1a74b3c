CREATE TABLE accounts (
    appid                   TEXT    NOT NULL PRIMARY KEY,
    kind                    TEXT    NOT NULL,
    name                    TEXT    NOT NULL,
    alias                   TEXT    NOT NULL,
    base_url                TEXT    NOT NULL,
    secret                  BLOB,
    callback_token          BLOB,
    callback_previous_token BLOB,
    callback_aes_key        BLOB,
    callback_previous_aes   BLOB,
    callback_mode           TEXT    NOT NULL,
    token_source            TEXT    NOT NULL,
    rate_per_second         REAL    NOT NULL,
    max_in_flight           INTEGER NOT NULL,
    quotas                  TEXT    NOT NULL, -- JSON array of rules
    uncertain_policy        TEXT    NOT NULL,
    expire_after            INTEGER NOT NULL, -- milliseconds
    quiet_hours             TEXT    NOT NULL, -- as hongyan.ParseQuietHours reads it
    cut_values              INTEGER NOT NULL,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL
, token_url BLOB, egress_proxy BLOB, paths TEXT NOT NULL DEFAULT '{}', downstreams BLOB, mini TEXT NOT NULL DEFAULT '{}', care TEXT NOT NULL DEFAULT '{}') STRICT;

CREATE UNIQUE INDEX accounts_alias ON accounts (alias) WHERE alias <> '';

CREATE TABLE attempts (
    seq        INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    errcode    INTEGER NOT NULL,
    errmsg     TEXT    NOT NULL,
    rid        TEXT    NOT NULL,
    msgid      INTEGER NOT NULL,
    PRIMARY KEY (seq, n)
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

CREATE TABLE batch_chunks (
    batch  INTEGER NOT NULL,
    first  INTEGER NOT NULL, -- number of its first row
    n      INTEGER NOT NULL,
    bad    INTEGER NOT NULL,
    hashes BLOB    NOT NULL, -- eight bytes a row
    data   BLOB    NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT;

CREATE TABLE batch_spans (
    batch     INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT, WITHOUT ROWID;

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

CREATE INDEX batches_appid ON batches (appid, state);

CREATE INDEX batches_live ON batches (seq) WHERE ended_at = 0 AND state > 0;

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

CREATE TABLE counts (
    appid TEXT    NOT NULL,
    kind  TEXT    NOT NULL,
    state INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (appid, kind, state)
) STRICT, WITHOUT ROWID;

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

CREATE INDEX deliveries_due ON deliveries (target, blocked, due_at) WHERE state = 0;

CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE state <> 0;

CREATE INDEX deliveries_order ON deliveries (target, order_key, event_id) WHERE state = 0 AND order_key <> '';

CREATE INDEX deliveries_target ON deliveries (target, state);

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

CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    appid        TEXT    NOT NULL,
    dedupe_key   TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    openid       TEXT    NOT NULL,
    create_time  INTEGER NOT NULL,
    msgid        INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    processed_at INTEGER NOT NULL,
    duplicates   INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    UNIQUE (appid, dedupe_key)
) STRICT;

CREATE INDEX events_appid ON events (appid);

CREATE INDEX events_pending ON events (id) WHERE processed_at = 0;

CREATE INDEX events_received ON events (appid, received_at);

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

CREATE INDEX firings_ended ON firings (ended_at) WHERE state <> 0;

CREATE INDEX firings_openid ON firings (openid);

CREATE INDEX firings_rule ON firings (rule_id);

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

CREATE INDEX form_ids_expiry ON form_ids (expires_at);

CREATE INDEX form_ids_openid ON form_ids (appid, openid);

CREATE INDEX form_ids_usable ON form_ids (appid, openid, expires_at) WHERE left_sends > 0;

CREATE TABLE form_takes (
    message TEXT    NOT NULL PRIMARY KEY, -- id
    form    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX form_takes_form ON form_takes (form);

CREATE TABLE holds (
    appid      TEXT    NOT NULL,
    kind       TEXT    NOT NULL, -- '' = every kind
    reason     TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    before     INTEGER NOT NULL, -- not 0: holds only what is not urgent and was due before
    release    TEXT    NOT NULL,
    errcode    INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (appid, kind, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    caller_id  TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    body_hash  BLOB    NOT NULL,
    seq        INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (caller_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE issued_tokens (
    hash        BLOB    NOT NULL PRIMARY KEY,
    appid       TEXT    NOT NULL,
    generation  INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX issued_tokens_appid ON issued_tokens (appid, replaced_at);

CREATE INDEX issued_tokens_replaced ON issued_tokens (replaced_at) WHERE replaced_at > 0;

CREATE TABLE keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    hint         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    appids       TEXT    NOT NULL, -- JSON array
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
, kind TEXT NOT NULL DEFAULT 'api', personal INTEGER NOT NULL DEFAULT 1) STRICT;

CREATE TABLE messages (
    seq             INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    stream          INTEGER NOT NULL, -- of appid and kind
    appid           TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    touser          TEXT    NOT NULL,
    template_id     TEXT    NOT NULL,
    client_msg_id   TEXT,             -- NULL = the id
    caller_msg_id   INTEGER NOT NULL,
    priority        INTEGER NOT NULL,
    retry_of        TEXT    NOT NULL,
    caller_id       TEXT    NOT NULL,
    state           INTEGER NOT NULL,
    reason          TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    due_at          INTEGER NOT NULL, -- 0 = held until somebody releases it
    expires_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    first_at        INTEGER NOT NULL,
    last_n          INTEGER NOT NULL DEFAULT 0,
    last_started_at INTEGER NOT NULL DEFAULT 0,
    last_ended_at   INTEGER NOT NULL DEFAULT 0,
    last_outcome    INTEGER NOT NULL DEFAULT 0,
    last_errcode    INTEGER NOT NULL DEFAULT 0,
    last_errmsg     TEXT    NOT NULL DEFAULT '',
    last_rid        TEXT    NOT NULL DEFAULT '',
    last_msgid      INTEGER NOT NULL DEFAULT 0,
    tries           INTEGER NOT NULL DEFAULT 0,
    doubt_since     INTEGER NOT NULL DEFAULT 0,
    msgid           INTEGER NOT NULL DEFAULT 0,
    accepted_at     INTEGER NOT NULL DEFAULT 0,
    in_review       INTEGER NOT NULL DEFAULT 0,
    may_duplicate   INTEGER NOT NULL DEFAULT 0,
    hold            TEXT, -- JSON, of a message that waits for a reason of its own
    receipt         TEXT, -- JSON, what WeChat's event said
    metadata        BLOB,
    payload         BLOB    NOT NULL
, own_msgid INTEGER NOT NULL DEFAULT 0, batch INTEGER NOT NULL DEFAULT 0, batch_row INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX messages_batch ON messages (batch, state) WHERE batch <> 0;

CREATE INDEX messages_client ON messages (client_msg_id) WHERE caller_msg_id = 1;

CREATE INDEX messages_doubt ON messages (doubt_since) WHERE doubt_since > 0 AND receipt IS NULL;

CREATE INDEX messages_expiry ON messages (expires_at) WHERE state < 2 AND expires_at > 0;

CREATE INDEX messages_leased ON messages (epoch) WHERE state = 2;

CREATE INDEX messages_msgid ON messages (msgid) WHERE msgid <> 0;

CREATE INDEX messages_own_msgid ON messages (touser) WHERE own_msgid <> 0;

CREATE INDEX messages_queue ON messages (stream, priority, due_at) WHERE state < 2 AND due_at > 0;

CREATE INDEX messages_rare ON messages (stream, state) WHERE state <> 0 AND state <> 2 AND state <> 4 AND state <> 8;

CREATE INDEX messages_stream ON messages (stream);

CREATE INDEX messages_touser ON messages (touser);

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE news (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    type  TEXT    NOT NULL,
    appid TEXT    NOT NULL,
    seq   INTEGER NOT NULL, -- the message's; 0 = about none
    data  TEXT    NOT NULL  -- JSON
) STRICT;

CREATE TABLE news_once (
    key TEXT    NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE news_state (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    head         INTEGER NOT NULL, -- up to here news were spread to the endpoints
    gone         INTEGER NOT NULL, -- up to here news were removed
    listen_since INTEGER NOT NULL, -- somebody has been reading the log without a break since
    listen_until INTEGER NOT NULL  -- until then everything is written
) STRICT;

CREATE TABLE nodes (
    epoch       INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL,
    joined_at   INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE orphans (
    id        INTEGER PRIMARY KEY,
    appid     TEXT    NOT NULL,
    msgid     INTEGER NOT NULL,
    touser    TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    raw       TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX orphans_msgid ON orphans (msgid, appid) WHERE msgid <> 0;

CREATE INDEX orphans_nameless ON orphans (stored_at) WHERE msgid = 0;

CREATE INDEX orphans_stored ON orphans (stored_at);

CREATE INDEX orphans_touser ON orphans (touser);

CREATE TABLE refreshes (
    appid       TEXT    NOT NULL PRIMARY KEY,
    holder      TEXT    NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_users (
    rule_id TEXT    NOT NULL,
    openid  TEXT    NOT NULL,
    appid   TEXT    NOT NULL,
    until   INTEGER NOT NULL, -- 0 = for ever
    firing  INTEGER NOT NULL,
    PRIMARY KEY (rule_id, openid)
) STRICT, WITHOUT ROWID;

CREATE INDEX rule_users_openid ON rule_users (openid);

CREATE INDEX rule_users_until ON rule_users (until) WHERE until > 0;

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

CREATE TABLE streams (
    stream INTEGER PRIMARY KEY,
    appid  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    UNIQUE (appid, kind)
) STRICT;

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
    lifted_by TEXT    NOT NULL, followed_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (appid, openid)
) STRICT;

CREATE INDEX suppressions_followed ON suppressions (followed_at) WHERE reason = '';

CREATE INDEX suppressions_lifted ON suppressions (lifted_at) WHERE lifted_at > 0;

CREATE INDEX suppressions_until ON suppressions (until) WHERE until > 0;

CREATE TABLE template_aliases (
    appid       TEXT    NOT NULL,
    alias       TEXT    NOT NULL,
    template_id TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (appid, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE templates (
    appid            TEXT    NOT NULL,
    template_id      TEXT    NOT NULL,
    title            TEXT    NOT NULL,
    primary_industry TEXT    NOT NULL,
    deputy_industry  TEXT    NOT NULL,
    content          TEXT    NOT NULL,
    example          TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    status_reason    TEXT    NOT NULL,
    synced_at        INTEGER NOT NULL, policy TEXT NOT NULL DEFAULT '', enums TEXT NOT NULL DEFAULT '', subscribe_type INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (appid, template_id)
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

CREATE TABLE tokens (
    appid        TEXT    NOT NULL PRIMARY KEY,
    source       TEXT    NOT NULL,
    access_token BLOB,
    generation   INTEGER NOT NULL,
    fetched_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    fetched_by   TEXT    NOT NULL,
    previous     BLOB,
    fetches      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    appid       TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    period      TEXT    NOT NULL,
    period_from INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    PRIMARY KEY (appid, period, period_from, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_days (
    appid  TEXT    NOT NULL,
    openid TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (appid, openid, day, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_days_day ON user_days (day);

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
    ended_at    INTEGER NOT NULL DEFAULT 0, earlier TEXT NOT NULL DEFAULT '[]', erased INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0,
    UNIQUE (news, webhook)
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due_at) WHERE state = 0;

CREATE INDEX webhook_deliveries_seq ON webhook_deliveries (seq) WHERE seq > 0;

CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook, state);

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
