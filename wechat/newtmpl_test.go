package wechat

import (
	"context"
	"testing"
)

// TestNewTmplCalls has answers with errmsg first, as newtmpl sends them (spec §2.7, §7.2).
func TestNewTmplCalls(t *testing.T) {
	form := func(body string) recorded {
		return recorded{Method: "POST", Path: "/wxaapi/newtmpl/addtemplate", Query: "access_token=t%2Bk",
			ContentType: "application/x-www-form-urlencoded", Body: body}
	}
	add := func(req AddSubscribeTemplateRequest) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.AddSubscribeTemplate(ctx, req) }
	}
	checkTypedCalls(t, []typedCall{
		{
			name:   "add is a form",
			call:   add(AddSubscribeTemplateRequest{401, []int{1, 2}, "测试 a&b"}),
			answer: `{"errmsg":"ok","errcode":0,"priTmplId":"9Aw5ZV1j9xdWTFEkqCpZ7jWySL7aGN6rQom4gXINfJs"}`,
			want:   "9Aw5ZV1j9xdWTFEkqCpZ7jWySL7aGN6rQom4gXINfJs",
			wire:   form("tid=401&kidList%5B0%5D=1&kidList%5B1%5D=2&sceneDesc=%E6%B5%8B%E8%AF%95+a%26b"),
		},
		{
			name:   "add keeps the order of the keywords",
			call:   add(AddSubscribeTemplateRequest{401, []int{5, 1, 3, 2, 4}, ""}),
			answer: `{"errmsg":"ok","errcode":0,"priTmplId":"P"}`,
			want:   "P",
			wire:   form("tid=401&kidList%5B0%5D=5&kidList%5B1%5D=1&kidList%5B2%5D=3&kidList%5B3%5D=2&kidList%5B4%5D=4"),
		},
		{
			name:   "add one made for the account",
			call:   add(AddSubscribeTemplateRequest{TID: 10000001}),
			answer: `{"errmsg":"ok","errcode":0,"priTmplId":"P"}`,
			want:   "P",
			wire:   form("tid=10000001"),
		},
		{
			name:   "delete",
			call:   func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteSubscribeTemplate(ctx, "P") },
			answer: `{"errmsg":"ok","errcode":0}`,
			wire:   posted("/wxaapi/newtmpl/deltemplate", `{"priTmplId":"P"}`),
		},
		{
			name:   "categories",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.SubscribeCategories(ctx) },
			answer: `{"errmsg":"ok","errcode":0,"data":[{"id":616,"name":"公交"},{"id":"2","name":"电商"}]}`,
			want:   []SubscribeCategory{{616, "公交"}, {2, "电商"}},
			wire:   gotten("/wxaapi/newtmpl/getcategory", ""),
		},
		{
			name: "titles",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SubscribeTitles(ctx, SubscribeTitlesRequest{[]int{2, 616}, 0, 30})
			},
			answer: `{"errmsg":"ok","errcode":0,"count":55,"data":[{"tid":99,"title":"付款成功通知","type":2,"categoryId":"616"},` +
				`{"tid":"100","title":"行程提醒","type":"3","categoryId":2}]}`,
			want: SubscribeTitlePage{[]SubscribeTitle{{99, "付款成功通知", SubscribeOneTime, 616}, {100, "行程提醒", SubscribeLongTerm, 2}}, 55},
			wire: gotten("/wxaapi/newtmpl/getpubtemplatetitles", "&ids=2,616&start=0&limit=30"),
		},
		{
			name:   "keywords",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.SubscribeKeywords(ctx, 99) },
			answer: `{"errmsg":"ok","errcode":0,"count":1,"data":[{"kid":1,"name":"物品名称","example":"名称","rule":"thing"}]}`,
			want:   []SubscribeKeyword{{1, "物品名称", "名称", "thing"}},
			wire:   gotten("/wxaapi/newtmpl/getpubtemplatekeywords", "&tid=99"),
		},
		{
			name: "list",
			call: func(ctx context.Context, c *Client) (any, error) { return c.ListSubscribeTemplates(ctx) },
			answer: `{"errmsg":"ok","errcode":0,"data":[{"priTmplId":"P","title":"报名结果通知","content":"会议名称:{{thing1.DATA}}\n",` +
				`"example":"会议名称:年会\n","type":2,"keywordEnumValueList":[{"keywordCode":"enum2.DATA","enumValueList":["成功","失败"]}]},` +
				`{"priTmplId":"Q","title":"x","content":"","example":"","type":"3"}]}`,
			want: []SubscribeTemplate{
				{"P", "报名结果通知", "会议名称:{{thing1.DATA}}\n", "会议名称:年会\n", SubscribeOneTime, []KeywordEnum{{"enum2.DATA", []string{"成功", "失败"}}}},
				{PriTmplID: "Q", Title: "x", Type: SubscribeLongTerm},
			},
			wire: gotten("/wxaapi/newtmpl/gettemplate", ""),
		},
		{
			name:   "no templates",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListSubscribeTemplates(ctx) },
			answer: `{"errmsg":"ok","errcode":0,"data":[]}`,
			want:   []SubscribeTemplate{},
			wire:   gotten("/wxaapi/newtmpl/gettemplate", ""),
		},
	})
}

// TestFormGoesTwiceAfterADeadToken: the second attempt is the same form.
func TestFormGoesTwiceAfterADeadToken(t *testing.T) {
	server := newRecorder(t, `{"errmsg":"access_token expired","errcode":42001}`, `{"errmsg":"ok","errcode":0,"priTmplId":"P"}`)
	c := &Client{BaseURL: server.URL, Tokens: &countingTokens{}}
	id, err := c.AddSubscribeTemplate(t.Context(), AddSubscribeTemplateRequest{401, []int{1, 2}, ""})
	if err != nil || id != "P" || len(server.seen) != 2 {
		t.Fatalf("got %q, %v after %d requests; want P after 2", id, err, len(server.seen))
	}
	first, second := server.seen[0], server.seen[1]
	if second.Query != "access_token=t2" || second.Body != first.Body || second.ContentType != "application/x-www-form-urlencoded" {
		t.Errorf("second attempt %+v, want the first, %+v, with token t2", second, first)
	}
}
