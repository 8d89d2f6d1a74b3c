package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/wechat"
)

const testAESKey = "hongyanSandboxEncodingAESKey0123456789abcdE"

func TestAccountLife(t *testing.T) {
	g := newGateway(t)
	ctx := t.Context()
	created, err := g.admin.CreateAccount(ctx, client.AccountRequest{
		AppID: "wx0f1e2d3c4b5a6978", Secret: testSecret, Name: "商城", Alias: "shop", BaseURL: "http://127.0.0.1:7900",
		Callback: &client.CallbackInput{Token: new("token1"), AESKey: new(testAESKey), Mode: new("safe")},
		Rate:     &client.Rate{PerSecond: 20}, Quotas: []client.Quota{{Scope: "template", Period: "month", Limit: 10_000}},
		QuietHours: "23:00-07:00", MaxInFlight: 10, ExpireAfterSeconds: 3600, CutValues: true, Care: &client.Care{UserCap: new(3)}, TokenSource: "plain", UncertainPolicy: "resend",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := client.Account{
		AppID: "wx0f1e2d3c4b5a6978", SecretSet: true, Kind: "service", Name: "商城", Alias: "shop", BaseURL: "http://127.0.0.1:7900",
		Callback:        client.CallbackStatus{Mode: "safe", TokenSet: true, AESKeySet: true},
		CallbackURLPath: "/callback/wx0f1e2d3c4b5a6978", Rate: client.Rate{PerSecond: 20},
		Quotas:          []client.Quota{{Scope: "template", Period: "month", Limit: 10_000}},
		UncertainPolicy: "resend", TokenSource: "plain", QuietHours: "23:00-07:00", MaxInFlight: 10, ExpireAfterSeconds: 3600, CutValues: true, Care: client.CareStatus{Suppression: "auto", UserCap: 3},
		Mini:        client.MiniRules{PrepaySends: 1, ConsentCheck: "off"},
		Downstreams: []client.Downstream{}, Holds: []client.Hold{}, CreatedAt: created.CreatedAt, UpdatedAt: created.UpdatedAt,
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	read, err := g.admin.Account(ctx, "shop")
	if diff := cmp.Diff(want, read); err != nil || diff != "" {
		t.Errorf("read by alias: %v (-want +got):\n%s", err, diff)
	}
	_, err = g.admin.CreateAccount(ctx, client.AccountRequest{AppID: "wx0f1e2d3c4b5a6978", Secret: testSecret})
	wantProblem(t, err, 409, "account_exists")

	patched, err := g.admin.UpdateAccount(ctx, "shop", client.AccountPatch{Name: new("新名"), Quotas: new([]client.Quota{}), QuietHours: new("off"), MaxInFlight: new(0)})
	if err != nil {
		t.Fatal(err)
	}
	want.Name, want.QuietHours, want.MaxInFlight, want.UpdatedAt = "新名", "off", 50, patched.UpdatedAt
	want.Quotas = []client.Quota{{Scope: "account", Period: "day", Limit: 100_000}}
	if diff := cmp.Diff(want, patched); diff != "" {
		t.Errorf("patched (-want +got):\n%s", diff)
	}
	if err := g.admin.DeleteAccount(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	_, err = g.admin.Account(ctx, "shop")
	wantProblem(t, err, 404, "unknown_account")
	if got, want := g.changed, slices.Repeat([]string{"wx0f1e2d3c4b5a6978"}, 3); !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
}

func TestCallbackSecretsRotate(t *testing.T) {
	g := newGateway(t)
	ctx := t.Context()
	if _, err := g.admin.CreateAccount(ctx, client.AccountRequest{AppID: "wx0f1e2d3c4b5a6978", Secret: testSecret, Callback: &client.CallbackInput{Token: new("token1")}}); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name, token             string
		wantCurrent, wantBefore string
	}{
		{"a new token keeps the old one", "token2", "token2", "token1"},
		{"the same token changes nothing", "token2", "token2", "token1"},
		{"a third forgets the first", "token3", "token3", "token2"},
		{"an empty one clears both", "", "", ""},
	}
	for _, step := range steps {
		if _, err := g.admin.UpdateAccount(ctx, "wx0f1e2d3c4b5a6978", client.AccountPatch{Callback: &client.CallbackInput{Token: &step.token}}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		a, err := g.store.Account(ctx, "wx0f1e2d3c4b5a6978")
		if err != nil {
			t.Fatal(err)
		}
		if got, before := a.Callback.Token.Reveal(), a.Callback.PreviousToken.Reveal(); got != step.wantCurrent || before != step.wantBefore {
			t.Errorf("%s: token %q, previous %q, want %q and %q", step.name, got, before, step.wantCurrent, step.wantBefore)
		}
	}
}

func TestBadAccountsAreRefusedAndStoreNothing(t *testing.T) {
	g := newGateway(t)
	const good = `"appid":"wx0f1e2d3c4b5a6978","secret":"` + testSecret + `"`
	tests := []struct {
		name, body string
		pointers   []string
	}{
		{"nothing", `{}`, []string{"/appid", "/secret"}},
		{"an appid in capitals", `{"appid":"WX0F1E2D3C4B5A6978","secret":"` + testSecret + `"}`, []string{"/appid"}},
		{"an AppSecret with a line break", `{"appid":"wx0f1e2d3c4b5a6978","secret":"` + testSecret + `\n"}`, []string{"/secret"}},
		{"an AppSecret with a sign", `{"appid":"wx0f1e2d3c4b5a6978","secret":"` + testSecret[1:] + `-"}`, []string{"/secret"}},
		{"a rate above any", `{` + good + `,"rate":{"per_second":99999999}}`, []string{"/rate/per_second"}},
		{"an unknown way to keep a suppression list", `{` + good + `,"care":{"suppression":"maybe"}}`, []string{"/care/suppression"}},
		{"an unknown kind", `{` + good + `,"kind":"enterprise"}`, []string{"/kind"}},
		{"http off loopback", `{` + good + `,"base_url":"http://api.weixin.qq.com"}`, []string{"/base_url"}},
		{"http to a name that only looks like loopback", `{` + good + `,"base_url":"http://127.0.0.1.example.com"}`, []string{"/base_url"}},
		{"a base URL with a query", `{` + good + `,"base_url":"https://api.weixin.qq.com/?a=1"}`, []string{"/base_url"}},
		{"a base URL with a password", `{` + good + `,"base_url":"https://a:b@api.weixin.qq.com"}`, []string{"/base_url"}},
		{"a base URL of another scheme", `{` + good + `,"base_url":"ftp://127.0.0.1"}`, []string{"/base_url"}},
		{"an alias with a capital", `{` + good + `,"alias":"Shop"}`, []string{"/alias"}},
		{"an alias like an appid", `{` + good + `,"alias":"wx0f1e2d3c4b5a6979"}`, []string{"/alias"}},
		{"a long name", `{` + good + `,"name":"` + strings.Repeat("名", 65) + `"}`, []string{"/name"}},
		{"a short callback token", `{` + good + `,"callback":{"token":"ab"}}`, []string{"/callback/token"}},
		{"a callback token with a sign", `{` + good + `,"callback":{"token":"abc-d"}}`, []string{"/callback/token"}},
		{"an AES key of 42 characters", `{` + good + `,"callback":{"aes_key":"` + testAESKey[1:] + `"}}`, []string{"/callback/aes_key"}},
		{"an unknown mode", `{` + good + `,"callback":{"mode":"aes"}}`, []string{"/callback/mode"}},
		{"safe mode without secrets", `{` + good + `,"callback":{"mode":"safe"}}`, []string{"/callback/aes_key", "/callback/token"}},
		{"compatible mode without a key", `{` + good + `,"callback":{"mode":"compatible","token":"abc"}}`, []string{"/callback/aes_key"}},
		{"a negative rate", `{` + good + `,"rate":{"per_second":-1}}`, []string{"/rate/per_second"}},
		{"a quota of nothing", `{` + good + `,"quotas":[{"scope":"account","period":"day","limit":0}]}`, []string{"/quotas/0/limit"}},
		{"a quota of unknown scope and period", `{` + good + `,"quotas":[{"scope":"user","period":"week","limit":1}]}`, []string{"/quotas/0/period", "/quotas/0/scope"}},
		{"two quotas for the same", `{` + good + `,"quotas":[{"scope":"account","period":"day","limit":1},{"scope":"account","period":"day","limit":2}]}`, []string{"/quotas/1"}},
		{"an unknown policy and source", `{` + good + `,"uncertain_policy":"ask","token_source":"push"}`, []string{"/token_source", "/uncertain_policy"}},
		{"a token_url that nobody asks for", `{` + good + `,"token_url":"https://token.example.com"}`, []string{"/token_url"}},
		{"a token_url without https", `{` + good + `,"token_source":"external","token_url":"http://10.0.0.5/token"}`, []string{"/token_url"}},
		{"a proxy without a port", `{` + good + `,"egress_proxy":"socks5://10.0.0.5"}`, []string{"/egress_proxy"}},
		{"paths that are none", `{` + good + `,"paths":{"allow":["cgi-bin/*"],"deny":["/a*b"]}}`, []string{"/paths/allow/0", "/paths/deny/0"}},
		{"a downstream of nothing", `{` + good + `,"downstreams":[{}]}`, []string{"/downstreams/0/name", "/downstreams/0/url"}},
		{"two downstreams of one name that both answer", `{` + good + `,"downstreams":[{"name":"crm","url":"http://10.0.0.8","sync":true},{"name":"crm","url":"http://10.0.0.9","sync":true}]}`, []string{"/downstreams/1/name", "/downstreams/1/sync"}},
		{"a downstream in safe mode without a key anywhere", `{` + good + `,"downstreams":[{"name":"crm","url":"http://10.0.0.8","mode":"safe","token":"crmtoken"}]}`, []string{"/downstreams/0/aes_key"}},
		{"a mistyped event", `{` + good + `,"downstreams":[{"name":"crm","url":"http://10.0.0.8","events":["text","subscibe"]}]}`, []string{"/downstreams/0/events/1"}},
		{"bad quiet hours", `{` + good + `,"quiet_hours":"at night"}`, []string{"/quiet_hours"}},
		{"too many calls at once", `{` + good + `,"max_in_flight":1001}`, []string{"/max_in_flight"}},
		{"a life of a second", `{` + good + `,"expire_after_seconds":1}`, []string{"/expire_after_seconds"}},
		{"an endless life", `{` + good + `,"expire_after_seconds":9223372036854775807}`, []string{"/expire_after_seconds"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := g.do("POST", "/v1/accounts", tt.body)
			p := got.problem(t)
			checkProblem(t, got, p, 422, "invalid_account")
			var pointers []string
			for _, e := range p.Errors {
				pointers = append(pointers, e.Pointer)
			}
			if diff := cmp.Diff(tt.pointers, pointers); diff != "" {
				t.Errorf("pointers (-want +got):\n%s\n%s", diff, got.body)
			}
		})
	}
	for _, field := range []string{`"webhooks":[]`, `"downstreams":[{"name":"crm","token_set":true}]`, `"paths":{"allowed":[]}`} {
		got := g.do("POST", "/v1/accounts", fmt.Sprintf(`{%s,%s}`, good, field))
		if p := got.problem(t); got.status != 400 || p.Code != "unknown_field" {
			t.Errorf("%s: status %d, problem %+v, want 400 unknown_field", field, got.status, p)
		}
	}
	accounts, err := g.admin.Accounts(t.Context())
	if err != nil || len(accounts.Items) != 0 {
		t.Errorf("accounts %v, %v, want none", accounts.Items, err)
	}
}

func TestPatchThatBreaksARuleChangesNothing(t *testing.T) {
	g := newGateway(t)
	g.seed()
	before, err := g.admin.Account(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"alias":"NO"}`, `{"secret":""}`, `{"callback":{"mode":"safe"}}`, `{"appid":"wx0000000000000000"}`, `{"kind":"test"}`, `{"name":"x","rate":{"per_second":-1}}`} {
		if got := g.do("PATCH", "/v1/accounts/shop", body); got.status != 422 && got.status != 400 {
			t.Errorf("%s: status %d, want 422 or 400", body, got.status)
		}
	}
	after, err := g.admin.Account(t.Context(), "shop")
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("%v, changed (-before +after):\n%s", err, diff)
	}
}

func TestAnswersHaveNoSecrets(t *testing.T) {
	g := newGateway(t)
	g.seed()
	const crmKey = "hongyanDownstreamEncodingAESKey0123456789ab"
	if _, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{
		Callback:    &client.CallbackInput{Token: new("callbacktoken1"), AESKey: new(testAESKey)},
		TokenSource: new("external"), TokenURL: new("https://token.example.com/?key=tokenurlsecret"), EgressProxy: new("http://proxyuser:proxypass@10.0.0.5:3128"),
		Downstreams: &[]client.DownstreamInput{{Name: "crm", URL: "http://10.0.0.8/wechat", Token: new("downstreamtoken1"), AESKey: new(crmKey)}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/accounts", "/v1/accounts/shop", "/v1/keys", "/v1/accounts/shop/templates", "/v1/accounts/shop/quota", "/v1/messages",
		"/v1/accounts/shop/downstreams", "/v1/accounts/shop/deliveries", "/v1/audit"} {
		got := g.do("GET", path, "")
		for _, secret := range []string{sandbox.SeedServiceSecret, "callbacktoken1", testAESKey, testAdminKey, "tokenurlsecret", "proxyuser", "proxypass", "downstreamtoken1", crmKey} {
			if got.status != 200 || strings.Contains(got.body, secret) {
				t.Errorf("GET %s: status %d, secret in %s", path, got.status, got.body)
			}
		}
	}
}

// TestABadBaseURLIsNamed checks that the caller is told which URL was refused and why.
func TestABadBaseURLIsNamed(t *testing.T) {
	g := newGateway(t)
	for url, rule := range map[string]string{
		"http://10.0.0.5":        "must be https",
		"ftp://127.0.0.1":        "not an absolute URL",
		"http://wechat.internal": "must be https",
	} {
		got := g.do("POST", "/v1/accounts", `{"appid":"wx0f1e2d3c4b5a6978","secret":"`+testSecret+`","base_url":"`+url+`"}`)
		if p := got.problem(t); !strings.Contains(p.Detail, `"`+url+`"`) || !strings.Contains(p.Detail, rule) {
			t.Errorf("base_url %s: detail %q, want the URL and %q in it", url, p.Detail, rule)
		}
	}
}

func TestAStoppedTokenIsExplainedOnce(t *testing.T) {
	info, ok := wechat.LookupCode(40125)
	if !ok {
		t.Fatal("40125 is not known")
	}
	e := &hongyan.TokenError{AppID: "wx0f1e2d3c4b5a6978", Stopped: true, Errcode: 40125, Reason: "errcode 40125 invalid appsecret. " + info.Hint}
	p := newProblem("req_1", e)
	if got := strings.Count(p.Detail, info.Hint); got != 1 {
		t.Errorf("the advice appears %d times, want once: %s", got, p.Detail)
	}
}

// TestTheWayToWeChatIsKeptUnlessItIsNamed: what a PATCH leaves out stays, an
// empty value goes back to the default, and answers show what is no secret.
func TestTheWayToWeChatIsKeptUnlessItIsNamed(t *testing.T) {
	g := newGateway(t)
	g.addAccount(client.AccountRequest{
		AppID: "wx0f1e2d3c4b5a6978", Secret: testSecret, TokenSource: "external", TokenURL: "https://token.example.com/?key=1",
		EgressProxy: "socks5://user:pass@10.0.0.5:1080", Paths: &client.PathRules{Allow: []string{"/cgi-bin/*"}, Deny: []string{"/cgi-bin/clear_quota"}},
	})
	const at = "/v1/accounts/wx0f1e2d3c4b5a6978"
	for _, step := range []struct{ patch, stored, shown string }{
		{`{"name":"x"}`, "https://token.example.com/?key=1 socks5://user:pass@10.0.0.5:1080 {[/cgi-bin/*] [/cgi-bin/clear_quota]}", "true socks5://10.0.0.5:1080 {[/cgi-bin/*] [/cgi-bin/clear_quota]}"},
		{`{"paths":{"deny":["/wxa/*"]},"egress_proxy":"http://10.0.0.6:3128"}`, "https://token.example.com/?key=1 http://10.0.0.6:3128 {[] [/wxa/*]}", "true http://10.0.0.6:3128 {[] [/wxa/*]}"},
		{`{"paths":{},"egress_proxy":"","token_url":""}`, "  {[] []}", "false  {[] []}"},
	} {
		if got := g.do("PATCH", at, step.patch); got.status != 200 {
			t.Fatalf("%s: %d %s", step.patch, got.status, got.body)
		}
		a, err := g.store.Account(t.Context(), "wx0f1e2d3c4b5a6978")
		if err != nil {
			t.Fatal(err)
		}
		v, err := g.admin.Account(t.Context(), "wx0f1e2d3c4b5a6978")
		if err != nil {
			t.Fatal(err)
		}
		stored := fmt.Sprint(a.TokenURL.Reveal(), " ", a.EgressProxy.Reveal(), " ", a.Paths)
		shown := fmt.Sprint(v.TokenURLSet, " ", v.EgressProxy, " ", v.Paths)
		if stored != step.stored || shown != step.shown {
			t.Errorf("%s: stored %q, shown %q, want %q and %q", step.patch, stored, shown, step.stored, step.shown)
		}
	}
	// A source that has no URL keeps none.
	if got := g.do("PATCH", at, `{"token_url":"https://token.example.com"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got := g.do("PATCH", at, `{"token_source":"stable"}`)
	checkProblem(t, got, got.problem(t), 422, "invalid_account")
	if got := g.do("PATCH", at, `{"token_source":"stable","token_url":""}`); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
