package sandbox_test

import (
	"errors"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/wechat"
)

// The client and the sandbox each declare the wire for themselves: what one
// misspells, the other does not find.

// clientOf is a client with a token of the account.
func clientOf(t *testing.T, s *sandboxtest.Server, token string) *wechat.Client {
	t.Helper()
	return &wechat.Client{BaseURL: s.URL, HTTPClient: s.Client, Tokens: wechat.StaticToken(token)}
}

// wantWeChatCode compares the errcode of an error; 0 is none.
func wantWeChatCode(t *testing.T, what string, err error, want wechat.Code) {
	t.Helper()
	var e *wechat.Error
	switch {
	case want == wechat.CodeOK && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != wechat.CodeOK && (!errors.As(err, &e) || e.Code != want):
		t.Errorf("%s: %v, want errcode %d", what, err, want)
	}
}

func TestTheClientManagesAnOfficialAccount(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, sandbox.AccountSpec{ServerURL: new("http://127.0.0.1:1/x")})
	ctx, c := t.Context(), clientOf(t, s, plainToken(t, s).AccessToken)
	mustNil(t, c.SetIndustry(ctx, wechat.SetIndustryRequest{IndustryID1: "1", IndustryID2: "16"}))
	industries, err := c.Industries(ctx)
	mustNil(t, err)
	if diff := cmp.Diff(wechat.Industries{Primary: wechat.Industry{FirstClass: "IT科技", SecondClass: "互联网|电子商务"},
		Secondary: wechat.Industry{FirstClass: "教育", SecondClass: "培训"}}, industries); diff != "" {
		t.Errorf("industries (-want +got):\n%s", diff)
	}
	quota, err := c.Quota(ctx, wechat.EndpointTemplateSend)
	mustNil(t, err)
	if quota.Daily != (wechat.DailyQuota{Limit: 100_000, Used: 0, Remain: 100_000}) {
		t.Errorf("quota = %+v", quota)
	}
	_, err = c.Quota(ctx, wechat.EndpointMiniTemplateSend)
	wantWeChatCode(t, "quota of a mini program's API", err, wechat.CodeCGIPathNoPermission)
	wantWeChatCode(t, "clear_quota", c.ClearQuota(ctx, sandbox.SeedServiceAppID), wechat.CodeOK)
	wantWeChatCode(t, "clear_quota of another", c.ClearQuota(ctx, sandbox.SeedMiniAppID), wechat.CodeInvalidAppID)
	wantWeChatCode(t, "clear_quota/v2", c.ClearQuotaV2(ctx, sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), wechat.CodeOK)
	wantWeChatCode(t, "quota/clear", c.ClearAPIQuota(ctx, wechat.EndpointTemplateSend), wechat.CodeOK)
	if ips, err := c.CallbackIP(ctx); err != nil || len(ips) != 1 {
		t.Errorf("callback addresses = %v, %v", ips, err)
	}
	check, err := c.CheckCallback(ctx, wechat.CheckAll, wechat.OperatorDefault)
	if err != nil || len(check.DNS) != 1 || len(check.Ping) != 1 || check.Ping[0].PackageLoss != "0%" {
		t.Errorf("check = %+v, %v", check, err)
	}
	id, err := c.AddTemplate(ctx, wechat.AddTemplateRequest{TemplateIDShort: "43217", KeywordNameList: []string{"订单编号"}})
	mustNil(t, err)
	mustNil(t, c.DeleteTemplate(ctx, id))
}

