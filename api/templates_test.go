package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

func TestTemplatesSyncAddAndDelete(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	list, err := g.admin.Templates(ctx, "shop")
	if err != nil || len(list.Items) != 3 {
		t.Fatalf("templates %+v, %v, want the seed's three", list, err)
	}
	for _, tmpl := range list.Items {
		if tmpl.TemplateID == sandbox.SeedTemplateOrder {
			if diff := cmp.Diff([]string{"character_string1", "thing2", "amount3", "time4"}, tmpl.Keys); diff != "" || tmpl.Status != "active" {
				t.Errorf("template %+v, keys (-want +got):\n%s", tmpl, diff)
			}
		}
	}
	added, err := g.admin.AddTemplate(ctx, "shop", client.TemplateAdd{TemplateIDShort: "43218", KeywordNameList: []string{"订单编号", "快递单号"}})
	if err != nil || added.Title != "订单发货通知" || len(added.Keys) != 2 {
		t.Fatalf("added %+v, %v", added, err)
	}
	if err := g.admin.DeleteTemplate(ctx, "shop", added.TemplateID); err != nil {
		t.Fatal(err)
	}
	err = g.admin.DeleteTemplate(ctx, "shop", added.TemplateID)
	wantProblem(t, err, 404, "unknown_template")
	report, err := g.admin.SyncTemplates(ctx, "shop")
	want := client.TemplateSync{Added: []string{}, Updated: []string{}, Missing: []string{}, Unchanged: 3, Differences: []client.TemplateDifference{}}
	if diff := cmp.Diff(want, report); err != nil || diff != "" {
		t.Errorf("sync after all: %v (-want +got):\n%s", err, diff)
	}
}

func TestWeChatsRefusalIsExplained(t *testing.T) {
	g := newGateway(t)
	g.seed()
	_, err := g.admin.AddTemplate(t.Context(), "shop", client.TemplateAdd{TemplateIDShort: "TM00015"})
	p := wantProblem(t, err, 422, "wechat_40247")
	if !strings.Contains(p.Detail, "40247") {
		t.Errorf("detail %q, want the errcode in it", p.Detail)
	}
	_, err = g.admin.AddTemplate(t.Context(), "shop", client.TemplateAdd{})
	wantProblem(t, err, 422, "invalid_template")
}

func TestMiniProgramTemplatesOfFormIDsAreRegisteredByHand(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	_, err := g.admin.AddTemplate(ctx, sandbox.SeedMiniAppID, client.TemplateAdd{TemplateIDShort: "1"})
	wantProblem(t, err, 422, "templates_by_hand")
	put, err := g.admin.PutTemplate(ctx, sandbox.SeedMiniAppID, sandbox.SeedTemplateMini, client.TemplatePut{Title: "预约成功通知", Content: "预约项目：{{keyword1.DATA}}"})
	if err != nil || put.Kind != "mini_template" || put.Status != "active" || len(put.Keys) != 1 {
		t.Errorf("put %+v, %v", put, err)
	}
	for name, bad := range map[string]client.TemplatePut{
		"no title": {Content: "{{keyword1.DATA}}"}, "no key": {Title: "x", Content: "nothing"}, "a long text": {Title: "x", Content: "{{a.DATA}}" + strings.Repeat("长", 2000)},
		"a kind it cannot send": {Title: "x", Content: "{{a.DATA}}", Kind: "notice"},
	} {
		_, err := g.admin.PutTemplate(ctx, sandbox.SeedMiniAppID, "t1", bad)
		if wantProblem(t, err, 422, "invalid_template"); t.Failed() {
			t.Log(name)
		}
	}
	for _, word := range reservedIDs[:3] {
		got := g.do("PUT", "/v1/accounts/"+sandbox.SeedMiniAppID+"/templates/"+word, `{"title":"x","content":"{{a.DATA}}"}`)
		if got.status == 200 {
			t.Errorf("a template was registered as %s", word)
		}
	}
	found, err := g.admin.SyncTemplates(ctx, sandbox.SeedMiniAppID) // what was registered is not on WeChat's list
	if err != nil || len(found.Added) != 2 || len(found.Missing) != 0 {
		t.Errorf("sync %+v, %v, want the two subscribe templates added", found, err)
	}
	if err := g.admin.DeleteTemplate(ctx, sandbox.SeedMiniAppID, sandbox.SeedTemplateMini); err != nil {
		t.Error(err)
	}
	list, err := g.admin.Templates(ctx, sandbox.SeedMiniAppID)
	if err != nil || len(list.Items) != 2 || list.Items[0].Kind != "subscribe" || list.Items[0].SubscribeType != "one_time" {
		t.Errorf("templates %+v, %v, want the subscribe templates", list, err)
	}
}

