package wechat

import (
	"context"
	"testing"
)

func TestCallbackCalls(t *testing.T) {
	checkTypedCalls(t, []typedCall{
		{
			name:   "push sources",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.CallbackIP(ctx) },
			answer: `{"ip_list":["203.0.113.1","203.0.113.0/24"]}`,
			want:   []string{"203.0.113.1", "203.0.113.0/24"},
			wire:   gotten("/cgi-bin/getcallbackip", ""),
		},
		{
			name: "check",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CheckCallback(ctx, CheckAll, OperatorDefault)
			},
			answer: `{"dns":[{"ip":"203.0.113.7","real_operator":"UNICOM"}],` +
				`"ping":[{"ip":"203.0.113.7","from_operator":"UNICOM","package_loss":"0%","time":"23.4ms"}]}`,
			want: CallbackCheck{[]CheckedDNS{{"203.0.113.7", "UNICOM"}}, []CheckedPing{{"203.0.113.7", "UNICOM", "0%", "23.4ms"}}},
			wire: posted("/cgi-bin/callback/check", `{"action":"all","check_operator":"DEFAULT"}`),
		},
		{
			name: "ping alone",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.CheckCallback(ctx, CheckPing, OperatorTencent)
			},
			answer: `{"errcode":0,"errmsg":"ok","ping":[]}`,
			want:   CallbackCheck{Ping: []CheckedPing{}},
			wire:   posted("/cgi-bin/callback/check", `{"action":"ping","check_operator":"CAP"}`),
		},
	})
}
