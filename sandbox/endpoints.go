package sandbox

import (
	"fmt"
	"net/netip"

	"hongyan/wechat"
)

// endpoint is one path of the platform.
type endpoint struct {
	post       bool          // anything but POST answers 43002
	form       bool          // a JSON body answers HTTP 415
	needsToken bool          // access_token is checked before anything else
	parse      func(c *call) // reads the request, without the mutex
	serve      func(p *platform, c *call) answer
	api        api // of the path, put in by withAPIs
}

// endpoints are the paths served; any other answers 40066. Listing calls take GET
// and POST alike, because real clients send both (design §9).
var endpoints = withAPIs(map[string]endpoint{
	pathToken:  {parse: (*call).parseToken, serve: (*platform).serveToken},
	pathStable: {post: true, parse: (*call).parseStableToken, serve: (*platform).serveStableToken},

	"/cgi-bin/clear_quota":         {post: true, needsToken: true, serve: (*platform).serveClearQuota},
	"/cgi-bin/clear_quota/v2":      {post: true, parse: (*call).parseClearV2, serve: (*platform).serveClearQuotaV2},
	"/cgi-bin/openapi/quota/get":   {post: true, needsToken: true, serve: (*platform).serveQuotaGet},
	"/cgi-bin/openapi/rid/get":     {post: true, needsToken: true, serve: (*platform).serveRID},
	"/cgi-bin/openapi/quota/clear": {post: true, needsToken: true, serve: (*platform).serveQuotaClear},
	"/cgi-bin/get_api_domain_ip":   {needsToken: true, serve: (*platform).serveDomainIPs},
	"/cgi-bin/getcallbackip":       {needsToken: true, serve: (*platform).serveCallbackIPs},
	"/cgi-bin/callback/check":      {post: true, needsToken: true, serve: (*platform).serveCallbackCheck},

	"/cgi-bin/template/api_set_industry":         {post: true, needsToken: true, serve: (*platform).serveSetIndustry},
	"/cgi-bin/template/get_industry":             {needsToken: true, serve: (*platform).serveGetIndustry},
	"/cgi-bin/template/get_all_private_template": {needsToken: true, serve: (*platform).serveTemplateList},
	"/cgi-bin/template/api_add_template":         {post: true, needsToken: true, serve: (*platform).serveTemplateAdd},
	"/cgi-bin/template/del_private_template":     {post: true, needsToken: true, serve: (*platform).serveTemplateDelete},

	"/wxa/sec/queryblocktmplmsg": {post: true, needsToken: true, serve: (*platform).serveBlocked},

	"/cgi-bin/wxopen/template/library/list": {post: true, needsToken: true, serve: servingMini((*platform).serveMiniLibrary)},
	"/cgi-bin/wxopen/template/library/get":  {post: true, needsToken: true, serve: servingMini((*platform).serveMiniLibraryGet)},
	"/cgi-bin/wxopen/template/add":          {post: true, needsToken: true, serve: servingMini((*platform).serveMiniAdd)},
	"/cgi-bin/wxopen/template/list":         {post: true, needsToken: true, serve: servingMini((*platform).serveMiniList)},
	"/cgi-bin/wxopen/template/del":          {post: true, needsToken: true, serve: servingMini((*platform).serveMiniDelete)},

	"/wxaapi/newtmpl/addtemplate":            {post: true, needsToken: true, form: true, serve: (*platform).serveNewTmplAdd},
	"/wxaapi/newtmpl/deltemplate":            {post: true, needsToken: true, serve: (*platform).serveNewTmplDelete},
	"/wxaapi/newtmpl/getcategory":            {needsToken: true, serve: (*platform).serveCategories},
	"/wxaapi/newtmpl/getpubtemplatetitles":   {needsToken: true, serve: (*platform).serveTitles},
	"/wxaapi/newtmpl/getpubtemplatekeywords": {needsToken: true, serve: (*platform).serveKeywords},
	"/wxaapi/newtmpl/gettemplate":            {needsToken: true, serve: (*platform).serveNewTmplList},

	"/mp/subscribemsg": {parse: (*call).parseOneTimePage, serve: (*platform).serveOneTimePage}, // opened by users
	pathUniform:        {post: true, needsToken: true, parse: (*call).parseUniform, serve: (*platform).serveUniform},
	pathOneTime:        {post: true, needsToken: true, parse: (*call).parseOneTime, serve: (*platform).serveOneTime},

	pathSubscribe: {post: true, needsToken: true, parse: (*call).parseSend, serve: (*platform).serveSubscribeSend},
	pathBizSend:   {post: true, needsToken: true, parse: (*call).parseBizSend, serve: (*platform).serveBizSend},

	pathSend:     {post: true, needsToken: true, parse: (*call).parseSend, serve: (*platform).serveSend},
	pathMiniSend: {post: true, needsToken: true, parse: (*call).parseSend, serve: servingMini((*platform).serveMiniSend)},
})

