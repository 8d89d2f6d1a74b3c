package wechat

import (
	"context"
	"errors"
	"testing"
)

func TestUniformMessage(t *testing.T) {
	checkTypedCalls(t, []typedCall{
		{
			name: "both halves",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendUniformMessage(ctx, &UniformMessage{
					ToUser: "o1",
					Mini:   &UniformMiniTemplate{"T1", "index", "F", Data{"keyword1": {Value: "1"}}, "keyword1.DATA"},
					MP: &UniformTemplate{"wxa1", "T2", "https://a.example/?a&b", &MiniProgram{"wxb2", "index?foo=bar"},
						Data{"first": {"您好", "#173177"}}},
				})
			},
			answer: answerOK,
			want:   SendResult{},
			wire: posted("/cgi-bin/message/wxopen/template/uniform_send", `{"touser":"o1",`+
				`"weapp_template_msg":{"template_id":"T1","page":"index","form_id":"F","data":{"keyword1":{"value":"1"}},"emphasis_keyword":"keyword1.DATA"},`+
				`"mp_template_msg":{"appid":"wxa1","template_id":"T2","url":"https://a.example/?a&b",`+
				`"miniprogram":{"appid":"wxb2","pagepath":"index?foo=bar"},"data":{"first":{"value":"您好","color":"#173177"}}}}`),
		},
	})
}

// TestUniformMessageIsRetired has the answer of today (spec §7.5).
func TestUniformMessageIsRetired(t *testing.T) {
	server := newRecorder(t, `{"errcode":45109,"errmsg":"This API has been unsupported. For more details, please view `+
		`https:\/\/developers.weixin.qq.com\/community rid: 6aac005a-01bfdbee-79769285"}`)
	_, err := (&Client{BaseURL: server.URL, Tokens: StaticToken("t")}).SendUniformMessage(t.Context(), &UniformMessage{ToUser: "o1"})
	said, ok := errors.AsType[*Error](err)
	if !ok || said.Code != 45109 || said.RID != "6aac005a-01bfdbee-79769285" ||
		said.Msg != "This API has been unsupported. For more details, please view https://developers.weixin.qq.com/community" {
		t.Errorf("got %#v, want 45109 with its link and rid", err)
	}
}
