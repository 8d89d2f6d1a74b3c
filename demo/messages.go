package demo

import (
	"context"
	"fmt"

	"hongyan/client"
	"hongyan/sandbox"
)

// always returns the same message.
func always(m client.MessageRequest) func(context.Context) (client.MessageRequest, error) {
	return func(context.Context) (client.MessageRequest, error) { return m, nil }
}

// spoiled makes the platform answer code to m's first attempt.
func (w *World) spoiled(to string, code int, m client.MessageRequest) func(context.Context) (client.MessageRequest, error) {
	return func(ctx context.Context) (client.MessageRequest, error) { return m, w.box.spoilOnce(ctx, to, code) }
}

// values turns pairs of key and value into data.
func values(pairs ...string) map[string]client.Field {
	data := make(map[string]client.Field, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		data[pairs[i]] = client.Field{Value: pairs[i+1]}
	}
	return data
}

// order is the shop's payment notice.
func order(to string) client.MessageRequest { return orderFrom(shop, sandbox.SeedTemplateOrder, to) }

func orderFrom(appID, template, to string) client.MessageRequest {
	return client.MessageRequest{
		AppID: appID, ToUser: to, TemplateID: template, URL: "https://shop.example.com/orders/A1001",
		Data: values("character_string1", "A1001", "thing2", "巧克力", "amount3", "￥39.80", "time4", "2026-11-20 10:15"),
	}
}

// oldOrder is the same notice in a template of the historical library.
func oldOrder(to string) client.MessageRequest {
	return client.MessageRequest{
		AppID: shop, ToUser: to, TemplateID: sandbox.SeedTemplateHistorical,
		Data: values("first", "您好，您的订单已支付成功", "keyword1", "A1002", "keyword2", "39.80元", "keyword3", "2026-11-20 10:15", "remark", "感谢您的惠顾"),
	}
}

// appointment is the mini program's notice.
func appointment(to, formID string) client.MessageRequest {
	return client.MessageRequest{
		AppID: mini, ToUser: to, TemplateID: sandbox.SeedTemplateMini, FormID: formID, Page: "pages/appointment?id=7",
		Data: values("keyword1", "理发", "keyword2", "11月20日 10:15", "keyword3", "人民路店", "keyword4", "请提前五分钟到店"),
	}
}

// withDeletedTemplate uses a template that somebody deletes in WeChat's console
// after the gateway read the list. Only this scene uses it.
func (w *World) withDeletedTemplate(to string) func(context.Context) (client.MessageRequest, error) {
	return func(ctx context.Context) (client.MessageRequest, error) {
		token, err := w.api.Token(ctx, shop)
		if err != nil {
			return client.MessageRequest{}, err
		}
		return client.MessageRequest{
			AppID: shop, ToUser: to, TemplateID: sandbox.SeedTemplateQueue,
			Data: values("thing1", "人民路店", "character_string2", "B27", "time3", "2026-11-20 18:05"),
		}, w.box.deleteTemplate(ctx, token.AccessToken, sandbox.SeedTemplateQueue)
	}
}

// grant is the right to send one mini program message.
type grant struct {
	FormID   string `json:"form_id"`
	PrepayID string `json:"prepay_id"`
}

func (w *World) submitForm(ctx context.Context, openid string) (string, error) {
	var g grant
	if err := w.box.post(ctx, "/users/"+openid+"/forms", map[string]string{"appid": mini}, &g); err != nil {
		return "", fmt.Errorf("submit a form: %w", err)
	}
	return g.FormID, nil
}

// prepayDelayMS is how long the platform takes to know of a payment: longer
// than the first attempt, shorter than the second, five seconds later.
const prepayDelayMS = 2500

func (w *World) pay(ctx context.Context, openid string) (string, error) {
	var g grant
	payment := map[string]any{"appid": mini, "activation_delay_ms": prepayDelayMS}
	if err := w.box.post(ctx, "/users/"+openid+"/payments", payment, &g); err != nil {
		return "", fmt.Errorf("pay: %w", err)
	}
	return g.PrepayID, nil
}
