package wechat

import (
	"context"
	"testing"
)

// TestQuotaCalls has answers as pages of openApi-management print them; numbers
// as strings were not seen here, but elsewhere on the same platform (spec §5.5).
func TestQuotaCalls(t *testing.T) {
	quota := func(ctx context.Context, c *Client) (any, error) { return c.Quota(ctx, EndpointTemplateSend) }
	asked := posted("/cgi-bin/openapi/quota/get", `{"cgi_path":"/cgi-bin/message/template/send"}`)
	checkTypedCalls(t, []typedCall{
		{
			name:   "clear",
			call:   func(ctx context.Context, c *Client) (any, error) { return nil, c.ClearQuota(ctx, "wx0f1e2d3c4b5a6978") },
			answer: answerOK,
			wire:   posted("/cgi-bin/clear_quota", `{"appid":"wx0f1e2d3c4b5a6978"}`),
		},
		{
			name: "clear by secret shows no token",
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.ClearQuotaV2(ctx, "wx0f1e2d3c4b5a6978", "s&c")
			},
			answer: answerOK,
			wire: recorded{Method: "POST", Path: "/cgi-bin/clear_quota/v2", ContentType: jsonUTF8,
				Body: `{"appid":"wx0f1e2d3c4b5a6978","appsecret":"s&c"}`},
		},
		{
			name: "clear one",
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.ClearAPIQuota(ctx, EndpointTemplateSend)
			},
			answer: answerOK,
			wire:   posted("/cgi-bin/openapi/quota/clear", `{"cgi_path":"/cgi-bin/message/template/send"}`),
		},
		{
			name: "get",
			call: quota,
			answer: `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":100000,"used":12,"remain":99988},` +
				`"rate_limit":{"call_count":1000,"refresh_second":20},"component_rate_limit":{"call_count":500,"refresh_second":60}}`,
			want: Quota{DailyQuota{100000, 12, 99988}, &RateLimit{1000, 20}, &RateLimit{500, 60}},
			wire: asked,
		},
		{
			name:   "get without rates, data first",
			call:   quota,
			answer: `{"quota":{"daily_limit":"100000","used":"12","remain":"99988"},"errmsg":"ok","errcode":0}`,
			want:   Quota{Daily: DailyQuota{100000, 12, 99988}},
			wire:   asked,
		},
	})
}

// TestClearQuotaV2AsksForNoToken: it is the way out when there is none.
func TestClearQuotaV2AsksForNoToken(t *testing.T) {
	server := newRecorder(t, answerOK)
	if err := (&Client{BaseURL: server.URL}).ClearQuotaV2(t.Context(), "wx1", "s3cret-value"); err != nil {
		t.Error(err)
	}
	tokens := &countingTokens{}
	server = newRecorder(t, `{"errcode":40001,"errmsg":"invalid credential"}`)
	err := (&Client{BaseURL: server.URL, Tokens: tokens}).ClearQuotaV2(t.Context(), "wx1", "s3cret-value")
	if ClassOfError(err) != ClassAccount || len(server.seen) != 1 || len(tokens.invalidated) != 0 {
		t.Errorf("got class %v of %v after %d requests, tokens %q thrown away; want account, 1, none",
			ClassOfError(err), err, len(server.seen), tokens.invalidated)
	}
}
