package sandbox

import (
	"strings"

	"hongyan/wechat"
)

// serveMiniSend is message/wxopen/template/send, which the platform withdrew on
// 2020-01-10 (spec §6.2). The answer has no msgid and no event follows.
func (p *platform) serveMiniSend(c *call) answer {
	if code := c.spendQuotaAndParse(); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	t, code := c.recipientAndTemplate(familyMini)
	if code == wechat.CodeOK {
		code = p.checkForm(c)
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	p.forms[c.send.FormID.string()].left--
	a := ok()
	a.accepted = p.newMessage(c, t)
	a.msgID = a.accepted.msgID // for the ledger; it is not answered
	return a
}

// checkForm checks the right to send, then the page and the emphasis.
// Unverified: the order of these three.
func (p *platform) checkForm(c *call) wechat.Code {
	if p.look(c.touser).frozen {
		return wechat.CodeUserLimited
	}
	if code := p.forms[c.send.FormID.string()].check(c.account, c.touser, c.now); code != wechat.CodeOK {
		return code
	}
	if !p.validPage(c.account.appID, c.send.Page.string()) {
		return wechat.CodeInvalidPage
	}
	switch strings.TrimSuffix(c.send.EmphasisKeyword.string(), ".DATA") {
	case "first", "remark":
		return wechat.CodeEmphasisNotAllowed
	}
	return wechat.CodeOK
}
