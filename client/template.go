package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Template is a template the account holds, as the gateway knows it.
type Template struct {
	TemplateID      string              `json:"template_id"`
	Title           string              `json:"title"`
	PrimaryIndustry string              `json:"primary_industry"`
	DeputyIndustry  string              `json:"deputy_industry"`
	Content         string              `json:"content"`
	Example         string              `json:"example"`
	Kind            string              `json:"kind" enum:"template,mini_template,subscribe,notice" doc:"Of the messages it is for."`
	Keys            []string            `json:"keys" nullable:"false" doc:"The keys data must have, in order."`
	Enums           map[string][]string `json:"enums,omitempty" doc:"The values that keys of the type enum may have."`
	SubscribeType   string              `json:"subscribe_type,omitempty" enum:"one_time,long_term" doc:"For how long one acceptance is good; of subscribe templates only."`
	Status          string              `json:"status" enum:"active,banned,removed"`
	StatusReason    string              `json:"status_reason"`
	Aliases         []string            `json:"aliases" nullable:"false" doc:"Words that may be given in place of template_id."`
	Policy          string              `json:"policy" enum:",refuse,cut,split" doc:"What becomes of values that are too long; empty: the account's cut_values decides."`
	Held            int                 `json:"held" doc:"Messages that wait because the template is banned or removed, counted to 10,000 for the account."`
	SyncedAt        *Time               `json:"synced_at"`
}

// TemplateSync reports what a sync changed, by template_id and one by one.
type TemplateSync struct {
	Added       []string             `json:"added" nullable:"false"`
	Updated     []string             `json:"updated" nullable:"false"`
	Missing     []string             `json:"missing" nullable:"false" doc:"Known here, no longer at WeChat. Marked as removed, never deleted."`
	Unchanged   int                  `json:"unchanged"`
	Differences []TemplateDifference `json:"differences" nullable:"false" doc:"Of all but the unchanged."`
	DryRun      bool                 `json:"dry_run" doc:"true: nothing was stored."`
	Unread      string               `json:"unread,omitempty" doc:"Why the list of subscription notices could not be read, if it could not; the rest was done."`
}

// TemplateDifference is how one template differs from what was known of it.
type TemplateDifference struct {
	TemplateID   string       `json:"template_id"`
	Title        string       `json:"title"`
	Kind         string       `json:"kind" enum:"template,mini_template,subscribe,notice"`
	Change       string       `json:"change" enum:"added,updated,missing"`
	Fields       []FieldDiff  `json:"fields" nullable:"false"`
	LinesAdded   []string     `json:"lines_added" nullable:"false" doc:"Of the content."`
	LinesRemoved []string     `json:"lines_removed" nullable:"false"`
	KeysAdded    []string     `json:"keys_added" nullable:"false" doc:"Keys that messages must have now."`
	KeysRemoved  []string     `json:"keys_removed" nullable:"false"`
	KeysRenamed  []RenamedKey `json:"keys_renamed" nullable:"false" doc:"Keys whose line is there under another key."`
	Aliases      []string     `json:"aliases" nullable:"false" doc:"Words that stand for it: their callers are concerned."`
}

