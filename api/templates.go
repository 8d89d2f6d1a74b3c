package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/client"
	"hongyan/template"
	"hongyan/wechat"
)

// upstreamTimeout bounds a request that waits for WeChat: a token fetch and two
// calls at the client's 15 s each.
const upstreamTimeout = 45 * time.Second

// maxHeldCounted bounds how many held messages of an account are counted for the list.
const maxHeldCounted = 10_000

func (a *API) listTemplates(ctx context.Context, in *accountPath) (*out[client.List[client.Template]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	known, err := a.cfg.Store.Templates(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	views, err := a.viewTemplates(ctx, account.AppID, known)
	if err != nil {
		return nil, err
	}
	return &out[client.List[client.Template]]{client.List[client.Template]{Items: views}}, nil
}

// getTemplate finds a template by template_id or alias.
func (a *API) getTemplate(ctx context.Context, in *templatePath) (*out[client.Template], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return nil, err
	}
	t, err := a.cfg.Store.Template(ctx, account.AppID, id)
	if err != nil {
		return nil, err
	}
	return a.showTemplate(ctx, &t)
}

func (a *API) showTemplate(ctx context.Context, t *hongyan.Template) (*out[client.Template], error) {
	views, err := a.viewTemplates(ctx, t.AppID, []hongyan.Template{*t})
	if err != nil {
		return nil, err
	}
	return &out[client.Template]{views[0]}, nil
}

type templateSyncInput struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	DryRun bool   `query:"dry_run" doc:"true: say what would be changed, and change nothing."`
}

// syncTemplates is an operator's sync: it also lifts bans.
func (a *API) syncTemplates(ctx context.Context, in *templateSyncInput) (*out[client.TemplateSync], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	found, err := a.cfg.Templates.SyncAll(ctx, account.AppID, in.DryRun)
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(account.AppID, "%s", syncWords(&found))
	return &out[client.TemplateSync]{*viewSync(&found)}, nil
}

func syncWords(c *template.Changes) string {
	words := fmt.Sprintf("%d added, %d updated, %d missing", len(c.Added), len(c.Updated), len(c.Missing))
	if c.DryRun {
		words += ", dry run"
	}
	return words
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
	if err := checkTemplateAdd(&want); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	var t hongyan.Template
	if want.TID != 0 {
		t, err = a.cfg.Templates.AddSubscribe(ctx, account.AppID, wechat.AddSubscribeTemplateRequest{TID: want.TID, KIDList: want.KIDList, SceneDesc: want.SceneDesc})
	} else {
		t, err = a.cfg.Templates.Add(ctx, account.AppID, want.TemplateIDShort, want.KeywordNameList)
	}
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(account.AppID, "template_id %s", t.TemplateID)
	view, err := a.showTemplate(ctx, &t)
	if err != nil {
		return nil, err
	}
	return &created[client.Template]{templateLocation(&t), view.Body}, nil
}

// checkTemplateAdd wants one of the two libraries, and what belongs to it.
func checkTemplateAdd(t *client.TemplateAdd) error {
	var f faults
	switch {
	case t.TemplateIDShort == "" && t.TID == 0:
		f.add("/template_id_short", "the number of a template in WeChat's library is required, or tid for a subscribe template")
	case t.TemplateIDShort != "" && t.TID != 0:
		f.add("/tid", "template_id_short and tid name two templates; add one at a time")
	case t.TID != 0 && len(t.KeywordNameList) > 0:
		f.add("/keyword_name_list", "belongs to template_id_short; a tid has kid_list")
	case t.TID == 0 && (len(t.KIDList) > 0 || t.SceneDesc != ""):
		f.add("/kid_list", "kid_list and scene_desc belong to a tid")
	case t.TID != 0:
		for _, p := range (wechat.AddSubscribeTemplateRequest{TID: t.TID, KIDList: t.KIDList, SceneDesc: t.SceneDesc}).Check() {
			f.add(subscribeFields[p.Field], "%s", p.Detail)
		}
	}
	return f.err("invalid_template")
}

// subscribeFields are the platform's names as ours.
var subscribeFields = map[string]string{"kidList": "/kid_list", "sceneDesc": "/scene_desc"}

func templateLocation(t *hongyan.Template) string {
	return "/v1/accounts/" + t.AppID + "/templates/" + t.TemplateID
}

type templatePath struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id" doc:"A template_id or an alias; DELETE takes no alias."`
}

