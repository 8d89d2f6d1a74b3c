package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/client"
)

var aboutAddForms = about{
	summary: "Store form_ids / 存入 form_id",
	description: `For mini programs whose template messages are posted without form_id: such a message takes one of its user's when it is sent, the one that expires first. A form_id serves 7 days and one message, a prepay_id one or three.

The body is one entry, {"items":[…]}, or NDJSON (Content-Type application/x-ndjson) with an entry a line and of any length. One bad entry alone is refused with 422; of a list the bad ones are told in problems and the others stored. An entry that is stored already stays as it is, so repeating a request does no harm. Messages that wait because their user had none go at once.`,
}

var aboutListForms = about{
	summary:     "List form_ids / 查看 form_id",
	description: "Newest first, with what is left: for one user, or for the account.",
}

var aboutReportConsents = about{
	summary: "Report consents / 上报订阅同意",
	description: `What the mini program's own code learnt: the answer to requestSubscribeMessage, or the standing choice that getSetting shows. The body is one report, {"items":[…]}, or NDJSON.

WeChat's events tell of acceptances too, if the account's callback URL is the gateway's. Both tell of the same ones, so the larger of the two counts is taken: reporting what the events told does no harm.`,
}

var aboutListConsents = about{
	summary:     "How many sends are left / 查询剩余订阅次数",
	description: "What is known of users' consents to subscribe templates, newest first. left is what the counted acceptances still serve; certainty says how far to trust it. With openid, on_the_way is how many messages will use sends up.",
}

var aboutConvertTemplate = about{
	summary: "Propose a subscribe template / 转换为订阅消息模板", optionalBody: true,
	description: "For an old mini program template (keyword1, keyword2 …): the type of each line by its name and example, the subscribe templates of the account and of WeChat's library that fit, and how the old data goes into them. Nothing is changed.",
}

// describePlain adds an operation to the documents whose handler is not huma's: it
// takes one T, a list of them or NDJSON, and answers an A.
func describePlain[T, L, A any](h huma.API, path, id string, doc about) {
	registry := h.OpenAPI().Components.Schemas
	content := func(s *huma.Schema) *huma.MediaType { return &huma.MediaType{Schema: s} }
	plainly(h, sender, doc, huma.Operation{
		Method: http.MethodPost, Path: path, OperationID: id,
		Parameters: []*huma.Param{{Name: "appid", In: "path", Required: true, Description: "appid or alias.", Schema: &huma.Schema{Type: huma.TypeString}}},
		RequestBody: &huma.RequestBody{Description: "One, a list of them, or NDJSON: one a line.", Content: map[string]*huma.MediaType{
			"application/json": content(&huma.Schema{OneOf: []*huma.Schema{schemaOf[T](registry), schemaOf[L](registry)}}), client.NDJSON: content(schemaOf[T](registry))}},
		Responses: map[string]*huma.Response{
			"200": {Description: "Stored, but for the bad ones.", Content: map[string]*huma.MediaType{"application/json": content(schemaOf[A](registry))}},
		},
	})
}

// describeMini documents the two.
func (a *API) describeMini(h huma.API) {
	describePlain[client.FormIDRequest, client.FormIDsRequest, client.FormIDsStored](h, "/v1/accounts/{appid}/form_ids", "addForms", aboutAddForms)
	describePlain[client.ConsentReport, client.ConsentReports, client.ConsentsStored](h, "/v1/accounts/{appid}/consents", "reportConsents", aboutReportConsents)
}
