package api

import (
	"context"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"hongyan"
	"hongyan/card"
	"hongyan/client"
	"hongyan/dispatch"
	"hongyan/wechat"
)

// lintBody is client.PreviewRequest as the gateway reads it: data is read as that of a
// message, but for keys that the linter is to judge. A test compares the two.
type lintBody struct {
	Data            lintData `json:"data"`
	Kind            string   `json:"kind"`
	TopColor        string   `json:"topcolor"`
	EmphasisKeyword string   `json:"emphasis_keyword"`
	Era             string   `json:"era"`
}

type previewBody struct {
	lintBody
	URL         string `json:"url"`
	MiniProgram *jump  `json:"miniprogram"`
	Page        string `json:"page"`
	Platform    string `json:"platform"`
	OldClient   bool   `json:"old_client"`
}

// bodyAs is body[T] documented as D.
type bodyAs[D, T any] struct {
	Value T
	err   error
}

func (b *bodyAs[D, T]) decode(data []byte) { b.err = decodeStrict(data, &b.Value) }

// Schema documents D.
func (*bodyAs[D, T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[D](), true, "")
}

// Resolve reports what was wrong with the body.
func (b *bodyAs[D, T]) Resolve(huma.Context) []error {
	if b.err == nil {
		return nil
	}
	return []error{b.err}
}

type lintInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id" doc:"A template_id or an alias."`
	Body       bodyAs[client.LintRequest, lintBody]
}

func (a *API) lintTemplate(ctx context.Context, in *lintInput) (*out[client.LintReport], error) {
	l, _, err := a.lint(ctx, in.AppID, in.TemplateID, &in.Body.Value)
	if err != nil {
		return nil, err
	}
	return &out[client.LintReport]{viewLint(&l)}, nil
}

// lint asks the engine's linter.
func (a *API) lint(ctx context.Context, appID, templateID string, b *lintBody) (dispatch.Lint, wechat.Era, error) {
	account, err := a.account(ctx, appID)
	if err != nil {
		return dispatch.Lint{}, 0, err
	}
	era, err := wechat.ParseEra(b.Era)
	if err != nil {
		return dispatch.Lint{}, 0, badField("invalid_field", "/era", "era %q is not A to F", clip(b.Era))
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	l, err := a.cfg.Engine.Lint(ctx, dispatch.Request{
		AppID: account.AppID, TemplateID: templateID, Kind: hongyan.MessageKind(b.Kind), Data: wechat.Data(b.Data),
		TopColor: b.TopColor, EmphasisKeyword: b.EmphasisKeyword,
	}, era)
	return l, era, err
}

func viewLint(l *dispatch.Lint) client.LintReport {
	v := client.LintReport{
		TemplateID: l.Template.TemplateID, Title: l.Template.Title, Kind: string(l.Kind), Known: l.Known, OK: l.OK(), Policy: string(l.Policy),
		Findings: []client.Finding{}, Data: map[string]client.Field{},
	}
	for _, f := range l.Findings {
		v.Findings = append(v.Findings, client.Finding{
			Severity: string(f.Severity), Pointer: f.Pointer, Rule: f.Rule, Detail: f.Detail, DetailZH: f.DetailZH, Value: f.Value,
		})
	}
	for key, field := range l.Data {
		v.Data[key] = client.Field{Value: field.Value, Color: field.Color}
	}
	return v
}

type previewInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	TemplateID string `path:"template_id" doc:"A template_id or an alias."`
	Body       bodyAs[client.PreviewRequest, previewBody]
}

func (a *API) previewTemplate(ctx context.Context, in *previewInput) (*out[client.Preview], error) {
	b := &in.Body.Value
	if err := a.fillExample(ctx, in); err != nil {
		return nil, err
	}
	l, era, err := a.lint(ctx, in.AppID, in.TemplateID, &b.lintBody)
	if err != nil {
		return nil, err
	}
	if !l.Known {
		return nil, &hongyan.Error{Kind: hongyan.NotFound, Code: "unknown_template", Message: "the text of template " + clip(in.TemplateID) + " is not known here",
			Hint: "Synchronise the templates, or register it with PUT."}
	}
	v := client.Preview{LintReport: viewLint(&l), Era: era.String()}
	if err := a.drawPreview(ctx, &v, &l, era, b); err != nil {
		return nil, err
	}
	return &out[client.Preview]{v}, nil
}

