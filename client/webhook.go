package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// WebhookRequest describes an endpoint that is to hear what happens.
type WebhookRequest struct {
	Name     string   `json:"name" doc:"For people; unique." example:"orders"`
	Kind     string   `json:"kind,omitempty" enum:"webhook,wecom,dingtalk,feishu" doc:"webhook: signed JSON, as Standard Webhooks says. wecom, dingtalk, feishu: the robot of a chat of 企业微信, 钉钉 or 飞书, which is told alarms in words. Default webhook."`
	URL      string   `json:"url" doc:"Where events are posted. The address of a robot is its credential: it is stored encrypted and answered without its key. An address that is not public must be listed in the gateway's setting allow_private." example:"https://shop.example.com/hooks/hongyan"`
	Events   []string `json:"events,omitempty" nullable:"false" doc:"Types of event, such as message.delivered or message.*. Default: all; for a robot the alarms." example:"[\"message.*\",\"account.stopped\"]"`
	AppIDs   []string `json:"appids,omitempty" nullable:"false" doc:"Accounts, by appid or alias. Default: all that the key covers."`
	Secret   string   `json:"secret,omitempty" doc:"webhook: whsec_ and the base64 of 24 to 64 bytes; default a new one. dingtalk, feishu: the secret that the robot shows, if it checks signatures."`
	Language string   `json:"language,omitempty" enum:"zh,en" doc:"Of a robot's words. Default: both."`
}

// WebhookPatch changes an endpoint; nil fields stay as they are.
type WebhookPatch struct {
	Name     *string   `json:"name,omitempty"`
	URL      *string   `json:"url,omitempty"`
	Events   *[]string `json:"events,omitempty" doc:"Empty: all, for a robot the alarms."`
	AppIDs   *[]string `json:"appids,omitempty" doc:"Empty: all that the key covers."`
	Secret   *string   `json:"secret,omitempty" doc:"Of a robot: empty = it checks no signatures. The secret of a webhook is changed by rotate."`
	Language *string   `json:"language,omitempty"`
	Disabled *bool     `json:"disabled,omitempty" doc:"false: use one again that was disabled because it answered 410. true: keep and send nothing any more."`
}

// Webhook is an endpoint, and how it does. Its secrets are never answered.
type Webhook struct {
	ID               string          `json:"id" example:"whk_0199f2f1c0de7abc8def0123456789ab"`
	Name             string          `json:"name"`
	Kind             string          `json:"kind" enum:"webhook,wecom,dingtalk,feishu"`
	URL              string          `json:"url" doc:"Of a robot without its key."`
	Events           []string        `json:"events" nullable:"false" doc:"Empty = all."`
	AppIDs           []string        `json:"appids" nullable:"false" doc:"Empty = all."`
	Language         string          `json:"language" doc:"Of a robot's words; empty = both."`
	Paused           bool            `json:"paused" doc:"Its events are kept until it is resumed, at most 7 days."`
	Disabled         bool            `json:"disabled" doc:"Nothing is kept for it or sent any more."`
	DisabledReason   string          `json:"disabled_reason"`
	DisabledReasonZH string          `json:"disabled_reason_zh" doc:"The same in Chinese."`
	DisabledAt       *Time           `json:"disabled_at"`
	Secrets          []WebhookSecret `json:"secrets" nullable:"false" doc:"Those that sign, the newest first; without the secrets themselves."`
	Pending          int64           `json:"pending" doc:"Events that it has yet to take."`
	Delivered        int64           `json:"delivered" doc:"Events it took, as far as they are remembered: 7 days."`
	GaveUp           int64           `json:"gave_up" doc:"Events that were tried in vain for 3 days. Redeliver them once it is mended."`
	OldestPendingAt  *Time           `json:"oldest_pending_at" doc:"Since when the oldest of the pending ones waits."`
	LastError        string          `json:"last_error" doc:"Why the latest attempt at the oldest of the pending ones failed."`
	CreatedAt        Time            `json:"created_at"`
	UpdatedAt        Time            `json:"updated_at"`
}

// WebhookSecret tells of a secret without showing it.
type WebhookSecret struct {
	Hint  string `json:"hint" doc:"Its first characters."`
	Until *Time  `json:"until" doc:"When it ceases to sign; null = not yet."`
}

