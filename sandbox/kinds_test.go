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
