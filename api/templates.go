package api

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/client"
	"hongyan/wechat"
)

// upstreamTimeout bounds a request that waits for WeChat: a token fetch and two
// calls at the client's 15 s each.
const upstreamTimeout = 45 * time.Second

func (a *API) listTemplates(ctx context.Context, in *accountPath) (*out[client.List[client.Template]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	known, err := a.cfg.Store.Templates(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Template]{Items: make([]client.Template, 0, len(known))}
	for i := range known {
		list.Items = append(list.Items, *viewTemplate(&known[i]))
	}
	return &out[client.List[client.Template]]{list}, nil
}

// syncTemplates is an operator's sync: it also lifts bans.
func (a *API) syncTemplates(ctx context.Context, in *accountPath) (*out[client.TemplateSync], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	found, err := a.cfg.Templates.SyncLiftingBans(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	return &out[client.TemplateSync]{client.TemplateSync(found)}, nil
}

type templateAddInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.TemplateAdd]
}

// addTemplate adds a library template at WeChat, then syncs to learn its text.
func (a *API) addTemplate(ctx context.Context, in *templateAddInput) (*created[client.Template], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	want := in.Body.Value
	if want.TemplateIDShort == "" {
		return nil, badField("invalid_template", "/template_id_short", "the number of a template in WeChat's library is required")
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	t, err := a.cfg.Templates.Add(ctx, account.AppID, want.TemplateIDShort, want.KeywordNameList)
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(account.AppID, "template_id %s", t.TemplateID)
	return &created[client.Template]{templateLocation(&t), *viewTemplate(&t)}, nil
}

func templateLocation(t *hongyan.Template) string {
	return "/v1/accounts/" + t.AppID + "/templates/" + t.TemplateID
}

type templatePath struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id"`
}

// deleteTemplate removes a template at WeChat, then here.
func (a *API) deleteTemplate(ctx context.Context, in *templatePath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	return nil, a.cfg.Templates.Delete(ctx, account.AppID, in.TemplateID)
}

type templatePutInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id"`
	Body       body[client.TemplatePut]
}

// putTemplate registers a template by hand.
func (a *API) putTemplate(ctx context.Context, in *templatePutInput) (*out[client.Template], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	t := hongyan.Template{
		AppID: account.AppID, TemplateID: in.TemplateID, Title: in.Body.Value.Title, Content: in.Body.Value.Content, Example: in.Body.Value.Example,
	}
	if err := checkTemplate(&t); err != nil {
		return nil, err
	}
	if t, err = a.cfg.Templates.Register(ctx, t); err != nil {
		return nil, err
	}
	return &out[client.Template]{*viewTemplate(&t)}, nil
}

// Limits of a template registered by hand; WeChat's own are far shorter.
const (
	maxTemplateID    = 64
	maxTemplateTitle = 64   // characters
	maxTemplateText  = 4096 // bytes
)

func checkTemplate(t *hongyan.Template) error {
	var f faults
	if len(t.TemplateID) > maxTemplateID || strings.ContainsFunc(t.TemplateID, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '/' }) {
		f.add("/path/template_id", "must be 1 to %d visible ASCII characters", maxTemplateID)
	}
	if n := utf8.RuneCountInString(t.Title); n == 0 || n > maxTemplateTitle {
		f.add("/title", "must have 1 to %d characters", maxTemplateTitle)
	}
	switch {
	case len(t.Content) > maxTemplateText:
		f.add("/content", "longer than %d bytes", maxTemplateText)
	case len(wechat.ParseContent(t.Content).Params()) == 0:
		f.add("/content", "has no key such as {{keyword1.DATA}}")
	}
	if len(t.Example) > maxTemplateText {
		f.add("/example", "longer than %d bytes", maxTemplateText)
	}
	return f.err("invalid_template")
}

func viewTemplate(t *hongyan.Template) *client.Template {
	keys := wechat.ParseContent(t.Content).Params()
	if keys == nil {
		keys = []string{}
	}
	return &client.Template{
		TemplateID: t.TemplateID, Title: t.Title, PrimaryIndustry: t.PrimaryIndustry, DeputyIndustry: t.DeputyIndustry,
		Content: t.Content, Example: t.Example, Kind: string(t.Kind), Keys: keys,
		Status: t.Status, StatusReason: t.StatusReason, SyncedAt: client.At(t.SyncedAt),
	}
}
