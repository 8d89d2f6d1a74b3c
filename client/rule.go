package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// RuleFilter is a condition on a field of the push.
type RuleFilter struct {
	Field string `json:"field" doc:"A field of the push by WeChat's name, such as EventKey or ScanCodeInfo.ScanResult. Scene is the scene of a QR code, without qrscene_. on accept: also TemplateId and PopupScene of what was accepted." example:"Scene"`
	Op    string `json:"op" enum:"equal,prefix,matches" doc:"matches: value is a regular expression (RE2), found anywhere unless it is anchored."`
	Value string `json:"value" example:"shop-"`
}

// RuleMessage is what a rule sends. In its texts {{openid}}, {{time}} (of the push, in
// Beijing), {{time:YYYY年M月D日}} and {{event.EventKey}} are replaced.
type RuleMessage struct {
	Kind                string           `json:"kind,omitempty" enum:"template,subscribe,notice" doc:"Default: as the account's kind says."`
	TemplateID          string           `json:"template_id" doc:"A template the account holds, or an alias of one."`
	URL                 string           `json:"url,omitempty" doc:"Where a tap leads. Values put into it are escaped. kind template."`
	MiniProgram         *MiniProgram     `json:"miniprogram,omitempty" doc:"kinds template and notice."`
	Page                string           `json:"page,omitempty" doc:"kinds subscribe and notice."`
	MiniProgramState    string           `json:"miniprogram_state,omitempty" enum:"developer,trial,formal" doc:"kind subscribe."`
	Lang                string           `json:"lang,omitempty" enum:"zh_CN,en_US,zh_HK,zh_TW" doc:"kind subscribe."`
	Data                map[string]Field `json:"data" doc:"A value for every key of the template." example:"{\"thing1\":\"欢迎关注\",\"time2\":\"{{time}}\"}"`
	Priority            string           `json:"priority,omitempty" enum:"urgent,normal,bulk" doc:"Default normal."`
	ExpiresAfterSeconds int64            `json:"expires_after_seconds,omitempty" doc:"How long after the push, and delay_seconds, the message may still leave. Default: the account's setting."`
	Metadata            json.RawMessage  `json:"metadata,omitempty" doc:"A JSON object of yours, given back with the message."`
}

// RuleRequest makes a rule.
type RuleRequest struct {
	Name         string       `json:"name" pattern:"^[a-z][a-z0-9_-]{0,31}$" doc:"A short word, unique inside the account." example:"welcome"`
	On           string       `json:"on" doc:"follow; scan (a QR code with a scene, by a follower or somebody who follows with it); accept (of a subscribe message); click (a key of the menu); or another type of message or event in lower case, such as view or text." example:"follow"`
	Filters      []RuleFilter `json:"filters,omitempty" nullable:"false" doc:"All of them must fit. At most 20."`
	DelaySeconds int64        `json:"delay_seconds,omitempty" doc:"How long after the push the message leaves, at most 30 days. Default at once."`
	OncePer      string       `json:"once_per,omitempty" doc:"At most once per user in this time: 30m, 24h, 30d; or ever. Default: for every push." example:"30d"`
	Paused       bool         `json:"paused,omitempty"`
	Message      RuleMessage  `json:"message"`
}

// RulePatch changes a rule; a nil field stays as it is.
type RulePatch struct {
	On           *string       `json:"on,omitempty"`
	Filters      *[]RuleFilter `json:"filters,omitempty" nullable:"false" doc:"Replaces the list."`
	DelaySeconds *int64        `json:"delay_seconds,omitempty"`
	OncePer      *string       `json:"once_per,omitempty" doc:"Empty: for every push."`
	Message      *RuleMessage  `json:"message,omitempty" doc:"Replaces all of it."`
}

// Rule is a rule and what it did.
type Rule struct {
	ID            string       `json:"id"`
	AppID         string       `json:"appid"`
	Name          string       `json:"name"`
	On            string       `json:"on"`
	Filters       []RuleFilter `json:"filters" nullable:"false"`
	DelaySeconds  int64        `json:"delay_seconds"`
	OncePer       string       `json:"once_per" doc:"Empty: for every push."`
	Paused        bool         `json:"paused"`
	Message       RuleMessage  `json:"message"`
	CreatedAt     Time         `json:"created_at"`
	UpdatedAt     Time         `json:"updated_at"`
	Fired         int64        `json:"fired" doc:"Messages it made."`
	Refused       int64        `json:"refused" doc:"Pushes that set it off and got no message."`
	LastFiredAt   *Time        `json:"last_fired_at"`
	LastMessageID string       `json:"last_message_id"`
	LastRefusedAt *Time        `json:"last_refused_at"`
	LastRefusal   string       `json:"last_refusal" doc:"Why the latest such push got none; cleared when what the rule says is changed."`
}

