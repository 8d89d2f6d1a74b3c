package sandbox

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hongyan/sandbox/library"
	"hongyan/wechat"
)

// Codes of newtmpl that nobody else uses (spec §7.2).
const (
	codeNewTmplBadInput wechat.Code = 200002
	codeNewTmplStart    wechat.Code = 200016
	codeNewTmplLimit    wechat.Code = 200017
	codeNewTmplNoIDs    wechat.Code = 200018
	codeNewTmplBadIDs   wechat.Code = 200019
)

const (
	minKids, maxKids = 2, 5 // keywords of a subscribe template
	maxSceneDesc     = 15   // characters
	maxTitles        = 30   // of one page of titles
	// getTemplateDaily bounds gettemplate. Unverified: the figure; that it is small was observed.
	getTemplateDaily = 1000
)

// dotData ends a parameter's name where it stands in a template.
const dotData = ".DATA"

// enumKeys is one keyword of a template whose values are enumerated.
type enumKeys struct {
	Code   string   `json:"keywordCode"` // enum4.DATA
	Values []string `json:"enumValueList"`
}

// newtmplAnswer is what all of newtmpl answer; errmsg comes before errcode there
// (spec §2.7).
type newtmplAnswer[T any] struct {
	ErrMsg    string `json:"errmsg"`
	ErrCode   int    `json:"errcode"`
	PriTmplID string `json:"priTmplId,omitzero"`
	Count     *int   `json:"count,omitzero"`
	Data      []T    `json:"data,omitzero"`
}

func listed[T any](items []T) answer {
	return reply(newtmplAnswer[T]{ErrMsg: "ok", Data: append([]T{}, items...)})
}

func counted[T any](total int, items []T) answer {
	return reply(newtmplAnswer[T]{ErrMsg: "ok", Count: &total, Data: append([]T{}, items...)})
}

type wireCategory struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// serveCategories is getcategory: the account's categories, or all when it has chosen none.
func (p *platform) serveCategories(c *call) answer {
	var out []wireCategory
	for _, category := range library.Categories() {
		if c.account.hasCategory(category.ID) {
			out = append(out, wireCategory{category.ID, category.Name})
		}
	}
	return listed(out)
}

type wireTitle struct {
	TID        int    `json:"tid"`
	Title      string `json:"title"`
	Type       int    `json:"type"`
	CategoryID string `json:"categoryId"`
}

// serveTitles is getpubtemplatetitles.
func (p *platform) serveTitles(c *call) answer {
	q := c.req.URL.Query()
	ids, code := categoryIDs(q)
	start, startErr := strconv.Atoi(q.Get("start"))
	limit, limitErr := strconv.Atoi(q.Get("limit"))
	switch {
	case code != wechat.CodeOK:
		return p.fail(c, code)
	case startErr != nil || start < 0:
		return p.fail(c, codeNewTmplStart)
	case limitErr != nil || limit < 1 || limit > maxTitles:
		return p.fail(c, codeNewTmplLimit)
	}
	var all []wireTitle
	for _, lib := range library.Subscribe() {
		if slices.Contains(ids, lib.Category) {
			tid, _ := strconv.Atoi(lib.ID) // digits, as the library checks
			all = append(all, wireTitle{tid, lib.Title, typeOf(lib.LongTerm), strconv.Itoa(lib.Category)})
		}
	}
	from := min(start, len(all))
	return counted(len(all), all[from:min(from+limit, len(all))])
}

func categoryIDs(q url.Values) ([]int, wechat.Code) {
	if q.Get("ids") == "" {
		return nil, codeNewTmplNoIDs
	}
	var ids []int
	for text := range strings.SplitSeq(q.Get("ids"), ",") {
		id, err := strconv.Atoi(strings.TrimSpace(text))
		if _, known := library.LookupCategory(id); err != nil || !known {
			return nil, codeNewTmplBadIDs
		}
		ids = append(ids, id)
	}
	return ids, wechat.CodeOK
}

func typeOf(longTerm bool) int {
	if longTerm {
		return typeLongTerm
	}
	return typeOneTime
}

type wireKeyword struct {
	KID     int    `json:"kid"`
	Name    string `json:"name"`
	Example string `json:"example"`
	Rule    string `json:"rule"`
}

// serveKeywords is getpubtemplatekeywords.
func (p *platform) serveKeywords(c *call) answer {
	lib, code := lookupTID(c.req.URL.Query().Get("tid"))
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	var out []wireKeyword
	for _, k := range lib.Keywords {
		out = append(out, wireKeyword{k.ID, k.Name, k.Example, k.Type})
	}
	return counted(len(out), out)
}

