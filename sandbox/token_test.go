package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const longText = `invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, ` +
	`more details at https://mmbizurl.cn/s/JtxxFh33r`

func TestTokenRequestsAreRefusedInTheOrderOfThePlatform(t *testing.T) {
	s := sandboxtest.New(t)
	id, secret := sandbox.SeedServiceAppID, sandbox.SeedServiceSecret
	for _, tt := range []struct{ name, query, want string }{
		{"no appid", "grant_type=client_credential&secret=" + secret, `{"errcode":41002,"errmsg":"appid missing rid"}`},
		{"unknown appid before a missing grant_type", "appid=wx0000000000000000", `{"errcode":40013,"errmsg":"invalid appid rid"}`},
		{"wrong grant_type", "grant_type=password&appid=" + id, `{"errcode":40002,"errmsg":"invalid grant_type rid"}`},
		{"no secret", "grant_type=client_credential&appid=" + id, `{"errcode":41004,"errmsg":"appsecret missing rid"}`},
		{"wrong secret", "grant_type=client_credential&appid=" + id + "&secret=x", `{"errcode":40125,"errmsg":"invalid appsecret rid"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBody(t, do(t, s, pathToken+"?"+tt.query, ""), tt.want)
		})
	}
	wantBody(t, do(t, s, pathStable, `{"appid":"wx0000000000000000"}`), `{"errcode":40013,"errmsg":"invalid appid rid"}`)
	wantBody(t, do(t, s, pathStable, `{"appid":`), `{"errcode":47001,"errmsg":"data format error rid"}`)
	wantBody(t, do(t, s, pathStable, ""), `{"errcode":43002,"errmsg":"require POST method rid"}`)
}

func TestTokenAnswerHasNoErrcode(t *testing.T) {
	s := sandboxtest.New(t)
	got := do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), "")
	want := regexp.MustCompile(`^\{"access_token":"92_[A-Za-z0-9_-]{136}","expires_in":7200\}$`)
	if !want.MatchString(got.body) {
		t.Errorf("body = %s, want %s", got.body, want)
	}
	if got, want := got.header.Get("Content-Type"), "application/json; encoding=utf-8"; got != want {
		t.Errorf("Content-Type = %q, want %q", got, want)
	}
	if got, want := got.header.Get("X-Hongyan-Sandbox"), "not WeChat"; got != want {
		t.Errorf("X-Hongyan-Sandbox = %q, want %q", got, want)
	}
}

func TestTokensCanBeAsLongAsStorageMustHold(t *testing.T) {
	s := sandboxtest.New(t)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{TokenLength: new(512)}))
	token := plainToken(t, s).AccessToken
	if len(token) != 512 {
		t.Errorf("token of %d characters, want 512", len(token))
	}
	wantCode(t, do(t, s, with(pathDomainIP, token), ""), 0)
	if err := s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{TokenLength: new(4097)}); err == nil {
		t.Error("a token_length of 4097 was taken")
	}
}

func TestTheReplacedTokenLivesFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		first := plainToken(t, s).AccessToken
		second := plainToken(t, s).AccessToken
		time.Sleep(5*time.Minute - time.Second)
		wantCode(t, do(t, s, with(pathDomainIP, first), ""), 0)
		time.Sleep(time.Second)
		wantBody(t, do(t, s, with(pathDomainIP, first), ""), `{"errcode":40001,"errmsg":"`+longText+` rid"}`)
		wantCode(t, do(t, s, with(pathDomainIP, second), ""), 0)
	})
}

func TestTheTokenBeforeTheReplacedOneDiesAtOnce(t *testing.T) {
	s := sandboxtest.New(t)
	first := plainToken(t, s).AccessToken
	second := plainToken(t, s).AccessToken
	_ = plainToken(t, s)
	wantCode(t, do(t, s, with(pathDomainIP, first), ""), 40001)
	wantCode(t, do(t, s, with(pathDomainIP, second), ""), 0)
}

func TestTheTwoTokenSpacesDoNotDisturbEachOther(t *testing.T) {
	s := sandboxtest.New(t)
	stable := stableToken(t, s, false).AccessToken
	plain := plainToken(t, s).AccessToken
	_, _ = plainToken(t, s), plainToken(t, s)
	wantCode(t, do(t, s, with(pathDomainIP, stable), ""), 0)
	wantCode(t, do(t, s, with(pathDomainIP, plain), ""), 40001)
}

func TestTokenErrorsOnCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		old := plainToken(t, s).AccessToken
		time.Sleep(2 * time.Hour)
		for _, tt := range []struct{ name, target, want string }{
			{"no token", pathDomainIP, `{"errcode":41001,"errmsg":"access_token missing rid"}`},
			{"unknown token", with(pathDomainIP, "92_unknown"), `{"errcode":40001,"errmsg":"` + longText + ` rid"}`},
			{"no token at all by its looks", with(pathDomainIP, "not%20a%20token"), `{"errcode":40014,"errmsg":"invalid access_token rid"}`},
			{"expired token", with(pathDomainIP, old), `{"errcode":42001,"errmsg":"access_token expired rid"}`},
		} {
			wantBody(t, do(t, s, tt.target, ""), tt.want)
		}
		s.Sandbox.Configure(sandbox.Settings{MalformedToken40014: new(false)})
		wantCode(t, do(t, s, with(pathDomainIP, "not%20a%20token"), ""), 40001)
	})
}

func TestShort40001TextAndSuffixesAreSwitches(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	mustNil(t, s.Sandbox.RevokeToken(sandbox.SeedServiceAppID))
	for _, tt := range []struct{ suffix, want string }{
		{"rid", `"invalid credential, access_token is invalid or not latest rid: [0-9a-f-]{26}"`},
		{"hint", `"invalid credential, access_token is invalid or not latest hint: \[[A-Za-z0-9]{14}\]"`},
		{"both", `not latest hint: \[[A-Za-z0-9]{14}\] rid: [0-9a-f-]{26}"`},
		{"none", `"invalid credential, access_token is invalid or not latest"`},
	} {
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{
			Switches: sandbox.Switches{ErrMsgSuffix: tt.suffix, Long40001: new(false)},
		}))
		got := do(t, s, with(pathDomainIP, token), "")
		if !regexp.MustCompile(tt.want).MatchString(got.body) {
			t.Errorf("suffix %s: body = %s, want %s", tt.suffix, got.body, tt.want)
		}
	}
}

