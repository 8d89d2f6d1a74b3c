package sandbox

import (
	"slices"
	"strings"

	"hongyan/wechat"
)

// serveSubscribeSend is message/subscribe/send of mini programs (spec §7.1): the
// answer has a msgid, which the event repeats. Unverified: the order of the checks
// after the template's.
func (p *platform) serveSubscribeSend(c *call) answer {
	t, code := p.checkSubscribe(c)
	if code == wechat.CodeOK && !p.validPage(c.account.appID, c.send.Page.string()) {
		code = wechat.CodeInvalidPage
	}
	return p.acceptSubscribe(c, t, code, true)
}

// parseBizSend: the page is a link here, and the mini program goes first as it does in
// template messages (spec §7.3).
func (c *call) parseBizSend() {
	c.parseSend()
	c.send.URL, c.send.Page = c.send.Page, ""
}

// serveBizSend is message/subscribe/bizsend of service accounts (spec §7.3); no msgid.
func (p *platform) serveBizSend(c *call) answer {
	t, code := p.checkSubscribe(c)
	if code == wechat.CodeOK {
		code = p.checkJump(c)
	}
	return p.acceptSubscribe(c, t, code, false)
}

// checkSubscribe is what both do first. An id of another length is as unknown as any.
func (p *platform) checkSubscribe(c *call) (*template, wechat.Code) {
	switch {
	case c.account.subscribeBanned:
		return nil, wechat.CodeSubscribeBanned
	case c.badBody != wechat.CodeOK:
		return nil, c.badBody
	}
	t, code := c.recipientAndTemplate(familySubscribe)
	if code == wechat.CodeInvalidTemplateIDSize {
		code = wechat.CodeInvalidTemplateID
	}
	return t, code
}

// acceptSubscribe checks consent and data, and takes one acceptance. A refused send
// takes none.
func (p *platform) acceptSubscribe(c *call, t *template, code wechat.Code, withMsgID bool) answer {
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	key := consentKey{c.account, c.touser, t.id}
	switch {
	case p.look(c.touser).frozen:
		return p.fail(c, wechat.CodeUserLimited)
	case !p.mayReceive(key):
		return p.fail(c, wechat.CodeUserRefused)
	}
	text := dataProblem(t, c)
	if text == "" {
		text = t.enumProblem(c.send)
	}
	if text != "" {
		return p.failArgument(c, text)
	}
	if len(c.account.illegalWords) > 0 && c.send.mentions(c.account.illegalWords) {
		return p.fail(c, wechat.CodeSensitiveWords)
	}
	p.spendConsent(key)
	m := p.newMessage(c, t)
	a := sent(m.msgID)
	if !withMsgID {
		a = ok()
		a.msgID = m.msgID // for the ledger; it is not answered
	}
	a.accepted = m
	return a
}

// enumProblem is the errmsg of 47003 for a value that is none of its keyword's, or "".
func (t *template) enumProblem(body *sendBody) string {
	if len(t.enums) == 0 {
		return ""
	}
	data, _ := parseData(body.Data)
	for _, e := range t.enums {
		key := strings.TrimSuffix(e.Code, dotData)
		if !slices.Contains(e.Values, data[key].Value) {
			return wechat.PlatformText(wechat.ValueProblem{Key: key, Kind: wechat.ProblemRule})
		}
	}
	return ""
}

// silent messages get no event: those of mini programs' form_ids (spec §6.2) and
// one-time messages.
func (m *message) silent() bool {
	return m.tmpl.family == familyMini || m.tmpl.family == familyOneTime
}

// toFollowers tells the messages that only followers of the account get.
func (m *message) toFollowers() bool { return m.tmpl.family == familyTemplate }

// shownWhole tells the messages that the phone never trims: they are not template
// messages of official accounts, or the platform had none left when it began.
func (m *message) shownWhole() bool { return m.mini || m.tmpl.family == familyOneTime }
