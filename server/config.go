package server

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"hongyan"
)

// Config is everything the gateway can be told. Each setting comes from the
// highest of: flag, HONGYAN_* environment variable (the key in capitals, its
// levels joined by "_", e.g. HONGYAN_LOG_LEVEL), configuration file, default.
// The comments on the fields are printed into docs/hongyan.example.yaml.
type Config struct {
	// Address to listen on, host:port. Port 0 takes a free one, which the first
	// line of output names. Off loopback, put TLS in front.
	// Default 127.0.0.1:7800.
	Listen string `yaml:"listen"`

	// Folder for everything the gateway keeps: database, master key,
	// administrator's key. Made with mode 0700 if it does not exist.
	// Default ./data.
	Data string `yaml:"data"`

	// Database: sqlite:PATH for one process, or, for any number of them,
	// postgres://USER:PASSWORD@HOST:PORT/DATABASE (PostgreSQL 14 or newer). With
	// PostgreSQL the master key must be given. Empty stands for sqlite:DATA/hongyan.db.
	Database string `yaml:"database"`

	// What is written to standard error.
	Log LogConfig `yaml:"log"`

	// Messages that may be leased to this process at once, and so how many may
	// be in doubt after a crash. 0 stands for the default, 1024.
	Slots int `yaml:"slots"`

	// How long a process may be silent until others on the same database take its
	// messages over; it says that it lives six times as often. A Go duration, at
	// least 1s. 0s stands for the default, 1m.
	Lease time.Duration `yaml:"lease"`

	// How long a stop waits, first for requests being answered, then for calls
	// to WeChat under way. What is not finished by then is settled by the next
	// start. A Go duration such as 10s. 0s stands for the default, 10s.
	StopGrace time.Duration `yaml:"stop_grace"`

	// How long a receipt whose msgid nobody knows waits before it may be joined
	// by user and time. A Go duration. 0s stands for the default, 30s.
	OrphanAfter time.Duration `yaml:"orphan_after"`

	// How long what has ended is kept.
	Retention RetentionConfig `yaml:"retention"`

	// The WeChat-compatible surface: WeChat's own paths (/cgi-bin/ and others),
	// for programs that were written for WeChat itself.
	Compat CompatConfig `yaml:"compat"`

	// Addresses that are not public and that the gateway may call all the same,
	// as prefixes or single addresses: downstreams, proxies and token servers of
	// your own network. Everything else that is not public is refused, whatever
	// name leads to it; this machine itself may be called while listen is on
	// loopback. In HONGYAN_ALLOW_PRIVATE they are separated by commas. Default none.
	AllowPrivate []string `yaml:"allow_private"`

	// Accounts created or updated at every start, by appid. Accounts that are
	// not named here are left alone. Names and meanings are those of
	// POST /v1/accounts.
	Accounts []AccountConfig `yaml:"accounts"`
}

// LogConfig says how much is logged, and how. Secrets are never logged at any level.
type LogConfig struct {
	// debug, info, warn or error. Requests are logged at debug only.
	// Default info.
	Level string `yaml:"level"`

	// text for people, json for programs. Default text.
	Format string `yaml:"format"`
}

// RetentionConfig says how long messages and events are kept, counted from their
// last change. 0s keeps for ever. What waits or is being sent is never removed.
type RetentionConfig struct {
	// After this a message that has ended loses its values (WeChat's body) and its
	// metadata; state, attempts and receipt stay. It cannot be retried then. A Go
	// duration. Default 168h, a week.
	Payload time.Duration `yaml:"payload"`

	// After this the message goes, and out of the counts. At least 48h, for an
	// Idempotency-Key answers with its message for a day. Default 2160h, 90 days.
	Messages time.Duration `yaml:"messages"`

	// After this an event that was processed goes, unless it still has deliveries.
	// At least 48h. Default 720h, 30 days.
	Events time.Duration `yaml:"events"`
}

// CompatConfig is about callers that speak WeChat's own API to the gateway.
type CompatConfig struct {
	// How long a send waits for WeChat's own answer before it is answered with
	// errcode 0 and a msgid of the gateway's. A Go duration, at most 1m.
	// 0s stands for the default, 3s.
	Wait time.Duration `yaml:"wait"`

	// true: the account's own AppSecret is accepted beside the secrets that the
	// gateway gives out (hys_…), so that callers need to change nothing but the
	// address. false: only those secrets are. Default true.
	AcceptAppSecret bool `yaml:"accept_app_secret"`

	// Longest body of a request that is passed on to WeChat, in bytes. 0 stands
	// for the default, 104857600 (100 MiB).
	MaxBody int64 `yaml:"max_body"`
}

