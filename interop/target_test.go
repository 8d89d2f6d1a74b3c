package interop

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// login is what a client is configured with.
type login struct{ appID, secret string }

// target is where clients are pointed: the sandbox, or whatever speaks the same
// protocol in front of it. platform is where every message must arrive in the end.
type target struct {
	baseURL       string
	service, mini login
	platform      *sandbox.Sandbox
}

// theSandbox is a sandbox of the test's own, on a real port because Node has no other.
func theSandbox(t *testing.T, opts sandbox.Options) target {
	t.Helper()
	opts.DeliveryDelay = -1 // shown before the send is answered
	s := sandboxtest.New(t, opts)
	return target{
		baseURL:  s.URL,
		service:  login{sandbox.SeedServiceAppID, sandbox.SeedServiceSecret},
		mini:     login{sandbox.SeedMiniAppID, sandbox.SeedMiniSecret},
		platform: s.Sandbox,
	}
}

// arrived is the calls of that path to that user.
func (at target) arrived(path, openid string) []sandbox.LedgerEntry {
	return at.platform.Ledger(sandbox.LedgerFilter{Path: path, ToUser: openid})
}

// calls is the last element of the path of every call after the ledger's entry
// number after, with its errcode: "send 40001".
func (at target) calls(after int64) []string {
	var out []string
	for _, row := range at.platform.Ledger(sandbox.LedgerFilter{After: after}) {
		out = append(out, fmt.Sprintf("%s %d", path.Base(row.Path), row.ErrCode))
	}
	return out
}

// newest is the number of the ledger's last entry.
func (at target) newest() int64 {
	rows := at.platform.Ledger(sandbox.LedgerFilter{})
	if len(rows) == 0 {
		return 0
	}
	return rows[len(rows)-1].Seq
}

// seen is what the user sees of his messages: for each the title, then the lines,
// then where a tap leads.
func (at target) seen(openid string) [][]string {
	var out [][]string
	for _, m := range at.platform.Inbox(openid) {
		card := []string{m.Title}
		for _, l := range m.Lines {
			line := l.Label + "=" + l.Value
			if l.Emphasis {
				line += " (large)"
			}
			card = append(card, line)
		}
		jump := strings.TrimSpace(m.Jump.Kind + " " + m.Jump.URL + m.Jump.AppID + " " + m.Jump.PagePath)
		out = append(out, append(card, "→ "+jump))
	}
	return out
}

// client is a package that calls the platform, in one way of configuring it.
type client struct {
	name   string
	script string
	stable bool // fetches its token from stable_token
	mini   bool // has what mini programs need
	raises bool // an errcode other than 0 becomes an error; else the caller must look for it
	rounds bool // reads msgid as a floating-point number and loses its last digits
}

var clients = []client{
	{name: "co-wechat-api", script: "co-wechat-api", mini: true, raises: true},
	{name: "wechat-api", script: "wechat-api", raises: true, rounds: true},
	{name: "node-easywechat", script: "node-easywechat", mini: true, rounds: true},
	{name: "node-easywechat with stable_token", script: "node-easywechat", mini: true, stable: true, rounds: true},
}

func (c client) forService(t *testing.T, at target) *script {
	return c.open(t, at, at.service, "service")
}

func (c client) forMini(t *testing.T, at target) *script {
	return c.open(t, at, at.mini, "mini")
}

func (c client) open(t *testing.T, at target, as login, kind string) *script {
	t.Helper()
	return start(t, c.script, settings{
		"BASE_URL": at.baseURL, "APPID": as.appID, "SECRET": as.secret,
		"KIND": kind, "STABLE": strconv.FormatBool(c.stable),
	})
}

// fetches is the call that fetches its token.
func (c client) fetches() string {
	if c.stable {
		return "stable_token"
	}
	return "token"
}

// sees is the msgid as the client's user gets it.
func (c client) sees(msgID string) string {
	if !c.rounds {
		return msgID
	}
	f, err := strconv.ParseFloat(msgID, 64)
	if err != nil {
		return err.Error()
	}
	return strconv.FormatFloat(f, 'f', -1, 64) // as JavaScript prints it
}
