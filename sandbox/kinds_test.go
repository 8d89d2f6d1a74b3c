package sandbox_test

import (
	"testing"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// Who may use which family of APIs (spec §4.1, §4.6, §6.4, §7.3): 48001, or anything else.
func TestEachKindOfAccountHasItsAPIs(t *testing.T) {
	const yes, no = true, false
	paths := []string{pathSend, pathSetIndustry, pathMiniLibrary, pathMiniSend, pathSubscribe, pathBizSend, pathOneTime, pathPrivate}
	for _, tt := range []struct {
		kind     string
		verified bool
		may      []bool // by path
	}{
		{"service", yes, []bool{yes, yes, no, no, no, yes, yes, yes}},
		{"service", no, []bool{no, no, no, no, no, no, no, no}},
		{"subscription", yes, []bool{no, no, no, no, no, no, no, no}},
		{"test", yes, []bool{yes, yes, no, no, no, no, no, no}},
		{"mini_program", yes, []bool{no, no, yes, yes, yes, no, no, yes}},
	} {
		s := sandboxtest.New(t)
		const appid, secret = "wxc3c3c3c3c3c3c3c3", "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
		mustNil(t, s.Sandbox.AddAccount(sandbox.AccountSpec{AppID: appid, Secret: secret, Kind: tt.kind, Verified: &tt.verified}))
		var token tokenBody
		mustDecode(t, do(t, s, tokenTarget(appid, secret), ""), &token)
		for i, path := range paths {
			if got := codeOf(t, do(t, s, with(path, token.AccessToken), `{}`)) != 48001; got != tt.may[i] {
				t.Errorf("%s, verified %t: may use %s = %t, want %t", tt.kind, tt.verified, path, got, tt.may[i])
			}
		}
	}
}

// What each kind is held to (spec §3.1, §4.1, §4.6, §6.2).
func TestEachKindOfAccountHasItsLimits(t *testing.T) {
	for _, tt := range []struct {
		kind                             string
		fetches, templates, sends, sendA int
	}{
		{"service", 2000, 25, 100_000, 10_000},
		{"subscription", 2000, 25, 100_000, 10_000},
		{"test", 200, 10, 100_000, 10_000},
		{"mini_program", 2000, 25, 1_000_000, 1_000_000},
	} {
		s := sandboxtest.New(t)
		const appid = "wxc3c3c3c3c3c3c3c3"
		mustNil(t, s.Sandbox.AddAccount(sandbox.AccountSpec{AppID: appid, Kind: tt.kind}))
		got := s.Sandbox.Accounts()[2]
		if *got.TokenDailyLimit != tt.fetches || *got.TemplateLimit != tt.templates || *got.DailyQuota != tt.sends {
			t.Errorf("%s: %d fetches, %d templates, %d sends; want %d, %d, %d", tt.kind,
				*got.TokenDailyLimit, *got.TemplateLimit, *got.DailyQuota, tt.fetches, tt.templates, tt.sends)
		}
		mustNil(t, s.Sandbox.UpdateAccount(appid, sandbox.AccountSpec{Era: "A"}))
		if got := *s.Sandbox.Accounts()[2].DailyQuota; got != tt.sendA {
			t.Errorf("%s in era A: %d sends a day, want %d", tt.kind, got, tt.sendA)
		}
	}
}
