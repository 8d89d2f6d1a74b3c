package api

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

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
	want := client.TemplateSync{Added: []string{}, Updated: []string{}, Missing: []string{}, Unchanged: 3}
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

func TestMiniProgramTemplatesAreRegisteredByHand(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	_, err := g.admin.SyncTemplates(ctx, sandbox.SeedMiniAppID)
	wantProblem(t, err, 422, "templates_by_hand")
	_, err = g.admin.AddTemplate(ctx, sandbox.SeedMiniAppID, client.TemplateAdd{TemplateIDShort: "1"})
	wantProblem(t, err, 422, "templates_by_hand")
	put, err := g.admin.PutTemplate(ctx, sandbox.SeedMiniAppID, sandbox.SeedTemplateMini, client.TemplatePut{Title: "预约成功通知", Content: "预约项目：{{keyword1.DATA}}"})
	if err != nil || put.Kind != "mini_template" || put.Status != "active" || len(put.Keys) != 1 {
		t.Errorf("put %+v, %v", put, err)
	}
	for name, bad := range map[string]client.TemplatePut{
		"no title": {Content: "{{keyword1.DATA}}"}, "no key": {Title: "x", Content: "nothing"}, "a long text": {Title: "x", Content: "{{a.DATA}}" + strings.Repeat("长", 2000)},
	} {
		_, err := g.admin.PutTemplate(ctx, sandbox.SeedMiniAppID, "t1", bad)
		if wantProblem(t, err, 422, "invalid_template"); t.Failed() {
			t.Log(name)
		}
	}
	if err := g.admin.DeleteTemplate(ctx, sandbox.SeedMiniAppID, sandbox.SeedTemplateMini); err != nil {
		t.Error(err)
	}
	list, err := g.admin.Templates(ctx, sandbox.SeedMiniAppID)
	if err != nil || len(list.Items) != 0 {
		t.Errorf("templates %+v, %v, want none", list, err)
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
