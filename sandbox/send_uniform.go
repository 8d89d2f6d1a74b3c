package sandbox

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"hongyan/wechat"
)

// uniformBody is the request of wxopen/template/uniform_send (spec §7.5).
type uniformBody struct {
	ToUser wireText `json:"touser"`
	Mini   *struct {
		TemplateID      wireText       `json:"template_id"`
		Page            wireText       `json:"page"`
		FormID          wireText       `json:"form_id"`
		Data            jsontext.Value `json:"data"`
		EmphasisKeyword wireText       `json:"emphasis_keyword"`
	} `json:"weapp_template_msg"`
	Official *struct {
		AppID       wireText       `json:"appid"`
		TemplateID  wireText       `json:"template_id"`
		URL         wireText       `json:"url"`
		MiniProgram wireJump       `json:"miniprogram"`
		Data        jsontext.Value `json:"data"`
	} `json:"mp_template_msg"`
}

// parseUniform makes the send that counts: the mini program's message when there is one,
// else the official account's, whose appid stays apart.
func (c *call) parseUniform() {
	var body uniformBody
	c.badBody = c.unmarshal(&body)
	c.send, c.touser = &sendBody{ToUser: body.ToUser}, body.ToUser.string()
	switch {
	case body.Mini != nil:
		m := body.Mini
		c.send = &sendBody{ToUser: body.ToUser, TemplateID: m.TemplateID, Page: m.Page, FormID: m.FormID, Data: m.Data, EmphasisKeyword: m.EmphasisKeyword}
	case body.Official != nil:
		m := body.Official
		c.send = &sendBody{ToUser: body.ToUser, TemplateID: m.TemplateID, URL: m.URL, MiniProgram: m.MiniProgram, Data: m.Data}
		c.official = m.AppID.string()
	}
}

// serveUniform is uniform_send, withdrawn on 2023-09-20. The mini program calls it;
// the message goes out as its own by form_id, or as that of an official account that
// has it linked. Unverified: the order of the checks, and that neither way falls back
// on the other.
func (p *platform) serveUniform(c *call) answer {
	if c.account.uniformRetired {
		return p.fail(c, wechat.CodeUniformSendRetired)
	}
	if c.official == "" {
		return p.serveMiniSend(c)
	}
	if code := c.spendQuotaAndParse(); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	t, official, code := p.checkUniform(c)
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	a := ok()
	a.accepted = p.newMessage(c, t)
	a.accepted.account, a.accepted.mini = official, false
	a.msgID = a.accepted.msgID // for the ledger; it is not answered
	return a
}

// checkUniform: only historical templates were ever sent this way.
func (p *platform) checkUniform(c *call) (t *template, official *account, code wechat.Code) {
	if !validOpenID(c.touser) || fateOf(c.touser) == fateBadID {
		return nil, nil, wechat.CodeInvalidOpenID
	}
	official = p.accounts[c.official]
	if official == nil || !official.maySendTemplates() || !slices.Contains(official.linked, c.account.appID) {
		return nil, nil, wechat.CodeInvalidAppID
	}
	t = official.find(c.send.TemplateID.string(), familyTemplate)
	if t == nil || t.rules != wechat.RulesHistorical {
		return nil, nil, wechat.CodeInvalidTemplateID
	}
	return t, official, p.checkRecipient(official, c.touser)
}
