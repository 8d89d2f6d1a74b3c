package server

import (
	"cmp"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hongyan"
)

// Validate returns every rule the configuration breaks; none means it can be used. It looks at the values alone, not at the
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
	broken = append(broken, a.Check()...)
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