// FieldDiff is a field with what it was and is.
type FieldDiff struct {
	Field string `json:"field" example:"title"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// RenamedKey is a key that data must have under another name.
type RenamedKey struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// TemplateAdd names a template of WeChat's library: one for template messages by
// TemplateIDShort, or one for subscribe messages and notices by TID.
type TemplateAdd struct {
	TemplateIDShort string   `json:"template_id_short,omitempty" doc:"The number in the library (模板库编号), for template messages."`
	KeywordNameList []string `json:"keyword_name_list,omitempty" nullable:"false" doc:"The keywords to have, in order. Category templates (类目模板) need it."`
	TID             int      `json:"tid,omitempty" doc:"The number in the public library, for subscribe messages and subscription notices (订阅消息、订阅通知)."`
	KIDList         []int    `json:"kid_list,omitempty" nullable:"false" doc:"The numbers of two to five keywords, in order."`
	SceneDesc       string   `json:"scene_desc,omitempty" doc:"What the account sends it for, at most 15 characters."`
}

// TemplatePut registers a template by hand, for accounts whose templates cannot
// be listed (WeChat retired that call for mini programs' form_id templates).
type TemplatePut struct {
	Title   string `json:"title"`
	Content string `json:"content" doc:"With its keys, e.g. 订单号{{keyword1.DATA}}"`
	Example string `json:"example,omitempty"`
	Kind    string `json:"kind,omitempty" enum:"template,mini_template,subscribe,notice" doc:"Of the messages it is for; default template, of mini programs mini_template."`
}

// TemplatePatch changes what the gateway decides about a template.
type TemplatePatch struct {
	Policy *string `json:"policy,omitempty" enum:",refuse,cut,split" doc:"What becomes of values that are too long; empty: the account's cut_values decides. Left out: as it is."`
}

// TemplateAlias is a word that stands for a template.
type TemplateAlias struct {
	Alias      string `json:"alias" example:"order_paid"`
	TemplateID string `json:"template_id"`
	UpdatedAt  *Time  `json:"updated_at"`
}

// TemplateAliasPut says what a word stands for.
type TemplateAliasPut struct {
	TemplateID string `json:"template_id" doc:"A template that the account holds."`
}

// LintRequest is what is to be held against a template.
type LintRequest struct {
	Data            map[string]Field `json:"data,omitempty" doc:"As in a message. A preview without it shows the template's example."`
	Kind            string           `json:"kind,omitempty" enum:"template,mini_template,subscribe,notice" doc:"Default: as the template."`
	TopColor        string           `json:"topcolor,omitempty"`
	EmphasisKeyword string           `json:"emphasis_keyword,omitempty"`
	Era             string           `json:"era,omitempty" enum:"A,B,C,D,E,F" doc:"Whose phone shows it, A (2014) to F (today); default F."`
}

// Finding is one thing the linter says of data.
type Finding struct {
	Severity string `json:"severity" enum:"error,warning" doc:"error: the message would be refused. warning: it would be sent, and not be shown as given."`
	Pointer  string `json:"pointer" doc:"RFC 6901 pointer into the message." example:"/data/thing1"`
	Rule     string `json:"rule" example:"thing:max20"`
	Detail   string `json:"detail"`
	DetailZH string `json:"detail_zh"`
	Value    string `json:"value" doc:"As it was given."`
}

// LintReport is what the linter says of data.
type LintReport struct {
	TemplateID string           `json:"template_id"`
	Title      string           `json:"title"`
	Kind       string           `json:"kind" enum:"template,mini_template,subscribe,notice"`
	Known      bool             `json:"known" doc:"false: the gateway has not the template's text, and judges values by the rules that their keys name."`
	OK         bool             `json:"ok" doc:"true: a message with this data would be accepted."`
	Policy     string           `json:"policy" enum:"refuse,cut,split" doc:"What becomes of values that are too long, as it is in force."`
	Findings   []Finding        `json:"findings" nullable:"false"`
	Data       map[string]Field `json:"data" doc:"As it would be sent, after cuts and splits."`
}

// PreviewRequest is what is to be drawn.
type PreviewRequest struct {
	LintRequest
	URL         string       `json:"url,omitempty"`
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	Page        string       `json:"page,omitempty"`
	Platform    string       `json:"platform,omitempty" enum:"ios,android" doc:"Matters in era A only."`
	OldClient   bool         `json:"old_client,omitempty" doc:"A WeChat too old to open mini programs."`
}

// Preview is a message as the phone would show it.
type Preview struct {
	LintReport
	Era  string      `json:"era"`
	Card Card        `json:"card"`
	Jump PreviewJump `json:"jump" doc:"What a tap opens."`
	HTML string      `json:"html" doc:"The card as a document that loads nothing from elsewhere."`
	Text string      `json:"text" doc:"The card for a terminal."`
}

// Card is what stands on a card. Colours are #RRGGBB, empty for the default.
type Card struct {
	Style       string     `json:"style" enum:"classic,trimmed,mini"`
	Title       string     `json:"title"`
	Date        string     `json:"date"`
	TopColor    string     `json:"topcolor"`
	First       string     `json:"first"`
	FirstColor  string     `json:"first_color"`
	Lines       []CardLine `json:"lines" nullable:"false"`
	Remark      string     `json:"remark"`
	RemarkColor string     `json:"remark_color"`
}

// CardLine is a line of a card.
type CardLine struct {
	Label    string `json:"label"`
	Value    string `json:"value"`
	Color    string `json:"color"`
	Emphasis bool   `json:"emphasis"`
}

// PreviewJump is what a tap on a card opens.
type PreviewJump struct {
	Kind     string `json:"kind" enum:"none,url,miniprogram,blank_page"`
	URL      string `json:"url"`
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath"`
}

// Industry is an industry of an account. Code is empty where WeChat spells a name in
// a way that is not known here.
type Industry struct {
	Code        string `json:"code" example:"1"`
	FirstClass  string `json:"first_class" example:"IT科技"`
	SecondClass string `json:"second_class" example:"互联网|电子商务"`
}

// Industries are those that an account has chosen, and all there are.
type Industries struct {
	Primary   *Industry  `json:"primary"`
	Secondary *Industry  `json:"secondary"`
	All       []Industry `json:"all" nullable:"false"`
}

// IndustryPut chooses both industries of an account.
type IndustryPut struct {
	IndustryID1 string `json:"industry_id1" example:"1"`
	IndustryID2 string `json:"industry_id2" example:"4"`
}

// Category is a category (类目) of an account.
type Category struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// LibraryTitle is a template of WeChat's public library of subscribe templates.
type LibraryTitle struct {
	TID        int    `json:"tid"`
	Title      string `json:"title"`
	Type       string `json:"type" enum:"one_time,long_term"`
	CategoryID int    `json:"category_id"`
}

// LibraryPage is a part of the public library.
type LibraryPage struct {
	Items []LibraryTitle `json:"items" nullable:"false"`
	Count int            `json:"count" doc:"Of all pages."`
}