// fillExample takes the values from the template's example where none are given.
func (a *API) fillExample(ctx context.Context, in *previewInput) error {
	if in.Body.Value.Data != nil {
		return nil
	}
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return err
	}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return err
	}
	t, err := a.cfg.Store.Template(ctx, account.AppID, id)
	if err == nil {
		in.Body.Value.Data = lintData(wechat.ExampleData(wechat.ParseContent(t.Content), t.Example))
	}
	return nil // one that is not known is lint's to refuse
}

// forms are the kinds of message as package card knows them.
var forms = map[hongyan.MessageKind]card.Form{
	hongyan.KindTemplate: card.FormTemplate, hongyan.KindMiniTemplate: card.FormMini,
	hongyan.KindSubscribe: card.FormSubscribe, hongyan.KindNotice: card.FormSubscribe,
}

func (a *API) drawPreview(ctx context.Context, v *client.Preview, l *dispatch.Lint, era wechat.Era, b *previewBody) (err error) {
	account, err := a.cfg.Store.Account(ctx, l.Template.AppID)
	if err != nil {
		return err
	}
	mini := account.Kind == hongyan.MiniProgram
	opens, err := b.opens(&account, era)
	if err != nil {
		return err
	}
	face := card.New(l.Card, card.StyleOf(forms[l.Kind], era))
	page := card.Page{Face: face, Era: era, Sender: account.Name, Foot: footText(card.FootOf(face.Style, mini, opens.Kind), opens)}
	if v.HTML, err = card.HTML(page); err != nil {
		return err
	}
	v.Text = card.Text(page)
	v.Card = viewCard(&l.Card, string(face.Style))
	v.Jump = client.PreviewJump{Kind: opens.Kind.String(), URL: opens.URL, AppID: opens.AppID, PagePath: opens.PagePath}
	return nil
}

// footText is the last row as a phone in Chinese shows it. Nobody here knows the name of
// a mini program that is not ours.
func footText(f card.Foot, opens wechat.Jump) string {
	if f == card.FootMiniProgram {
		return opens.AppID
	}
	return f.Words()[0]
}

// opens is what a tap opens: a mini program's own page, or what a service account links to.
func (b *previewBody) opens(a *hongyan.Account, era wechat.Era) (wechat.Jump, error) {
	in := wechat.JumpInput{Era: era, URL: b.URL, OldClient: b.OldClient}
	switch b.Platform {
	case "", "ios":
	case "android":
		in.Platform = wechat.PlatformAndroid
	default:
		return wechat.Jump{}, badField("invalid_field", "/platform", "platform %q is not ios or android", clip(b.Platform))
	}
	if a.Kind == hongyan.MiniProgram {
		if b.Page == "" {
			return wechat.Jump{}, nil
		}
		return wechat.Jump{Kind: wechat.JumpMiniProgram, AppID: a.AppID, PagePath: b.Page}, nil
	}
	if in.URL == "" {
		in.URL = b.Page // of a notice
	}
	if b.MiniProgram != nil {
		in.MiniProgram = &wechat.MiniProgram{AppID: b.MiniProgram.AppID, PagePath: b.MiniProgram.PagePath}
	}
	return wechat.ResolveJump(in), nil
}

func viewCard(c *wechat.Card, style string) client.Card {
	v := client.Card{
		Style: style, Title: c.Title, Date: c.Date, TopColor: c.TopColor, First: c.First, FirstColor: c.FirstColor,
		Lines: []client.CardLine{}, Remark: c.Remark, RemarkColor: c.RemarkColor,
	}
	for _, l := range c.Lines {
		v.Lines = append(v.Lines, client.CardLine{Label: l.Label, Value: l.Value, Color: l.Color, Emphasis: l.Emphasis})
	}
	return v
}
