package wechat

import (
	"context"
	"testing"
)

func TestMiniLibraryCalls(t *testing.T) {
	checkTypedCalls(t, []typedCall{
		{
			name:   "library",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.MiniLibrary(ctx, 0, 20) },
			answer: `{"errcode":0,"errmsg":"ok","list":[{"id":"AT9001","title":"预约成功提醒"}],"total_count":"412"}`,
			want:   MiniLibraryPage{[]MiniLibraryTitle{{"AT9001", "预约成功提醒"}}, 412},
			wire:   posted("/cgi-bin/wxopen/template/library/list", `{"offset":0,"count":20}`),
		},
		{
			name: "entry",
			call: func(ctx context.Context, c *Client) (any, error) { return c.MiniLibraryTemplate(ctx, "AT9001") },
			answer: `{"errcode":0,"errmsg":"ok","id":"AT9001","title":"预约成功提醒","keyword_list":[` +
				`{"keyword_id":7,"name":"预约时间","example":"11月20日 10:15"},{"keyword_id":"2","name":"地点","example":"人民路"}]}`,
			want: MiniLibraryTemplate{"AT9001", "预约成功提醒", []MiniKeyword{{7, "预约时间", "11月20日 10:15"}, {2, "地点", "人民路"}}},
			wire: posted("/cgi-bin/wxopen/template/library/get", `{"id":"AT9001"}`),
		},
		{
			name: "add",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.AddMiniTemplate(ctx, AddMiniTemplateRequest{"AT9001", []int{7, 2, 9}})
			},
			answer: `{"errcode":0,"errmsg":"ok","template_id":"Zk3"}`,
			want:   "Zk3",
			wire:   posted("/cgi-bin/wxopen/template/add", `{"id":"AT9001","keyword_id_list":[7,2,9]}`),
		},
		{
			name: "list",
			call: func(ctx context.Context, c *Client) (any, error) { return c.ListMiniTemplates(ctx, 5, 1) },
			answer: `{"errcode":0,"errmsg":"ok","list":[{"template_id":"Zk3","title":"预约成功提醒",` +
				`"content":"预约时间{{keyword1.DATA}}\n","example":"预约时间:11月20日 10:15\n"}]}`,
			want: []MiniTemplate{{"Zk3", "预约成功提醒", "预约时间{{keyword1.DATA}}\n", "预约时间:11月20日 10:15\n"}},
			wire: posted("/cgi-bin/wxopen/template/list", `{"offset":5,"count":1}`),
		},
		{
			name:   "delete",
			call:   func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteMiniTemplate(ctx, "Zk3") },
			answer: answerOK,
			wire:   posted("/cgi-bin/wxopen/template/del", `{"template_id":"Zk3"}`),
		},
	})
}