// Default returns the configuration that applies where nothing else is said.
func Default() Config {
	return Config{
		Listen:      "127.0.0.1:7800",
		Data:        "./data",
		Log:         LogConfig{Level: "info", Format: "text"},
		Slots:       1024,
		Lease:       time.Minute,
		StopGrace:   10 * time.Second,
		OrphanAfter: 30 * time.Second,
		Retention:   RetentionConfig{Payload: 7 * day, Messages: 90 * day, Events: 30 * day},
		Compat:      CompatConfig{Wait: 3 * time.Second, AcceptAppSecret: true, MaxBody: 100 << 20},
	}
}

const day = 24 * time.Hour

// OnPostgres reports whether the database is a PostgreSQL server's.
func (c *Config) OnPostgres() bool {
	return strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://")
}

// DatabasePath returns the file of a sqlite: database, with the default filled in;
// "" when the database is no file.
func (c *Config) DatabasePath() string {
	switch {
	case c.OnPostgres():
		return ""
	case c.Database == "":
		return filepath.Join(c.Data, "hongyan.db")
	}
	return strings.TrimPrefix(c.Database, sqlitePrefix)
}

// DatabaseName names the database for people: its file, or its URL without user,
// password and settings.
func (c *Config) DatabaseName() string {
	if !c.OnPostgres() {
		return c.DatabasePath()
	}
	u, err := url.Parse(c.Database)
	if err != nil {
		return "postgres://"
	}
	return "postgres://" + u.Host + u.Path
}

// sqlitePrefix starts the value of Database when it is a file. Validate has seen to it.
const sqlitePrefix = "sqlite:"

// AccountConfig is one official account (公众号) or mini program (小程序).
type AccountConfig struct {
	// WeChat's appid: wx and 16 hexadecimal digits.
	AppID string `yaml:"appid"`

	// AppSecret, letters and digits, 32 as a rule. Stored encrypted. Empty keeps the secret that is
	// stored already, so that it need not stay in this file.
	Secret hongyan.Secret `yaml:"secret"`

	// service (服务号), mini_program (小程序), subscription (订阅号) or test
	// (测试号). Default service.
	Kind hongyan.AccountKind `yaml:"kind"`

	// Name shown to people. May be empty.
	Name string `yaml:"name"`

	// A short word that may be used in place of appid. May be empty.
	Alias string `yaml:"alias"`

	// Where WeChat is. Empty stands for https://api.weixin.qq.com; a host other
	// than loopback needs https.
	BaseURL string `yaml:"base_url"`

	// How WeChat pushes to us, as set in its console.
	Callback CallbackConfig `yaml:"callback"`

	// A limit of our own on top of WeChat's.
	Rate RateConfig `yaml:"rate"`

	// Calls to WeChat at once. 0 stands for the default, 50.
	MaxInFlight int `yaml:"max_in_flight"`

	// Daily or monthly limits in Beijing time. None stands for 100,000 calls a
	// day for the account.
	Quotas []QuotaConfig `yaml:"quotas"`

	// What becomes of a message whose outcome cannot be known: hold (it waits for
	// a person), resend (it may arrive twice) or give_up (failed). Default hold.
	UncertainPolicy hongyan.UncertainPolicy `yaml:"uncertain_policy"`

	// Where the access_token comes from: stable (stable_token), plain (token) or
	// external, a central server (中控服务器) that you run already. Default stable.
	TokenSource hongyan.TokenSource `yaml:"token_source"`

	// token_source external: where the token is fetched, in the form
	// GET /cgi-bin/token answers; a host other than loopback needs https. Stored
	// encrypted. Left out keeps what is stored; empty: the token is pushed to us
	// (hongyan token push).
	TokenURL *hongyan.Secret `yaml:"token_url"`

	// Proxy that calls to WeChat go through: an http, https, socks5 or socks5h
	// URL with host and port, such as socks5://USER:PASSWORD@HOST:1080. Stored
	// encrypted. Left out keeps what is stored; empty stands for none.
	EgressProxy *hongyan.Secret `yaml:"egress_proxy"`

	// Which paths of WeChat callers reach through the gateway. Tokens and the
	// sends that it records are not subject to them.
	Paths PathsConfig `yaml:"paths"`

	// Servers of yours that get the account's pushes, as if they stood at its
	// callback URL themselves. At most 20; none stands for nobody. What is waiting
	// for one that is no longer named is dropped.
	Downstreams []DownstreamConfig `yaml:"downstreams"`

	// How long after send_at a message may still leave, in seconds. 0 stands for
	// the default, 86400.
	ExpireAfterSeconds int64 `yaml:"expire_after_seconds"`

	// Beijing hours in which what a released hold lets go is not sent unless
	// urgent, such as 22:00-08:00, or off. Default 22:00-08:00.
	QuietHours string `yaml:"quiet_hours"`

	// How people are spared.
	Care CareSettings `yaml:"care"`

	// true cuts values that are too long for their type; false refuses them.
	// Default false.
	CutValues bool `yaml:"cut_values"`

	// What a mini program does with form_ids and consents.
	Mini MiniConfig `yaml:"mini"`
}

