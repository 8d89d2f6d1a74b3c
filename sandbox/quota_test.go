package sandbox_test

import (
	"fmt"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	pathClear       = "/cgi-bin/clear_quota"
	pathClearV2     = "/cgi-bin/clear_quota/v2"
	pathQuotaGet    = "/cgi-bin/openapi/quota/get"
	pathQuotaClear  = "/cgi-bin/openapi/quota/clear"
	pathCallbackIPs = "/cgi-bin/getcallbackip"
	pathCheck       = "/cgi-bin/callback/check"

	tooOften = `{"errcode":48006,"errmsg":"forbid to clear quota because of reaching the limit rid"}`
	wireOK   = `{"errcode":0,"errmsg":"ok"}`
)

func cgiPath(path string) string { return body(member("cgi_path", path)) }

func quotaBody(limit, used, perMinute int) string {
	refresh := 0
	if perMinute > 0 {
		refresh = 60
	}
	return fmt.Sprintf(`{"errcode":0,"errmsg":"ok","quota":{"daily_limit":%d,"used":%d,"remain":%d},`+
		`"rate_limit":{"call_count":%d,"refresh_second":%d},"component_rate_limit":{"call_count":0,"refresh_second":0}}`,
		limit, used, limit-used, perMinute, refresh)
}

func TestQuotaGetShowsWhatCallsAreHeldTo(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, sandbox.AccountSpec{DailyQuota: new(2), MinuteQuota: new(100)})
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"untouched", pathQuotaGet, cgiPath(pathSend), quotaBody(2, 0, 100)},
		{"a send", pathSend, orderBody(user, ""), `0`},
		{"a send refused for its data counts", pathSend, body(toUser, toOrder, badData), `47003`},
		{"used up", pathQuotaGet, cgiPath(pathSend), quotaBody(2, 2, 100)},
		{"a send too many", pathSend, orderBody(user, ""), `45009`},
		{"which does not count", pathQuotaGet, cgiPath(pathSend), quotaBody(2, 2, 100)},
		{"the look-up itself", pathQuotaGet, cgiPath(pathQuotaGet), quotaBody(100_000, 4, 0)},
		{"a host", pathQuotaGet, cgiPath("https://api.weixin.qq.com" + pathSend), `{"errcode":76021,"errmsg":"cgi_path not found, please check rid"}`},
		{"a query", pathQuotaGet, cgiPath(pathSend + "?x=1"), `76021`},
		{"no slash", pathQuotaGet, cgiPath("cgi-bin/token"), `76021`},
		{"nothing", pathQuotaGet, `{}`, `76021`},
		{"a mini program's API", pathQuotaGet, cgiPath(pathMiniSend), `{"errcode":76022,"errmsg":"could not use this cgi_path，no permission rid"}`},
		{"clearing one API", pathQuotaClear, cgiPath(pathSend), wireOK},
		{"cleared", pathQuotaGet, cgiPath(pathSend), quotaBody(2, 0, 100)},
		{"clearing an unknown one", pathQuotaClear, cgiPath("/x"), `76021`},
	})
	setService(t, s, sandbox.AccountSpec{DailyQuota: new(-1)})
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"no limit", pathQuotaGet, cgiPath(pathSend), quotaBody(1<<31-1, 0, 100)}})
}

func TestAnAPIIsClearedFiftyTimesAMonth(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	for n := range 50 {
		if got := do(t, s, with(pathQuotaClear, token), cgiPath(pathSend)); codeOf(t, got) != 0 {
			t.Fatalf("clear %d: %s", n+1, got.body)
		}
	}
	wantBody(t, do(t, s, with(pathQuotaClear, token), cgiPath(pathSend)), tooOften)
	advance(t, s, 31*24*time.Hour)
	wantCode(t, do(t, s, with(pathQuotaClear, plainToken(t, s).AccessToken), cgiPath(pathSend)), 0)
}