func withAPIs(table map[string]endpoint) map[string]endpoint {
	for path, ep := range table {
		ep.api = apis[path]
		table[path] = ep
	}
	return table
}

const (
	pathToken     = "/cgi-bin/token"
	pathStable    = "/cgi-bin/stable_token"
	pathUniform   = "/cgi-bin/message/wxopen/template/uniform_send"
	pathOneTime   = "/cgi-bin/message/template/subscribe"
	pathSubscribe = "/cgi-bin/message/subscribe/send"
	pathBizSend   = "/cgi-bin/message/subscribe/bizsend"
	pathSend      = "/cgi-bin/message/template/send"
	pathMiniSend  = "/cgi-bin/message/wxopen/template/send"
)

type domainIPs struct {
	IPList []string `json:"ip_list"`
}

// serveDomainIPs answers addresses of the documentation range: nobody should
// connect to them.
func (p *platform) serveDomainIPs(*call) answer {
	return reply(domainIPs{IPList: []string{"203.0.113.10", "203.0.113.11", "203.0.113.12"}})
}

// tokenRequest is what both token endpoints are asked, from the query or the body.
type tokenRequest struct {
	given        bool
	GrantType    wireText `json:"grant_type"`
	AppID        wireText `json:"appid"`
	Secret       wireText `json:"secret"`
	ForceRefresh wireBool `json:"force_refresh"`
}

func (c *call) parseToken() {
	q := c.req.URL.Query()
	c.login = tokenRequest{
		given: true, GrantType: wireText(q.Get("grant_type")),
		AppID: wireText(q.Get("appid")), Secret: wireText(q.Get("secret")),
	}
}

func (c *call) parseStableToken() {
	c.badBody = c.unmarshal(&c.login)
	c.login.given = true
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

func (p *platform) serveToken(c *call) answer {
	if a, refused := p.refuseLogin(c); refused {
		return a
	}
	if !c.account.use(c.path, c.now, c.account.tokenDailyLimit) {
		return p.fail(c, wechat.CodeDailyQuota)
	}
	c.account.plain.fetches++
	return tokenReply(c, p.plainToken(c.account, c.now))
}

func (p *platform) serveStableToken(c *call) answer {
	if c.badBody != wechat.CodeOK {
		return p.fail(c, c.badBody)
	}
	if a, refused := p.refuseLogin(c); refused {
		return a
	}
	if code := c.account.charge(c.path, c.now, stablePerMinute, stableDaily); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	c.account.stable.fetches++
	if !c.login.ForceRefresh {
		return tokenReply(c, p.stableToken(c.account, c.now))
	}
	t := p.forcedToken(c.account, c.now)
	if t == nil {
		return p.fail(c, wechat.CodeDailyQuota)
	}
	return tokenReply(c, t)
}

func tokenReply(c *call, t *token) answer {
	left := t.expires.Sub(c.now)
	return reply(tokenAnswer{AccessToken: t.text, ExpiresIn: int(left.Seconds())})
}

// refuseLogin checks appid before grant_type, as observed, then the secret, the
// account's standing and the caller's address (spec §2.9).
func (p *platform) refuseLogin(c *call) (answer, bool) {
	a := c.account
	switch {
	case c.login.AppID == "":
		return p.fail(c, wechat.CodeAppIDMissing), true
	case a == nil:
		return p.fail(c, wechat.CodeInvalidAppID), true
	case c.login.GrantType != "client_credential":
		return p.fail(c, wechat.CodeInvalidGrantType), true
	case c.login.Secret == "":
		return p.fail(c, wechat.CodeSecretMissing), true
	case c.login.Secret.string() != a.secret:
		return p.fail(c, wechat.CodeInvalidAppSecret), true
	}
	if code := a.refusesToken(); code != wechat.CodeOK {
		return p.fail(c, code), true
	}
	if !a.admits(c) {
		return p.failText(c, wechat.CodeIPNotInWhitelist, notInWhitelist(c.clientIP())), true
	}
	if code := a.riskOf(c.clientIP(), c.now); code != wechat.CodeOK {
		return p.fail(c, code), true
	}
	return answer{}, false
}

// notInWhitelist is the text of 40164, which names an IPv4 address in both forms
// (spec §3.1). Unverified: what it says of a caller without one.
func notInWhitelist(ip netip.Addr) string {
	if ip.Is4() {
		return fmt.Sprintf("invalid ip %s ipv6 ::ffff:%s, not in whitelist", ip, ip)
	}
	return fmt.Sprintf("invalid ip %s ipv6 %s, not in whitelist", ip, ip)
}

// admits applies the IP whitelist, from which mini programs are exempt (spec §3.1).
func (a *account) admits(c *call) bool {
	if a.isMini() || len(a.whitelist) == 0 {
		return true
	}
	ip := c.clientIP()
	for _, prefix := range a.whitelist {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
