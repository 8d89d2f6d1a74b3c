package demo

import (
	"context"
	"fmt"

	"hongyan/client"
)

// Rule is the rule of the demo: whoever follows the shop on the phone is sent a card (S57).
const Rule = "welcome"

// welcome adds the template of the rule and the rule itself. It fires at every
// follow, so that it can be tried again and again.
func (w *World) welcome(ctx context.Context) error {
	t, err := w.api.AddTemplate(ctx, shop, client.TemplateAdd{
		TemplateIDShort: "56819", KeywordNameList: []string{"变动积分", "变动原因", "可用积分", "变动时间"},
	})
	if err != nil {
		return err
	}
	values := []string{"+100", "关注赠送", "100", "{{time}}"}
	if len(t.Keys) != len(values) {
		return fmt.Errorf("template %s has the keys %q", t.TemplateID, t.Keys)
	}
	data := make(map[string]client.Field, len(values))
	for i, key := range t.Keys {
		data[key] = client.Field{Value: values[i]}
	}
	_, err = w.api.CreateRule(ctx, shop, client.RuleRequest{
		Name: Rule, On: "follow", Message: client.RuleMessage{TemplateID: t.TemplateID, URL: "https://shop.example.com/points?u={{openid}}", Data: data},
	})
	return err
}

// Follower is a user of the phone who follows the shop.
func Follower() string { return follower(50) }
