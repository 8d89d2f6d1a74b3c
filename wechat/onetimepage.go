package wechat

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// DefaultPageURL is the host of the pages that the platform shows to users.
const DefaultPageURL = "https://mp.weixin.qq.com"

// PathOneTimePage is the path of the confirmation page of one-time subscriptions.
const PathOneTimePage Endpoint = "/mp/subscribemsg"

// maxReserved is in bytes, which are characters here: the platform asks for
// letters and digits.
const maxReserved = 128

// OneTimePage is the page on which a user allows one message (spec §4.5). It
// opens in WeChat only.
type OneTimePage struct {
	BaseURL    string // scheme and host; "" is DefaultPageURL
	AppID      string
	Scene      Scene
	TemplateID string
	// RedirectURL is where the user goes afterwards, whatever the answer; its host
	// must be one of the account's business domains (业务域名).
	RedirectURL string
	// Reserved comes back unchanged; letters and digits. Make it hard to guess and
	// compare it with the user's session: nothing else shows that an answer
	// belongs to a question of ours.
	Reserved string
}

// URL is the page's address. The error is a *RequestError.
func (p OneTimePage) URL() (string, error) {
	if err := refusal(PathOneTimePage, p.check()); err != nil {
		return "", err
	}
	base := DefaultPageURL
	if p.BaseURL != "" {
		base = strings.TrimSuffix(p.BaseURL, "/")
	}
	address := base + string(PathOneTimePage) + "?action=get_confirm" +
		"&appid=" + escapeParam(p.AppID) +
		"&scene=" + strconv.Itoa(int(p.Scene)) +
		"&template_id=" + escapeParam(p.TemplateID) +
		"&redirect_url=" + escapeParam(p.RedirectURL)
	if p.Reserved != "" {
		address += "&reserved=" + escapeParam(p.Reserved)
	}
	return address + "#wechat_redirect", nil
}

func (p OneTimePage) check() []FieldProblem {
	var c checks
	c.notEmpty("appid", p.AppID)
	c.between("scene", int(p.Scene), 0, maxScene)
	c.notEmpty("template_id", p.TemplateID)
	c.webAddress("redirect_url", p.RedirectURL)
	if n := len(p.Reserved); n > maxReserved {
		c.add("reserved", p.Reserved, fmt.Sprintf("max%d", maxReserved),
			fmt.Sprintf("at most %d bytes, has %d", maxReserved, n), fmt.Sprintf("最多 %d 字节，现有 %d 字节", maxReserved, n))
	}
	return c
}

// escapeParam escapes a value of a query. A space becomes %20, which is a space
// for everybody; a plus sign is one only for those who read forms.
func escapeParam(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// OneTimeConsent is what a user answered on the page of OneTimePage.
type OneTimeConsent struct {
	Confirmed  bool   // one message may be sent
	OpenID     string // who; the platform tells it only of those who confirmed
	TemplateID string
	Scene      Scene
	Reserved   string // compare it with what was asked; never act on an answer with another one
}

// ParseOneTimeRedirect reads the query with which the platform sends a user back
// to OneTimePage.RedirectURL. Parameters of other names are ignored. A parameter
// that stands there twice is refused: one of the two is not the platform's.
func ParseOneTimeRedirect(query url.Values) (OneTimeConsent, error) {
	var c checks
	for _, name := range []string{"action", "openid", "template_id", "scene", "reserved"} {
		if given := query[name]; len(given) > 1 {
			c.add(name, strings.Join(given, ","), "once", "must not be given more than once", "不能重复")
		}
	}
	action, openID, template := query.Get("action"), query.Get("openid"), query.Get("template_id")
	c.oneOf("action", action, "confirm", "cancel")
	if action == "confirm" {
		c.notEmpty("openid", openID)
	}
	c.notEmpty("template_id", template)
	scene, err := strconv.Atoi(query.Get("scene"))
	if err != nil {
		scene = -1
	}
	if scene < 0 || scene > maxScene {
		c.add("scene", query.Get("scene"), fmt.Sprintf("0..%d", maxScene),
			fmt.Sprintf("a number from 0 to %d", maxScene), fmt.Sprintf("须为 0 至 %d 的数字", maxScene))
	}
	if len(c) > 0 {
		return OneTimeConsent{}, fmt.Errorf("wechat: redirect of %s: %w", PathOneTimePage, errors.Join(c.errors()...))
	}
	return OneTimeConsent{action == "confirm", openID, template, Scene(scene), query.Get("reserved")}, nil
}