func TestClearingAllIsSharedByThreeWaysAndTenTimesAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		setService(t, s, sandbox.AccountSpec{DailyQuota: new(1), TokenDailyLimit: new(1)})
		mine := body(member("appid", sandbox.SeedServiceAppID))
		v2 := body(member("appid", sandbox.SeedServiceAppID), member("appsecret", sandbox.SeedServiceSecret))
		button := func() reply {
			return do(t, s, control+"accounts/"+sandbox.SeedServiceAppID+"/clear_quota", "{}")
		}
		token := plainToken(t, s).AccessToken
		wantCode(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""), 45009)
		wantBody(t, do(t, s, pathClearV2, v2), wireOK) // 1: the way out
		wantCode(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""), 0)
		exchangeAll(t, s, func() string { return token }, []exchange{
			{"the day's only send", pathSend, orderBody(user, ""), `0`},
			{"one more", pathSend, orderBody(user, ""), `45009`},
			{"no appid", pathClear, `{}`, `{"errcode":40013,"errmsg":"invalid appid rid"}`},
			{"another's appid", pathClear, body(member("appid", sandbox.SeedMiniAppID)), `40013`},
			{"v2 without an appid", pathClearV2, `{}`, `41002`},
			{"v2 of nobody", pathClearV2, `{"appid":"wx0000000000000000"}`, `40013`},
			{"v2 without a secret", pathClearV2, mine, `41004`},
			{"v2 with another secret", pathClearV2, body(member("appid", sandbox.SeedServiceAppID), `"appsecret":"x"`), `40125`},
			{"cleared", pathClear, mine, wireOK}, // 2
			{"and again", pathSend, orderBody(user, ""), `0`},
		})
		if got := button(); got.status != 200 { // 3
			t.Errorf("the button: %s", got.body)
		}
		for range 7 {
			wantCode(t, do(t, s, with(pathClear, token), mine), 0)
		}
		wantBody(t, do(t, s, with(pathClear, token), mine), tooOften)
		wantBody(t, do(t, s, pathClearV2, v2), tooOften)
		if got, want := button().body, `{"error":"sandbox: clear_quota: must not be more than 10 a month","field":"clear_quota","rule":"must not be more than 10 a month"}`; got != want+"\n" {
			t.Errorf("the button for the eleventh time = %s, want %s", got, want)
		}
		time.Sleep(31 * 24 * time.Hour)
		wantBody(t, do(t, s, pathClearV2, v2), wireOK)
	})
}

func TestTheCallbackCheck(t *testing.T) {
	s := sandboxtest.New(t)
	check := func(action, operator string) string {
		return body(member("action", action), member("check_operator", operator))
	}
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"no server", pathCheck, check("all", "DEFAULT"), `{"errcode":40201,"errmsg":"invalid check url rid"}`},
		{"no action", pathCheck, `{"check_operator":"DEFAULT"}`, `{"errcode":40202,"errmsg":"invalid check action rid"}`},
		{"another operator", pathCheck, check("dns", "CERNET"), `{"errcode":40203,"errmsg":"invalid check operator rid"}`},
		{"where pushes come from", pathCallbackIPs, "", `{"ip_list":["127.0.0.1"]}`},
	})
	setService(t, s, sandbox.AccountSpec{ServerURL: new("http://127.0.0.1:1/callback")})
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"the name only", pathCheck, check("dns", "UNICOM"), `{"dns":[{"ip":"127.0.0.1","real_operator":"UNICOM"}]}`},
	})
	both := do(t, s, with(pathCheck, serviceToken(t, s)()), check("all", "CHINANET"))
	if want := regexp.MustCompile(`^\{"dns":\[.*\],"ping":\[\{"ip":"127.0.0.1","from_operator":"CHINANET","package_loss":"0%","time":"[0-9.]+ms"\}\]\}$`); !want.MatchString(both.body) {
		t.Errorf("all = %s", both.body)
	}
	setService(t, s, sandbox.AccountSpec{ServerURL: new("http://gateway.example/callback")})
	exchangeAll(t, s, serviceToken(t, s), []exchange{
		{"a name is not looked up", pathCheck, check("dns", "DEFAULT"), `{"dns":[{"ip":"203.0.113.20","real_operator":"UNICOM"}]}`},
		{"1440 a day", pathQuotaGet, cgiPath(pathCheck), quotaBody(1440, 6, 0)},
	})
}

// Row 17 of spec §10: look-ups that know nothing of simulated calls.
func TestTheLookUpsCanBeTurnedOff(t *testing.T) {
	s := sandboxtest.New(t)
	do(t, s, with(pathSend, serviceToken(t, s)()), "{}")
	rid := lastExchange(t, s).RID
	lookUps := func(on bool) sandbox.AccountSpec {
		return sandbox.AccountSpec{WireRules: sandbox.WireRules{LookUps: &on}}
	}
	for _, tt := range []struct {
		on         bool
		quota, rid int
	}{{true, 0, 0}, {false, 76021, 76001}, {true, 0, 0}} {
		setService(t, s, lookUps(tt.on))
		exchangeAll(t, s, serviceToken(t, s), []exchange{
			{"quota", pathQuotaGet, cgiPath(pathSend), itoa(int64(tt.quota))},
			{"rid", "/cgi-bin/openapi/rid/get", body(member("rid", rid)), itoa(int64(tt.rid))},
			{"clearing works on", pathQuotaClear, cgiPath(pathSend), `0`},
		})
	}
}
