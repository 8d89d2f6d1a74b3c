package client

import (
	"context"
	"net/http"
)

// Template is a template the account holds, as the gateway knows it.
type Template struct {
	TemplateID      string   `json:"template_id"`
	Title           string   `json:"title"`
	PrimaryIndustry string   `json:"primary_industry"`
	DeputyIndustry  string   `json:"deputy_industry"`
	Content         string   `json:"content"`
	Example         string   `json:"example"`
	Kind            string   `json:"kind" enum:"template,mini_template"`
	Keys            []string `json:"keys" nullable:"false" doc:"The keys data must have, in order."`
	Status          string   `json:"status" enum:"active,banned,removed"`
	StatusReason    string   `json:"status_reason"`
	SyncedAt        *Time    `json:"synced_at"`
}

// TemplateSync reports what a sync changed, by template_id.
type TemplateSync struct {
	Added     []string `json:"added" nullable:"false"`
	Updated   []string `json:"updated" nullable:"false"`
	Missing   []string `json:"missing" nullable:"false" doc:"Known here, no longer at WeChat. Marked as removed, never deleted."`
	Unchanged int      `json:"unchanged"`
}

// TemplateAdd names a template of WeChat's library.
type TemplateAdd struct {
	TemplateIDShort string   `json:"template_id_short" doc:"The number in the library (模板库编号)."`
	KeywordNameList []string `json:"keyword_name_list,omitempty" nullable:"false" doc:"The keywords to have, in order. Category templates (类目模板) need it."`
}

// TemplatePut registers a template by hand, for accounts whose templates cannot
// be listed (WeChat retired that call for mini programs).
type TemplatePut struct {
	Title   string `json:"title"`
	Content string `json:"content" doc:"With its keys, e.g. 订单号{{keyword1.DATA}}"`
	Example string `json:"example,omitempty"`
}

// Templates lists an account's templates, by title.
func (c *Client) Templates(ctx context.Context, appID string) (List[Template], error) {
	return one[List[Template]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/templates")})
}

// SyncTemplates asks WeChat for the account's templates and stores them.
func (c *Client) SyncTemplates(ctx context.Context, appID string) (TemplateSync, error) {
	return one[TemplateSync](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates/sync")})
}

// AddTemplate adds a library template to the account at WeChat.
func (c *Client) AddTemplate(ctx context.Context, appID string, t TemplateAdd) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates"), body: t, want: created})
}

// PutTemplate registers a template by hand.
func (c *Client) PutTemplate(ctx context.Context, appID, templateID string, t TemplatePut) (Template, error) {
	return one[Template](ctx, c, call{method: http.MethodPut, path: accountPath(appID, "/templates/") + segment(templateID), body: t})
}

// DeleteTemplate removes a template at WeChat and here.
func (c *Client) DeleteTemplate(ctx context.Context, appID, templateID string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: accountPath(appID, "/templates/") + segment(templateID)})
	return err
}