func TestSubscribeTemplatesAreChosenFromTheLibrary(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	for _, appID := range []string{sandbox.SeedMiniAppID, "shop"} {
		kind := map[string]string{"shop": "notice", sandbox.SeedMiniAppID: "subscribe"}[appID]
		categories, err := g.admin.Categories(ctx, appID)
		if err != nil || len(categories.Items) == 0 {
			t.Fatalf("categories %+v, %v", categories, err)
		}
		page, err := g.admin.Library(ctx, appID, []int{categories.Items[0].ID}, 0, 2)
		if err != nil || len(page.Items) != 2 || page.Count < 2 {
			t.Fatalf("library %+v, %v", page, err)
		}
		keywords, err := g.admin.LibraryKeywords(ctx, appID, page.Items[0].TID)
		if err != nil || len(keywords.Items) < 2 {
			t.Fatalf("keywords %+v, %v", keywords, err)
		}
		added, err := g.admin.AddTemplate(ctx, appID, client.TemplateAdd{TID: page.Items[0].TID, KIDList: []int{keywords.Items[1].KID, keywords.Items[0].KID}, SceneDesc: "付款提醒"})
		if err != nil || added.Kind != kind || len(added.Keys) != 2 || added.Title != page.Items[0].Title {
			t.Fatalf("added %+v, %v, want kind %s", added, err, kind)
		}
		if err := g.admin.DeleteTemplate(ctx, appID, added.TemplateID); err != nil {
			t.Error(err)
		}
		found, err := g.admin.SyncTemplates(ctx, appID)
		if err != nil || len(found.Missing) != 0 {
			t.Errorf("sync after the deletion %+v, %v", found, err)
		}
	}
	for name, bad := range map[string]client.TemplateAdd{
		"nothing": {}, "both libraries": {TID: 1, TemplateIDShort: "2"}, "one keyword": {TID: 935, KIDList: []int{1}},
		"names for numbers": {TID: 935, KIDList: []int{1, 2}, KeywordNameList: []string{"x"}}, "numbers without tid": {TemplateIDShort: "1", KIDList: []int{1, 2}},
	} {
		_, err := g.admin.AddTemplate(ctx, "shop", bad)
		if wantProblem(t, err, 422, "invalid_template"); t.Failed() {
			t.Log(name)
		}
	}
}

func TestIndustriesAreReadAndChosen(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	got, err := g.admin.Industries(ctx, "shop")
	if err != nil || got.Primary == nil || got.Primary.Code != "1" || got.Secondary == nil || got.Secondary.Code != "10" || len(got.All) != 41 {
		t.Fatalf("industries %+v, %v", got, err)
	}
	_, err = g.admin.SetIndustry(ctx, "shop", "16", "")
	wantProblem(t, err, 422, "invalid_industry")
	found, err := g.admin.SetIndustry(ctx, "shop", "16", "8")
	if err != nil || !slices.Contains(found.Missing, sandbox.SeedTemplateHistorical) || found.Differences[0].Change != "missing" {
		t.Errorf("changed %+v, %v, want the historical template missing", found, err)
	}
	_, err = g.admin.SetIndustry(ctx, "shop", "1", "4")
	wantProblem(t, err, 503, "wechat_43100")
	_, err = g.admin.Industries(ctx, sandbox.SeedMiniAppID)
	wantProblem(t, err, 422, "templates_by_hand")
}

