package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadPrefersFlagThenEnvironmentThenFile(t *testing.T) {
	file := writeFile(t, "listen: 127.0.0.1:1\ndata: from-file\nstop_grace: 3s\nlog:\n  level: warn\n  format: json\n")
	environment := map[string]string{"HONGYAN_DATA": "from-environment", "HONGYAN_LOG_LEVEL": "error", "HONGYAN_SLOTS": "7"}
	got, err := Load(file, func(name string) string { return environment[name] }, func(c *Config) { c.Log.Level = "debug" })
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Listen, want.Data, want.StopGrace, want.Slots = "127.0.0.1:1", "from-environment", 3*time.Second, 7
	want.Log = LogConfig{Level: "debug", Format: "json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLoadAccounts(t *testing.T) {
	file := writeFile(t, `accounts:
  - appid: wx0f1e2d3c4b5a6978
    secret: 12345678901234567890123456789012
    kind: service
    alias: shop
    callback: {token: sandboxtoken, mode: plain}
    rate: {per_second: 20}
    quotas:
      - {scope: account, period: day, limit: 3, urgent_reserve: 1}
    expire_after_seconds: 3600
    quiet_hours: off
`)
	c, err := Load(file, noEnvironment, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, broken := c.Accounts[0].account()
	if len(broken) > 0 {
		t.Fatal(broken)
	}
	if got, want := a.Secret.Reveal(), "12345678901234567890123456789012"; got != want {
		t.Errorf("secret of digits alone: got %q, want %q", got, want)
	}
	got := []any{a.RatePerSecond, a.Quotas[0].Limit, a.Quotas[0].UrgentReserve, a.ExpireAfter, a.QuietHours.Off, string(a.TokenSource), string(a.UncertainPolicy), a.Callback.Token.Reveal()}
	want := []any{20.0, int64(3), int64(1), time.Hour, true, "stable", "hold", "sandboxtoken"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFalseIsTold: of a setting that is true by default, the file and the
// environment can say false.
func TestFalseIsTold(t *testing.T) {
	yes, no := "compat: {accept_app_secret: true}\n", "compat: {accept_app_secret: false}\n"
	for _, tt := range []struct {
		file, environment string
		want              bool
	}{{"slots: 1\n", "", true}, {"compat: {wait: 1s}\n", "", true}, {no, "", false}, {yes, "false", false}, {no, "true", true}, {yes, "0", false}} {
		c, err := Load(writeFile(t, tt.file), func(name string) string {
			return map[string]string{"HONGYAN_COMPAT_ACCEPT_APP_SECRET": tt.environment}[name]
		}, nil)
		if err != nil || c.Compat.AcceptAppSecret != tt.want {
			t.Errorf("file %q, environment %q: got %v, %v, want %v", tt.file, tt.environment, c.Compat.AcceptAppSecret, err, tt.want)
		}
	}
}

func TestAllowPrivateTakesPrefixesAndAddresses(t *testing.T) {
	file := writeFile(t, "allow_private: [10.0.0.0/8, 192.168.1.20, 'fd00::/8', '::ffff:172.16.0.1']\n")
	for environment, want := range map[string]string{
		"":                             "[10.0.0.0/8 192.168.1.20/32 fd00::/8 172.16.0.1/32]",
		" 10.1.0.0/16 , 127.0.0.1,::1": "[10.1.0.0/16 127.0.0.1/32 ::1/128]",
	} {
		c, err := Load(file, func(name string) string { return map[string]string{"HONGYAN_ALLOW_PRIVATE": environment}[name] }, nil)
		if got := fmt.Sprint(c.AllowedPrefixes()); err != nil || got != want {
			t.Errorf("environment %q: got %s, %v, want %s", environment, got, err, want)
		}
	}
}

// TestLoadNamesEveryMistake compares the whole text an operator reads.
func TestLoadNamesEveryMistake(t *testing.T) {
	tests := []struct {
		name        string
		file        string
		environment map[string]string
		want        []string // lines, FILE standing for the file's name
	}{
		{
			name: "a misspelt key", file: "data: ./data\nlissten: 127.0.0.1:7800\n",
			want: []string{`FILE:2:1: unknown key "lissten"; did you mean "listen"?`},
		},
		{
			name: "several unknown keys at several depths", file: "log:\n  levle: info\naccounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secrets: x\nzzz: 1\n",
			want: []string{
				`FILE:2:3: unknown key "levle" in log; did you mean "level"?`,
				`FILE:5:5: unknown key "secrets" in accounts[0]; did you mean "secret"?`,
				`FILE:6:1: unknown key "zzz"; keys here are listen, data, database, log, slots, lease, stop_grace, orphan_after, retention, compat, allow_private, accounts`,
			},
		},
		{
			name: "values that break rules, all at once", file: "listen: nowhere\nlog: {level: loud}\naccounts:\n  - appid: wx1\n    base_url: http://example.com\n    quotas:\n      - {scope: account, period: week, limit: 0}\n",
			want: []string{
				`FILE:1:1: listen: "nowhere" is not host:port; write something like 127.0.0.1:7800`,
				`FILE:2:7: log.level: "loud" is not one of debug, info, warn, error`,
				`FILE:4:5: accounts[0].appid: "wx1" is not wx and 16 digits of 0-9a-f; copy it from WeChat's console`,
				`FILE:5:5: accounts[0].base_url: "http://example.com" must be https, because its host is not loopback`,
				`FILE:7:26: accounts[0].quotas[0].period: "week" is not one of day, month`,
				`FILE:7:40: accounts[0].quotas[0].limit: 0 is not between 1 and 1000000000000`,
			},
		},
		{
			name: "account settings that the API refuses too",
			file: "accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secret: a1-a1\n    name: " + strings.Repeat("鸿", 200) + "\n    alias: A B\n    callback:\n      token: a!SEKRETCFG\n    rate: {per_second: 99999999}\n    max_in_flight: 1001\n    expire_after_seconds: 59\n    quiet_hours: late\n    quotas:\n      - {scope: account, period: day, limit: 1}\n      - {scope: account, period: day, limit: 2}\n",
			want: []string{
				`FILE:3:5: accounts[0].secret: an AppSecret has letters and digits only, at most 128; this one has 5 characters, not all of them such; copy it from WeChat's console`,
				`FILE:4:5: accounts[0].name: "` + strings.Repeat("鸿", 21) + `…" has 200 characters; at most 64`,
				`FILE:5:5: accounts[0].alias: "A B" is not a small letter followed by up to 31 of a-z, 0-9, _ and -`,
				`FILE:7:7: accounts[0].callback.token: must be 3 to 32 letters and digits; it is the one in WeChat's console (服务器配置)`,
				`FILE:8:12: accounts[0].rate.per_second: 99999999 is not between 0 (no limit) and 100000`,
				`FILE:9:5: accounts[0].max_in_flight: 1001 is not between 1 and 1000, nor 0 for the default`,
				`FILE:10:5: accounts[0].expire_after_seconds: 59 is not between 60 and 2592000, nor 0 for the default`,
				`FILE:11:5: accounts[0].quiet_hours: "late" is not like 22:00-08:00 (Beijing time), nor off`,
				`FILE:14:10: accounts[0].quotas[1]: a second rule for the account per day`,
			},
		},
		{
			name: "a wrong type", file: "slots: many\n",
			want: []string{`FILE:1:8: slots: "many" is not a number`},
		},
		{
			name: "a list where a number belongs", file: "slots: [1]\n",
			want: []string{`FILE:1:8: slots: wrong type: this takes a number`},
		},
		{
			name: "a list where a secret belongs", file: "accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secret: [c2VjcmV0LXNlY3JldA]\n",
			want: []string{`FILE:3:13: secret: wrong type: this takes text`},
		},
		{
			name: "no duration", file: "stop_grace: soon\n",
			want: []string{`FILE:1:13: stop_grace: "soon" is not a duration; write something like 10s or 2m`},
		},
		{
			name: "a duration without a unit", file: "stop_grace: 10\n",
			want: []string{`FILE:1:13: stop_grace: "10" is not a duration; write something like 10s or 2m`},
		},
		{
			name: "a key twice", file: "slots: 1\nslots: 2\n",
			want: []string{`FILE:2:1: mapping key "slots" already defined at [1:1]`},
		},
		{
			name: "no YAML", file: "listen: [1\n",
			want: []string{`FILE:1:9: sequence end token ']' not found`},
		},
		{
			name: "a second document", file: "slots: 1\n---\nslots: 2\n",
			want: []string{`FILE:3:1: a second YAML document; only one is read`},
		},
		{
			name: "an account twice", file: "accounts:\n  - {appid: wx0f1e2d3c4b5a6978}\n  - {appid: wx0f1e2d3c4b5a6978}\n",
			want: []string{`FILE:3:6: accounts[1]: "wx0f1e2d3c4b5a6978" is used by accounts[0] already`},
		},
		{
			name: "safe mode without a key", file: "accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    callback:\n      mode: safe\n",
			want: []string{
				`FILE:3:5: accounts[0].callback.aes_key: required in mode safe; copy it from WeChat's console`,
				`FILE:3:5: accounts[0].callback.token: required in mode safe; it is the one in WeChat's console (服务器配置)`,
			},
		},
		{
			name: "a URL of PostgreSQL that is none", file: "database: postgres://user:pass%word@host/db\n",
			want: []string{`FILE:1:1: database: the URL cannot be read; write postgres://USER:PASSWORD@HOST:5432/DATABASE, with signs such as @ / ? % in the password as %40 %2F %3F %25`},
		},
		{
			name: "neither true nor false", file: "compat: {wait: 61s, max_body: -1, accept_app_secret: maybe}\n",
			want: []string{`FILE:1:54: accept_app_secret: "maybe" is not true or false`},
		},
		{
			name: "a retention that is too short", file: "retention: {payload: -1s, messages: 47h, events: 1h}\n",
			want: []string{
				`FILE:1:13: retention.payload: -1s is negative; 0s keeps for ever`,
				`FILE:1:27: retention.messages: 47h0m0s is less than 48h0m0s; 0s keeps for ever`,
				`FILE:1:42: retention.events: 1h0m0s is less than 48h0m0s; 0s keeps for ever`,
			},
		},
		{
			name: "bounds of the compatible surface, and networks", file: "compat: {wait: 61s, max_body: -1}\nallow_private:\n  - 10.0.0.0/8\n  - 10.0.0.300\n  - 10.1.2.3/8\n  - internal\n  - fe80::1%eth0\n",
			want: []string{
				`FILE:1:10: compat.wait: 1m1s is not between 0s and 1m0s`,
				`FILE:1:21: compat.max_body: -1 is negative`,
				`FILE:4:5: allow_private[1]: "10.0.0.300" is neither a prefix nor an address; write something like 10.0.0.0/8 or 192.168.1.20`,
				`FILE:5:5: allow_private[2]: "10.1.2.3/8" is not the beginning of its prefix, which is 10.0.0.0/8; write something like 10.0.0.0/8 or 192.168.1.20`,
				`FILE:6:5: allow_private[3]: "internal" is neither a prefix nor an address; write something like 10.0.0.0/8 or 192.168.1.20`,
				`FILE:7:5: allow_private[4]: "fe80::1%eth0" is neither a prefix nor an address; write something like 10.0.0.0/8 or 192.168.1.20`,
			},
		},
		{
			name: "one address where a list belongs", file: "allow_private: 10.0.0.5\n",
			want: []string{`FILE:1:16: allow_private: wrong type: this takes a list`},
		},
		{
			name: "environment variables of both", environment: map[string]string{"HONGYAN_ALLOW_PRIVATE": "10.0.0.0/8, nowhere", "HONGYAN_COMPAT_ACCEPT_APP_SECRET": "perhaps", "HONGYAN_COMPAT_MAX_BODY": "100MB"},
			want: []string{
				`HONGYAN_COMPAT_ACCEPT_APP_SECRET: "perhaps" is not true or false`,
				`HONGYAN_COMPAT_MAX_BODY: "100MB" is not a number`,
				`allow_private[1]: "nowhere" is neither a prefix nor an address; write something like 10.0.0.0/8 or 192.168.1.20`,
			},
		},
		{
			name: "what the API refuses of downstreams, proxies and paths too",
			file: "accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    token_url: https://token.example.com\n    egress_proxy: user:SEKRETCFG@proxy:1080\n    paths: {deny: [cgi-bin/x]}\n    downstreams:\n      - name: CRM\n        url: http://10.0.0.8\n        mode: safe\n        aes_key: a!SEKRETCFG\n        token: \"\"\n",
			want: []string{
				`FILE:3:5: accounts[0].token_url: only an account with token_source external has one; clear it, or set token_source`,
				`FILE:4:5: accounts[0].egress_proxy: is not the URL of a proxy; write http://HOST:PORT, https://, socks5:// or socks5h://, with USER:PASSWORD@ before the host where the proxy asks for it`,
				`FILE:5:20: accounts[0].paths.deny[0]: "cgi-bin/x" does not begin with /`,
				`FILE:7:9: accounts[0].downstreams[0].name: "CRM" is not a small letter followed by up to 31 of a-z, 0-9, _ and -`,
				`FILE:10:9: accounts[0].downstreams[0].aes_key: must be an EncodingAESKey: 43 letters and digits`,
				`FILE:11:9: accounts[0].downstreams[0].token: required in mode safe, because the account has none either`,
			},
		},
		{
			name: "an environment variable that is no number", environment: map[string]string{"HONGYAN_SLOTS": "many"},
			want: []string{`HONGYAN_SLOTS: "many" is not a number`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := ""
			if tt.file != "" {
				file = writeFile(t, tt.file)
			}
			_, err := Load(file, func(name string) string { return tt.environment[name] }, nil)
			problem, ok := errors.AsType[*ConfigError](err)
			if !ok {
				t.Fatalf("got %v, want a ConfigError", err)
			}
			got := strings.Split(problem.Error(), "\n")
			if file != "" {
				got = strings.Split(strings.ReplaceAll(problem.Error(), file, "FILE"), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestAnAccountWithoutAnySecretIsNamedByItsLine starts on a file that leaves a
// secret to the store: first without a database, then with one that lacks it.
func TestAnAccountWithoutAnySecretIsNamedByItsLine(t *testing.T) {
	file := writeFile(t, "listen: 127.0.0.1:0\naccounts:\n  - appid: wx0f1e2d3c4b5a6978\n")
	const want = "FILE:3:5: accounts[0].secret: there is none, and none is stored; write it here for the first start, or run hongyan account add"
	dir := t.TempDir()
	start := func() {
		t.Helper()
		c, err := Load(file, noEnvironment, func(c *Config) { c.Data = dir })
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), c, Options{Getenv: noEnvironment, Stdout: io.Discard})
		if err == nil {
			_ = s.Close()
			t.Fatal("the gateway starts")
		}
		found, ok := errors.AsType[*ConfigError](Located(file, err))
		if !ok {
			t.Fatalf("got %v, want a ConfigError", err)
		}
		if got := strings.ReplaceAll(found.Error(), file, "FILE"); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	start()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the refused first start left %v, %v", left, err)
	}
	c := Default()
	c.Data = dir
	if err := Migrate(t.Context(), c, Options{Getenv: noEnvironment}); err != nil {
		t.Fatal(err)
	}
	start()
}

func TestLoadOfNoFileAtThePath(t *testing.T) {
	_, err := Load("no-such-file.yaml", noEnvironment, nil)
	if got, want := err.Error(), "no-such-file.yaml: cannot be read: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLoadNeverRepeatsSecrets puts a secret beside, in and behind mistakes.
func TestLoadNeverRepeatsSecrets(t *testing.T) {
	const secret = "5ec2e75ec2e75ec2e75ec2e75ec2e75e"
	for _, file := range []string{
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secret: " + secret + "\n    kindd: service\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secret: [" + secret + "]\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    secret: {a: " + secret + "}\n",
		"accounts:\n  - secret: " + secret + "\n    callback: {mode: safe, aes_key: " + secret + "}\n",
		"accounts:\n  - secret: " + secret + "\n   kind: service\n",
		"accounts:\n  - secret: \"" + secret + "\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    egress_proxy: ftp://user:" + secret + "@10.0.0.5:1080\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    egress_proxy: [" + secret + "]\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    token_url: https://token.example.com/?key=" + secret + "\n",
		"accounts:\n  - appid: wx0f1e2d3c4b5a6978\n    downstreams: [{name: crm, url: 'http://u:" + secret + "@10.0.0.8', token: {a: " + secret + "}}]\n",
		"database: mysql://user:" + secret + "@host\n",
	} {
		_, err := Load(writeFile(t, file), noEnvironment, nil)
		if err == nil {
			t.Errorf("no mistake found in\n%s", file)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is repeated: %v", err)
		}
	}
}

// FuzzLoad: whatever the file holds, Load answers and does not panic.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"listen: x\n", "accounts:\n  - appid: a\n", "a: &x\n  <<: *x\n", "log: *nowhere\n", "- 1\n", "? a\n: b\n", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		_, err := Load(writeFile(t, content), noEnvironment, nil)
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*ConfigError](err); !ok {
			t.Errorf("got %T, want *ConfigError", err)
		}
	})
}
