package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
)

func TestAnAliasWorksWhereverATemplateIDIsTaken(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	alias, err := g.admin.PutTemplateAlias(ctx, "shop", "order_paid", sandbox.SeedTemplateOrder)
	if err != nil || alias.Alias != "order_paid" || alias.TemplateID != sandbox.SeedTemplateOrder || alias.UpdatedAt == nil {
		t.Fatalf("alias %+v, %v", alias, err)
	}
	r := order(sandbox.OpenID("", 1))
	r.TemplateID = "order_paid"
	sent, err := g.admin.Send(ctx, r)
	if err != nil || sent.Message.TemplateID != sandbox.SeedTemplateOrder {
		t.Fatalf("sent %+v, %v", sent, err)
	}
	page, err := g.admin.Messages(ctx, client.MessageFilter{AppID: "shop", TemplateID: "order_paid"})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("messages by alias %+v, %v", page, err)
	}
	read, err := g.admin.Template(ctx, "shop", "order_paid")
	if err != nil || read.TemplateID != sandbox.SeedTemplateOrder || !cmp.Equal(read.Aliases, []string{"order_paid"}) {
		t.Errorf("read %+v, %v", read, err)
	}
	patched, err := g.admin.SetTemplatePolicy(ctx, "shop", "order_paid", "split")
	if err != nil || patched.Policy != "split" {
		t.Errorf("patched %+v, %v", patched, err)
	}
	if got := g.do("PATCH", "/v1/accounts/shop/templates/order_paid", `{}`); got.status != 200 || !strings.Contains(got.body, `"policy":"split"`) {
		t.Errorf("a patch of nothing: status %d, body %s", got.status, got.body)
	}
	_, err = g.admin.SetTemplatePolicy(ctx, "shop", "order_paid", "shorten")
	wantProblem(t, err, 422, "invalid_template")
	err = g.admin.DeleteTemplate(ctx, "shop", sandbox.SeedTemplateOrder)
	wantProblem(t, err, 409, "template_has_aliases")
	if err := g.admin.DeleteTemplateAlias(ctx, "shop", "order_paid"); err != nil {
		t.Error(err)
	}
	err = g.admin.DeleteTemplateAlias(ctx, "shop", "order_paid")
	wantProblem(t, err, 404, "unknown_alias")
	list, err := g.admin.TemplateAliases(ctx, "shop")
	if err != nil || len(list.Items) != 0 {
		t.Errorf("aliases %+v, %v", list, err)
	}
	r.ClientMsgID = "second"
	_, err = g.admin.Send(ctx, r)
	wantProblem(t, err, 422, "unknown_template")
}