// NewWebhook is an endpoint just made.
type NewWebhook struct {
	Webhook Webhook `json:"webhook"`
	Secret  string  `json:"secret" doc:"whsec_…, to verify its requests with. Shown this once. Empty for a robot."`
}

// WebhookRotation replaces a secret.
type WebhookRotation struct {
	Secret      string `json:"secret,omitempty" doc:"whsec_ and the base64 of 24 to 64 bytes. Default: a new one."`
	KeepSeconds *int64 `json:"keep_seconds,omitempty" doc:"How long the old one signs beside it. 0: not at all. Default 86400, at most 2592000."`
}

// WebhookTrial is what a trial call came to.
type WebhookTrial struct {
	OK      bool        `json:"ok"`
	EventID string      `json:"event_id"`
	Status  *int        `json:"status" doc:"HTTP status; null when there was no answer."`
	Answer  string      `json:"answer" doc:"The beginning of what it said."`
	Error   string      `json:"error" doc:"Empty: it took the event."`
	TookMS  int64       `json:"took_ms"`
	Request WebhookCall `json:"request"`
}

// WebhookCall is a request as it was sent, without its signature.
type WebhookCall struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers" doc:"webhook-signature without the signature."`
	Body    string            `json:"body"`
}

// Redelivery asks for events to be sent once more.
type Redelivery struct {
	Types  []string `json:"type,omitempty" nullable:"false" doc:"Types of event, such as message.*. Default: what the endpoint wants, and whatever it was sent before."`
	Since  *Time    `json:"since,omitempty" doc:"Events of this time or later. Default: all that are kept, 7 days."`
	Until  *Time    `json:"until,omitempty" doc:"Events before this time. Default now."`
	States []string `json:"state,omitempty" nullable:"false" doc:"What became of them at this endpoint: pending, delivered, gave_up. Default: whatever became of them, and those it was never sent."`
}

// WebhookDelivery is one event on its way to one endpoint.
type WebhookDelivery struct {
	ID         string       `json:"id"`
	WebhookID  string       `json:"webhook_id"`
	EventID    string       `json:"event_id"`
	Type       string       `json:"type"`
	AppID      string       `json:"appid"`
	MessageID  *string      `json:"message_id" doc:"The message it is about, if any."`
	State      string       `json:"state" enum:"pending,delivered,gave_up"`
	DueAt      *Time        `json:"due_at" doc:"When it is tried, again or for the first time; null once it has ended."`
	Attempts   int          `json:"attempts" doc:"Begun since the event was sent, or sent once more."`
	LastAt     *Time        `json:"last_at" doc:"Start of the latest attempt."`
	LastStatus *int         `json:"last_status" doc:"HTTP status of the latest attempt; null when there was none."`
	LastError  string       `json:"last_error" doc:"Why the latest attempt failed."`
	LastTookMS int64        `json:"last_took_ms"`
	Answer     string       `json:"answer" doc:"The beginning of what the endpoint said."`
	CreatedAt  Time         `json:"created_at"`
	EndedAt    *Time        `json:"ended_at"`
	Request    *WebhookCall `json:"request,omitempty" doc:"Only when one delivery is read: what the latest attempt sent."`
	// History is read only with a single delivery.
	History []WebhookAttempt `json:"history,omitempty" nullable:"false" doc:"Only when one delivery is read: the attempts that ended, oldest first, the newest 20; also those before it was sent once more."`
}

// WebhookAttempt is one call to an endpoint.
type WebhookAttempt struct {
	At     Time   `json:"at" doc:"When it began."`
	Status *int   `json:"status" doc:"HTTP status; null when there was no answer."`
	Error  string `json:"error" doc:"Why it failed; empty: the endpoint took the event."`
	Answer string `json:"answer" doc:"The beginning of what the endpoint said: 1 kB of the latest attempt's, 256 characters of the others'."`
	TookMS int64  `json:"took_ms"`
}