// MiniConfig is about form_ids and consents to subscribe messages.
type MiniConfig struct {
	// Messages that one payment (prepay_id) serves: 1 or 3. 0 stands for 1.
	PrepaySends int `yaml:"prepay_sends"`

	// A subscribe message to a user who is known to have no send left: off sends it
	// all the same, warn too and tells its caller, refuse does not take it. Default off.
	ConsentCheck string `yaml:"consent_check"`

	// Tell (event consent.low) when a user has fewer than so many sends of a
	// template left. 0 stands for never.
	ConsentLow int `yaml:"consent_low"`
}

// CareSettings says how an account spares the people it sends to.
type CareSettings struct {
	// auto: messages to who refuses them, left, or cannot be reached are held, while
	// the account's callbacks arrive. off: everything leaves. Default auto.
	Suppression string `yaml:"suppression"`

	// true: messages that come by WeChat's own paths are held likewise. Default false.
	SuppressCompat bool `yaml:"suppress_compat"`

	// Messages a user gets in a Beijing day, urgent ones aside. 0 stands for any number.
	UserCap int `yaml:"user_cap"`
}

// CallbackConfig is the account's server configuration (服务器配置) at WeChat.
type CallbackConfig struct {
	// Token (令牌) that signs every push. Empty refuses all pushes.
	Token hongyan.Secret `yaml:"token"`

	// EncodingAESKey (消息加解密密钥), 43 characters. Not used in plain mode.
	AESKey hongyan.Secret `yaml:"aes_key"`

	// plain (明文), compatible (兼容) or safe (安全). Default plain.
	Mode string `yaml:"mode"`
}

// PathsConfig says which paths of WeChat callers reach. A pattern is a path, or
// the beginning of one and "*".
type PathsConfig struct {
	// Patterns that are allowed, such as /cgi-bin/*. None stands for all.
	Allow []string `yaml:"allow"`

	// Patterns that are refused, such as /cgi-bin/clear_quota. They win over allow.
	Deny []string `yaml:"deny"`
}

// DownstreamConfig is a server of the business that gets pushes.
type DownstreamConfig struct {
	// A short word, unique inside the account. Another name is another downstream.
	Name string `yaml:"name"`

	// Where pushes are posted, as WeChat would. Plain http is allowed: these are
	// servers of your own, and pushes are signed. An address that is not public
	// must be in allow_private.
	URL string `yaml:"url"`

	// true: its answer within 4.5 s is the passive reply (被动回复). At most one
	// of an account's. Default false.
	Sync bool `yaml:"sync"`

	// true: pushes about one user arrive in their order, one at a time. Default false.
	Ordered bool `yaml:"ordered"`

	// true: its pushes are kept until it is resumed. Left out keeps it as it is.
	Paused *bool `yaml:"paused"`

	// Types of message and event it gets, in lower case. None stands for all.
	Events []string `yaml:"events"`

	// plain, compatible or safe. Empty stands for the account's own mode.
	Mode string `yaml:"mode"`

	// Token (令牌) that signs pushes to it. Left out keeps what is stored; empty
	// stands for the account's.
	Token *hongyan.Secret `yaml:"token"`

	// EncodingAESKey (消息加解密密钥) for it. Left out keeps what is stored; empty
	// stands for the account's.
	AESKey *hongyan.Secret `yaml:"aes_key"`
}

// RateConfig limits how fast an account sends.
type RateConfig struct {
	// Messages per second. 0 sets no limit of ours.
	PerSecond float64 `yaml:"per_second"`
}

// QuotaConfig limits how many calls a scope makes per period.
type QuotaConfig struct {
	// account, or template for each template on its own.
	Scope string `yaml:"scope"`

	// day or month.
	Period string `yaml:"period"`

	// Calls per period, 1 or more.
	Limit int64 `yaml:"limit"`

	// How many of the limit only urgent messages may use; scope account alone.
	// Default 0.
	UrgentReserve int64 `yaml:"urgent_reserve"`
}