func TestStableTokenStaysTheSameUntilItsLastFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		first := stableToken(t, s, false)
		time.Sleep(114 * time.Minute)
		again := stableToken(t, s, false)
		if again.AccessToken != first.AccessToken || again.ExpiresIn != 360 {
			t.Errorf("with 6 minutes left: same = %t, expires_in = %d, want true, 360",
				again.AccessToken == first.AccessToken, again.ExpiresIn)
		}
		time.Sleep(time.Minute)
		renewed := stableToken(t, s, false)
		if renewed.AccessToken == first.AccessToken || renewed.ExpiresIn != 7200 {
			t.Errorf("with 5 minutes left: same = %t, expires_in = %d, want false, 7200",
				renewed.AccessToken == first.AccessToken, renewed.ExpiresIn)
		}
		time.Sleep(5*time.Minute - time.Second)
		wantCode(t, do(t, s, with(pathDomainIP, first.AccessToken), ""), 0)
		time.Sleep(time.Second)
		wantCode(t, do(t, s, with(pathDomainIP, first.AccessToken), ""), 40001)
	})
}

func TestForcedRefreshKillsTheOldTokenAndNeedsThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		first := stableToken(t, s, false).AccessToken
		second := stableToken(t, s, true).AccessToken
		wantCode(t, do(t, s, with(pathDomainIP, first), ""), 40001)
		time.Sleep(30*time.Second - time.Millisecond)
		if got := stableToken(t, s, true).AccessToken; got != second {
			t.Error("a second forced refresh inside 30 s made a new token, want the same")
		}
		time.Sleep(time.Millisecond)
		if got := stableToken(t, s, true).AccessToken; got == second {
			t.Error("a forced refresh after 30 s returned the same token, want a new one")
		}
	})
}

func TestAForcedRefreshNeverReturnsAnExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{TokenTTL: new(10)}))
		first := stableToken(t, s, true)
		time.Sleep(10 * time.Second)
		got := stableToken(t, s, true)
		if got.AccessToken == first.AccessToken || got.ExpiresIn != 10 {
			t.Errorf("same token = %t, expires_in = %d, want false, 10", got.AccessToken == first.AccessToken, got.ExpiresIn)
		}
	})
}

func TestForcedRefreshesAreTwentyADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		for range 20 {
			wantCode(t, do(t, s, pathStable, stableBody(true)), 0)
			time.Sleep(30 * time.Second)
		}
		wantBody(t, do(t, s, pathStable, stableBody(true)), `{"errcode":45009,"errmsg":"reach max api daily quota limit rid"}`)
		wantCode(t, do(t, s, pathStable, stableBody(false)), 0)
	})
}

func TestPlainTokenFetchesAreLimitedPerBeijingDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins 2000-01-01 08:00 in Beijing
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{TokenDailyLimit: new(2)}))
		target := tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
		for _, want := range []int{0, 0, 45009} {
			wantCode(t, do(t, s, target, ""), want)
		}
		time.Sleep(16*time.Hour - time.Second)
		wantCode(t, do(t, s, target, ""), 45009)
		time.Sleep(time.Second)
		wantCode(t, do(t, s, target, ""), 0)
	})
}

func TestRevokedTokens(t *testing.T) {
	s := sandboxtest.New(t)
	plain, stable := plainToken(t, s).AccessToken, stableToken(t, s, false).AccessToken
	mustNil(t, s.Sandbox.RevokeToken(sandbox.SeedServiceAppID, true))
	wantCode(t, do(t, s, with(pathDomainIP, plain), ""), 40001)
	wantCode(t, do(t, s, with(pathDomainIP, stable), ""), 40001)
	if got := stableToken(t, s, false).AccessToken; got != stable {
		t.Error("normal mode made a new token, want the dead one as asked")
	}
	forced := stableToken(t, s, true).AccessToken
	wantCode(t, do(t, s, with(pathDomainIP, forced), ""), 0)

	mustNil(t, s.Sandbox.RevokeToken(sandbox.SeedServiceAppID))
	wantCode(t, do(t, s, with(pathDomainIP, stableToken(t, s, false).AccessToken), ""), 0)
}

func TestShortTokensKeepToTheirLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{TokenTTL: new(120)}))
		first := stableToken(t, s, false)
		if first.ExpiresIn != 120 {
			t.Errorf("expires_in = %d, want 120", first.ExpiresIn)
		}
		time.Sleep(time.Minute)
		if got := stableToken(t, s, false); got.AccessToken != first.AccessToken || got.ExpiresIn != 60 {
			t.Errorf("after a minute: same = %t, expires_in = %d, want true, 60", got.AccessToken == first.AccessToken, got.ExpiresIn)
		}
		time.Sleep(time.Minute)
		wantCode(t, do(t, s, with(pathDomainIP, first.AccessToken), ""), 42001)
	})
}