func TestTheClientSendsTheSuccessors(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	ctx, c := t.Context(), clientOf(t, s, miniToken(t, s))
	categories, err := c.SubscribeCategories(ctx)
	if err != nil || len(categories) == 0 {
		t.Fatalf("categories = %v, %v", categories, err)
	}
	titles, err := c.SubscribeTitles(ctx, wechat.SubscribeTitlesRequest{CategoryIDs: []int{202}, Limit: 1})
	if err != nil || len(titles.Titles) != 1 || titles.Titles[0].TID != 401 || titles.Titles[0].Type != wechat.SubscribeOneTime {
		t.Fatalf("titles = %+v, %v", titles, err)
	}
	keywords, err := c.SubscribeKeywords(ctx, 401)
	if err != nil || len(keywords) != 5 {
		t.Fatalf("keywords = %+v, %v", keywords, err)
	}
	id, err := c.AddSubscribeTemplate(ctx, wechat.AddSubscribeTemplateRequest{TID: 401, KIDList: []int{1, 4}, SceneDesc: "取餐"})
	mustNil(t, err)
	held, err := c.ListSubscribeTemplates(ctx)
	if err != nil || len(held) != 3 || held[2].Enums[0].KeywordCode != "enum4.DATA" {
		t.Errorf("held = %+v, %v", held, err)
	}
	message := &wechat.SubscribeMessage{ToUser: user, TemplateID: id, State: wechat.StateTrial, Lang: "zh_CN",
		Data: wechat.Data{"character_string1": {Value: "27"}, "enum4": {Value: "堂食"}}}
	_, err = c.SendSubscribeMessage(ctx, message)
	wantWeChatCode(t, "never asked", err, wechat.CodeOK)
	mustNil(t, s.Sandbox.Consent("", user, []sandbox.ConsentAnswer{{TemplateID: id}}, 0))
	_, err = c.SendSubscribeMessage(ctx, message)
	wantWeChatCode(t, "refused", err, wechat.CodeUserRefused)
	mustNil(t, s.Sandbox.Consent("", user, accept(id), 0))
	sent, err := c.SendSubscribeMessage(ctx, message)
	if err != nil || itoa(sent.MsgID) != lastRow(t, s).MsgID {
		t.Errorf("sent = %+v, %v, want the msgid of the ledger", sent, err)
	}
	mustNil(t, c.DeleteSubscribeTemplate(ctx, id))

	official := clientOf(t, s, plainToken(t, s).AccessToken)
	notice, err := official.AddSubscribeTemplate(ctx, wechat.AddSubscribeTemplateRequest{TID: 401, KIDList: []int{1, 2}})
	mustNil(t, err)
	mustNil(t, s.Sandbox.Consent(sandbox.SeedServiceAppID, user, accept(notice), 1))
	_, err = official.SendNoticeMessage(ctx, &wechat.NoticeMessage{ToUser: user, TemplateID: notice,
		Data: wechat.Data{"character_string1": {Value: "27"}, "thing2": {Value: "人民路店"}}})
	wantWeChatCode(t, "notice", err, wechat.CodeOK)
}

func TestTheClientsOneTimePage(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	page := wechat.OneTimePage{BaseURL: s.URL, AppID: sandbox.SeedServiceAppID, Scene: 7, TemplateID: oneTimeTemplate(s),
		RedirectURL: "http://127.0.0.1:9/back", Reserved: "abc123"}
	address, err := page.URL()
	mustNil(t, err)
	u, err := url.Parse(address)
	mustNil(t, err)
	if got := do(t, s, u.RequestURI(), ""); got.status != 200 {
		t.Fatalf("the page: %d %s", got.status, got.body)
	}
	form := u.Query()
	form.Set("action", "confirm")
	_, location := answerPage(t, s, form)
	back, err := url.Parse(location)
	mustNil(t, err)
	consent, err := wechat.ParseOneTimeRedirect(back.Query())
	want := wechat.OneTimeConsent{Confirmed: true, OpenID: user, TemplateID: oneTimeTemplate(s), Scene: 7, Reserved: "abc123"}
	if err != nil || consent != want {
		t.Errorf("consent = %+v, %v, want %+v", consent, err, want)
	}
	c := clientOf(t, s, plainToken(t, s).AccessToken)
	message := &wechat.OneTimeMessage{ToUser: consent.OpenID, TemplateID: consent.TemplateID, Scene: consent.Scene, Title: "到货提醒",
		Data: wechat.OneTimeData{Content: wechat.Field{Value: "已到货"}}}
	wantWeChatCode(t, "once", c.SendOneTimeMessage(t.Context(), message), wechat.CodeOK)
	wantWeChatCode(t, "twice", c.SendOneTimeMessage(t.Context(), message), wechat.CodeUserRefused)
}

