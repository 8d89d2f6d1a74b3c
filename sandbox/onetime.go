package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"hongyan/wechat"
)

const (
	maxOneTimeScene = 10_000 // spec §4.5
	maxReserved     = 128    // characters
	maxOneTimeTitle = 15     // characters
	maxOneTimeText  = 200    // characters
)

// OneTimeRules are an account's settings of one-time messages (spec §4.5); nil leaves
// what is there.
type OneTimeRules struct {
	// OneTimeTemplate is the id of its only template of this kind, which WeChat shows in
	// the console; default made of the appid.
	OneTimeTemplate string `json:"one_time_template,omitzero"`
	// RedirectDomains are the hosts that the confirm page may lead back to. Loopback
	// ones always may; default none else.
	RedirectDomains *[]string `json:"redirect_domains,omitzero"`
}

type oneTimeRules struct {
	oneTimeTemplate string
	redirectDomains []string
}

// newOneTimeRules makes the id of the appid, so that it needs nothing drawn.
func newOneTimeRules(appID string) oneTimeRules {
	sum := sha256.Sum256([]byte("one-time " + appID))
	return oneTimeRules{oneTimeTemplate: base64.RawURLEncoding.EncodeToString(sum[:])}
}

func (spec *OneTimeRules) check() error {
	if id := spec.OneTimeTemplate; id != "" && (len(id) != templateIDLength || !looksLikeToken(id)) {
		return &ControlError{Field: "one_time_template", Rule: "must be 43 letters, digits, - and _", Value: id}
	}
	if spec.RedirectDomains == nil {
		return nil
	}
	for _, host := range *spec.RedirectDomains {
		if u, err := url.Parse("http://" + host); err != nil || u.Hostname() != host || host == "" {
			return &ControlError{Field: "redirect_domains", Rule: "must hold host names without a port", Value: host}
		}
	}
	return nil
}

func (r *oneTimeRules) apply(spec OneTimeRules) {
	setText(&r.oneTimeTemplate, spec.OneTimeTemplate)
	if spec.RedirectDomains != nil {
		r.redirectDomains = slices.Clone(*spec.RedirectDomains)
	}
}

func (r *oneTimeRules) view() OneTimeRules {
	return OneTimeRules{OneTimeTemplate: r.oneTimeTemplate, RedirectDomains: listOf(r.redirectDomains)}
}

// oneTimeKey is whose consent to one message of a scene.
type oneTimeKey struct {
	account *account
	openid  string
	scene   int
}

// ConfirmOneTime lets the user allow account appid ("" = the first service account) one
// one-time message of the scene, 0 to 10000, as the page does. An error is a
// [*ControlError].
func (s *Sandbox) ConfirmOneTime(appid, openid string, scene int) error {
	if err := firstError(checkOpenID(openid), atLeast("scene", &scene, 0), atMost("scene", &scene, maxOneTimeScene)); err != nil {
		return err
	}
	defer s.unlock()
	p := s.lock()
	a, err := p.accountOr(appid, kindService)
	if err != nil {
		return err
	}
	p.oneTimes[oneTimeKey{a, openid, scene}]++
	return nil
}

// oneTimeBody is the request of message/template/subscribe.
type oneTimeBody struct {
	ToUser      wireText       `json:"touser"`
	TemplateID  wireText       `json:"template_id"`
	URL         wireText       `json:"url"`
	MiniProgram wireJump       `json:"miniprogram"`
	Data        jsontext.Value `json:"data"`
	Scene       wireScalar     `json:"scene"`
	Title       wireText       `json:"title"`
}

func (c *call) parseOneTime() {
	var body oneTimeBody
	c.badBody = c.unmarshal(&body)
	c.send = &sendBody{ToUser: body.ToUser, TemplateID: body.TemplateID, URL: body.URL, MiniProgram: body.MiniProgram, Data: body.Data}
	c.touser = body.ToUser.string()
	c.oneTime = &oneTimeAsk{Title: body.Title.string()}
	c.oneTime.Scene, c.oneTime.sceneErr = strconv.Atoi(string(body.Scene))
}

// serveOneTime is message/template/subscribe (spec §4.5): one confirmed page, one
// message, to followers and others alike, and no msgid in the answer.
func (p *platform) serveOneTime(c *call) answer {
	key := oneTimeKey{c.account, c.touser, c.oneTime.Scene}
	if code := p.checkOneTime(c, key); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	p.oneTimes[key]--
	a := ok()
	a.accepted = p.newMessage(c, newTemplate(template{
		id: c.account.oneTimeTemplate, family: familyOneTime, title: c.oneTime.Title, content: "{{content.DATA}}",
	}))
	a.msgID = a.accepted.msgID // for the ledger; it is not answered
	return a
}

// checkOneTime: Unverified: the order, and the codes of a text that is empty (44004) or
// too long (45002).
func (p *platform) checkOneTime(c *call, key oneTimeKey) wechat.Code {
	data, _ := parseData(c.send.Data)
	text, title := data["content"].Value, utf8.RuneCountInString(c.oneTime.Title)
	switch {
	case c.badBody != wechat.CodeOK:
		return c.badBody
	case !validOpenID(c.touser) || fateOf(c.touser) == fateBadID:
		return wechat.CodeInvalidOpenID
	case c.send.TemplateID.string() != c.account.oneTimeTemplate:
		return wechat.CodeInvalidTemplateID
	case title == 0 || title > maxOneTimeTitle:
		return wechat.CodeInvalidTitleSize
	case strings.TrimSpace(text) == "":
		return wechat.CodeEmptyContent
	case utf8.RuneCountInString(text) > maxOneTimeText:
		return wechat.CodeContentTooLong
	}
	if code := p.checkJump(c); code != wechat.CodeOK {
		return code
	}
	if p.oneTimes[key] == 0 || c.oneTime.sceneErr != nil {
		return wechat.CodeUserRefused
	}
	return wechat.CodeOK
}