// deleteTemplate removes a template at WeChat, then here.
func (a *API) deleteTemplate(ctx context.Context, in *templatePath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return nil, err
	}
	if id != in.TemplateID { // what an alias stands for may have changed since it was looked up
		return nil, badField("invalid_template", "/path/template_id", "%s is an alias of %s; delete %s", in.TemplateID, id, id)
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
		Kind: hongyan.MessageKind(in.Body.Value.Kind),
	}
	if err := checkTemplate(&t); err != nil {
		return nil, err
	}
	if t, err = a.cfg.Templates.Register(ctx, t); err != nil {
		return nil, err
	}
	return a.showTemplate(ctx, &t)
}

type templatePatchInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id" doc:"A template_id or an alias."`
	Body       body[client.TemplatePatch]
}

// patchTemplate changes the policy of a template.
func (a *API) patchTemplate(ctx context.Context, in *templatePatchInput) (*out[client.Template], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return nil, err
	}
	if in.Body.Value.Policy == nil {
		return a.getTemplate(ctx, &templatePath{account.AppID, id})
	}
	policy := hongyan.LengthPolicy(*in.Body.Value.Policy)
	if policy != "" && !slices.Contains(wechat.LengthPolicies(), policy) {
		return nil, badField("invalid_template", "/policy", "policy %q is not refuse, cut, split or empty", clip(string(policy)))
	}
	t, err := a.cfg.Templates.SetPolicy(ctx, account.AppID, id, policy)
	if err != nil {
		return nil, err
	}
	return a.showTemplate(ctx, &t)
}

// reservedIDs are the words that stand in the place of a template_id in our paths.
var reservedIDs = []string{"aliases", "categories", "industry", "library", "sync"}

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
	if slices.Contains(reservedIDs, t.TemplateID) {
		f.add("/path/template_id", "%q is a word of this API's paths", t.TemplateID)
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

// viewTemplates are templates of one account as the API shows them.
func (a *API) viewTemplates(ctx context.Context, appID string, all []hongyan.Template) ([]client.Template, error) {
	aliases, err := a.cfg.Store.TemplateAliases(ctx, appID)
	if err != nil {
		return nil, err
	}
	var held map[string]int
	if slices.ContainsFunc(all, func(t hongyan.Template) bool { return t.Status != template.Active }) {
		if held, err = a.cfg.Store.HeldForTemplates(ctx, appID, maxHeldCounted); err != nil {
			return nil, err
		}
	}
	views := make([]client.Template, 0, len(all))
	for i := range all {
		v := viewTemplate(&all[i])
		v.Held = held[v.TemplateID]
		for _, alias := range aliases {
			if alias.TemplateID == v.TemplateID {
				v.Aliases = append(v.Aliases, alias.Alias)
			}
		}
		views = append(views, v)
	}
	return views, nil
}

func viewTemplate(t *hongyan.Template) client.Template {
	return client.Template{
		TemplateID: t.TemplateID, Title: t.Title, PrimaryIndustry: t.PrimaryIndustry, DeputyIndustry: t.DeputyIndustry,
		Content: t.Content, Example: t.Example, Kind: string(t.Kind), Keys: listOf(wechat.ParseContent(t.Content).Params()),
		Enums: t.Enums, SubscribeType: subscribeWord(wechat.SubscribeTemplateType(t.SubscribeType)), Aliases: []string{}, Policy: string(t.Policy),
		Status: t.Status, StatusReason: t.StatusReason, SyncedAt: client.At(t.SyncedAt),
	}
}

func subscribeWord(t wechat.SubscribeTemplateType) string {
	switch t {
	case wechat.SubscribeOneTime:
		return "one_time"
	case wechat.SubscribeLongTerm:
		return "long_term"
	}
	return ""
}

// listOf makes an empty list of none, for JSON.
func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func viewSync(c *template.Changes) *client.TemplateSync {
	v := &client.TemplateSync{
		Added: listOf(c.Added), Updated: listOf(c.Updated), Missing: listOf(c.Missing), Unchanged: c.Unchanged, DryRun: c.DryRun, Unread: c.Unread,
		Differences: []client.TemplateDifference{},
	}
	for i := range c.Differences {
		d := &c.Differences[i]
		view := client.TemplateDifference{
			TemplateID: d.TemplateID, Title: d.Title, Kind: string(d.Kind), Change: d.Change,
			Fields: []client.FieldDiff{}, LinesAdded: listOf(d.LinesAdded), LinesRemoved: listOf(d.LinesRemoved),
			KeysAdded: listOf(d.KeysAdded), KeysRemoved: listOf(d.KeysRemoved), KeysRenamed: []client.RenamedKey{}, Aliases: listOf(d.Aliases),
		}
		for _, f := range d.Fields {
			view.Fields = append(view.Fields, client.FieldDiff(f))
		}
		for _, r := range d.KeysRenamed {
			view.KeysRenamed = append(view.KeysRenamed, client.RenamedKey(r))
		}
		v.Differences = append(v.Differences, view)
	}
	return v
}