func TestBadAliasesAreRefused(t *testing.T) {
	g := newGateway(t)
	g.seed()
	for name, c := range map[string]struct{ alias, template, code string }{
		"a template nobody has":       {"order_paid", "nope", "unknown_template"},
		"an alias":                    {"order_paid", "other", "unknown_template"},
		"nothing":                     {"order_paid", "", "missing_field"},
		"a digit first":               {"1st", sandbox.SeedTemplateOrder, "invalid_alias"},
		"Chinese":                     {"订单", sandbox.SeedTemplateOrder, "invalid_alias"},
		"as long as a template_id":    {strings.Repeat("a", 43), sandbox.SeedTemplateOrder, "invalid_alias"},
		"longer than an alias may be": {strings.Repeat("a", 41), sandbox.SeedTemplateOrder, "invalid_alias"},
	} {
		_, err := g.admin.PutTemplateAlias(t.Context(), "shop", c.alias, c.template)
		if wantProblem(t, err, 422, c.code); t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestARefusedMessageNamesRuleAndChinese: the linter's words come with a refusal, too.
func TestARefusedMessageNamesRuleAndChinese(t *testing.T) {
	g := newGateway(t)
	g.seed()
	r := order(sandbox.OpenID("", 1))
	r.Data["thing2"] = client.Field{Value: strings.Repeat("长", 21)}
	_, err := g.admin.Send(t.Context(), r)
	p := wantProblem(t, err, 422, "invalid_data")
	if len(p.Errors) != 1 || p.Errors[0].Rule != "thing:max20" || p.Errors[0].Pointer != "/data/thing2" || !strings.Contains(p.Errors[0].DetailZH, "最多 20 个字符") {
		t.Errorf("errors %+v", p.Errors)
	}
}

func TestLintAndPreview(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	data := order("").Data
	data["thing2"] = client.Field{Value: strings.Repeat("长", 21), Color: "#FF0000"}
	report, err := g.admin.LintTemplate(ctx, "shop", sandbox.SeedTemplateOrder, client.LintRequest{Data: data})
	if err != nil || report.OK || report.Policy != "refuse" || !report.Known || report.Title != "订单支付通知" {
		t.Fatalf("report %+v, %v", report, err)
	}
	want := []string{"error /data/thing2 thing:max20", "warning /data/thing2 card:color_ignored", "warning /data/amount3 card:color_ignored"}
	if diff := cmp.Diff(want, findingWords(report.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if _, err := g.admin.SetTemplatePolicy(ctx, "shop", sandbox.SeedTemplateOrder, "cut"); err != nil {
		t.Fatal(err)
	}
	preview, err := g.admin.PreviewTemplate(ctx, "shop", sandbox.SeedTemplateOrder, client.PreviewRequest{
		LintRequest: client.LintRequest{Data: data}, URL: "https://shop.example.com/o/1",
	})
	cut := strings.Repeat("长", 19) + "…"
	if err != nil || !preview.OK || preview.Era != "F" || preview.Card.Style != "trimmed" || preview.Data["thing2"].Value != cut || preview.Jump.URL == "" {
		t.Fatalf("preview %+v, %v", preview, err)
	}
	if line := preview.Card.Lines[1]; line != (client.CardLine{Label: "商品名称", Value: cut}) {
		t.Errorf("line %+v", line)
	}
	for _, part := range []string{`<dt>商品名称</dt><dd>` + cut + `</dd>`, "查看详情", "<style>", "订单支付通知"} {
		if !strings.Contains(preview.HTML, part) {
			t.Errorf("the page lacks %q:\n%s", part, preview.HTML)
		}
	}
	if !strings.Contains(preview.Text, "│ 订单编号  A1001") || strings.Contains(preview.Text, "<") {
		t.Errorf("text:\n%s", preview.Text)
	}
}

func TestAPreviewFollowsTheEraAndTheExample(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	old, err := g.admin.PreviewTemplate(ctx, "shop", sandbox.SeedTemplateHistorical, client.PreviewRequest{LintRequest: client.LintRequest{Era: "A", TopColor: "#FF6A00"}})
	if err != nil || old.Card.First != "您好，您的订单已支付成功" || old.Card.TopColor != "#FF6A00" || old.Card.Style != "classic" || old.Jump.Kind != "blank_page" || len(old.Findings) != 0 {
		t.Errorf("era A: %+v, %v", old, err)
	}
	now, err := g.admin.PreviewTemplate(ctx, "shop", sandbox.SeedTemplateHistorical, client.PreviewRequest{LintRequest: client.LintRequest{TopColor: "#FF6A00"}})
	want := []string{"warning /topcolor card:topcolor", "warning /data/first card:hidden", "warning /data/remark card:hidden"}
	if diff := cmp.Diff(want, findingWords(now.Findings)); err != nil || diff != "" || now.Card.First != "" {
		t.Errorf("today: %v, card %+v, findings (-want +got):\n%s", err, now.Card, diff)
	}
	if _, err := g.admin.SyncTemplates(ctx, sandbox.SeedMiniAppID); err != nil {
		t.Fatal(err)
	}
	mini, err := g.admin.PreviewTemplate(ctx, sandbox.SeedMiniAppID, sandbox.SeedTemplateSubscribePickup, client.PreviewRequest{Page: "index"})
	if err != nil || mini.Kind != "subscribe" || mini.Card.Style != "mini" || mini.Jump.AppID != sandbox.SeedMiniAppID || !strings.Contains(mini.HTML, "进入小程序查看") {
		t.Errorf("a subscribe message: %+v, %v", mini, err)
	}
}

func TestLintRefusesWhatItCannotJudge(t *testing.T) {
	g := newGateway(t)
	g.seed()
	at := "/v1/accounts/shop/templates/" + sandbox.SeedTemplateOrder
	for name, c := range map[string]struct{ path, body, code string }{
		"a template nobody has":         {"/v1/accounts/shop/templates/nope/preview", `{}`, "unknown_template"},
		"an era there never was":        {at + "/lint", `{"era":"G"}`, "invalid_field"},
		"another account's kind":        {at + "/lint", `{"kind":"subscribe"}`, "wrong_kind"},
		"a kind without templates":      {at + "/lint", `{"kind":"one_time"}`, "wrong_kind"},
		"a kind the template is not of": {at + "/lint", `{"kind":"notice","data":{"thing1":"x"}}`, "template_of_another_kind"},
		"a number":                      {at + "/lint", `{"data":{"amount3":39.8}}`, "wrong_type"},
		"a field of the preview":        {at + "/lint", `{"url":"https://x.test"}`, "unknown_field"},
		"a phone nobody makes":          {at + "/preview", `{"data":{},"platform":"symbian"}`, "invalid_field"},
	} {
		if got := g.do("POST", c.path, c.body).problem(t); got.Code != c.code {
			t.Errorf("%s: code %s, want %s (%s)", name, got.Code, c.code, got.Detail)
		}
	}
	entries, err := g.admin.Audit(t.Context(), client.AuditFilter{Action: "template.preview"})
	if err != nil || len(entries.Items) != 0 {
		t.Errorf("a preview is in the audit log: %+v, %v", entries, err)
	}
}

// TestABannedTemplateIsShownWithWhatWaitsForIt in the list.
func TestABannedTemplateIsShownWithWhatWaitsForIt(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ctx := t.Context()
	for n := range 3 {
		if _, err := g.admin.Send(ctx, order(sandbox.OpenID("", n))); err != nil {
			t.Fatal(err)
		}
	}
	known, err := g.store.Template(ctx, sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder)
	if err != nil {
		t.Fatal(err)
	}
	known.Status = "banned"
	if err := g.store.SetTemplateStatus(ctx, known.AppID, known.TemplateID, known.Status, "errcode 43116"); err != nil {
		t.Fatal(err)
	}
	if err := g.engine.TemplateGone(ctx, &known, "errcode 43116"); err != nil {
		t.Fatal(err)
	}
	got, err := g.admin.Template(ctx, "shop", known.TemplateID)
	if err != nil || got.Status != "banned" || got.Held != 3 {
		t.Errorf("template %+v, %v, want 3 held", got, err)
	}
	if _, err := g.admin.SyncTemplates(ctx, "shop"); err != nil { // an operator's lifts the ban
		t.Fatal(err)
	}
	if got, err = g.admin.Template(ctx, "shop", known.TemplateID); err != nil || got.Status != "active" || got.Held != 0 {
		t.Errorf("after the sync %+v, %v", got, err)
	}
}

func findingWords(all []client.Finding) []string {
	var words []string
	for _, f := range all {
		words = append(words, f.Severity+" "+f.Pointer+" "+f.Rule)
	}
	return words
}

// TestLintBodyIsTheClients keeps the two shapes of one body alike.
func TestLintBodyIsTheClients(t *testing.T) {
	if diff := cmp.Diff(fieldNames(reflect.TypeFor[client.PreviewRequest]()), fieldNames(reflect.TypeFor[previewBody]())); diff != "" {
		t.Errorf("fields (-client +api):\n%s", diff)
	}
}

// fieldNames lists the names of a struct's fields, those of embedded ones in their place.
func fieldNames(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			names = append(names, fieldNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// TestLintTakesKeysWithDATA: sending refuses them before it looks at anything else; the
// linter says so beside what else is wrong, however they are written.
func TestLintTakesKeysWithDATA(t *testing.T) {
	g := newGateway(t)
	g.seed()
	path := "/v1/accounts/shop/templates/" + sandbox.SeedTemplateOrder
	body := `{"data":{"character_string1":"A1","thing2.DATA":{"value":"茶","color":"#FF0000"},"{{amount3.DATA}}":"￥1.00","time4":"soon"}}`
	for _, act := range []string{"/lint", "/preview"} {
		got := g.do("POST", path+act, body)
		var report client.LintReport
		if err := json.Unmarshal([]byte(got.body), &report); err != nil || got.status != 200 || report.OK {
			t.Fatalf("%s: got %d %s, %v", act, got.status, got.body, err)
		}
		words := findingWords(report.Findings)
		for _, want := range []string{"error /data/thing2.DATA dot_data", "error /data/amount3.DATA dot_data"} {
			if !slices.Contains(words, want) {
				t.Errorf("%s: findings %q, want %q among them", act, words, want)
			}
		}
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, " missing") }) {
			t.Errorf("%s: findings %q: one mistake is told twice", act, words)
		}
		if !strings.Contains(strings.Join(words, "\n"), "error /data/time4 time:") {
			t.Errorf("%s: findings %q, want one about time4", act, words)
		}
	}
	got := g.do("POST", path+"/lint", `{"data":"{}"}`)
	if p := got.problem(t); got.status != 400 || p.Code != "data_is_string" {
		t.Errorf("a string: got %d %+v", got.status, p)
	}
	got = g.do("POST", path+"/lint", `{"data":{"{{thing2.DATA}}":"茶","thing2.DATA":"酒"}}`)
	if p := got.problem(t); got.status != 400 || p.Code != "duplicate_field" || p.Errors[0].Pointer != "/data/thing2.DATA" {
		t.Errorf("the same key twice: got %d %+v", got.status, p)
	}
	got = g.do("POST", path+"/preview", `{"data":null}`)
	if !strings.Contains(got.body, `"ok":true`) {
		t.Errorf("null shows the example: got %d %s", got.status, got.body)
	}
}