func lookupTID(text string) (library.Template, wechat.Code) {
	tid, err := strconv.Atoi(text)
	lib, known := library.LookupSubscribe(tid)
	if err != nil || !known {
		return library.Template{}, wechat.CodeNewTmplInvalidTID
	}
	return lib, wechat.CodeOK
}

// serveNewTmplAdd is addtemplate, the one call with a form body (spec §7.2).
// Unverified: the order of its checks.
func (p *platform) serveNewTmplAdd(c *call) answer {
	form, _ := url.ParseQuery(string(c.body)) // what it could not read counts as not sent
	if form.Get("tid") == "" {
		return p.failText(c, wechat.CodeNewTmplInvalidTID, "missing parameter tid")
	}
	lib, code := lookupTID(form.Get("tid"))
	switch a := c.account; {
	case code != wechat.CodeOK:
		return p.fail(c, code)
	case a.addPunished == punished43106:
		return p.fail(c, wechat.CodeAddTemplatePunished)
	case a.addPunished == punished200011:
		return p.fail(c, wechat.CodeNewTmplAccountBanned)
	case a.bans(lib.ID):
		return p.fail(c, wechat.CodeNewTmplBanned)
	case utf8.RuneCountInString(form.Get("sceneDesc")) > maxSceneDesc:
		return p.fail(c, wechat.CodeNewTmplInvalidScene)
	case a.count(familySubscribe) >= a.subscribeLimit:
		return p.fail(c, wechat.CodeNewTmplLimit)
	}
	chosen, ok := chooseKIDs(lib.Keywords, kidList(form))
	if !ok {
		return p.fail(c, wechat.CodeNewTmplInvalidKeywords)
	}
	t := subscribeTemplate(lib, chosen, p.dice.templateID())
	c.account.addTemplate(t)
	return reply(newtmplAnswer[int]{ErrMsg: "ok", PriTmplID: t.id})
}

// kidList reads kidList[0]=1&kidList[1]=2, and the spellings kidList[] and kidList of
// other encoders.
func kidList(form url.Values) []string {
	list := slices.Concat(form["kidList"], form["kidList[]"])
	for i := 0; form.Has("kidList[" + strconv.Itoa(i) + "]"); i++ {
		list = append(list, form.Get("kidList["+strconv.Itoa(i)+"]"))
	}
	return list
}

func chooseKIDs(all []library.Keyword, kids []string) (chosen []library.Keyword, ok bool) {
	for i, kid := range kids {
		at := slices.IndexFunc(all, func(k library.Keyword) bool { return strconv.Itoa(k.ID) == kid })
		if at < 0 || slices.Contains(kids[:i], kid) {
			return nil, false
		}
		chosen = append(chosen, all[at])
	}
	return chosen, len(chosen) >= minKids && len(chosen) <= maxKids
}

// subscribeTemplate is a private subscribe template. Unverified: each parameter is
// its type and its kid, so that the same keyword has one name in any order.
func subscribeTemplate(lib library.Template, chosen []library.Keyword, id string) *template {
	key := func(_ int, k library.Keyword) string { return k.Type + strconv.Itoa(k.ID) }
	t := template{id: id, family: familySubscribe, title: lib.Title, category: lib.Category, longTerm: lib.LongTerm}
	t.content, t.example = composeLines(":", chosen, key)
	for _, k := range chosen {
		if k.Values != nil {
			t.enums = append(t.enums, enumKeys{key(0, k) + dotData, k.Values})
		}
	}
	return newTemplate(t)
}

type priTmplRequest struct {
	PriTmplID wireText `json:"priTmplId"`
}

// serveNewTmplDelete is deltemplate.
func (p *platform) serveNewTmplDelete(c *call) answer {
	var req priTmplRequest
	if code := c.unmarshal(&req); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	id := req.PriTmplID.string()
	switch {
	case id == "":
		return p.fail(c, codeNewTmplBadInput)
	case c.account.find(id, familySubscribe) == nil:
		return p.fail(c, wechat.CodeNewTmplSystemError)
	}
	c.account.removeTemplate(id)
	return reply(newtmplAnswer[int]{ErrMsg: "ok"})
}

type wirePrivateTemplate struct {
	PriTmplID string     `json:"priTmplId"`
	Title     string     `json:"title"`
	Content   string     `json:"content"`
	Example   string     `json:"example"`
	Type      int        `json:"type"`
	Enums     []enumKeys `json:"keywordEnumValueList"`
}

// serveNewTmplList is gettemplate.
func (p *platform) serveNewTmplList(c *call) answer {
	var out []wirePrivateTemplate
	for _, t := range c.account.templates {
		if t.family == familySubscribe {
			out = append(out, wirePrivateTemplate{t.id, t.title, t.content, t.example, typeOf(t.longTerm), append([]enumKeys{}, t.enums...)})
		}
	}
	return listed(out)
}