// MessageWebhook is what became of one event of a message at one endpoint.
type MessageWebhook struct {
	DeliveryID string `json:"delivery_id"`
	WebhookID  string `json:"webhook_id"`
	EventID    string `json:"event_id"`
	Type       string `json:"type"`
	State      string `json:"state" enum:"pending,delivered,gave_up"`
	Attempts   int    `json:"attempts"`
	LastStatus *int   `json:"last_status"`
	LastError  string `json:"last_error"`
	At         Time   `json:"at" doc:"When the event happened."`
	EndedAt    *Time  `json:"ended_at"`
}

// WebhookDeliveryFilter selects deliveries of an endpoint.
type WebhookDeliveryFilter struct {
	Types  []string
	States []string // pending, delivered, gave_up; empty = all
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

func webhookPath(id, rest string) string { return "/v1/webhooks/" + segment(id) + rest }

// CreateWebhook adds an endpoint.
func (c *Client) CreateWebhook(ctx context.Context, w WebhookRequest) (NewWebhook, error) {
	return one[NewWebhook](ctx, c, call{method: http.MethodPost, path: "/v1/webhooks", body: w, want: created})
}

// Webhooks lists the endpoints, by name.
func (c *Client) Webhooks(ctx context.Context) (List[Webhook], error) {
	return one[List[Webhook]](ctx, c, call{method: http.MethodGet, path: "/v1/webhooks"})
}

// Webhook reads an endpoint.
func (c *Client) Webhook(ctx context.Context, id string) (Webhook, error) {
	return one[Webhook](ctx, c, call{method: http.MethodGet, path: webhookPath(id, "")})
}

// UpdateWebhook changes an endpoint.
func (c *Client) UpdateWebhook(ctx context.Context, id string, p WebhookPatch) (Webhook, error) {
	return one[Webhook](ctx, c, call{method: http.MethodPatch, path: webhookPath(id, ""), body: p})
}

// DeleteWebhook removes an endpoint and what waits for it.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: webhookPath(id, "")})
	return err
}

// RotateWebhook gives an endpoint a new secret, beside which the old one signs for a while.
func (c *Client) RotateWebhook(ctx context.Context, id string, r WebhookRotation) (NewWebhook, error) {
	return one[NewWebhook](ctx, c, call{method: http.MethodPost, path: webhookPath(id, "/rotate"), body: r})
}

// TestWebhook sends an endpoint an event of type webhook.test at once.
func (c *Client) TestWebhook(ctx context.Context, id string) (WebhookTrial, error) {
	return one[WebhookTrial](ctx, c, call{method: http.MethodPost, path: webhookPath(id, "/test")})
}

// RedeliverWebhook sends events once more. The endpoint may get some of them twice.
func (c *Client) RedeliverWebhook(ctx context.Context, id string, r Redelivery) (Replayed, error) {
	return one[Replayed](ctx, c, call{method: http.MethodPost, path: webhookPath(id, "/redeliver"), body: r})
}

// PauseWebhook keeps an endpoint's events until ResumeWebhook.
func (c *Client) PauseWebhook(ctx context.Context, id string) (Webhook, error) {
	return one[Webhook](ctx, c, call{method: http.MethodPost, path: webhookPath(id, "/pause")})
}

// ResumeWebhook sends again, what was kept first.
func (c *Client) ResumeWebhook(ctx context.Context, id string) (Webhook, error) {
	return one[Webhook](ctx, c, call{method: http.MethodPost, path: webhookPath(id, "/resume")})
}

// WebhookDeliveries reads one page of an endpoint's deliveries, newest first.
func (c *Client) WebhookDeliveries(ctx context.Context, id string, f WebhookDeliveryFilter) (List[WebhookDelivery], error) {
	q := url.Values{}
	for name, value := range map[string]string{"type": strings.Join(f.Types, ","), "state": strings.Join(f.States, ","), "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[WebhookDelivery]](ctx, c, call{method: http.MethodGet, path: webhookPath(id, "/deliveries"), query: q})
}

// WebhookDelivery reads one delivery, with its request.
func (c *Client) WebhookDelivery(ctx context.Context, id, delivery string) (WebhookDelivery, error) {
	return one[WebhookDelivery](ctx, c, call{method: http.MethodGet, path: webhookPath(id, "/deliveries/"+segment(delivery))})
}
