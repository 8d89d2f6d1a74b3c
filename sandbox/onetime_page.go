package sandbox

import (
	"cmp"
	_ "embed"
	htmltemplate "html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// oneTimeAsk is what the page was opened with, or what a send asks for.
type oneTimeAsk struct {
	Action, AppID, TemplateID, Redirect, Reserved, OpenID string
	Title                                                 string // of a send
	Scene                                                 int
	sceneErr                                              error
}

// parseOneTimePage reads the query of the first opening, or the form of the answer.
func (c *call) parseOneTimePage() {
	q := c.req.URL.Query()
	if c.req.Method == http.MethodPost {
		q, _ = url.ParseQuery(string(c.body)) // what it could not read counts as missing
	}
	ask := &oneTimeAsk{
		Action: q.Get("action"), AppID: q.Get("appid"), TemplateID: q.Get("template_id"),
		Redirect: q.Get("redirect_url"), Reserved: q.Get("reserved"), OpenID: q.Get("openid"),
	}
	ask.Scene, ask.sceneErr = strconv.Atoi(q.Get("scene"))
	if ask.OpenID == "" {
		ask.OpenID = OpenID("", 1) // WeChat knows who looks at the page; we do not
	}
	c.oneTime, c.touser = ask, ask.OpenID
	c.login = tokenRequest{given: true, AppID: wireText(ask.AppID)} // it is the appid that says whose call it is
}

// problem says in both languages what is wrong with the page's address, or "".
func (ask *oneTimeAsk) problem(a *account) string {
	switch {
	case a == nil || !a.sendsNotices():
		return "appid 不是服务号 · appid is no service account"
	case ask.TemplateID != a.oneTimeTemplate:
		return "template_id 不属于该账号 · template_id is not the account's"
	case ask.sceneErr != nil || ask.Scene < 0 || ask.Scene > maxOneTimeScene:
		return "scene 须为 0 到 10000 · scene must be from 0 to 10000"
	case utf8.RuneCountInString(ask.Reserved) > maxReserved:
		return "reserved 最多 128 个字符 · reserved must be at most 128 characters"
	case !validOpenID(ask.OpenID):
		return "openid 格式错误 · openid is malformed"
	case !a.mayRedirect(ask.Redirect):
		return "redirect_url 须为本机或该账号的域名 · redirect_url must be on this machine or on a domain of the account"
	}
	return ""
}

func (ask *oneTimeAsk) actionProblem(post bool) string {
	switch {
	case !post && ask.Action != "get_confirm":
		return "action 须为 get_confirm · action must be get_confirm"
	case post && ask.Action != "confirm" && ask.Action != "cancel":
		return "action 须为 confirm 或 cancel · action must be confirm or cancel"
	}
	return ""
}

// mayRedirect reports whether the page may lead there: to this machine, or to a domain
// of the account, which is all that the platform allows.
func (a *account) mayRedirect(target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback() || slices.Contains(a.redirectDomains, host)
}

//go:embed onetime.html
var oneTimeHTML string

var oneTimePage = htmltemplate.Must(htmltemplate.New("onetime").Parse(oneTimeHTML))

// serveOneTimePage is /mp/subscribemsg: the page that asks, and the way back.
func (p *platform) serveOneTimePage(c *call) answer {
	ask, a := c.oneTime, c.account
	post := c.req.Method == http.MethodPost
	problem := cmp.Or(ask.problem(a), ask.actionProblem(post))
	switch {
	case problem != "":
		out := drawOneTime(a, ask, problem)
		out.status, out.code = http.StatusBadRequest, http.StatusBadRequest
		return out
	case !post:
		return drawOneTime(a, ask, "")
	case ask.Action == "confirm":
		p.oneTimes[oneTimeKey{a, ask.OpenID, ask.Scene}]++
	}
	return answer{status: http.StatusFound, code: http.StatusFound, location: ask.back(), html: true}
}

// back is the redirect_url with what the user did (spec §4.5).
func (ask *oneTimeAsk) back() string {
	u, _ := url.Parse(ask.Redirect) // checked before
	q := u.Query()
	if ask.Action == "confirm" {
		q.Set("openid", ask.OpenID) // one who refuses stays unknown
	}
	q.Set("template_id", ask.TemplateID)
	q.Set("action", ask.Action)
	q.Set("scene", strconv.Itoa(ask.Scene))
	q.Set("reserved", ask.Reserved)
	u.RawQuery = q.Encode()
	return u.String()
}

func drawOneTime(a *account, ask *oneTimeAsk, problem string) answer {
	view := struct {
		*oneTimeAsk
		Name, Problem string
	}{ask, "", problem}
	if a != nil {
		view.Name = a.name
	}
	var b strings.Builder
	if err := oneTimePage.Execute(&b, view); err != nil {
		panic("sandbox: draw the one-time page: " + err.Error()) // a template of this package
	}
	return answer{html: true, body: []byte(b.String())}
}
