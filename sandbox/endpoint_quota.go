package sandbox

import (
	"fmt"
	"math"
	"net/url"
	"strings"

	"hongyan/wechat"
)

const (
	clearsPerMonth    = 10   // of clear_quota, its v2 and the console button together (spec §3.5)
	apiClearsPerMonth = 50   // of openapi/quota/clear, one SDK's comment (spec §3.5)
	checksPerDay      = 1440 // of callback/check (spec §3.5)
)

type appIDRequest struct {
	AppID  wireText `json:"appid"`
	Secret wireText `json:"appsecret"`
}

// serveClearQuota is clear_quota: the appid must be the token's.
func (p *platform) serveClearQuota(c *call) answer {
	var req appIDRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	if req.AppID.string() != c.account.appID {
		return p.fail(c, wechat.CodeInvalidAppID)
	}
	return p.clearAll(c)
}

func (c *call) parseClearV2() {
	var req appIDRequest
	c.badBody = c.unmarshal(&req)
	c.login = tokenRequest{given: true, AppID: req.AppID, Secret: req.Secret}
}

// serveClearQuotaV2 is clear_quota/v2, the way out when the token endpoint itself is
// used up: no token, but the secret. Unverified: the caller's address is not checked,
// as 40164 is not among its errors.
func (p *platform) serveClearQuotaV2(c *call) answer {
	a := c.account
	switch {
	case c.badBody != wechat.CodeOK:
		return p.fail(c, c.badBody)
	case c.login.AppID == "":
		return p.fail(c, wechat.CodeAppIDMissing)
	case a == nil:
		return p.fail(c, wechat.CodeInvalidAppID)
	case c.login.Secret == "":
		return p.fail(c, wechat.CodeSecretMissing)
	case c.login.Secret.string() != a.secret:
		return p.fail(c, wechat.CodeInvalidAppSecret)
	case a.secretFrozen:
		return p.fail(c, wechat.CodeAppSecretFrozen)
	}
	return p.clearAll(c)
}

func (p *platform) clearAll(c *call) answer {
	if !c.account.clears.spend(c.now, clearsPerMonth) {
		return p.fail(c, wechat.CodeClearQuotaLimit)
	}
	c.account.clearUsage()
	return ok()
}

// clearUsage forgets the day's calls to every API. Unverified: what the month has had
// of one template (era A) stays.
func (a *account) clearUsage() {
	for _, u := range a.usage {
		u.thisDay, u.thisMinute = 0, 0
	}
}

// ClearQuota is the console's button for clear_quota, one of the ten times a month. An
// error is a [*ControlError].
func (s *Sandbox) ClearQuota(appid string) error {
	defer s.unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return unknownAccount(appid)
	}
	if !a.clears.spend(p.clock.now(), clearsPerMonth) {
		return &ControlError{Field: "clear_quota", Rule: fmt.Sprintf("must not be more than %d a month", clearsPerMonth)}
	}
	a.clearUsage()
	return nil
}

type pathRequest struct {
	CGIPath wireText `json:"cgi_path"`
}

type quotaAnswer struct {
	ErrCode   int           `json:"errcode"`
	ErrMsg    string        `json:"errmsg"`
	Quota     wireQuota     `json:"quota"`
	Rate      wireRateLimit `json:"rate_limit"`
	Component wireRateLimit `json:"component_rate_limit"` // of third-party platforms: never here
}

type wireQuota struct {
	DailyLimit int `json:"daily_limit"`
	Used       int `json:"used"`
	Remain     int `json:"remain"`
}

type wireRateLimit struct {
	CallCount     int `json:"call_count"`
	RefreshSecond int `json:"refresh_second"`
}

