package server

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// Validate returns every rule the configuration breaks, in the order of its
// fields; none means it can be used. It looks at the values alone, not at the
// machine: files and ports are tried by New.
func (c *Config) Validate() []Problem {
	var ps problems
	ps.listen(c.Listen)
	ps.check(c.Data != "", "data", "must name a folder", "")
	ps.database(c.Database)
	ps.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	ps.oneOf("log.format", c.Log.Format, "text", "json")
	ps.check(c.Slots >= 0, "slots", fmt.Sprintf("%d is negative", c.Slots), "")
	ps.check(c.StopGrace >= 0, "stop_grace", fmt.Sprintf("%v is negative", c.StopGrace), "")
	ps.check(c.OrphanAfter >= 0, "orphan_after", fmt.Sprintf("%v is negative", c.OrphanAfter), "")
	ps.accounts(c.Accounts)
	return ps
}

type problems []Problem

// check adds a problem unless ok.
func (ps *problems) check(ok bool, key, text, cure string) {
	if !ok {
		*ps = append(*ps, Problem{Key: key, Text: text, Cure: cure})
	}
}

// oneOf requires one of the words; "" is among them when it is listed.
func (ps *problems) oneOf(key, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	cure := "use " + strings.Join(words, ", ")
	if near := nearest(value, words); near != "" {
		cure = fmt.Sprintf("did you mean %q?", near)
	}
	ps.check(false, key, fmt.Sprintf("%q is not one of its words", value), strings.Replace(cure, "use , ", "use ", 1))
}

func (ps *problems) listen(address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	ps.check(err == nil, "listen", fmt.Sprintf("%q is not host:port", address), "write something like 127.0.0.1:7800")
}

func (ps *problems) database(database string) {
	switch {
	case database == "" || strings.HasPrefix(database, sqlitePrefix) && len(database) > len(sqlitePrefix):
	case strings.HasPrefix(database, "postgres://"), strings.HasPrefix(database, "postgresql://"):
		// The value may hold a password: it is not repeated.
		ps.check(false, "database", "PostgreSQL is not in this build yet", "use sqlite:PATH")
	default:
		ps.check(false, "database", "is not of the form sqlite:PATH", "write sqlite:./data/hongyan.db, or leave it out")
	}
}

func (ps *problems) accounts(accounts []AccountConfig) {
	seen := map[string]string{}
	for i := range accounts {
		key := fmt.Sprintf("accounts[%d]", i)
		ps.account(key, &accounts[i])
		for _, name := range []string{accounts[i].AppID, accounts[i].Alias} {
			if name == "" {
				continue
			}
			if first, twice := seen[name]; twice {
				ps.check(false, key, fmt.Sprintf("%q is used by %s already", name, first), "")
			}
			seen[name] = key
		}
	}
}

// appIDForm is what every appid looks like (spec §1).
var appIDForm = regexp.MustCompile(`^wx[0-9a-f]{16}$`)

func (ps *problems) account(key string, a *AccountConfig) {
	ps.check(appIDForm.MatchString(a.AppID), key+".appid", fmt.Sprintf("%q is not wx and 16 hexadecimal digits", a.AppID), "copy it from WeChat's console")
	ps.oneOf(key+".kind", string(a.Kind), "", "service", "mini_program", "subscription", "test")
	ps.baseURL(key+".base_url", a.BaseURL)
	ps.callback(key+".callback", a.Callback)
	ps.check(a.Rate.PerSecond >= 0, key+".rate.per_second", fmt.Sprintf("%v is negative", a.Rate.PerSecond), "")
	ps.check(a.MaxInFlight >= 0, key+".max_in_flight", fmt.Sprintf("%d is negative", a.MaxInFlight), "")
	for i, q := range a.Quotas {
		at := fmt.Sprintf("%s.quotas[%d]", key, i)
		ps.oneOf(at+".scope", q.Scope, "account", "template")
		ps.oneOf(at+".period", q.Period, "day", "month")
		ps.check(q.Limit > 0, at+".limit", fmt.Sprintf("%d is not 1 or more", q.Limit), "")
	}
	ps.oneOf(key+".uncertain_policy", string(a.UncertainPolicy), "", "hold", "resend", "give_up")
	ps.oneOf(key+".token_source", string(a.TokenSource), "", "stable", "plain")
	ps.check(a.ExpireAfterSeconds >= 0, key+".expire_after_seconds", fmt.Sprintf("%d is negative", a.ExpireAfterSeconds), "")
	if _, err := hongyan.ParseQuietHours(a.QuietHours); err != nil {
		ps.check(false, key+".quiet_hours", fmt.Sprintf("%q is not a span of hours", a.QuietHours), "write 22:00-08:00 (Beijing time) or off")
	}
}

func (ps *problems) callback(key string, c CallbackConfig) {
	_, err := wechat.ParseCallbackMode(c.Mode)
	ps.check(c.Mode == "" || err == nil, key+".mode", fmt.Sprintf("%q is not one of its words", c.Mode), "use plain, compatible or safe")
	encrypted := c.Mode == "compatible" || c.Mode == "safe"
	if c.AESKey == "" {
		ps.check(!encrypted, key+".aes_key", c.Mode+" mode needs it", "copy EncodingAESKey from WeChat's console")
		return
	}
	_, err = wechat.ParseAESKey(c.AESKey.Reveal())
	ps.check(err == nil, key+".aes_key", "is not an EncodingAESKey of 43 letters and digits", "copy it from WeChat's console")
}

// baseURL keeps AppSecrets off the open network (S79): only loopback may do without https.
func (ps *problems) baseURL(key, base string) {
	if base == "" {
		return
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		ps.check(false, key, "is not a plain URL", "write https://host")
		return
	}
	ps.check(u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()), key,
		fmt.Sprintf("%q is not https, and its host is not loopback", u.Scheme+"://"+u.Host), "write https://")
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
