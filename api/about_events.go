package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hongyan"
	"hongyan/client"
)

var aboutEvents = about{
	summary: "List events, or stream them / 查询或订阅事件",
	description: `What happened to messages, accounts, templates and quotas, for machines that want to know: a list, or with "Accept: text/event-stream" a stream.

The list is newest first. With after, the id of an event, it is what came behind that one, oldest first; take the last item's id as the next after.

The stream (server-sent events) brings what happens from now on; with since, from that time; with Last-Event-ID, what came behind that event. id is the event's id, event its type, data the event as JSON. A comment comes every 15 s. An event named gap says that events behind the one you named may be missing: the log keeps 7 days, and while no webhook and no reader wants events nothing is kept, from an hour after the last reader. Streams end when the gateway stops; begin again with Last-Event-ID.

A message's event holds metadata and values that the caller gave it: keep them as safe as messages.`,
}

// describeEvents adds GET /v1/events to the documents; its handler is not huma's.
func (a *API) describeEvents(h huma.API) {
	text := func(name, doc string, examples ...any) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString, Examples: examples}}
	}
	least, most := 1.0, 1000.0
	registry := h.OpenAPI().Components.Schemas
	plainly(h, reader, aboutEvents, huma.Operation{
		Method: http.MethodGet, Path: "/v1/events", OperationID: "listEvents",
		Parameters: []*huma.Param{
			text("appid", "An account, by appid or alias. Default: all that the key covers."),
			text("type", "Types of event, such as message.delivered or message.*; several with commas. There are: "+strings.Join(hongyan.NewsTypes(), ", ")+".", "message.*"),
			text("after", "The id of an event: what came behind it, oldest first."),
			text("since", "At or after this, RFC 3339. Of a stream: where it begins."),
			text("until", "Before this, RFC 3339. Not of a stream."),
			text("cursor", "next_cursor of the page before, with the same other parameters. Not of a stream."),
			{Name: "limit", In: "query", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: 50}},
			{Name: "Last-Event-ID", In: "header", Description: "Of a stream: the id of the last event that was read.", Schema: &huma.Schema{Type: huma.TypeString}},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "A page; or, of a stream, lines id, event and data for each event, where data is an Event.", Content: map[string]*huma.MediaType{
				"application/json":  {Schema: schemaOf[client.EventList](registry)},
				"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
			}},
		},
	})
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	h.OpenAPI().Webhooks = map[string]*huma.PathItem{"event": {Post: &huma.Operation{
		OperationID: "receiveEvent", Tags: []string{"webhooks"}, Summary: "What a webhook is sent / 推送给 Webhook 的请求",
		Description: aboutCreateWebhook.description, Security: []map[string][]string{},
		Parameters: []*huma.Param{header("webhook-id", "The event's id, the same at every try."), header("webhook-timestamp", "Seconds since 1970: when this try was made."),
			header("webhook-signature", "v1, and the base64 of HMAC-SHA256 over id, timestamp and body, joined with dots; one for each secret, separated by spaces.")},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[client.Event](registry)}}},
		Responses: map[string]*huma.Response{"2XX": {Description: "Taken."}, "410": {Description: "No longer wanted: the webhook is disabled."},
			"default": {Description: "Try again later."}},
	}}}
}

var aboutCreateWebhook = about{
	summary: "Add a webhook / 添加 Webhook", status: 201,
	description: `An endpoint of yours that is posted every event it wants, signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature), or the robot of a chat that is told alarms.

Each event comes at least once, with the same webhook-id at every try. Answer 2xx within 10 s. Anything else is tried again after 5 s, 30 s, 2 min, 10 min, 30 min, 1 h and then every 2 h, for 3 days; Retry-After is respected; 410 disables the webhook. Redirects are not followed.

The secret is answered this once.`,
}

var aboutListWebhooks = about{summary: "List webhooks / Webhook 列表", description: "Those whose accounts the key covers, by name. The list has one page."}

var aboutGetWebhook = about{summary: "Read a webhook / 查看 Webhook"}

var aboutUpdateWebhook = about{summary: "Change a webhook / 修改 Webhook", description: "Fields that are left out stay as they are."}

var aboutDeleteWebhook = about{summary: "Remove a webhook / 删除 Webhook", description: "With what waits for it."}

var aboutRotateWebhook = about{
	summary: "Rotate a webhook's secret / 轮换 Webhook 密钥", optionalBody: true,
	description: "Makes a new secret, or takes the one given. For keep_seconds the old one signs beside it: webhook-signature then has two signatures, separated by a space. The new one is answered this once.",
}

var aboutTestWebhook = about{
	summary:     "Try a webhook / 测试 Webhook",
	description: "Posts an event of type webhook.test at once and answers what came of it. It is not kept, nor tried again.",
}

var aboutRedeliverWebhook = about{
	summary:     "Redeliver events / 重新投递事件",
	description: "Sends events that are still kept (7 days) once more, with the same webhook-id as before: by type, time and what became of them. What only waits for its next try is tried at once. count is how many are pending now.",
}

var aboutPauseWebhook = about{summary: "Pause a webhook / 暂停 Webhook", description: "Its events are kept and wait, at most 7 days."}

var aboutResumeWebhook = about{summary: "Resume a webhook / 恢复 Webhook", description: "What was kept is sent, oldest first. One that is disabled is refused, `webhook_disabled`: it is used again with PATCH."}

var aboutListWebhookDeliveries = about{summary: "List a webhook's deliveries / 投递记录", description: "Newest first. They are kept for 7 days."}

var aboutGetWebhookDelivery = about{
	summary:     "Read a delivery / 查看一次投递",
	description: "With the request as the latest attempt sent it, without its signature, what was answered, and how long it took.",
}
