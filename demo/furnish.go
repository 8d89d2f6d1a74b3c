package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// The accounts of the play. The first and the mini program are the sandbox's
// own; the others are made for it.
const (
	shop   = sandbox.SeedServiceAppID // nearly everything happens here
	mini   = sandbox.SeedMiniAppID
	small  = "wxc3c3c3c3c3c3c3c3" // may send three messages a day
	paused = "wxd4d4d4d4d4d4d4d4" // an operator has paused it
)

// smallQuota is what the platform lets the small account send in a day.
const smallQuota = 3

// furnish waits for the gateway and gives both sides the accounts and templates.
func (w *World) furnish(ctx context.Context) error {
	if err := w.awaitReady(ctx); err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"make the extra accounts in the sandbox", w.extraAccounts},
		{"add the accounts to the gateway", w.addAccounts},
		{"read the templates", w.templates},
		{"make a rule for followers", w.welcome},
		{"pause " + paused, func(ctx context.Context) error { _, err := w.api.PauseAccount(ctx, paused); return err }},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// awaitReady asks the gateway until it can send.
func (w *World) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		r, err := w.api.Ready(ctx)
		if err == nil && r.Ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gateway is not ready: %s %w", r.Reason, ctx.Err())
		case <-time.After(look):
		}
	}
}

func (w *World) extraAccounts(ctx context.Context) error {
	quota := smallQuota
	for _, a := range []sandbox.AccountSpec{
		{AppID: small, Secret: secretOf(small), Kind: "service", Name: "鸿雁小站 Small", DailyQuota: &quota},
		{AppID: paused, Secret: secretOf(paused), Kind: "service", Name: "鸿雁停更 Paused"},
	} {
		if err := w.box.post(ctx, "/accounts", a, nil); err != nil {
			return err
		}
	}
	return nil
}

// secretOf is the AppSecret of an account whose appid repeats two digits: the
// sandbox's own follow the same rule.
func secretOf(appID string) string { return strings.Repeat(appID[2:4], 16) }

// addAccounts adds each account to the gateway and has the sandbox push to it.
func (w *World) addAccounts(ctx context.Context) error {
	token := sandbox.SeedCallbackToken
	for _, a := range []client.AccountRequest{
		{AppID: shop, Kind: "service", Name: "鸿雁商城 Shop", Alias: "shop"},
		{AppID: mini, Kind: "mini_program", Name: "鸿雁小店 Mini", Alias: "mini"},
		{AppID: small, Kind: "service", Name: "鸿雁小站 Small", Alias: "small"},
		{AppID: paused, Kind: "service", Name: "鸿雁停更 Paused", Alias: "paused"},
	} {
		a.Secret, a.BaseURL = secretOf(a.AppID), w.SandboxURL
		a.Callback = &client.CallbackInput{Token: &token}
		added, err := w.api.CreateAccount(ctx, a)
		if err != nil {
			return err
		}
		push := w.GatewayURL + added.CallbackURLPath
		if err := w.box.post(ctx, "/accounts/"+a.AppID, sandbox.AccountSpec{ServerURL: &push}, nil); err != nil {
			return err
		}
	}
	return nil
}

// templates gives every account what it sends with.
func (w *World) templates(ctx context.Context) error {
	if _, err := w.api.SyncTemplates(ctx, shop); err != nil {
		return err
	}
	// WeChat cannot list the templates of mini programs any more.
	_, err := w.api.PutTemplate(ctx, mini, sandbox.SeedTemplateMini, client.TemplatePut{
		Title:   "预约成功通知",
		Content: "预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}\n预约地点：{{keyword3.DATA}}\n备注：{{keyword4.DATA}}",
	})
	return err
}

// addOrderTemplate adds the library's order template to an account that has none.
func (w *World) addOrderTemplate(ctx context.Context, appID string) (templateID string, err error) {
	t, err := w.api.AddTemplate(ctx, appID, client.TemplateAdd{
		TemplateIDShort: "43217", KeywordNameList: []string{"订单编号", "商品名称", "支付金额", "下单时间"},
	})
	return t.TemplateID, err
}
