package sandbox

// api is what the platform knows of one of its APIs before it reads a call: who may
// use it, and how often. quota/get shows the same figures that calls are held to.
type api struct {
	may   func(*account) bool // step 5 of the order of checks (spec §2.9); nil = every account
	limit func(*account) limits
	// serves reports that the endpoint counts its calls itself, because it checks
	// more before them, or because it counts them otherwise.
	serves bool
	sends  bool // messages: what busy_rate is about
}

// limits of one API's calls: per minute, 0 = none, and per Beijing day, negative = none.
type limits struct{ minute, daily int }

func perDay(n int) func(*account) limits {
	return func(*account) limits { return limits{daily: n} }
}

// manageDaily bounds the calls of a day to one management API. Unverified: the
// platform publishes no figure for most of them.
const manageDaily = 100_000

// apis are the platform's APIs by path.
var apis = map[string]api{
	pathToken:  {serves: true, limit: func(a *account) limits { return limits{daily: a.tokenDailyLimit} }},
	pathStable: {serves: true, limit: perMinuteAndDay(stablePerMinute, stableDaily)},

	"/cgi-bin/get_api_domain_ip":   {limit: perDay(manageDaily)},
	"/cgi-bin/getcallbackip":       {limit: perDay(manageDaily)},
	"/cgi-bin/callback/check":      {limit: perDay(checksPerDay)},
	"/cgi-bin/openapi/quota/get":   {limit: perDay(manageDaily)},
	"/cgi-bin/openapi/rid/get":     {limit: perDay(manageDaily)},
	"/cgi-bin/openapi/quota/clear": {}, // by the month
	"/cgi-bin/clear_quota":         {}, // by the month

	"/wxa/sec/queryblocktmplmsg": templateAPI,

	"/cgi-bin/template/api_set_industry":         templateAPI,
	"/cgi-bin/template/get_industry":             templateAPI,
	"/cgi-bin/template/get_all_private_template": templateAPI,
	"/cgi-bin/template/api_add_template":         templateAPI,
	"/cgi-bin/template/del_private_template":     templateAPI,

	"/cgi-bin/wxopen/template/library/list": miniAPI,
	"/cgi-bin/wxopen/template/library/get":  miniAPI,
	"/cgi-bin/wxopen/template/add":          miniAPI,
	"/cgi-bin/wxopen/template/list":         miniAPI,
	"/cgi-bin/wxopen/template/del":          miniAPI,

	"/wxaapi/newtmpl/addtemplate":            newtmplAPI,
	"/wxaapi/newtmpl/deltemplate":            newtmplAPI,
	"/wxaapi/newtmpl/getcategory":            newtmplAPI,
	"/wxaapi/newtmpl/getpubtemplatetitles":   newtmplAPI,
	"/wxaapi/newtmpl/getpubtemplatekeywords": newtmplAPI,
	"/wxaapi/newtmpl/gettemplate":            {may: (*account).hasSubscribe, limit: perDay(getTemplateDaily)},

	pathUniform:   {may: (*account).isMini, serves: true, sends: true, limit: (*account).sendLimits},
	pathOneTime:   {may: (*account).sendsNotices, sends: true, limit: (*account).subscribeLimits},
	pathSubscribe: {may: (*account).isMini, sends: true, limit: (*account).subscribeLimits},
	pathBizSend:   {may: (*account).sendsNotices, sends: true, limit: (*account).subscribeLimits},

	pathSend:     {may: (*account).maySendTemplates, sends: true, serves: true, limit: (*account).sendLimits},
	pathMiniSend: {may: (*account).isMini, sends: true, serves: true, limit: (*account).sendLimits},
}

var templateAPI = api{may: (*account).maySendTemplates, limit: perDay(manageDaily)}

var miniAPI = api{may: (*account).isMini, limit: perDay(manageDaily)}

var newtmplAPI = api{may: (*account).hasSubscribe, limit: perDay(manageDaily)}

func perMinuteAndDay(minute, daily int) func(*account) limits {
	return func(*account) limits { return limits{minute, daily} }
}

func (a *account) sendLimits() limits { return limits{a.minuteQuota, a.dailyQuota} }
