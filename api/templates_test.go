package api

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/wechat"
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

// TestSyncComparesListAgainstStore covers what a sandbox's list cannot: renamed,
// banned, missing and returning templates.
func TestSyncComparesListAgainstStore(t *testing.T) {
	now := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	account := &hongyan.Account{AppID: "wx0f1e2d3c4b5a6978", Kind: hongyan.ServiceAccount}
	known := func(id, title, status string) hongyan.Template {
		return hongyan.Template{AppID: account.AppID, TemplateID: id, Title: title, Kind: hongyan.KindTemplate, Status: status, SyncedAt: now.Add(-time.Hour)}
	}
	ours := []hongyan.Template{
		known("same", "t", "active"), known("renamed", "old", "active"), known("banned", "t", "banned"),
		known("back", "t", "removed"), known("gone", "t", "active"), known("gone-before", "t", "removed"),
	}
	theirs := []wechat.Template{{TemplateID: "same", Title: "t"}, {TemplateID: "renamed", Title: "new"}, {TemplateID: "banned", Title: "t"}, {TemplateID: "back", Title: "t"}, {TemplateID: "fresh", Title: "t"}}

	byEngine := compareTemplates(account, ours, theirs, now, false)
	want := client.TemplateSync{Added: []string{"fresh"}, Updated: []string{"renamed", "back"}, Missing: []string{"gone"}, Unchanged: 2}
	if diff := cmp.Diff(want, byEngine.report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := byEngine.put[2].Status; got != "banned" {
		t.Errorf("a banned template became %q without an operator", got)
	}
	if diff := cmp.Diff([]string{"back"}, byEngine.revived); diff != "" {
		t.Errorf("revived (-want +got):\n%s", diff)
	}
	byOperator := compareTemplates(account, ours, theirs, now, true)
	if diff := cmp.Diff([]string{"banned", "back"}, byOperator.revived); diff != "" {
		t.Errorf("revived by an operator (-want +got):\n%s", diff)
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
		g.addAccount(client.AccountRequest{AppID: sandbox.SeedServiceAppID, Secret: "wrong", BaseURL: wechatURL})
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
