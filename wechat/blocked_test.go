package wechat

import (
	"context"
	"testing"
)

// TestBlockedMessages has the forms of msginfo: an array on the wire, an object
// on the platform's page (spec §4.2.7).
func TestBlockedMessages(t *testing.T) {
	const path = "/wxa/sec/queryblocktmplmsg"
	blocked := func(req BlockedMessagesRequest) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.BlockedMessages(ctx, req) }
	}
	first := BlockedMessage{1, "Zk3", "订单支付成功通知", "订单编号：A1001", 1790000000, "oSpecUser00000000000000000A1"}
	const firstWire = `"tmpl_msg_id":"Zk3","title":"订单支付成功通知","content":"订单编号：A1001",` +
		`"send_timestamp":1790000000,"openid":"oSpecUser00000000000000000A1"}`
	asked := posted(path, `{"tmpl_msg_id":"Zk3","largest_id":0,"limit":100}`)
	checkTypedCalls(t, []typedCall{
		{
			name:   "array, data first",
			call:   blocked(BlockedMessagesRequest{"Zk3", 0, 100}),
			answer: `{"msginfo":[{"id":1,` + firstWire + `,{"id":"4123456789012345678"}],"errcode":0,"errmsg":"ok"}`,
			want:   []BlockedMessage{first, {ID: 4123456789012345678}},
			wire:   asked,
		},
		{
			name:   "object",
			call:   blocked(BlockedMessagesRequest{"Zk3", 0, 100}),
			answer: `{"errcode":0,"errmsg":"ok","msginfo": {"id":1,` + firstWire + `}`,
			want:   []BlockedMessage{first},
			wire:   asked,
		},
		{
			name:   "next page, nothing there",
			call:   blocked(BlockedMessagesRequest{"Zk3", 4123456789012345678, 0}),
			answer: `{"msginfo":[],"errcode":0,"errmsg":"ok"}`,
			want:   []BlockedMessage{},
			wire:   posted(path, `{"tmpl_msg_id":"Zk3","largest_id":4123456789012345678,"limit":0}`),
		},
		{
			name:   "empty object",
			call:   blocked(BlockedMessagesRequest{"Zk3", 0, 100}),
			answer: `{"msginfo":{},"errcode":0,"errmsg":"ok"}`,
			want:   []BlockedMessage{},
			wire:   asked,
		},
	})
}