// LibraryKeyword is a line that a template of the public library may have.
type LibraryKeyword struct {
	KID     int    `json:"kid"`
	Name    string `json:"name"`
	Example string `json:"example"`
	Rule    string `json:"rule" doc:"Its type, such as thing or time."`
}

// Templates lists an account's templates, by title.
func (c *Client) Templates(ctx context.Context, appID string) (List[Template], error) {
	return one[List[Template]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates")})
}

// Template reads one template, by template_id or alias.
func (c *Client) Template(ctx context.Context, appID, template string) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodGet, path: templatePath(appID, template, "")})
}

// SyncTemplates asks WeChat for the account's templates and stores them.
func (c *Client) SyncTemplates(ctx context.Context, appID string) (TemplateSync, error) {
	return one[TemplateSync](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates/sync")})
}

// CompareTemplates says what SyncTemplates would change, and changes nothing.
func (c *Client) CompareTemplates(ctx context.Context, appID string) (TemplateSync, error) {
	return one[TemplateSync](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates/sync"), query: url.Values{"dry_run": {"true"}}})
}

// AddTemplate adds a library template to the account at WeChat.
func (c *Client) AddTemplate(ctx context.Context, appID string, t TemplateAdd) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates"), body: t, want: created})
}

// PutTemplate registers a template by hand.
func (c *Client) PutTemplate(ctx context.Context, appID, templateID string, t TemplatePut) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodPut, path: templatePath(appID, templateID, ""), body: t})
}

// SetTemplatePolicy says what becomes of values that are too long: refuse, cut or split;
// "" leaves it to the account.
func (c *Client) SetTemplatePolicy(ctx context.Context, appID, template, policy string) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodPatch, path: templatePath(appID, template, ""), body: TemplatePatch{&policy}})
}

// DeleteTemplate removes a template at WeChat and here.
func (c *Client) DeleteTemplate(ctx context.Context, appID, templateID string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: templatePath(appID, templateID, "")})
	return err
}

// LintTemplate holds data against a template, by template_id or alias.
func (c *Client) LintTemplate(ctx context.Context, appID, template string, r LintRequest) (LintReport, error) {
	return one[LintReport](ctx, c, call{method: http.MethodPost, path: templatePath(appID, template, "/lint"), body: r})
}

// PreviewTemplate draws a message as the phone would show it.
func (c *Client) PreviewTemplate(ctx context.Context, appID, template string, r PreviewRequest) (Preview, error) {
	return one[Preview](ctx, c, call{method: http.MethodPost, path: templatePath(appID, template, "/preview"), body: r})
}

// TemplateAliases lists the words that stand for templates of an account.
func (c *Client) TemplateAliases(ctx context.Context, appID string) (List[TemplateAlias], error) {
	return one[List[TemplateAlias]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates/aliases")})
}

// PutTemplateAlias makes a word stand for a template, whatever it stood for.
func (c *Client) PutTemplateAlias(ctx context.Context, appID, alias, templateID string) (TemplateAlias, error) {
	return one[TemplateAlias](ctx, c, call{method: http.MethodPut, path: accountPath(appID, "/templates/aliases/") + segment(alias), body: TemplateAliasPut{templateID}})
}

// DeleteTemplateAlias removes a word.
func (c *Client) DeleteTemplateAlias(ctx context.Context, appID, alias string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: accountPath(appID, "/templates/aliases/") + segment(alias)})
	return err
}

// Industries reads an official account's industries at WeChat.
func (c *Client) Industries(ctx context.Context, appID string) (Industries, error) {
	return one[Industries](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates/industry")})
}

// SetIndustry chooses both industries, by code, and reports what became of the templates.
func (c *Client) SetIndustry(ctx context.Context, appID, first, second string) (TemplateSync, error) {
	return one[TemplateSync](ctx, c, call{method: http.MethodPut, path: accountPath(appID, "/templates/industry"), body: IndustryPut{first, second}})
}

// Categories reads the account's categories at WeChat.
func (c *Client) Categories(ctx context.Context, appID string) (List[Category], error) {
	return one[List[Category]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates/categories")})
}

// Library reads a page of WeChat's public library of subscribe templates: limit titles (at
// most 30; 0 = 30) from start on, of some categories, or of all the account's.
func (c *Client) Library(ctx context.Context, appID string, categories []int, start, limit int) (LibraryPage, error) {
	q := url.Values{}
	if len(categories) > 0 {
		words := make([]string, len(categories))
		for i, id := range categories {
			words[i] = strconv.Itoa(id)
		}
		q.Set("categories", strings.Join(words, ","))
	}
	if start > 0 {
		q.Set("start", strconv.Itoa(start))
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return one[LibraryPage](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates/library"), query: q})
}

// LibraryKeywords reads the lines that a template of the public library may have.
func (c *Client) LibraryKeywords(ctx context.Context, appID string, tid int) (List[LibraryKeyword], error) {
	return one[List[LibraryKeyword]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates/library/") + strconv.Itoa(tid)})
}

func templatePath(appID, template, below string) string {
	return accountPath(appID, "/templates/") + segment(template) + below
}