// Firing is a push that set a rule off.
type Firing struct {
	ID        string `json:"id"`
	EventID   string `json:"event_id"`
	OpenID    string `json:"openid"`
	State     string `json:"state" enum:"pending,sent,refused"`
	At        Time   `json:"at" doc:"Of the push."`
	SendAt    Time   `json:"send_at"`
	Attempts  int    `json:"attempts"`
	MessageID string `json:"message_id"`
	Code      string `json:"code" doc:"Why it was refused, or why it is tried again."`
	Refusal   string `json:"refusal"`
	CreatedAt Time   `json:"created_at"`
	EndedAt   *Time  `json:"ended_at"`
}

// RuleTrial is what a rule would do with a push; nothing was done.
type RuleTrial struct {
	EventID string       `json:"event_id"`
	Would   string       `json:"would" enum:"send,not_fitting,already,refused" doc:"already: the user has had it within once_per. refused: the message breaks a rule."`
	Why     string       `json:"why" doc:"Empty for send."`
	OpenID  string       `json:"openid"`
	SendAt  *Time        `json:"send_at"`
	Message *RuleMessage `json:"message" doc:"As it would be sent; null unless the push fits."`
	Errors  []FieldError `json:"errors" nullable:"false" doc:"What the message breaks."`
}

// CreateRule makes a rule.
func (c *Client) CreateRule(ctx context.Context, appID string, r RuleRequest) (Rule, error) {
	return one[Rule](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/rules"), body: r, want: created})
}

// Rules lists an account's rules.
func (c *Client) Rules(ctx context.Context, appID string) (List[Rule], error) {
	return one[List[Rule]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/rules")})
}

// Rule reads one rule.
func (c *Client) Rule(ctx context.Context, appID, name string) (Rule, error) {
	return one[Rule](ctx, c, call{method: http.MethodGet, path: rulePath(appID, name, "")})
}

// UpdateRule changes a rule.
func (c *Client) UpdateRule(ctx context.Context, appID, name string, p RulePatch) (Rule, error) {
	return one[Rule](ctx, c, call{method: http.MethodPatch, path: rulePath(appID, name, ""), body: p})
}

// DeleteRule removes a rule and the memory of whom it fired for.
func (c *Client) DeleteRule(ctx context.Context, appID, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: rulePath(appID, name, "")})
	return err
}

// PauseRule keeps a rule from firing. Pushes that come meanwhile never set it off.
func (c *Client) PauseRule(ctx context.Context, appID, name string) (Rule, error) {
	return one[Rule](ctx, c, call{method: http.MethodPost, path: rulePath(appID, name, "/pause")})
}

// ResumeRule lets a rule fire again.
func (c *Client) ResumeRule(ctx context.Context, appID, name string) (Rule, error) {
	return one[Rule](ctx, c, call{method: http.MethodPost, path: rulePath(appID, name, "/resume")})
}

// TestRule tells what a rule would do with a past push; eventID "" = the latest that
// fits. Nothing is sent.
func (c *Client) TestRule(ctx context.Context, appID, name, eventID string) (RuleTrial, error) {
	q := url.Values{}
	if eventID != "" {
		q.Set("event", eventID)
	}
	return one[RuleTrial](ctx, c, call{method: http.MethodGet, path: rulePath(appID, name, "/test"), query: q})
}

// Firings reads one page of what set a rule off, newest first. limit 0 = 50.
func (c *Client) Firings(ctx context.Context, appID, name, cursor string, limit int) (List[Firing], error) {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return one[List[Firing]](ctx, c, call{method: http.MethodGet, path: rulePath(appID, name, "/firings"), query: q})
}

func rulePath(appID, name, rest string) string {
	return accountPath(appID, "/rules/"+segment(name)+rest)
}
