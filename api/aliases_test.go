package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"hongyan/client"
	"hongyan/sandbox"
)

func TestAnAliasStandsForATemplateEverywhere(t *testing.T) {
	g := newGateway(t)
	g.seed()
	if _, err := g.admin.SyncTemplates(t.Context(), sandbox.SeedMiniAppID); err != nil {
		t.Fatal(err)
	}
	at := "/v1/accounts/" + sandbox.SeedMiniAppID
	if a := g.do("PUT", at+"/templates/"+sandbox.SeedTemplateMini, `{"title":"预约","content":"取餐号：{{keyword1.DATA}}\n门店：{{keyword2.DATA}}"}`); a.status >= 300 {
		t.Fatalf("template: %d %s", a.status, a.body)
	}
	for alias, id := range map[string]string{"pickup": sandbox.SeedTemplateSubscribePickup, "old": sandbox.SeedTemplateMini} {
		if a := g.do("PUT", at+"/templates/aliases/"+alias, fmt.Sprintf(`{"template_id":%q}`, id)); a.status >= 300 {
			t.Fatalf("alias %s: %d %s", alias, a.status, a.body)
		}
	}
	user := sandbox.OpenID("", 1)
	report := func(id string) string {
		return fmt.Sprintf(`{"openid":%q,"template_id":%q,"answer":"accept"}`, user, id)
	}
	if a := g.do("POST", at+"/consents", report("pickup")); a.status != 200 || !strings.Contains(a.body, `"stored":1`) {
		t.Errorf("report by alias: %d %s", a.status, a.body)
	}
	for _, name := range []string{"nonesuch", sandbox.SeedTemplateMini} {
		if p := g.do("POST", at+"/consents", report(name)).problem(t); p.Code != "invalid_row" || p.Errors[0].Pointer != "/template_id" || !strings.Contains(p.Errors[0].Detail, "is no subscribe template of") {
			t.Errorf("report for %s: %+v", name, p)
		}
	}
	for _, name := range []string{"pickup", sandbox.SeedTemplateSubscribePickup} {
		if a := g.do("GET", at+"/consents?template_id="+name, ""); !strings.Contains(a.body, `"template_id":"`+sandbox.SeedTemplateSubscribePickup) {
			t.Errorf("consents of %s: %d %s", name, a.status, a.body)
		}
	}
	if _, err := g.admin.ConvertTemplate(t.Context(), sandbox.SeedMiniAppID, "old", client.TemplateOld{}); err != nil {
		t.Errorf("convert by alias: %v", err)
	}
	want := "old is an alias of " + sandbox.SeedTemplateMini + "; delete " + sandbox.SeedTemplateMini
	if a := g.do("DELETE", at+"/templates/old", ""); a.status != 422 || !strings.Contains(a.body, want) {
		t.Errorf("delete by alias: %d %s", a.status, a.body)
	}
}

func TestBadRowsAreToldInChineseToo(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	rows := fmt.Sprintf("openid,order\n%s,订单\n%s,A1\n%[2]s,A1\n", sandbox.OpenID("", 1), sandbox.OpenID("", 2))
	report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV})
	if err != nil || report.Bad != 2 {
		t.Fatalf("report %+v, %v", report, err)
	}
	zh := []string{report.Problems[0].DetailZH, report.Problems[1].DetailZH}
	if !strings.Contains(zh[0], "当前值为") || zh[1] != "第 2 行已有该 openid" {
		t.Errorf("details in Chinese: %q", zh)
	}
	p := report.Problems
	wantFile(t, g, b.ID, "results.csv", 4, map[int][]string{
		1: {"1", sandbox.OpenID("", 1), "bad", "有问题", p[0].Rule, "", p[0].Detail, zh[0]},
		3: {"3", sandbox.OpenID("", 2), "bad", "有问题", p[1].Rule, "", p[1].Detail, zh[1]}})
	wantFile(t, g, b.ID, "problems.csv", 3, map[int][]string{2: {"3", "openid", "duplicate_openid", p[1].Detail, zh[1], sandbox.OpenID("", 2)}})
}

// hasChinese reports whether text has a Chinese character.
func hasChinese(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) })
}

func TestLinesThatCannotBeReadAreToldInChineseToo(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	to := fmt.Sprintf(`{"touser":%q,`, sandbox.OpenID("", 1))
	for _, c := range []struct{ line, rule, zh string }{
		{to + `"data":{"character_string1.DATA":"x"}}`, "dot_data_key", `键应为 "character_string1"`},
		{to + `"data":"{}"}`, "data_is_string", "请勿重复编码"},
		{to + `"data":{"character_string1":{"value":"x","colour":"#fff"}}}`, "unknown_field", `没有字段 "colour"`},
		{to + `"temlate":"x"}`, "unknown_field", `没有字段 "temlate"`},
		{to + `"data":{"character_string1":1001}}`, "wrong_type", "实际为数字 1001；请加上引号"},
		{`[]`, "wrong_type", "应为对象，实际为数组"},
		{`{"touser":"a","touser":"b"}`, "duplicate_field", `"touser" 出现了两次`},
		{`{"touser"`, "bad_json", "JSON 不完整"},
		{`{} {}`, "bad_json", "请只发送一个值"},
		{to + `"metadata":1}`, "wrong_type", "应为对象"},
	} {
		report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(c.line), client.Upload{ContentType: client.NDJSON, DryRun: true})
		if err != nil || len(report.Problems) == 0 {
			t.Fatalf("%s: report %+v, %v", c.line, report, err)
		}
		if p := report.Problems[0]; p.Rule != c.rule || !strings.Contains(p.DetailZH, c.zh) {
			t.Errorf("%s: %s %q, want %s with %q", c.line, p.Rule, p.DetailZH, c.rule, c.zh)
		}
	}
	_, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader("x"), client.Upload{ContentType: "text/html"})
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "unsupported_media_type" || !hasChinese(p.Errors[0].DetailZH) {
		t.Errorf("text/html: %v", err)
	}
}
