package sandbox

import (
	"regexp"
	"strconv"
	"time"

	"hongyan/wechat"
)

const (
	// ridLife is how long a rid can be looked up (spec §3.5).
	ridLife = 7 * 24 * time.Hour
	// ridLimit and ridBytes bound the failed calls that are remembered.
	ridLimit = 10_000
	ridBytes = 32 << 20
)

var ridPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)

// rids remembers the calls that were answered with a rid.
type rids struct {
	byRID map[string]*sighting
	order queue[string] // by time
	bytes int
}

// remember keeps a call whose answer names a rid.
func (r *rids) remember(a answer, seen *sighting) {
	if a.code == 0 || seen.status == 0 {
		return
	}
	rid := ridOf(a.body)
	if rid == "" {
		return
	}
	s := *seen
	if r.byRID == nil {
		r.byRID = map[string]*sighting{}
	}
	r.byRID[rid] = &s
	r.order.push(rid)
	r.bytes += s.size()
	for r.order.len() > ridLimit || r.bytes > ridBytes && r.order.len() > 1 {
		oldest, _ := r.order.pop()
		r.bytes -= r.byRID[oldest].size()
		delete(r.byRID, oldest)
	}
}

type ridRequest struct {
	RID wireText `json:"rid"`
}

type ridAnswer struct {
	ErrCode int     `json:"errcode"`
	ErrMsg  string  `json:"errmsg"`
	Request ridCall `json:"request"`
}

// ridCall is what the platform kept of a call. request_url is its query only (spec §3.5).
type ridCall struct {
	InvokeTime   int64  `json:"invoke_time"` // Unix seconds
	CostInMS     int64  `json:"cost_in_ms"`
	RequestURL   string `json:"request_url"`
	RequestBody  string `json:"request_body"`
	ResponseBody string `json:"response_body"`
	ClientIP     string `json:"client_ip"`
}

// serveRID is openapi/rid/get: a failed call of the same account, for seven days
// (spec §3.5). Tokens and secrets in it are masked, which is our own doing.
func (p *platform) serveRID(c *call) answer {
	var req ridRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	s, code := p.findRID(c, req.RID.string())
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	return reply(ridAnswer{ErrMsg: "ok", Request: ridCall{
		InvokeTime: s.at.Unix(), CostInMS: s.took.Milliseconds(), RequestURL: hideInQuery(s.query, masked, masked),
		RequestBody: hideInBody(s.request, masked), ResponseBody: hideInBody(s.answer, masked), ClientIP: addressOf(s.remote).String(),
	}})
}

// findRID is 76002 for what is no rid, 76004 for one of more than seven days ago,
// 76001 for an unknown one and 76003 for another account's. Unverified: their order.
func (p *platform) findRID(c *call, rid string) (*sighting, wechat.Code) {
	if !ridPattern.MatchString(rid) {
		return nil, wechat.CodeRIDInvalid
	}
	second, _ := strconv.ParseInt(rid[:8], 16, 64) // eight hexadecimal digits always parse
	if c.now.Sub(time.Unix(second, 0)) > ridLife {
		return nil, wechat.CodeRIDTooOld
	}
	s := p.rids.byRID[rid]
	switch {
	case s == nil, !c.account.lookUps:
		return nil, wechat.CodeRIDNotFound
	case s.appID != c.account.appID:
		return nil, wechat.CodeRIDNoPermission
	}
	return s, wechat.CodeOK
}
