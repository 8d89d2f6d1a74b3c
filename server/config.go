package server

import (
	"path/filepath"
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

	// Database, as sqlite:PATH. Empty stands for sqlite:DATA/hongyan.db.
	Database string `yaml:"database"`

	// What is written to standard error.
	Log LogConfig `yaml:"log"`

	// Messages that may be leased to this process at once, and so how many may
	// be in doubt after a crash. 0 stands for the default, 1024.
	Slots int `yaml:"slots"`

	// How long a stop waits, first for requests being answered, then for calls
	// to WeChat under way. What is not finished by then is settled by the next
	// start. A Go duration such as 10s. 0s stands for the default, 10s.
	StopGrace time.Duration `yaml:"stop_grace"`

	// How long a receipt whose msgid nobody knows waits before it may be joined
	// by user and time. A Go duration. 0s stands for the default, 30s.
	OrphanAfter time.Duration `yaml:"orphan_after"`

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

// Default returns the configuration that applies where nothing else is said.
func Default() Config {
	return Config{
		Listen:      "127.0.0.1:7800",
		Data:        "./data",
		Log:         LogConfig{Level: "info", Format: "text"},
		Slots:       1024,
		StopGrace:   10 * time.Second,
		OrphanAfter: 30 * time.Second,
	}
}

// DatabasePath returns the file of a sqlite: database, with the default filled in.
func (c *Config) DatabasePath() string {
	if c.Database == "" {
		return filepath.Join(c.Data, "hongyan.db")
	}
	return c.Database[len(sqlitePrefix):]
}

// sqlitePrefix starts the value of Database. Validate has seen to it.
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

	// Where the access_token comes from: stable (stable_token) or plain (token).
	// Default stable.
	TokenSource hongyan.TokenSource `yaml:"token_source"`

	// How long after send_at a message may still leave, in seconds. 0 stands for
	// the default, 86400.
	ExpireAfterSeconds int64 `yaml:"expire_after_seconds"`

	// Beijing hours in which what a released hold lets go is not sent unless
	// urgent, such as 22:00-08:00, or off. Default 22:00-08:00.
	QuietHours string `yaml:"quiet_hours"`

	// true cuts values that are too long for their type; false refuses them.
	// Default false.
	CutValues bool `yaml:"cut_values"`
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
}