// serveQuotaGet is openapi/quota/get. Unverified: a limit that the account has not is
// shown as the largest 32-bit number, a rate limit as zeros.
func (p *platform) serveQuotaGet(c *call) answer {
	path, code := c.quotaPath()
	if code == wechat.CodeOK && !c.account.lookUps {
		code = wechat.CodeCGIPathNotFound
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	a := c.account
	limits := apis[path].limit(a)
	out := quotaAnswer{ErrMsg: "ok", Quota: wireQuota{DailyLimit: limits.daily, Used: a.usageOf(path, c.now).thisDay}}
	if limits.daily < 0 {
		out.Quota.DailyLimit = math.MaxInt32
	}
	out.Quota.Remain = max(0, out.Quota.DailyLimit-out.Quota.Used)
	if limits.minute > 0 {
		out.Rate = wireRateLimit{limits.minute, 60}
	}
	return reply(out)
}

// serveQuotaClear is openapi/quota/clear. Unverified: every path that quota/get knows
// can be cleared; the platform names only some families.
func (p *platform) serveQuotaClear(c *call) answer {
	path, code := c.quotaPath()
	if code == wechat.CodeOK && !c.account.apiClears.spend(c.now, apiClearsPerMonth) {
		code = wechat.CodeClearQuotaLimit
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	u := c.account.usageOf(path, c.now)
	u.thisDay, u.thisMinute = 0, 0
	return ok()
}

// quotaPath reads the cgi_path of a quota call: one that counts, of an API that the
// account has.
func (c *call) quotaPath() (string, wechat.Code) {
	var req pathRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return "", code
	}
	path := req.CGIPath.string()
	api, known := apis[path]
	switch {
	case !known || api.limit == nil:
		return "", wechat.CodeCGIPathNotFound
	case api.may != nil && !api.may(c.account):
		return "", wechat.CodeCGIPathNoPermission
	}
	return path, wechat.CodeOK
}

// serveCallbackIPs answers the truth: pushes come from this machine.
func (p *platform) serveCallbackIPs(*call) answer {
	return reply(domainIPs{IPList: []string{"127.0.0.1"}})
}

type callbackCheckRequest struct {
	Action   wireText `json:"action"`
	Operator wireText `json:"check_operator"`
}

type callbackCheckAnswer struct {
	DNS  []wireDNS  `json:"dns,omitzero"`
	Ping []wirePing `json:"ping,omitzero"`
}

type wireDNS struct {
	IP       string `json:"ip"`
	Operator string `json:"real_operator"`
}

type wirePing struct {
	IP       string `json:"ip"`
	Operator string `json:"from_operator"`
	Loss     string `json:"package_loss"`
	Time     string `json:"time"`
}

// hostOperator is whose line every server seems to be on.
const hostOperator = "UNICOM"

// serveCallbackCheck is callback/check (spec §3.5). Nothing is looked up and nothing
// connected to: the figures are plausible and drawn from the seed.
func (p *platform) serveCallbackCheck(c *call) answer {
	var req callbackCheckRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	dns, ping := req.Action == "dns" || req.Action == "all", req.Action == "ping" || req.Action == "all"
	operator := req.Operator.string()
	switch {
	case !dns && !ping:
		return p.fail(c, wechat.CodeInvalidCheckAction)
	case operator != "CHINANET" && operator != "UNICOM" && operator != "CAP" && operator != "DEFAULT":
		return p.fail(c, wechat.CodeInvalidCheckOperator)
	case c.account.serverURL == "":
		return p.fail(c, wechat.CodeNoCallbackURL)
	}
	ip := checkedIP(c.account.serverURL)
	var out callbackCheckAnswer
	if dns {
		out.DNS = []wireDNS{{ip, hostOperator}}
	}
	if ping {
		if operator == "DEFAULT" {
			operator = hostOperator // chosen by the host's address
		}
		ms := 5 + 40*p.dice.rand.Float64()
		out.Ping = []wirePing{{ip, operator, "0%", fmt.Sprintf("%.1fms", ms)}}
	}
	return reply(out)
}

// checkedIP is the address in the URL, or one of the documentation range for a name.
func checkedIP(serverURL string) string {
	u, err := url.Parse(serverURL)
	if err == nil && strings.Trim(u.Hostname(), "0123456789.") == "" && u.Hostname() != "" {
		return u.Hostname()
	}
	return "203.0.113.20"
}