func TestTheWhitelistNamesTheCaller(t *testing.T) {
	s := sandboxtest.New(t)
	target := tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{IPWhitelist: &[]string{"203.0.113.0/24"}}))
	wantBody(t, do(t, s, target, ""),
		`{"errcode":40164,"errmsg":"invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid"}`)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{IPWhitelist: &[]string{"127.0.0.1"}}))
	wantCode(t, do(t, s, target, ""), 0)

	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{IPWhitelist: &[]string{"2001:db8::/64"}}))
	for _, tt := range []struct{ caller, want string }{
		{"[2001:db8::5]:80", `{"access_token":"`},
		{"[2001:db8:1::5]:80", `{"errcode":40164,"errmsg":"invalid ip 2001:db8:1::5 ipv6 2001:db8:1::5, not in whitelist rid`},
		{"[::ffff:192.0.2.1]:80", `{"errcode":40164,"errmsg":"invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist rid`},
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.RemoteAddr = tt.caller
		w := httptest.NewRecorder()
		s.Sandbox.Handler().ServeHTTP(w, r)
		if got := w.Body.String(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("from %s: %s, want it to begin %s", tt.caller, got, tt.want)
		}
	}
}

func TestTokensAreNeverShown(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	do(t, s, with(pathSend, token), orderBody(user, ""))
	for _, path := range []string{"ledger", "stats", "accounts", "faults", "inbox/" + user} {
		if got := do(t, s, "/sandbox/v1/"+path, ""); strings.Contains(got.body, token) {
			t.Errorf("GET %s shows an access_token", path)
		}
	}
}

func TestTheSameSeedGivesTheSameIds(t *testing.T) {
	first, second := sandboxtest.New(t, sandbox.Options{Seed: 7}), sandboxtest.New(t, sandbox.Options{Seed: 7})
	other := sandboxtest.New(t, sandbox.Options{Seed: 8})
	want := plainToken(t, first).AccessToken
	if got := plainToken(t, second).AccessToken; got != want {
		t.Errorf("token of the same seed = %s, want %s", got, want)
	}
	if got := plainToken(t, other).AccessToken; got == want {
		t.Error("another seed gave the same token")
	}
}

func TestMiniProgramsAreExemptFromTheWhitelist(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, sandbox.AccountSpec{IPWhitelist: &[]string{"203.0.113.0/24"}})
	wantCode(t, do(t, s, tokenTarget(sandbox.SeedMiniAppID, sandbox.SeedMiniSecret), ""), 0)
}

func TestARIDBeginsWithTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		for _, later := range []time.Duration{0, 1000 * time.Second} {
			advance(t, s, later)
			got := do(t, s, pathDomainIP, "")
			if want := fmt.Sprintf(" rid: %08x-", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(later).Unix()); !strings.Contains(got.body, want) {
				t.Errorf("after %v: %s, want%s…", later, got.body, want)
			}
		}
	})
}

func TestStableTokenIsLimitedByTheMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := sandbox.New(sandbox.Options{})
		h := box.Handler()
		fetch := func() int {
			return codeOf(t, served(h, httptest.NewRequest(http.MethodPost, pathStable, strings.NewReader(stableBody(false)))))
		}
		for n := range 10_000 {
			if got := fetch(); got != 0 {
				t.Fatalf("fetch %d: errcode %d, want 0", n+1, got)
			}
		}
		if got := fetch(); got != 45011 {
			t.Errorf("fetch 10001 of the minute: errcode %d, want 45011", got)
		}
		mustNil(t, box.Advance(time.Minute))
		if got := fetch(); got != 0 {
			t.Errorf("a minute later: errcode %d, want 0", got)
		}
	})
}

// What the platform says of a replaced token whose own end comes before that of the
// five minutes (spec §3.4, the simulator rule).
func TestAReplacedTokenPastItsOwnEndIsNotTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		first := plainToken(t, s).AccessToken
		time.Sleep(2*time.Hour - time.Minute)
		plainToken(t, s)
		time.Sleep(time.Minute - time.Second)
		wantCode(t, do(t, s, with(pathDomainIP, first), ""), 0)
		time.Sleep(time.Second)
		wantCode(t, do(t, s, with(pathDomainIP, first), ""), 40001)

		current := plainToken(t, s).AccessToken
		time.Sleep(2 * time.Hour)
		wantCode(t, do(t, s, with(pathDomainIP, current), ""), 42001)
		plainToken(t, s)
		wantCode(t, do(t, s, with(pathDomainIP, current), ""), 40001)
	})
}