func TestTheClientUsesWhatWasRetired(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, sandbox.AccountSpec{Era: "D"})
	ctx, c := t.Context(), clientOf(t, s, miniToken(t, s))
	library, err := c.MiniLibrary(ctx, 0, 20)
	if err != nil || len(library.Titles) != 20 || library.Total != 26 {
		t.Errorf("library = %d of %d, %v", len(library.Titles), library.Total, err)
	}
	title, err := c.MiniLibraryTemplate(ctx, "AT0001")
	if err != nil || title.Keywords[0] != (wechat.MiniKeyword{ID: 1, Name: "预约项目", Example: "理发"}) {
		t.Errorf("title = %+v, %v", title, err)
	}
	id, err := c.AddMiniTemplate(ctx, wechat.AddMiniTemplateRequest{ID: "AT0001", KeywordIDList: []int{1}})
	mustNil(t, err)
	if held, err := c.ListMiniTemplates(ctx, 0, 20); err != nil || len(held) != 2 || held[1].TemplateID != id {
		t.Errorf("held = %+v, %v", held, err)
	}
	uniform := &wechat.UniformMessage{ToUser: user, Mini: &wechat.UniformMiniTemplate{TemplateID: id, FormID: s.Sandbox.GiveForm("", user),
		Data: wechat.Data{"keyword1": {Value: "理发"}}}}
	_, err = c.SendUniformMessage(ctx, uniform)
	wantWeChatCode(t, "uniform_send in era D", err, wechat.CodeOK)
	mustNil(t, c.DeleteMiniTemplate(ctx, id))
	setMini(t, s, sandbox.AccountSpec{Era: "F"})
	_, err = c.SendUniformMessage(ctx, uniform)
	wantWeChatCode(t, "uniform_send today", err, wechat.CodeUniformSendRetired)
	_, err = c.MiniLibrary(ctx, 0, 20)
	wantWeChatCode(t, "the library today", err, wechat.CodeAPIUnsupported)
}

func TestTheClientListsBlockedMessages(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, rules(sandbox.SendRules{Review: "wait"}))
	ctx, c := t.Context(), clientOf(t, s, plainToken(t, s).AccessToken)
	wantCode(t, do(t, s, with(pathSend, plainToken(t, s).AccessToken), orderBody(user, "")), 40252)
	req := wechat.BlockedMessagesRequest{TemplateID: sandbox.SeedTemplateOrder, Limit: 100}
	if got, err := c.BlockedMessages(ctx, req); err != nil || len(got) != 0 {
		t.Errorf("while it is held = %+v, %v, want none", got, err)
	}
	mustNil(t, s.Sandbox.DecideReview(sandbox.SeedServiceAppID, "", false))
	if got, err := c.BlockedMessages(ctx, req); err != nil || len(got) != 1 || got[0].OpenID != user || got[0].TemplateID != sandbox.SeedTemplateOrder {
		t.Errorf("once refused = %+v, %v, want the message", got, err)
	}
}

func TestTheReceiverReadsTheSubscribeEvents(t *testing.T) {
	for _, format := range []string{"xml", "json"} {
		t.Run(format, func(t *testing.T) {
			miniBubble(t, format, func(t *testing.T, s *sandboxtest.Server, g *gateway) {
				pickup, refund := sandbox.SeedTemplateSubscribePickup, sandbox.SeedTemplateSubscribeRefund
				mustNil(t, s.Sandbox.Consent("", user, append(accept(pickup), sandbox.ConsentAnswer{TemplateID: refund}), 2))
				synctest.Wait() // pushes run side by side: their order is not promised
				do(t, s, with(pathSubscribe, miniToken(t, s)), pickupBody(user, ""))
				synctest.Wait()
				msgID := lastRow(t, s).MsgID
				mustNil(t, s.Sandbox.RevokeConsent("", user, pickup))
				synctest.Wait()
				var got []wechat.Event
				for _, p := range g.got() {
					ev, err := wechat.ParseEvent([]byte(p.body))
					mustNil(t, err)
					got = append(got, ev)
				}
				checkSubscribeEvents(t, got, msgID)
			})
		})
	}
}

func checkSubscribeEvents(t *testing.T, got []wechat.Event, msgID string) {
	t.Helper()
	if len(got) != 3 {
		t.Fatalf("%d events, want 3", len(got))
	}
	popup, sent, change := got[0], got[1], got[2]
	if len(popup.Items) != 2 || popup.Items[1].TemplateID != sandbox.SeedTemplateSubscribeRefund || popup.Items[1].SubscribeStatus != "reject" {
		t.Errorf("popup = %+v", popup.Items)
	}
	if len(sent.Items) != 1 || itoa(sent.Items[0].MsgID) != msgID || sent.Items[0].ErrorCode != 0 {
		t.Errorf("sent = %+v, want msgid %s", sent.Items, msgID)
	}
	if len(change.Items) != 1 || change.Items[0].SubscribeStatus != "reject" || change.FromUserName != user {
		t.Errorf("change = %+v", change)
	}
}
