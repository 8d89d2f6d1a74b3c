package sandbox

import (
	"hongyan/sandbox/library"
	"hongyan/wechat"
)

type templateList struct {
	Items []templateItem `json:"template_list"`
}

type templateItem struct {
	TemplateID      string `json:"template_id"`
	Title           string `json:"title"`
	PrimaryIndustry string `json:"primary_industry"`
	DeputyIndustry  string `json:"deputy_industry"`
	Content         string `json:"content"`
	Example         string `json:"example"`
}

// serveTemplateList is get_all_private_template: no errcode on success (spec §4.2.4).
func (p *platform) serveTemplateList(c *call) answer {
	list := templateList{Items: []templateItem{}}
	for _, t := range c.account.templates {
		if t.family == familyTemplate {
			list.Items = append(list.Items, templateItem{
				t.id, t.title, t.primaryIndustry, t.deputyIndustry, t.content, t.example,
			})
		}
	}
	return reply(list)
}

type addTemplateRequest struct {
	ShortID  wireText  `json:"template_id_short"`
	Keywords wireTexts `json:"keyword_name_list"`
}

type addTemplateAnswer struct {
	ErrCode    int    `json:"errcode"`
	ErrMsg     string `json:"errmsg"`
	TemplateID string `json:"template_id"`
}

// serveTemplateAdd is api_add_template (spec §4.2.3). Adding one short id twice
// makes two templates.
func (p *platform) serveTemplateAdd(c *call) answer {
	var req addTemplateRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	t, code := p.fromLibrary(c.account, req)
	if code == wechat.CodeOK && c.account.count(familyTemplate) >= c.account.templateLimit {
		code = wechat.CodeTooManyTemplates
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	c.account.addTemplate(t)
	return reply(addTemplateAnswer{ErrMsg: "ok", TemplateID: t.id})
}

// fromLibrary makes the private template asked for, or says why not. The
// historical library was closed in era E (spec §0.4), when that of categories opened.
func (p *platform) fromLibrary(a *account, req addTemplateRequest) (*template, wechat.Code) {
	short := req.ShortID.string()
	if code := a.knows(isHistoricalID(short)); code != wechat.CodeOK {
		return nil, code
	}
	lib, known := library.LookupTemplate(short)
	switch {
	case !known:
		return nil, wechat.CodeInvalidTemplateID
	case a.bans(short):
		return nil, wechat.CodeTemplateDisabled
	case !a.mayHold(lib):
		return nil, wechat.CodeIndustryConflict
	case lib.Keywords == nil:
		return historicalTemplate(lib, p.dice.templateID()), wechat.CodeOK
	}
	chosen, ok := chooseKeywords(lib.Keywords, req.Keywords)
	if !ok {
		return nil, wechat.CodeInvalidKeywordName
	}
	return typedTemplate(lib, chosen, p.dice.templateID()), wechat.CodeOK
}

type deleteTemplateRequest struct {
	TemplateID wireText `json:"template_id"`
}

// serveTemplateDelete is del_private_template: the slot is free again, sends with
// the id answer 40037, and events of earlier sends still come (spec §4.2.5).
func (p *platform) serveTemplateDelete(c *call) answer { return p.deleteTemplate(c, familyTemplate) }

func (p *platform) deleteTemplate(c *call, family string) answer {
	var req deleteTemplateRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	id := req.TemplateID.string()
	if c.account.find(id, family) == nil {
		return p.fail(c, wechat.CodeInvalidTemplateID)
	}
	c.account.removeTemplate(id)
	return ok()
}
