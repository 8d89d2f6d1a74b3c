package prove

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// The accounts of a rig. Each has something of its own to be watched.
const (
	shop  = sandbox.SeedServiceAppID // its pushes are handed on to the business's server
	mini  = sandbox.SeedMiniAppID    // kinds that the platform does not deduplicate
	quota = "wxc3c3c3c3c3c3c3c3"     // a limit per day
	paced = "wxd4d4d4d4d4d4d4d4"     // a limit per second
	plain = "wxe5e5e5e5e5e5e5e5"     // nothing
)

// pacedPerSecond is the rate of the paced account.
const pacedPerSecond = 40

// world is the accounts as the gateway knows them.
type world struct {
	accounts   []string          // appids
	templates  map[string]string // template id by appid, of kind template
	dailyQuota int64             // of the quota account
}

// atomicTurn gives each node its turn.
type atomicTurn struct{ n atomic.Int64 }

func (t *atomicTurn) of(n int) int { return int(t.n.Add(1)-1) % n }

// furnish gives both sides the accounts and the templates.
func (r *rig) furnish(ctx context.Context, latency time.Duration) error {
	r.who = world{accounts: []string{shop, mini, quota, paced, plain}, templates: map[string]string{}, dailyQuota: max(50, int64(r.cfg.Messages)/20)}
	for _, appID := range r.who.accounts {
		if err := r.addAccount(ctx, appID, latency); err != nil {
			return fmt.Errorf("account %s: %w", appID, err)
		}
	}
	return nil
}

func (r *rig) addAccount(ctx context.Context, appID string, latency time.Duration) error {
	push := r.spec(r.nodes[0].url()+"/callback/"+appID, latency)
	if appID != shop && appID != mini {
		own := push
		own.AppID, own.Secret, own.CallbackToken = appID, secretOf(appID), sandbox.SeedCallbackToken
		if err := r.wx.account(ctx, own); err != nil {
			return err
		}
	} else if err := r.wx.change(ctx, appID, push); err != nil {
		return err
	}
	if _, err := r.api().CreateAccount(ctx, r.request(appID)); err != nil {
		return err
	}
	return r.addTemplates(ctx, appID)
}

// request is an account as the gateway is told of it.
func (r *rig) request(appID string) client.AccountRequest {
	a := client.AccountRequest{
		AppID: appID, Secret: secretOf(appID), Kind: "service", BaseURL: r.wx.base,
		Callback: &client.CallbackInput{Token: new(sandbox.SeedCallbackToken)}, QuietHours: "off",
		Quotas: []client.Quota{{Scope: "account", Period: "day", Limit: noLimit}},
	}
	switch appID {
	case shop:
		a.Downstreams = []client.DownstreamInput{{Name: "business", URL: r.hooks.url}}
	case mini:
		a.Kind = "mini_program"
	case quota:
		a.Quotas[0].Limit = r.who.dailyQuota
	case paced:
		a.Rate = &client.Rate{PerSecond: pacedPerSecond}
	}
	return a
}

// noLimit is more calls a day than any test makes.
const noLimit = 1_000_000_000

// addTemplates gives an account what it sends with.
func (r *rig) addTemplates(ctx context.Context, appID string) error {
	switch appID {
	case mini:
		_, err := r.api().PutTemplate(ctx, mini, sandbox.SeedTemplateMini, client.TemplatePut{
			Title: "预约成功通知", Content: "{{keyword1.DATA}}{{keyword2.DATA}}{{keyword3.DATA}}{{keyword4.DATA}}",
		})
		return err
	case shop:
		r.who.templates[shop] = sandbox.SeedTemplateOrder
		_, err := r.api().SyncTemplates(ctx, shop)
		return err
	}
	t, err := r.api().AddTemplate(ctx, appID, client.TemplateAdd{
		TemplateIDShort: "43217", KeywordNameList: []string{"订单编号", "商品名称", "支付金额", "下单时间"},
	})
	r.who.templates[appID] = t.TemplateID
	return err
}

// secretOf is the AppSecret of an account whose appid repeats two digits: the
// sandbox's own follow the same rule.
func secretOf(appID string) string { return strings.Repeat(appID[2:4], 16) }

// order is the usual message.
func (w *world) order(appID, openID, number string) client.MessageRequest {
	return client.MessageRequest{
		AppID: appID, ToUser: openID, TemplateID: w.templates[appID],
		Data: map[string]client.Field{
			"character_string1": {Value: number}, "thing2": {Value: "巧克力"},
			"amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
		},
	}
}

// pickup is the mini program's subscribe message: it carries no client_msg_id.
func pickup(openID, number string) client.MessageRequest {
	return client.MessageRequest{
		AppID: mini, Kind: "subscribe", ToUser: openID, TemplateID: sandbox.SeedTemplateSubscribePickup,
		Data: map[string]client.Field{
			"character_string1": {Value: number}, "thing2": {Value: "人民路店"}, "time3": {Value: "2026年11月20日 10:15"},
		},
	}
}

// appointment is the mini program's message by form_id.
func appointment(openID, formID, number string) client.MessageRequest {
	return client.MessageRequest{
		AppID: mini, Kind: "mini_template", ToUser: openID, TemplateID: sandbox.SeedTemplateMini, FormID: formID,
		Data: map[string]client.Field{
			"keyword1": {Value: number}, "keyword2": {Value: "11月20日 10:15"}, "keyword3": {Value: "人民路店"}, "keyword4": {Value: "请提前五分钟到店"},
		},
	}
}

// settleWithin is how long a rig may take to come to rest. The longest wait of a
// message that was in doubt again and again is five minutes (docs/architecture.md,
// walk 1), and pushes come 5 s apart.
const settleWithin = 9 * time.Minute
