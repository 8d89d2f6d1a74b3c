package sandbox

import (
	"slices"
	"strconv"

	"hongyan/sandbox/library"
	"hongyan/wechat"
)

const (
	maxMiniPage     = 20 // templates of one page (45076)
	maxMiniKeywords = 10 // of one template (45100)
)

// errOK begins the answers of the old mini program calls (spec §6.4).
type errOK struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

var wireOK = errOK{ErrMsg: "ok"}

type pageRequest struct {
	Offset wireScalar `json:"offset"`
	Count  wireScalar `json:"count"`
}

// page reads offset and count and returns the bounds in a list of n.
func (c *call) page(n int) (from, to int, code wechat.Code) {
	var req pageRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return 0, 0, code
	}
	offset, offsetErr := strconv.Atoi(string(req.Offset))
	count, countErr := strconv.Atoi(string(req.Count))
	switch {
	case offsetErr != nil || offset < 0:
		return 0, 0, wechat.CodeInvalidOffset
	case countErr != nil || count < 0 || count > maxMiniPage:
		return 0, 0, wechat.CodeInvalidCount
	}
	from = min(offset, n)
	return from, min(from+count, n), wechat.CodeOK
}

// retiredMini is the answer of the whole family since 2020, or 0.
func (a *account) retiredMini() wechat.Code {
	switch {
	case !a.miniRetired:
		return wechat.CodeOK
	case a.miniRetiredCode == retired46101:
		return wechat.CodeMiniTemplateRetired
	}
	return wechat.CodeAPIUnsupported
}

// servingMini is serve, until the family is retired.
func servingMini(serve func(p *platform, c *call) answer) func(p *platform, c *call) answer {
	return func(p *platform, c *call) answer {
		if code := c.account.retiredMini(); code != wechat.CodeOK {
			return p.fail(c, code)
		}
		return serve(p, c)
	}
}

type wireMiniTitle struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type miniLibraryList struct {
	errOK
	List  []wireMiniTitle `json:"list"`
	Total int             `json:"total_count"`
}

// serveMiniLibrary is library/list.
func (p *platform) serveMiniLibrary(c *call) answer {
	all := library.Mini()
	from, to, code := c.page(len(all))
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	out := miniLibraryList{errOK: wireOK, List: []wireMiniTitle{}, Total: len(all)}
	for _, lib := range all[from:to] {
		out.List = append(out.List, wireMiniTitle{lib.ID, lib.Title})
	}
	return reply(out)
}

type miniRequest struct {
	ID       wireText    `json:"id"`
	Keywords wireScalars `json:"keyword_id_list"`
}

type wireMiniKeyword struct {
	ID      int    `json:"keyword_id"`
	Name    string `json:"name"`
	Example string `json:"example"`
}

type miniLibraryGet struct {
	errOK
	wireMiniTitle
	Keywords []wireMiniKeyword `json:"keyword_list"`
}

// serveMiniLibraryGet is library/get.
func (p *platform) serveMiniLibraryGet(c *call) answer {
	var req miniRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	lib, known := library.LookupMini(req.ID.string())
	if !known {
		return p.fail(c, wechat.CodeInvalidTemplateID)
	}
	out := miniLibraryGet{errOK: wireOK, wireMiniTitle: wireMiniTitle{lib.ID, lib.Title}}
	for _, k := range lib.Keywords {
		out.Keywords = append(out.Keywords, wireMiniKeyword{k.ID, k.Name, k.Example})
	}
	return reply(out)
}

type miniAddAnswer struct {
	errOK
	TemplateID string `json:"template_id"`
}

// serveMiniAdd is add: keywordN of the content is the Nth keyword chosen.
func (p *platform) serveMiniAdd(c *call) answer {
	var req miniRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	lib, known := library.LookupMini(req.ID.string())
	chosen, code := chooseMiniKeywords(lib.Keywords, req.Keywords)
	switch {
	case !known:
		code = wechat.CodeInvalidTemplateID
	case code == wechat.CodeOK && c.account.count(familyMini) >= c.account.templateLimit:
		code = wechat.CodeTooManyTemplates
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	t := miniTemplate(lib, chosen, p.dice.templateID())
	c.account.addTemplate(t)
	return reply(miniAddAnswer{wireOK, t.id})
}

// miniTemplate is a mini program's private template of the keywords chosen.
func miniTemplate(lib library.Template, chosen []library.Keyword, id string) *template {
	t := template{id: id, family: familyMini, title: lib.Title}
	t.content, t.example = composeLines("：", chosen, func(place int, _ library.Keyword) string {
		return "keyword" + strconv.Itoa(place)
	})
	return newTemplate(t)
}

// chooseMiniKeywords: 45100 for none or too many, 45075 for one that the title has not,
// or one twice.
func chooseMiniKeywords(all []library.Keyword, ids []wireScalar) (chosen []library.Keyword, code wechat.Code) {
	if len(ids) == 0 || len(ids) > maxMiniKeywords {
		return nil, wechat.CodeInvalidKeywordList
	}
	for i, id := range ids {
		at := slices.IndexFunc(all, func(k library.Keyword) bool { return strconv.Itoa(k.ID) == string(id) })
		if at < 0 || slices.Contains(ids[:i], id) {
			return nil, wechat.CodeInvalidKeywordID
		}
		chosen = append(chosen, all[at])
	}
	return chosen, wechat.CodeOK
}

type wireMiniTemplate struct {
	TemplateID string `json:"template_id"`
	Title      string `json:"title"`
	Content    string `json:"content"`
	Example    string `json:"example"`
}

type miniListAnswer struct {
	errOK
	List []wireMiniTemplate `json:"list"`
}

// serveMiniList is list: the mini program's own.
func (p *platform) serveMiniList(c *call) answer {
	var all []wireMiniTemplate
	for _, t := range c.account.templates {
		if t.family == familyMini {
			all = append(all, wireMiniTemplate{t.id, t.title, t.content, t.example})
		}
	}
	from, to, code := c.page(len(all))
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	return reply(miniListAnswer{wireOK, append([]wireMiniTemplate{}, all[from:to]...)})
}

// serveMiniDelete is del.
func (p *platform) serveMiniDelete(c *call) answer { return p.deleteTemplate(c, familyMini) }
