package wechat

import (
	"context"
	"testing"
)

func TestIndustryCalls(t *testing.T) {
	industries := func(ctx context.Context, c *Client) (any, error) { return c.Industries(ctx) }
	checkTypedCalls(t, []typedCall{
		{
			name: "set",
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.SetIndustry(ctx, SetIndustryRequest{"1", "4"})
			},
			answer: answerOK,
			wire:   posted("/cgi-bin/template/api_set_industry", `{"industry_id1":"1","industry_id2":"4"}`),
		},
		{
			name: "get",
			call: industries,
			answer: `{"primary_industry":{"first_class":"教育","second_class":"培训"},` +
				`"secondary_industry":{"first_class":"金融业","second_class":"证券|基金|理财|信托"}}`,
			want: Industries{Industry{"教育", "培训"}, Industry{"金融业", "证券|基金|理财|信托"}},
			wire: gotten("/cgi-bin/template/get_industry", ""),
		},
		{
			name:   "get with one chosen",
			call:   industries,
			answer: `{"primary_industry":{"first_class":"教育","second_class":"培训"}}`,
			want:   Industries{Primary: Industry{"教育", "培训"}},
			wire:   gotten("/cgi-bin/template/get_industry", ""),
		},
		{
			name:   "get with the second alone",
			call:   industries,
			answer: `{"secondary_industry":{"first_class":"餐饮","second_class":"餐饮"},"errcode":0,"errmsg":"ok"}`,
			want:   Industries{Secondary: Industry{"餐饮", "餐饮"}},
			wire:   gotten("/cgi-bin/template/get_industry", ""),
		},
	})
}
