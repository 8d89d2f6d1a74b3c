package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/store/postgres"
)

// Validate returns every rule the configuration breaks; none means it can be used. It looks at the values alone, not at the
// machine: files and ports are tried by New.
func (c *Config) Validate() []Problem {
	var ps problems
	ps.listen(c.Listen)
	ps.check(c.Data != "", "data", "must name a folder", "")
	ps.database(c)
	ps.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	ps.oneOf("log.format", c.Log.Format, "text", "json")
	ps.check(c.Slots >= 0, "slots", fmt.Sprintf("%d is negative", c.Slots), "")
	ps.check(c.Lease == 0 || c.Lease >= time.Second, "lease", fmt.Sprintf("%v is shorter than 1s", c.Lease), "a process that is busy for a moment would lose its messages to another")
	ps.check(c.StopGrace >= 0, "stop_grace", fmt.Sprintf("%v is negative", c.StopGrace), "")
	ps.check(c.OrphanAfter >= 0, "orphan_after", fmt.Sprintf("%v is negative", c.OrphanAfter), "")
	ps.compat(&c.Compat)
	_, refused := parsePrefixes(c.AllowPrivate)
	ps = append(ps, refused...)
	ps.accounts(c.Accounts)
	return ps
}

// maxCompatWait keeps callers' connections from piling up while WeChat is slow.
const maxCompatWait = time.Minute

func (ps *problems) compat(c *CompatConfig) {
	ps.check(c.Wait >= 0 && c.Wait <= maxCompatWait, "compat.wait", fmt.Sprintf("%v is not between 0s and %v", c.Wait, maxCompatWait), "")
	ps.check(c.MaxBody >= 0, "compat.max_body", fmt.Sprintf("%d is negative", c.MaxBody), "")
}

// AllowedPrefixes returns AllowPrivate as prefixes, a single address as one of
// its whole length. Validate has seen to it that all can be read.
func (c *Config) AllowedPrefixes() []netip.Prefix {
	prefixes, _ := parsePrefixes(c.AllowPrivate)
	return prefixes
}

func parsePrefixes(texts []string) (prefixes []netip.Prefix, refused problems) {
	for i, text := range texts {
		p, rule := parsePrefix(strings.TrimSpace(text))
		refused.check(rule == "", fmt.Sprintf("allow_private[%d]", i), fmt.Sprintf("%q %s", text, rule), "write something like 10.0.0.0/8 or 192.168.1.20")
		if rule == "" {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, refused
}

// parsePrefix reads a prefix or a single address, and otherwise says what rule
// is broken. One with bits behind its length is refused: either the length or
// the address is not what was meant.
func parsePrefix(text string) (netip.Prefix, string) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), ""
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, "is neither a prefix nor an address"
	case p != p.Masked():
		return p, fmt.Sprintf("is not the beginning of its prefix, which is %s", p.Masked())
	}
	return p, ""
}

type problems []Problem

// check adds a problem unless ok.
func (ps *problems) check(ok bool, key, text, cure string) {
	if !ok {
		*ps = append(*ps, Problem{Key: key, Text: text, Cure: cure})
	}
}

// oneOf requires one of the words.
func (ps *problems) oneOf(key, value string, words ...string) {
	rule := hongyan.OneOf(value, words...)
	ps.check(rule == "", key, rule, "")
}

func (ps *problems) listen(address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	ps.check(err == nil, "listen", fmt.Sprintf("%q is not host:port", address), "write something like 127.0.0.1:7800")
}

// database does not repeat the value, which may hold a password.
func (ps *problems) database(c *Config) {
	switch {
	case c.OnPostgres():
		if e, ok := errors.AsType[*hongyan.Error](postgres.CheckURL(c.Database)); ok {
			ps.check(false, "database", e.Message, e.Hint)
		}
	case c.Database != "":
		ps.check(strings.HasPrefix(c.Database, sqlitePrefix) && len(c.Database) > len(sqlitePrefix), "database",
			"is neither sqlite:PATH nor a postgres:// URL", "write sqlite:./data/hongyan.db or postgres://USER:PASSWORD@HOST:5432/DATABASE, or leave it out")
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

// cures say where the right value comes from, by the pointers of hongyan.Account.Check.
var cures = map[string]string{
	"/appid":            "copy it from WeChat's console",
	"/secret":           "copy it from WeChat's console",
	"/callback/aes_key": "copy it from WeChat's console",
	"/callback/token":   "it is the one in WeChat's console (服务器配置)",
}

// account holds an account of the file to the rules of POST /v1/accounts.
func (ps *problems) account(key string, c *AccountConfig) {
	a, broken := c.account()
	broken = append(broken, slices.DeleteFunc(a.Check(), c.leftToStore)...)
	ps.broken(key, broken)
}

// leftToStore reports whether f complains of a secret that the file leaves out:
// whether there is one is known only where it is stored.
func (c *AccountConfig) leftToStore(f hongyan.FieldError) bool {
	for i := range c.Downstreams {
		at := fmt.Sprintf("/downstreams/%d", i)
		if c.Downstreams[i].Token == nil && f.Pointer == at+"/token" || c.Downstreams[i].AESKey == nil && f.Pointer == at+"/aes_key" {
			return true
		}
	}
	return false
}

// broken adds the broken rules of the account at key.
func (ps *problems) broken(key string, broken []hongyan.FieldError) {
	slices.SortStableFunc(broken, func(a, b hongyan.FieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	for _, f := range broken {
		ps.check(false, key+settingOf(f.Pointer), f.Detail, cures[f.Pointer])
	}
}

// settingOf turns "/quotas/0/limit" into ".quotas[0].limit".
func settingOf(pointer string) string {
	return pointerIndex.ReplaceAllString(strings.ReplaceAll(pointer, "/", "."), "[$1]")
}

var pointerIndex = regexp.MustCompile(`\.(\d+)`)