func TestASyncShowsWhatIsDifferent(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	if _, err := g.admin.PutTemplateAlias(ctx, "shop", "order_paid", sandbox.SeedTemplateOrder); err != nil {
		t.Fatal(err)
	}
	old, err := g.store.Template(ctx, sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder)
	if err != nil {
		t.Fatal(err)
	}
	was := old
	was.Title, was.Content = "订单支付", "订单编号：{{keyword1.DATA}}\n商品名称：{{thing2.DATA}}\n支付金额：{{amount3.DATA}}\n备注：{{thing9.DATA}}"
	if err := g.store.PutTemplates(ctx, []hongyan.Template{was}); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		do := g.admin.SyncTemplates
		if dry {
			do = g.admin.CompareTemplates
		}
		got, err := do(ctx, "shop")
		if err != nil || len(got.Differences) != 1 || got.DryRun != dry || got.Unchanged != 2 {
			t.Fatalf("sync, dry %v: %+v, %v", dry, got, err)
		}
		want := client.TemplateDifference{
			TemplateID: old.TemplateID, Title: old.Title, Kind: "template", Change: "updated",
			Fields:       []client.FieldDiff{{Field: "title", Old: was.Title, New: old.Title}, {Field: "content", Old: was.Content, New: old.Content}},
			LinesAdded:   []string{"订单编号：{{character_string1.DATA}}", "支付时间：{{time4.DATA}}"},
			LinesRemoved: []string{"订单编号：{{keyword1.DATA}}", "备注：{{thing9.DATA}}"},
			KeysAdded:    []string{"time4"}, KeysRemoved: []string{"thing9"},
			KeysRenamed: []client.RenamedKey{{Old: "keyword1", New: "character_string1"}}, Aliases: []string{"order_paid"},
		}
		if diff := cmp.Diff(want, got.Differences[0]); diff != "" {
			t.Errorf("difference (-want +got):\n%s", diff)
		}
		now, err := g.store.Template(ctx, sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder)
		if err != nil || now.Title == old.Title == dry {
			t.Errorf("after a sync, dry %v: title %q, %v", dry, now.Title, err)
		}
	}
}

func TestTokenIsShownAndRefreshedAfterComparing(t *testing.T) {
	g := newGateway(t)
	g.seed() // the template sync fetched a token
	ctx := t.Context()
	first, err := g.admin.Token(ctx, "shop")
	if err != nil || first.AccessToken == "" || first.Generation != 1 || first.RemainingSeconds <= 0 || first.Source != "stable" || first.Stopped != nil {
		t.Fatalf("token %+v, %v", first, err)
	}
	same, err := g.admin.RefreshToken(ctx, "shop", "some older token")
	if err != nil || same.Generation != 1 {
		t.Errorf("refresh of another token gave generation %d, %v, want 1", same.Generation, err)
	}
	never, err := g.admin.Token(ctx, sandbox.SeedMiniAppID)
	if err != nil || never.AccessToken != "" || never.FetchedAt != nil || never.AgeSeconds != 0 {
		t.Errorf("token that was never fetched %+v, %v", never, err)
	}
	got := g.do("POST", "/v1/accounts/"+sandbox.SeedMiniAppID+"/token/refresh", "")
	if got.status != 200 || !strings.Contains(got.body, `"generation":1`) {
		t.Errorf("refresh without a body: status %d, body %s", got.status, got.body)
	}
}

func TestWrongSecretStopsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.addAccount(client.AccountRequest{AppID: sandbox.SeedServiceAppID, Secret: testSecret, BaseURL: wechatURL})
		_, err := g.admin.SyncTemplates(t.Context(), sandbox.SeedServiceAppID)
		p := wantProblem(t, err, http.StatusConflict, "token_stopped")
		if p.Retryable {
			t.Error("retryable, though a person must act")
		}
		got, err := g.admin.Token(t.Context(), sandbox.SeedServiceAppID)
		if err != nil || got.Stopped == nil || !got.Stopped.NeedsPerson || got.Stopped.Errcode == nil {
			t.Errorf("token %+v, %v, want it stopped", got, err)
		}
	})
}

func TestQuotaShowsEveryRule(t *testing.T) {
	g := newGateway(t)
	g.seed()
	got, err := g.admin.Quota(t.Context(), "shop")
	if err != nil || len(got.Items) != 1 {
		t.Fatalf("quota %+v, %v", got, err)
	}
	q := got.Items[0]
	if q.Scope != "account" || q.Period != "day" || q.Limit != 100_000 || q.Used+q.Remaining != q.Limit || q.ResetsAt.Time.IsZero() {
		t.Errorf("quota %+v", q)
	}
}
