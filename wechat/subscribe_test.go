package wechat

import (
	"context"
	"testing"
)

// TestPromptedMessages sends what needs a prompt (spec §7.1, §7.3). Colours are
// not part of these messages.
func TestPromptedMessages(t *testing.T) {
	const user, template = "oSpecUser00000000000000000A1", "Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1"
	const head = `{"touser":"oSpecUser00000000000000000A1","template_id":"Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1"`
	coloured := Data{"thing1": {"巧克力<&>", "#173177"}, "amount2": {Value: "￥39.80"}}
	checkTypedCalls(t, []typedCall{
		{
			name: "subscribe message, its msgid",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendSubscribeMessage(ctx, &SubscribeMessage{ToUser: user, TemplateID: template,
					Page: "index?foo=bar&x=<1>", State: StateTrial, Lang: "en_US", Data: coloured})
			},
			answer: `{"errcode":0,"errmsg":"ok","msgid":4123456789012345679}`,
			want:   SendResult{4123456789012345679},
			wire: posted("/cgi-bin/message/subscribe/send", head+`,"page":"index?foo=bar&x=<1>","miniprogram_state":"trial","lang":"en_US",`+
				`"data":{"amount2":{"value":"￥39.80"},"thing1":{"value":"巧克力<&>"}}}`),
		},
		{
			name: "subscribe message, the least",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendSubscribeMessage(ctx, &SubscribeMessage{ToUser: user, TemplateID: template, Data: Data{}})
			},
			answer: `{"errmsg":"ok","errcode":0}`,
			want:   SendResult{},
			wire:   posted("/cgi-bin/message/subscribe/send", head+`,"data":{}}`),
		},
		{
			name: "notice",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendNoticeMessage(ctx, &NoticeMessage{ToUser: user, TemplateID: template, Page: "https://shop.example.com/o?a=1&b=2",
					MiniProgram: &MiniProgram{"wx0f1e2d3c4b5a6978", "pages/order?id=1001"}, Data: coloured})
			},
			answer: answerOK,
			want:   SendResult{},
			wire: posted("/cgi-bin/message/subscribe/bizsend", head+`,"page":"https://shop.example.com/o?a=1&b=2",`+
				`"miniprogram":{"appid":"wx0f1e2d3c4b5a6978","pagepath":"pages/order?id=1001"},`+
				`"data":{"amount2":{"value":"￥39.80"},"thing1":{"value":"巧克力<&>"}}}`),
		},
	})
	if coloured["thing1"].Color == "" {
		t.Error("sending took the colour out of the caller's data")
	}
}

// TestPromptedBodiesReadBack: what was stored as a body can become a message again.
func TestPromptedBodiesReadBack(t *testing.T) {
	bodies := map[string]any{
		`{"touser":"o1","template_id":"T","page":"p","miniprogram_state":"formal","lang":"zh_TW","data":{"a1":{"value":"x"}}}`: &SubscribeMessage{},
		`{"touser":"o1","template_id":"T","miniprogram":{"appid":"wx1"},"data":{"a1":{"value":"x"}}}`:                          &NoticeMessage{},
		`{"touser":"o1","template_id":"T","scene":"1000","title":"t","data":{"content":{"value":"x","color":"#173177"}}}`:      &OneTimeMessage{},
		`{"touser":"o1","mp_template_msg":{"appid":"wx1","template_id":"T","data":{}}}`:                                        &UniformMessage{},
		`{"touser":"o1","template_id":"T","data":null}`:                                                                        &NoticeMessage{},
	}
	for body, m := range bodies {
		mustUnmarshal(t, body, m)
		if got, err := MarshalBody(m); err != nil || string(got) != body {
			t.Errorf("%T from %s becomes %s, %v", m, body, got, err)
		}
	}
}
